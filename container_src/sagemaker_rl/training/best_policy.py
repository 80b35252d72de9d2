"""The policy of the best evaluation, kept while training goes on.

Training does not only improve a policy: PPO trades patience for speed, and DQN forgets. What a job leaves is therefore
the policy that its evaluations found best, as with Stable-Baselines3's EvalCallback or Keras' ``restore_best_weights``.
"""

import math
from typing import Any

import numpy as np

from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.normalization import STATISTICS_KEYS, normalizations_of
from sagemaker_rl.training.state_file import State


class BestPolicy:
    """Remembers a Coach agent's weights and the statistics that its observations are normalized with."""

    def __init__(self, graph_manager: Any) -> None:
        agent = agent_of(graph_manager)
        self._parameters = {
            (saver.path, name): parameter
            for saver in graph_manager.checkpoint_saver
            for name, parameter in saver._param_dict.items()
        }
        self._statistics = [each.running_observation_stats for each in normalizations_of(agent)]
        self._weights: dict[tuple[str, str], np.ndarray] = {}
        self._states: list[dict[str, Any]] = []
        self.reward: float | None = None
        """Mean return of the best evaluation; None before the first."""
        self.steps = 0
        """Environment steps that its policy had been trained for."""
        self.evaluations_since = 0
        """Evaluations since the first that found so much."""

    def consider(self, reward: float | None, steps: int) -> bool:
        """Remember the policy as it is now if its evaluation was no worse than any before; return whether it was.

        Args:
            reward: mean return of the evaluation; None if there was none.
            steps: environment steps that the policy has been trained for.
        """
        if reward is None:
            return False
        is_better = math.isfinite(reward) and (self.reward is None or reward > self.reward)
        self.evaluations_since = 0 if is_better else self.evaluations_since + 1
        if not is_better and reward != self.reward:
            return False
        self.reward, self.steps = reward, steps
        self._weights = {key: parameter.data().asnumpy() for key, parameter in self._parameters.items()}
        self._states = [{key: np.array(getattr(s, key)) for key in STATISTICS_KEYS} for s in self._statistics]
        return True

    def restore(self) -> None:
        """Give the agent what was remembered; nothing if there was no evaluation."""
        import mxnet as mx

        for key, weights in self._weights.items():
            self._parameters[key].set_data(mx.nd.array(weights))
        for statistics, state in zip(self._statistics, self._states, strict=False):
            vars(statistics).update(state)

    def state(self) -> State:
        """Return what is remembered."""
        weights = [{"saver": saver, "name": name, "value": value} for (saver, name), value in self._weights.items()]
        return {
            "reward": self.reward,
            "steps": self.steps,
            "evaluations_since": self.evaluations_since,
            "weights": weights,
            "statistics": self._states,
        }

    def remember(self, state: State) -> None:
        """Remember what ``state`` returned."""
        self.reward, self.steps = state["reward"], state["steps"]
        self.evaluations_since = state["evaluations_since"]
        self._weights = {(each["saver"], each["name"]): each["value"] for each in state["weights"]}
        self._states = [dict(each) for each in state["statistics"]]
