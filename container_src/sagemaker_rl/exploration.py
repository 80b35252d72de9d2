"""Exploration by random actions that are held for a while.

Dabney, Ostrovski and Barreto, "Temporally-Extended epsilon-Greedy Exploration" (https://arxiv.org/abs/2006.01782): an
epsilon-greedy agent dithers, since one random step undoes the other; one that holds its random actions gets somewhere.
Their durations follow a zeta distribution, these a uniform one.
"""

from typing import Any

import numpy as np
from rl_coach.core_types import RunPhase
from rl_coach.exploration_policies.e_greedy import EGreedy, EGreedyParameters


class HeldEGreedyParameters(EGreedyParameters):
    """Parameters of HeldEGreedy: those of Coach's EGreedy, and the longest duration in environment steps."""

    def __init__(self) -> None:
        super().__init__()
        self.max_duration = 40

    @property
    def path(self) -> str:
        return "sagemaker_rl.exploration:HeldEGreedy"


class HeldEGreedy(EGreedy):
    """Coach's EGreedy for discrete actions, with random actions held for 1 to ``max_duration`` steps.

    With the probability epsilon an agent that holds no action begins to hold a random one. In heatup it always does, if
    the algorithm's ``heatup_using_network_decisions`` lets an exploration policy act there.
    """

    # Coach fills these arguments from the parameters' attributes, by name.
    def __init__(self, action_space: Any, epsilon_schedule: Any, evaluation_epsilon: float, max_duration: int) -> None:
        super().__init__(action_space, epsilon_schedule, evaluation_epsilon)
        self.held = HeldActions(1, len(action_space.actions), max_duration)
        self.random = np.random.default_rng(np.random.randint(2**31))

    def reset(self) -> None:
        """Begin an episode."""
        self.held.drop(np.array([True]))

    def requires_action_values(self) -> bool:
        """Tell whether ``get_action`` needs the values: not while a random action is held."""
        return bool(self.held.steps_left[0] == 0)

    def get_action(self, action_values: Any) -> tuple[int, np.ndarray]:
        """Return an action, and the probabilities of all, float64 ``(actions,)``."""
        self.held.decide(self.random, self.get_control_param())
        greedy = None if action_values is None else np.array([np.argmax(action_values)])
        action = int(self.held.take(greedy)[0])
        self.step_epsilon()
        return action, np.eye(len(self.action_space.actions))[action]

    def get_control_param(self) -> float:
        """Return epsilon."""
        return 1.0 if self.phase == RunPhase.HEATUP else float(super().get_control_param())


class HeldActions:
    """The random actions held in a batch of environments; none for longer than ``max_duration`` steps."""

    def __init__(self, num_envs: int, num_actions: int, max_duration: int) -> None:
        self.num_actions, self.max_duration = num_actions, max_duration
        self.actions = np.zeros(num_envs, dtype=np.int64)
        self.steps_left = np.zeros(num_envs, dtype=np.int64)

    def decide(self, random: Any, epsilon: float) -> np.ndarray:
        """Begin to hold actions by chance; return where one is held now, bool ``(num_envs,)``.

        Args:
            random: a ``numpy.random.Generator``, or what draws as its ``random`` does. Each environment has its own
                row of what is drawn, whether it needs it or not.
            epsilon: the probability.
        """
        chance, action, duration = random.random((len(self.actions), 3)).T
        begins = (self.steps_left == 0) & (chance < epsilon)
        if begins.any():
            self.actions[begins] = action[begins] * self.num_actions  # cut off to whole numbers
            self.steps_left[begins] = 1 + (duration[begins] * self.max_duration).astype(np.int64)
        return self.steps_left > 0

    def take(self, greedy: np.ndarray | None) -> np.ndarray:
        """Count a step; return the actions held, and elsewhere those of ``greedy``, int64 ``(num_envs,)``."""
        held = self.steps_left > 0
        self.steps_left[held] -= 1
        return self.actions.copy() if greedy is None else np.where(held, self.actions, greedy)

    def drop(self, where: np.ndarray) -> None:
        """Hold nothing any longer in these environments."""
        self.steps_left[where] = 0
