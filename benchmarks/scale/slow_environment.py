"""An environment whose step takes as long as its parameters say: it computes, or it waits as for a remote simulator."""

import time
from typing import Any

import gym
import numpy as np

STEPS = 100
"""Of an episode."""


class Slow(gym.Env):
    """A point on a ray through four dimensions; ``milliseconds`` are spent in each step, ``burning`` or asleep.

    It comes closer to 0, down to 0.1, with action 1 where its first coordinate is positive and with action 0 where that
    is negative; else it goes away, up to 2. A step's reward is minus the sum of the coordinates' sizes: the best mean
    return is about -57, the worst -780. Apart from the time that it spends, a step takes some 5 us.
    """

    observation_space = gym.spaces.Box(-2.0, 2.0, shape=(4,), dtype=np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, milliseconds: float = 0.0, burning: bool = True) -> None:
        self.seconds, self.burning = milliseconds / 1000, burning
        self.random = np.random.default_rng()
        self.steps = 0

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Begin the random numbers anew."""
        self.random = np.random.default_rng(seed)
        return [seed]

    def reset(self, **options: Any) -> Any:
        """Begin an episode."""
        self.steps = 0
        self.distance = float(self.random.uniform(0.5, 1.0))
        self.direction = (self.random.choice((-1.0, 1.0), 4)).astype(np.float32)
        self.good_action = int(self.direction[0] > 0)
        return self.direction * self.distance

    def step(self, action: int) -> tuple[np.ndarray, float, bool, dict[str, Any]]:
        """Take the time, and come closer or go away."""
        self._spend()
        self.steps += 1
        self.distance = max(0.1, self.distance * 0.9) if action == self.good_action else min(2.0, self.distance * 1.1)
        return self.direction * self.distance, -4.0 * self.distance, self.steps == STEPS, {}

    def _spend(self) -> None:
        if not self.seconds:
            return
        if not self.burning:
            time.sleep(self.seconds)
            return
        end = time.thread_time() + self.seconds
        while time.thread_time() < end:
            pass
