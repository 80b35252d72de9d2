"""Clipped PPO (https://arxiv.org/abs/1707.06347) on batches: Coach's mathematics, one graph for a gradient step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mxnet as mx
import numpy as np

from sagemaker_rl.accelerated.run import AcceleratedRun
from sagemaker_rl.checkpoints import check_finite

LOG_2_PI = math.log(2 * math.pi)


def generalized_advantages(
    rewards: np.ndarray, values: np.ndarray, last_values: np.ndarray, ended: np.ndarray, discount: float, lambda_: float
) -> np.ndarray:
    """Return GAE(lambda) (https://arxiv.org/abs/1506.02438, equation 16) for trajectories of several environments.

    Args:
        rewards: shape ``(steps, environments)``.
        values: V of the state before each step, same shape.
        last_values: V of the states after the last step, ``(environments,)``.
        ended: whether an episode ended with each step, bool, same shape as rewards; V is 0 after the end.
        discount: gamma.
        lambda_: of GAE.
    """
    advantages = np.empty_like(values, dtype=np.float64)
    following_values = last_values.astype(np.float64)
    following = np.zeros(values.shape[1])
    for step in range(len(rewards) - 1, -1, -1):
        goes_on = ~ended[step]
        delta = rewards[step] + discount * following_values * goes_on - values[step]
        following = advantages[step] = delta + discount * lambda_ * goes_on * following
        following_values = values[step]
    return advantages


@dataclass(frozen=True)
class StepResult:
    """What one gradient step says; ratios have shape ``(batch,)``."""

    total_loss: float
    value_loss: float
    policy_loss: float
    entropy_loss: float
    ratios: np.ndarray
    clipped_ratios: np.ndarray


class FusedLoss(mx.gluon.HybridBlock):
    """Network, policy loss and value loss as one graph.

    What Coach computes with dense covariance matrices (heads/ppo_head.py: MultivariateNormalDist) is here the closed
    form for a diagonal one.
    """

    def __init__(self, model: Any, discrete: bool, epsilon: float | None, beta: float, weights: tuple[float, float]):
        super().__init__()
        self._discrete, self._epsilon, self._beta, self._weights = discrete, epsilon, beta, weights
        self.register_child(model)
        self._network = [model]  # in a list, so that its parameters keep Coach's names

    def hybrid_forward(  # type: ignore[no-untyped-def]
        self,
        F,
        states,
        actions,
        old_log_probs,
        clip_scale,
        advantages,
        value_targets,
    ):
        """Return total loss (1,), value, policy and entropy losses (1,) each, and both ratios ``(batch,)``."""
        value, *policy = self._network[0](states)
        log_probs, entropy = (
            self._discrete_policy(F, policy, actions) if self._discrete else self._gaussian(F, policy, actions)
        )
        ratios = F.exp(log_probs - old_log_probs)
        clipped = ratios
        objective = ratios * advantages
        if self._epsilon is not None:
            reach = self._epsilon * clip_scale
            clipped = F.broadcast_minimum(F.broadcast_maximum(ratios, 1 - reach), 1 + reach)
            # Coach's own way to the minimum (heads/ppo_head.py:565): where both are the same, in the clipping range,
            # the gradient flows to both, twice what F.minimum gives.
            objective = F.min(F.stack(objective, clipped * advantages), axis=0)
        value_weight, policy_weight = self._weights
        value_loss = 0.5 * value_weight * F.mean(F.square(F.reshape(value, shape=(-1,)) - value_targets))
        policy_loss = -policy_weight * F.mean(objective)
        entropy_loss = -self._beta * F.mean(entropy)
        return value_loss + policy_loss + entropy_loss, value_loss, policy_loss, entropy_loss, ratios, clipped

    def _gaussian(self, F: Any, policy: list, actions: Any) -> tuple[Any, Any]:
        return gaussian_log_prob(F, actions, *policy), F.sum(F.log(policy[1]) + 0.5 * (1 + LOG_2_PI), axis=1)

    def _discrete_policy(self, F: Any, policy: list, actions: Any) -> tuple[Any, Any]:
        log_probabilities = F.log(policy[0])
        return F.pick(log_probabilities, actions, axis=1), -F.sum(log_probabilities * policy[0], axis=1)


def gaussian_log_prob(F: Any, actions: Any, mean: Any, standard_deviation: Any) -> Any:
    """Return the log density of ``actions`` under a diagonal normal distribution; F is NumPy's or MXNet's module."""
    z = (actions - mean) / standard_deviation
    return -F.sum(0.5 * z * z + F.log(standard_deviation) + 0.5 * LOG_2_PI, axis=1)


class PPOLearner:
    """Trains a Coach ClippedPPOAgent's own parameters with its own optimizer."""

    def __init__(self, agent: Any, random: np.random.Generator) -> None:
        from rl_coach.spaces import DiscreteActionSpace

        algorithm, network = agent.ap.algorithm, agent.ap.network_wrappers["main"]
        self.agent = agent
        self.random = random
        self.algorithm = algorithm
        self.discrete = isinstance(agent.spaces.action, DiscreteActionSpace)
        self.batch_size = network.batch_size
        self.network = agent.networks["main"].online_network
        weights = tuple(head.loss_weight for head in self.network.model.output_heads)
        self.loss = FusedLoss(
            self.network.model,
            self.discrete,
            algorithm.clip_likelihood_ratio_using_epsilon,
            algorithm.beta_entropy,
            weights,
        )
        self.loss.hybridize(static_alloc=True, static_shape=True)

    def heads(self, states: np.ndarray) -> list[np.ndarray]:
        """Return V ``(batch,)`` and the policy's parameters ``(batch, actions)`` for normalized states."""
        value, *policy = (output.asnumpy() for output in self.network.model(_nd(states)))
        return [value.reshape(-1), *policy]

    def log_probs(self, policy: list[np.ndarray], actions: np.ndarray) -> np.ndarray:
        """Return the log probabilities (densities) of ``actions``, float32 ``(batch,)``."""
        if self.discrete:
            return np.log(policy[0][np.arange(len(actions)), actions])
        return gaussian_log_prob(np, actions.astype(np.float32), *policy).astype(np.float32)

    def gradient_step(self, batch: list[Any]) -> StepResult:
        """Compute gradients on a batch (see FusedLoss.hybrid_forward) and take one step of Coach's optimizer."""
        result = self.compute_gradients(batch)
        self.network.trainer.update(batch_size=1)
        return result

    def compute_gradients(self, batch: list[Any]) -> StepResult:
        """Compute gradients into the network's own parameters."""
        with mx.autograd.record():
            total, value, policy, entropy, ratios, clipped = self.loss(*batch)
        total.backward()
        return StepResult(
            total_loss=float(total.asscalar()),
            value_loss=float(value.asscalar()),
            policy_loss=float(policy.asscalar()),
            entropy_loss=float(entropy.asscalar()),
            ratios=ratios.asnumpy(),
            clipped_ratios=clipped.asnumpy(),
        )

    def train(
        self,
        states: np.ndarray,
        actions: np.ndarray,
        advantages: np.ndarray,
        value_targets: np.ndarray,
        check_stop: Callable[[], None],
    ) -> None:
        """Train ``optimization_epochs`` times on a data set, as ClippedPPOAgent.train_network does.

        Args:
            states: normalized, ``(steps, *shape)``.
            actions: as taken, before they were clipped to the action space.
            advantages: standardized, ``(steps,)``.
            value_targets: ``(steps,)``.
            check_stop: called before every gradient step.
        """
        _, *policy = self.heads(states)
        columns = [states, actions, self.log_probs(policy, actions), advantages, value_targets]
        arrays = [_nd(column) for column in columns]
        clip_scale = _nd(np.array([self.algorithm.clipping_decay_schedule.current_value]))
        for epoch in range(self.algorithm.optimization_epochs):
            order = _nd(self.random.permutation(len(states)))
            s, a, p, adv, v = (mx.nd.take(array, order) for array in arrays)
            results = []
            for start in range(0, len(states) - self.batch_size + 1, self.batch_size):
                check_stop()
                rows = slice(start, start + self.batch_size)
                results.append(self.gradient_step([s[rows], a[rows], p[rows], clip_scale, adv[rows], v[rows]]))
            self._log(epoch, results, value_targets)

    def _log(self, epoch: int, results: list[StepResult], value_targets: np.ndarray) -> None:
        """Give an epoch's numbers to the signals that Coach's agent gives them to, and print Coach's line."""
        agent = self.agent
        mean = {
            name: float(np.mean([getattr(result, name) for result in results]))
            for name in ("total_loss", "value_loss", "policy_loss", "entropy_loss")
        }
        agent.loss.add_sample(mean["total_loss"])
        agent.value_loss.add_sample(mean["value_loss"])
        agent.policy_loss.add_sample(mean["policy_loss"])
        agent.curr_learning_rate.add_sample(agent.ap.network_wrappers["main"].learning_rate)
        agent.value_targets.add_sample(value_targets)
        for result in results:
            agent.likelihood_ratio.add_sample(result.ratios)
            agent.clipped_likelihood_ratio.add_sample(result.clipped_ratios)
        if epoch == self.algorithm.optimization_epochs - 1:
            agent.entropy.add_sample(mean["entropy_loss"])
            agent.kl_divergence.add_sample(0.0)  # as Coach has it without KL regularization
        print(
            f"Policy training> Surrogate loss={mean['policy_loss']}, KL divergence=[0.], "
            f"Entropy=[{mean['entropy_loss']}], training epoch={epoch}, "
            f"learning_rate={agent.ap.network_wrappers['main'].learning_rate}"
        )


class PPORun(AcceleratedRun):
    """Trains and evaluates a Coach ClippedPPOAgent on batches of environments.

    A phase of playing ends after ``num_consecutive_playing_steps``, wherever the episodes are: one that is cut there is
    bootstrapped with the critic's value and goes on in the next phase, where stock Coach plays on to its end alone.
    """

    def __init__(self, graph_manager: Any, num_envs: int, seed: int | None, check_stop: Callable[[], None]) -> None:
        super().__init__(graph_manager, num_envs, seed, check_stop)
        self.learner = PPOLearner(self.agent, self.random)
        self.rollout: list[tuple[np.ndarray, ...]] = []

    def heatup(self, steps: Any) -> None:
        """Nothing: an on-policy agent learns nothing from random actions."""

    def best_actions(self, observations: np.ndarray) -> np.ndarray:
        _, *policy = self.learner.heads(self.normalize(observations))
        return self._within_bounds(policy[0].argmax(axis=1) if self.learner.discrete else policy[0])

    def play_and_learn(self) -> None:
        _, *policy = self.learner.heads(self.normalize(self.observations))
        actions = self._sample(policy)
        for _ in range(self.envs.num_envs):
            self.agent.ap.algorithm.clipping_decay_schedule.step()
        observations = self.observations
        _, rewards, ended = self.step(self._within_bounds(actions))
        self.rollout.append((observations, actions, rewards, ended))
        needed = self.agent.ap.algorithm.num_consecutive_playing_steps.num_steps
        if len(self.rollout) * self.envs.num_envs >= needed:
            self._train(needed)

    def _within_bounds(self, actions: np.ndarray) -> np.ndarray:
        """Return ``actions`` as the environment takes them: clipped to its bounds, as Coach does it."""
        if self.learner.discrete:
            return actions
        space = self.agent.spaces.action
        return np.clip(actions, space.low, space.high)

    def _sample(self, policy: list[np.ndarray]) -> np.ndarray:
        if self.learner.discrete:
            cumulative = policy[0].cumsum(axis=1)
            draws = self.random.random((len(cumulative), 1)) * cumulative[:, -1:]
            return (draws >= cumulative).sum(axis=1)
        mean, standard_deviation = policy
        return mean + standard_deviation * self.random.standard_normal(mean.shape)

    def _train(self, needed: int) -> None:
        observations, actions, rewards, ended = (np.stack(column) for column in zip(*self.rollout, strict=True))
        self.rollout = []
        shape = self.observations.shape[1:]
        flat = observations.reshape(-1, *shape)
        for normalization in self.normalizations:
            normalization.push_val(flat)
        states = self.normalize(flat)
        values = self.learner.heads(states)[0].reshape(rewards.shape)
        last_values = self.learner.heads(self.normalize(self.observations))[0]
        for normalization in self.normalizations:  # Coach pushes each transition's next state too
            normalization.push_val(np.concatenate([observations[1:], self.observations[None]]).reshape(-1, *shape))
        algorithm = self.agent.ap.algorithm
        advantages = generalized_advantages(
            rewards, values, last_values, ended, algorithm.discount, algorithm.gae_lambda
        )
        value_targets = (advantages + values).reshape(-1)
        advantages = advantages.reshape(-1)
        self.agent.state_values.add_sample(values.reshape(-1))
        advantages = (advantages - advantages.mean()) / advantages.std()
        self.agent.action_advantages.add_sample(advantages)
        flat_actions = actions.reshape(len(flat), *actions.shape[2:])
        self.learner.train(
            states[:needed], flat_actions[:needed], advantages[:needed], value_targets[:needed], self.check_stop
        )
        check_finite(self.graph_manager)
        self.agent.training_iteration += 1
        self.keep_losses()


def _nd(array: np.ndarray) -> Any:
    return mx.nd.array(array, dtype=np.float32)
