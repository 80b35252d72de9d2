"""Coach's explorations in a batch of environments: the fast path plays them in training and in evaluations.

``sagemaker_rl/exploration.py`` has what presets import, one environment at a time on stock Coach.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from rl_coach.exploration_policies.e_greedy import EGreedy
from rl_coach.schedules import LinearSchedule

from sagemaker_rl.exploration import HeldActions, HeldEGreedy
from sagemaker_rl.training.state_file import State, checked

LONGEST_HOLD: dict[type, Callable[[Any], int]] = {
    EGreedy: lambda exploration: 1,
    HeldEGreedy: lambda exploration: int(exploration.held.max_duration),
}
"""The epsilon-greedy explorations that the fast path plays, and for how many steps at most each holds an action."""


class EpsilonGreedy:
    """An exploration of ``LONGEST_HOLD``: random actions with the probability epsilon, else the best ones."""

    def __init__(self, exploration: Any, num_envs: int, random: Any) -> None:
        """Begin with no action held.

        Args:
            exploration: the agent's, for discrete actions.
            num_envs: how many environments are stepped together.
            random: what chance is drawn from, see ``HeldActions.decide``.
        """
        self.exploration = exploration
        self.random = random
        self.held = HeldActions(
            num_envs, len(exploration.action_space.actions), LONGEST_HOLD[type(exploration)](exploration)
        )

    def act(self, epsilon: float, best_actions: Callable[[], np.ndarray]) -> np.ndarray:
        """Return an action for every environment, int64 ``(num_envs,)``; ask for the best ones only where needed."""
        held = self.held.decide(self.random, epsilon)
        return self.held.take(None if held.all() else best_actions())

    def state(self) -> State:
        """Return the actions held."""
        return {"actions": self.held.actions, "steps_left": self.held.steps_left}

    def restore(self, state: State) -> None:
        """Hold what ``state`` returned."""
        self.held.actions = checked(state["actions"], self.held.actions)
        self.held.steps_left = checked(state["steps_left"], self.held.steps_left)

    def step_schedule(self, steps: int) -> None:
        """Take ``steps`` of epsilon's schedule, one for every environment step, as Coach does."""
        schedule = self.exploration.epsilon_schedule
        for _ in range(steps):
            if type(schedule) is LinearSchedule and schedule.current_value == schedule.final_value:
                break  # at its final value a schedule stays, and computing that takes time
            schedule.step()


def evaluation_policy(
    exploration: Any,
    num_envs: int,
    random: Any,
    best_actions: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what Coach's evaluations play with an epsilon-greedy exploration: observations to actions.

    Args:
        exploration: one of ``LONGEST_HOLD``; its ``evaluation_epsilon`` is the probability of a random action.
        num_envs: how many environments are stepped together.
        random: what chance is drawn from, see ``HeldActions.decide``.
        best_actions: the deterministic policy: observations to actions.
    """
    epsilon = exploration.evaluation_epsilon
    if not epsilon:
        return best_actions
    greedy = EpsilonGreedy(exploration, num_envs, random)
    return lambda observations: greedy.act(epsilon, lambda: best_actions(observations))
