"""Clipped PPO (https://arxiv.org/abs/1707.06347) on batches of environments, with Coach's mathematics."""

from collections.abc import Callable
from typing import Any

import numpy as np
from rl_coach.agents.policy_optimization_agent import PolicyGradientRescaler
from rl_coach.core_types import EnvironmentSteps
from rl_coach.exploration_policies.additive_noise import AdditiveNoise
from rl_coach.exploration_policies.categorical import Categorical
from rl_coach.spaces import DiscreteActionSpace

from sagemaker_rl.training.accelerated.copy_streams import CopyStreams
from sagemaker_rl.training.accelerated.explorations import LONGEST_HOLD, EpsilonGreedy, evaluation_policy
from sagemaker_rl.training.accelerated.options import first_difference
from sagemaker_rl.training.accelerated.ppo_learner import PPOLearner
from sagemaker_rl.training.accelerated.run import AcceleratedRun
from sagemaker_rl.training.checkpoints import check_finite
from sagemaker_rl.training.state_file import State

EXPLORATIONS = {True: (Categorical, *LONGEST_HOLD), False: (AdditiveNoise,)}
"""Coach's explorations that this run plays, by whether actions are discrete.

Categorical and AdditiveNoise sample from the policy itself in training. The others take its most probable action or,
by chance, any; the likelihood ratio is that of the policy's own probabilities, as on stock Coach.
"""


def generalized_advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    last_values: np.ndarray,
    dones: np.ndarray,
    cut_values: np.ndarray,
    discount: float,
    lambda_: float,
) -> np.ndarray:
    """Return GAE(lambda) (https://arxiv.org/abs/1506.02438, equation 16) for trajectories of several environments.

    Args:
        rewards: shape ``(steps, environments)``.
        values: V of the state before each step, same shape.
        last_values: V of the states after the last step, ``(environments,)``.
        dones: whether an episode ended with each step, bool, same shape as rewards; V is 0 after the end, and nothing
            flows back over it from the next episode.
        cut_values: V of the final state where the time limit ended an episode (https://arxiv.org/abs/1712.00378), 0
            elsewhere, same shape.
        discount: gamma.
        lambda_: of GAE.
    """
    advantages = np.empty_like(values, dtype=np.float64)
    next_values = last_values.astype(np.float64)
    next_advantages = np.zeros(values.shape[1])
    for step in range(len(rewards) - 1, -1, -1):
        not_done = ~dones[step]
        delta = rewards[step] + discount * (next_values * not_done + cut_values[step]) - values[step]
        next_advantages = advantages[step] = delta + discount * lambda_ * not_done * next_advantages
        next_values = values[step]
    return advantages


class PPORun(AcceleratedRun):
    """Trains and evaluates a Coach ClippedPPOAgent on batches of environments.

    A phase of playing ends after ``num_consecutive_playing_steps``, wherever the episodes are: one that is cut there is
    bootstrapped with the critic's value and goes on in the next phase, where stock Coach plays on to its end alone. An
    episode that its time limit ends is bootstrapped, too, with the value of its final state; stock Coach takes 0.
    """

    default_num_envs = 64
    least_steps_of_a_copy = 512
    """Measured in phases of 2,048 steps, with two layers of 64 (learning rate 0.0003, discount 0.99, entropy 0.01).

    CartPole-v1: the mean of ten evaluations during 40,960 steps, seeds 0 to 2. Acrobot-v1: that of the last three of
    61,440 steps, seeds 0 to 4 as far as there was time; at -500 no episode has reached the height.

    ======  =====  =============  ============================
    copies  steps  CartPole-v1    Acrobot-v1
    ======  =====  =============  ============================
    64      32     253, 200, 426  -88, -500, -121, -83
    16      128    459, 436, 361  -394, -85, -87, -97, -92
    8       256    436, 386, 432  -93, -495, -85, -376, -500
    4       512    384, 423, 400  -104, -90, -90, -97, -86
    2       1,024  472, 446, 455  -500, -120, -500
    ======  =====  =============  ============================
    """

    @staticmethod
    def unsupported(agent: Any) -> str | None:
        algorithm = agent.ap.algorithm
        heads = [type(head).__name__ for head in agent.networks["main"].online_network.model.output_heads]
        options = {
            "policy_gradient_rescaler": (algorithm.policy_gradient_rescaler, PolicyGradientRescaler.GAE),
            "use_kl_regularization": (algorithm.use_kl_regularization, False),
            "estimate_state_value_using_gae": (algorithm.estimate_state_value_using_gae, True),
            "normalization_stats": (algorithm.normalization_stats, None),
            "num_consecutive_training_steps": (algorithm.num_consecutive_training_steps, 1),
            "heads_parameters": (heads, ["VHead", "PPOHead"]),
            "num_consecutive_playing_steps": (type(algorithm.num_consecutive_playing_steps), EnvironmentSteps),
        }
        if difference := first_difference(options):
            return difference
        discrete = isinstance(agent.spaces.action, DiscreteActionSpace)
        if type(agent.exploration_policy) not in EXPLORATIONS[discrete]:
            kind = "discrete" if discrete else "continuous"
            return f"the exploration of {kind} actions is {type(agent.exploration_policy).__name__}"
        return None

    def begin_learning(self) -> None:
        self.learner: PPOLearner = PPOLearner(self.agent, self.random, ranks=self.ranks)
        self.policy = self.learner.policy()
        self.greedy: EpsilonGreedy | None = None
        if type(self.agent.exploration_policy) in LONGEST_HOLD:
            self.greedy = EpsilonGreedy(self.agent.exploration_policy, self.envs.num_envs, self.streams)
        self.rollout: list[tuple[np.ndarray, ...]] = []
        self.cut_observations: list[np.ndarray] = []
        """Of this phase: the final observations of episodes that their time limit ended, in the order of the steps."""

    def learning_state(self) -> State:
        columns = zip(*self.rollout, strict=True)
        return {
            "optimizer": self.learner.optimizer.state(),
            "held": self.greedy.state() if self.greedy else None,
            "rollout": [np.stack(column) for column in columns],
            "cut_observations": self.cut_observations,
        }

    def restore_learning(self, state: State) -> None:
        self.learner.optimizer.restore(state["optimizer"])
        if self.greedy:
            self.greedy.restore(state["held"])
        self.rollout = list(zip(*state["rollout"], strict=True))
        self.cut_observations = list(state["cut_observations"])

    def cut_episodes(self, where: np.ndarray) -> None:
        """End episodes with the last step of this phase, as a time limit does: their last state keeps its value."""
        if self.greedy:
            self.greedy.held.drop(where)
        if self.rollout:
            *columns, dones, truncated = self.rollout[-1]
            where = where & ~dones
            final_observations = self.observations.copy()
            if truncated.any():
                final_observations[truncated] = self.cut_observations.pop()
            self.rollout[-1] = (*columns, dones | where, truncated | where)
            self.cut_observations.append(final_observations[truncated | where])

    def heatup(self, steps: Any) -> None:
        """Do nothing: an on-policy agent learns nothing from random actions."""

    def best_actions(self, observations: np.ndarray) -> np.ndarray:
        policy = self.policy(self.normalize(observations))
        return self._within_bounds(policy[0].argmax(axis=1) if self.learner.discrete else policy[0])

    def evaluation_policy(self, num_envs: int, random: CopyStreams) -> Callable[[np.ndarray], np.ndarray]:
        exploration = self.agent.exploration_policy
        if self.greedy:
            return evaluation_policy(exploration, num_envs, random, self.best_actions)
        if not isinstance(exploration, AdditiveNoise) or not exploration.evaluation_noise_percentage:
            return self.best_actions
        space = self.agent.spaces.action
        deviation = exploration.evaluation_noise_percentage * (space.high - space.low)

        def act(observations: np.ndarray) -> np.ndarray:
            mean = self.policy(self.normalize(observations))[0]
            return self._within_bounds(mean + deviation * random.standard_normal(mean.shape))

        return act

    def play_and_learn(self) -> None:
        actions = self._explore()
        observations = self.observations
        step = self.step(self._within_bounds(actions))
        self.rollout.append((observations, actions, step.rewards, step.dones, step.truncated))
        if step.truncated.any():
            self.cut_observations.append(step.final_observations[step.truncated])
        if self.greedy:
            self.greedy.held.drop(step.dones)
        needed = self.agent.ap.algorithm.num_consecutive_playing_steps.num_steps
        if len(self.rollout) * self.envs.num_envs >= needed:
            self._train(needed)

    def _within_bounds(self, actions: np.ndarray) -> np.ndarray:
        """Return ``actions`` as the environment takes them: clipped to its bounds, as Coach does it."""
        if self.learner.discrete:
            return actions
        space = self.agent.spaces.action
        return np.minimum(np.maximum(actions, space.low), space.high)

    def _explore(self) -> np.ndarray:
        """Return actions by the exploration policy, before they are clipped to the action space."""
        policy = self.policy(self.normalize(self.observations))
        if not self.greedy:
            return self._sample(policy)
        epsilon = self.agent.exploration_policy.get_control_param()
        self.greedy.step_schedule(self.envs.num_envs)
        return self.greedy.act(epsilon, lambda: policy[0].argmax(axis=1))

    def _sample(self, policy: list[np.ndarray]) -> np.ndarray:
        if self.learner.discrete:
            cumulative = policy[0].cumsum(axis=1)
            draws = self.streams.random((len(cumulative), 1)) * cumulative[:, -1:]
            return (draws >= cumulative).sum(axis=1)
        mean, standard_deviation = policy
        return mean + standard_deviation * self.streams.standard_normal(mean.shape)

    def _train(self, needed: int) -> None:
        observations, actions, rewards, dones, truncated = map(np.stack, zip(*self.rollout, strict=True))
        self.rollout = []
        shape = self.observations.shape[1:]
        flat = observations.reshape(-1, *shape)
        self.count_for_normalization(flat)
        states = self.normalize(flat)
        values, *policy = self.learner.heads(states)
        values = values.reshape(rewards.shape)
        last_values = self.learner.heads(self.normalize(self.observations))[0]
        cut_values = np.zeros_like(values)
        if self.cut_observations:
            cut_values[truncated] = self.learner.heads(self.normalize(np.concatenate(self.cut_observations)))[0]
            self.cut_observations = []
        next_observations = np.concatenate([observations[1:], self.observations[None]])
        # Coach counts each transition's next state too.
        self.count_for_normalization(next_observations.reshape(-1, *shape))
        algorithm = self.agent.ap.algorithm
        for _ in range(len(flat)):
            algorithm.clipping_decay_schedule.step()
        advantages = generalized_advantages(
            rewards, values, last_values, dones, cut_values, algorithm.discount, algorithm.gae_lambda
        )
        value_targets = (advantages + values).reshape(-1)
        advantages = advantages.reshape(-1)
        self.agent.state_values.add_sample(values.reshape(-1))
        # Where all are the same there is nothing to learn; Coach divides 0 by 0, and its weights become NaN.
        advantages = (advantages - advantages.mean()) / (advantages.std() or 1.0)
        self.agent.action_advantages.add_sample(advantages)
        flat_actions = actions.reshape(len(flat), *actions.shape[2:])
        self.learner.train(
            states[:needed],
            [head[:needed] for head in policy],
            flat_actions[:needed],
            advantages[:needed],
            value_targets[:needed],
            self.check_stop_late,
        )
        check_finite(self.graph_manager)
        self.agent.training_iteration += 1
        self.keep_losses()
