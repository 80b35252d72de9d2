"""Clipped PPO (https://arxiv.org/abs/1707.06347) on batches: Coach's mathematics, one graph for a gradient step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mxnet as mx
import numpy as np

from sagemaker_rl.training.accelerated.network import INPUT, DenseNetwork, NetworkGraph
from sagemaker_rl.training.accelerated.optimizer import adam_for
from sagemaker_rl.training.accelerated.run import AcceleratedRun
from sagemaker_rl.training.checkpoints import check_finite

LOG_2_PI = math.log(2 * math.pi)
ROWS_AT_A_TIME = 8_192
INPUTS = (INPUT, "actions", "old_log_probs", "advantages", "value_targets")
"""Of a gradient step: normalized states ``(batch, *shape)``, actions ``(batch, *shape)``, and ``(batch,)`` each."""


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


@dataclass(frozen=True)
class Loss:
    """Coach's loss for clipped PPO, in NumPy and as a part of an MXNet graph.

    What Coach computes with dense covariance matrices (heads/ppo_head.py: MultivariateNormalDist) is here the closed
    form for a diagonal one.
    """

    discrete: bool
    epsilon: float | None
    """How far ratios may be from 1; None does not clip them."""
    beta: float
    """Weight of the entropy."""
    value_weight: float
    policy_weight: float

    def gradients(
        self,
        heads: list[np.ndarray],
        actions: np.ndarray,
        old_log_probs: np.ndarray,
        advantages: np.ndarray,
        value_targets: np.ndarray,
    ) -> tuple[StepResult, list[np.ndarray]]:
        """Return the losses, and the gradients of their sum with respect to the heads, float32 of the heads' shapes."""
        value, *policy = heads
        size = len(actions)
        errors = value.reshape(-1) - value_targets
        log_probs, entropy = log_probs_and_entropy(np, self.discrete, policy, actions)
        ratios = np.exp(log_probs - old_log_probs)
        clipped, objective, slope = ratios, ratios * advantages, advantages
        if self.epsilon is not None:
            low, high = np.float32(1 - self.epsilon), np.float32(1 + self.epsilon)
            clipped = np.minimum(np.maximum(ratios, low), high)
            other = clipped * advantages
            # Where both objectives are the same, in the clipping range, Coach's gradient flows through both
            # (heads/ppo_head.py:565, the minimum along an axis): it is twice what it would be without clipping.
            of_clipped = (other <= objective) & (clipped == ratios)
            slope = advantages * ((objective <= other).astype(np.float32) + of_clipped)
            objective = np.minimum(objective, other)
        value_loss = 0.5 * self.value_weight * float(errors @ errors) / size
        policy_loss = -self.policy_weight * float(objective.mean())
        entropy_loss = -self.beta * float(entropy.mean())
        result = StepResult(
            value_loss + policy_loss + entropy_loss, value_loss, policy_loss, entropy_loss, ratios, clipped
        )
        of_log_probs = (slope * ratios * np.float32(-self.policy_weight / size)).astype(np.float32)
        of_entropy = np.float32(-self.beta / size)
        of_policy = (self._through_categorical if self.discrete else self._through_gaussian)(
            policy, actions, of_log_probs, of_entropy
        )
        return result, [(errors * np.float32(self.value_weight / size)).reshape(value.shape), *of_policy]

    def _through_gaussian(
        self, policy: list[np.ndarray], actions: np.ndarray, of_log_probs: np.ndarray, of_entropy: np.float32
    ) -> list[np.ndarray]:
        mean, deviation = policy
        z = (actions - mean) / deviation
        of_mean = of_log_probs[:, None] * z / deviation
        return [of_mean, of_mean * z + (of_entropy - of_log_probs[:, None]) / deviation]

    def _through_categorical(
        self, policy: list[np.ndarray], actions: np.ndarray, of_log_probs: np.ndarray, of_entropy: np.float32
    ) -> list[np.ndarray]:
        (probabilities,) = policy
        of_probabilities = -of_entropy * (np.log(probabilities) + 1)
        rows = np.arange(len(actions))
        of_probabilities[rows, actions] += of_log_probs / probabilities[rows, actions]
        return [of_probabilities]

    def graph(
        self, F: Any, heads: list[Any], actions: Any, old_log_probs: Any, advantages: Any, value_targets: Any
    ) -> list[Any]:
        """Return the total loss (1,), it and the other losses (4,), and both ratios ``(2, batch)``; F is ``mx.sym``."""
        value, *policy = heads
        log_probs, entropy = log_probs_and_entropy(F, self.discrete, policy, actions)
        ratios = F.exp(log_probs - old_log_probs)
        clipped, objective = ratios, ratios * advantages
        if self.epsilon is not None:
            clipped = F.clip(ratios, 1 - self.epsilon, 1 + self.epsilon)
            objective = F.min(F.stack(objective, clipped * advantages), axis=0)  # Coach's own way, see `gradients`
        value_loss = 0.5 * self.value_weight * F.mean(F.square(F.reshape(value, shape=(-1,)) - value_targets))
        policy_loss = -self.policy_weight * F.mean(objective)
        entropy_loss = -self.beta * F.mean(entropy)
        total = value_loss + policy_loss + entropy_loss
        return [total, F.concat(total, value_loss, policy_loss, entropy_loss, dim=0), F.stack(ratios, clipped)]


def log_probs_and_entropy(F: Any, discrete: bool, policy: list[Any], actions: Any) -> tuple[Any, Any]:
    """Return the log probabilities (densities) of ``actions`` and the policy's entropy, ``(batch,)`` each.

    Args:
        F: NumPy, or ``mx.sym``.
        discrete: whether the policy is categorical, else it is a diagonal normal distribution.
        policy: probabilities ``(batch, actions)``; or mean and standard deviation, ``(batch, size)`` each.
        actions: ``(batch,)``, or ``(batch, size)``.
    """
    if discrete:
        log_probabilities = F.log(policy[0])
        entropy = -F.sum(log_probabilities * policy[0], axis=1)
        if F is np:
            return log_probabilities[np.arange(len(actions)), actions], entropy
        return F.pick(log_probabilities, actions, axis=1), entropy
    mean, deviation = policy
    z, log_deviation = (actions - mean) / deviation, F.log(deviation)
    log_density = -F.sum(0.5 * z * z + log_deviation + 0.5 * LOG_2_PI, axis=1)
    return log_density, F.sum(log_deviation + 0.5 * (1 + LOG_2_PI), axis=1)


class PPOLearner:
    """Trains the network of a Coach ClippedPPOAgent as Coach does, in NumPy where that knows the network."""

    def __init__(self, agent: Any, random: np.random.Generator, in_numpy: bool = True) -> None:
        from rl_coach.spaces import DiscreteActionSpace

        self.agent = agent
        self.random = random
        self.algorithm = agent.ap.algorithm
        self.discrete = isinstance(agent.spaces.action, DiscreteActionSpace)
        self.batch_size = agent.ap.network_wrappers["main"].batch_size
        self.network = agent.networks["main"].online_network
        self.graph = NetworkGraph(self.network.model)
        self.dense = DenseNetwork.of(self.graph) if in_numpy else None
        self.optimizer = adam_for(self.network, self.dense)
        self._block: tuple[Loss, Any] | None = None

    def policy(self) -> Callable[[np.ndarray], list[np.ndarray]]:
        """Return what computes the policy's parameters ``(batch, actions)`` for normalized states.

        For a continuous action mean and standard deviation, for a discrete one the probabilities.
        """
        if self.dense:
            return self.dense.function(range(1, len(self.graph.symbol)))
        return lambda states: self.heads(states)[1:]

    def heads(self, states: np.ndarray) -> list[np.ndarray]:
        """Return V ``(batch,)`` and the policy's parameters ``(batch, actions)`` for normalized states."""
        if self.dense:
            heads = self.dense.function(range(len(self.graph.symbol)))
            # A whole collection at once would be the peak of the job's memory.
            pieces = [heads(states[start : start + ROWS_AT_A_TIME]) for start in range(0, len(states), ROWS_AT_A_TIME)]
            value, *policy = (np.concatenate(head) for head in zip(*pieces, strict=True))
        else:
            value, *policy = (output.asnumpy() for output in self.network.model(_nd(states)))
        return [value.reshape(-1), *policy]

    def gradient_step(self, batch: list[np.ndarray]) -> StepResult:
        """Compute gradients on a batch (see INPUTS) and take one step of Coach's optimizer."""
        result = self.compute_gradients(batch)
        self.optimizer.step()
        return result

    def compute_gradients(self, batch: list[np.ndarray]) -> StepResult:
        """Compute the gradients that the optimizer's next step takes."""
        loss = self._loss()
        if self.dense:
            states, *rest = batch
            result, head_gradients = loss.gradients(self.dense.forward(states), *rest)
            self.dense.backward(head_gradients)
            return result
        block = self._fused(loss)
        with mx.autograd.record():
            total, losses, ratios = block(*map(_nd, batch))
        total.backward()
        return StepResult(*losses.asnumpy().tolist(), *ratios.asnumpy())

    def _loss(self) -> Loss:
        """Return the loss with what is left of the clipping range by now."""
        epsilon = self.algorithm.clip_likelihood_ratio_using_epsilon
        value_weight, policy_weight = (head.loss_weight for head in self.network.model.output_heads)
        return Loss(
            discrete=self.discrete,
            epsilon=None if epsilon is None else epsilon * float(self.algorithm.clipping_decay_schedule.current_value),
            beta=self.algorithm.beta_entropy,
            value_weight=value_weight,
            policy_weight=policy_weight,
        )

    def _fused(self, loss: Loss) -> Any:
        """Return network and loss as one hybridized MXNet graph."""
        if self._block is None or self._block[0] != loss:
            inputs = [mx.sym.var(name) for name in INPUTS]
            outputs = mx.sym.Group(loss.graph(mx.sym, list(self.graph.symbol), *inputs[1:]))
            block = mx.gluon.SymbolBlock(outputs, inputs, params=self.network.model.collect_params())
            block.hybridize(static_alloc=True, static_shape=True)
            self._block = (loss, block)
        return self._block[1]

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
            states: normalized, float32 ``(steps, *shape)``.
            actions: as taken, before they were clipped to the action space.
            advantages: standardized, ``(steps,)``.
            value_targets: ``(steps,)``.
            check_stop: called before every gradient step.
        """
        _, *policy = self.heads(states)
        if not self.discrete:
            actions = actions.astype(np.float32)
        old_log_probs, _ = log_probs_and_entropy(np, self.discrete, policy, actions)
        floats = (old_log_probs, advantages, value_targets)
        columns = [states, actions, *(column.astype(np.float32) for column in floats)]
        for epoch in range(self.algorithm.optimization_epochs):
            order = self.random.permutation(len(states))
            shuffled = [column[order] for column in columns]
            results = []
            for start in range(0, len(states) - self.batch_size + 1, self.batch_size):
                check_stop()
                rows = slice(start, start + self.batch_size)
                results.append(self.gradient_step([column[rows] for column in shuffled]))
            self._log(epoch, results, value_targets)
        self.publish()

    def publish(self) -> None:
        """Give Coach's own network the weights."""
        if self.dense:
            self.dense.push()

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
        agent.curr_learning_rate.add_sample(self.optimizer.learning_rate)
        agent.value_targets.add_sample(value_targets)
        agent.likelihood_ratio.add_sample(np.concatenate([result.ratios for result in results]))
        agent.clipped_likelihood_ratio.add_sample(np.concatenate([result.clipped_ratios for result in results]))
        if epoch == self.algorithm.optimization_epochs - 1:
            agent.entropy.add_sample(mean["entropy_loss"])
            agent.kl_divergence.add_sample(0.0)  # as Coach has it without KL regularization
        print(
            f"Policy training> Surrogate loss={mean['policy_loss']}, KL divergence=[0.], "
            f"Entropy=[{mean['entropy_loss']}], training epoch={epoch}, "
            f"learning_rate={self.optimizer.learning_rate}"
        )


class PPORun(AcceleratedRun):
    """Trains and evaluates a Coach ClippedPPOAgent on batches of environments.

    A phase of playing ends after ``num_consecutive_playing_steps``, wherever the episodes are: one that is cut there is
    bootstrapped with the critic's value and goes on in the next phase, where stock Coach plays on to its end alone.
    """

    default_environments = 64

    def __init__(
        self, graph_manager: Any, num_envs: int | None, seed: int | None, check_stop: Callable[[], None]
    ) -> None:
        super().__init__(graph_manager, num_envs, seed, check_stop)
        self.learner = PPOLearner(self.agent, self.random)
        self.policy = self.learner.policy()
        self.rollout: list[tuple[np.ndarray, ...]] = []

    def publish(self) -> None:
        self.learner.publish()

    def heatup(self, steps: Any) -> None:
        """Nothing: an on-policy agent learns nothing from random actions."""

    def best_actions(self, observations: np.ndarray) -> np.ndarray:
        policy = self.policy(self.normalize(observations))
        return self._within_bounds(policy[0].argmax(axis=1) if self.learner.discrete else policy[0])

    def play_and_learn(self) -> None:
        actions = self._sample(self.policy(self.normalize(self.observations)))
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
        return np.minimum(np.maximum(actions, space.low), space.high)

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
        self.count_for_normalization(flat)
        states = self.normalize(flat)
        values = self.learner.heads(states)[0].reshape(rewards.shape)
        last_values = self.learner.heads(self.normalize(self.observations))[0]
        following = np.concatenate([observations[1:], self.observations[None]])
        self.count_for_normalization(following.reshape(-1, *shape))  # Coach counts each transition's next state too
        algorithm = self.agent.ap.algorithm
        for _ in range(len(flat)):
            algorithm.clipping_decay_schedule.step()
        advantages = generalized_advantages(
            rewards, values, last_values, ended, algorithm.discount, algorithm.gae_lambda
        )
        value_targets = (advantages + values).reshape(-1)
        advantages = advantages.reshape(-1)
        self.agent.state_values.add_sample(values.reshape(-1))
        # Where all are the same there is nothing to learn, and Coach's 0 / 0 would end in weights that are no numbers.
        advantages = (advantages - advantages.mean()) / (advantages.std() or 1.0)
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
