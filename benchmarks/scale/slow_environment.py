"""An environment whose step takes as long as its parameters say: it computes, or it waits as for a remote simulator."""

import time
from typing import Any

import gym
import numpy as np

STEPS = 100
"""Of an episode."""


class Slow(gym.Env):
    """A drift of four numbers; ``milliseconds`` are spent in each step, ``burning`` the processor or asleep."""

    observation_space = gym.spaces.Box(-10.0, 10.0, shape=(4,), dtype=np.float32)
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
        self.place = self.random.normal(size=4)
        return self.place.astype(np.float32)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, dict[str, Any]]:
        """Take the time, and a step towards 0 or away from it."""
        self._spend()
        self.steps += 1
        self.place = np.clip(self.place * (0.9 if action else 1.1), -10, 10)
        return self.place.astype(np.float32), -float(np.abs(self.place).sum()), self.steps == STEPS, {}

    def _spend(self) -> None:
        if not self.burning:
            time.sleep(self.seconds)
            return
        end = time.thread_time() + self.seconds
        while time.thread_time() < end:
            pass
