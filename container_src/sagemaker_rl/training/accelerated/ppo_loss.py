"""The loss of clipped PPO (https://arxiv.org/abs/1707.06347, equation 9) as Coach computes it, and its gradients."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LOG_2_PI = math.log(2 * math.pi)
LOSSES = ("total_loss", "value_loss", "policy_loss", "entropy_loss")
RATIOS = ("ratios", "clipped_ratios")


@dataclass(frozen=True)
class StepResult:
    """Losses and likelihood ratios of one gradient step; ratios have shape ``(batch,)``."""

    total_loss: float
    value_loss: float
    policy_loss: float
    entropy_loss: float
    ratios: np.ndarray
    clipped_ratios: np.ndarray

    @classmethod
    def sum(cls, parts: Sequence["StepResult"]) -> "StepResult":
        """Return the result of a step from those of the parts of its batch."""
        losses = [sum(getattr(part, name) for part in parts) for name in LOSSES]
        ratios = [np.concatenate([getattr(part, name) for part in parts]) for name in RATIOS]
        return cls(*losses, *ratios)


@dataclass(frozen=True)
class Loss:
    """Coach's loss for clipped PPO, in NumPy and as a part of an MXNet graph.

    Coach computes densities and entropy of a normal distribution with dense covariance matrices (heads/ppo_head.py:
    MultivariateNormalDist); this is the closed form for a diagonal one.
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
        *,
        batch_size: int,
    ) -> tuple[StepResult, list[np.ndarray]]:
        """Return the losses, and the gradients of their sum with respect to the heads, float32 of the heads' shapes.

        Of a part of a batch of ``batch_size`` rows they are what it contributes.
        """
        value, *policy = heads
        errors = value.reshape(-1) - value_targets
        log_probs, entropy = log_probs_and_entropy(np, self.discrete, policy, actions)
        ratios = np.exp(log_probs - old_log_probs)
        clipped, objective, slope = ratios, ratios * advantages, advantages
        if self.epsilon is not None:
            low, high = np.float32(1 - self.epsilon), np.float32(1 + self.epsilon)
            clipped = np.minimum(np.maximum(ratios, low), high)
            clipped_objective = clipped * advantages
            # Where both objectives are the same, in the clipping range, Coach's gradient flows through both
            # (heads/ppo_head.py:568, the minimum along an axis): it is twice what it would be without clipping.
            through_clipped = (clipped_objective <= objective) & (clipped == ratios)
            slope = advantages * ((objective <= clipped_objective).astype(np.float32) + through_clipped)
            objective = np.minimum(objective, clipped_objective)
        value_loss = 0.5 * self.value_weight * float(errors @ errors) / batch_size
        policy_loss = -self.policy_weight * float(objective.sum()) / batch_size
        entropy_loss = -self.beta * float(entropy.sum()) / batch_size
        result = StepResult(
            value_loss + policy_loss + entropy_loss, value_loss, policy_loss, entropy_loss, ratios, clipped
        )
        log_prob_gradients = (slope * ratios * np.float32(-self.policy_weight / batch_size)).astype(np.float32)
        entropy_gradient = np.float32(-self.beta / batch_size)
        policy_gradients = (self._categorical_gradients if self.discrete else self._gaussian_gradients)(
            policy, actions, log_prob_gradients, entropy_gradient
        )
        return result, [(errors * np.float32(self.value_weight / batch_size)).reshape(value.shape), *policy_gradients]

    def _gaussian_gradients(
        self,
        policy: list[np.ndarray],
        actions: np.ndarray,
        log_prob_gradients: np.ndarray,
        entropy_gradient: np.float32,
    ) -> list[np.ndarray]:
        mean, deviation = policy
        z = (actions - mean) / deviation
        mean_gradients = log_prob_gradients[:, None] * z / deviation
        return [mean_gradients, mean_gradients * z + (entropy_gradient - log_prob_gradients[:, None]) / deviation]

    def _categorical_gradients(
        self,
        policy: list[np.ndarray],
        actions: np.ndarray,
        log_prob_gradients: np.ndarray,
        entropy_gradient: np.float32,
    ) -> list[np.ndarray]:
        (probabilities,) = policy
        probability_gradients = -entropy_gradient * (np.log(probabilities) + 1)
        rows = np.arange(len(actions))
        probability_gradients[rows, actions] += log_prob_gradients / probabilities[rows, actions]
        return [probability_gradients]

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
