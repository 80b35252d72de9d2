"""Heads that upstream has for TensorFlow alone, on MXNet: dueling Q values, and the policy of policy gradients.

Their mathematics is that of ``rl_coach/architectures/tensorflow_components/heads/``; Coach's networks build them by
``HEADS`` (network_repairs.py). Import this module once Coach is repaired.
"""

import math
from typing import Any

import mxnet as mx
import numpy as np
from mxnet.gluon import nn
from rl_coach.architectures.head_parameters import DuelingQHeadParameters, PolicyHeadParameters
from rl_coach.architectures.mxnet_components.heads.head import (
    LOSS_OUT_TYPE_LOSS,
    LOSS_OUT_TYPE_REGULARIZATION,
    Head,
    HeadLoss,
    LossInputSchema,
    NormalizedRSSInitializer,
)
from rl_coach.architectures.mxnet_components.heads.q_head import QHead
from rl_coach.core_types import ActionProbabilities
from rl_coach.exploration_policies.continuous_entropy import ContinuousEntropyParameters
from rl_coach.spaces import BoxActionSpace, DiscreteActionSpace
from rl_coach.utils import eps

from sagemaker_rl.errors import InputError

TOWER_UNITS = 512
"""Units of the hidden layer of each of the two towers of a dueling head."""


class DuelingQHead(QHead):
    """Q values from a state value and advantages: ``Q(s, a) = V(s) + A(s, a) - mean of A(s, .)``.

    Source: https://arxiv.org/abs/1511.06581, equation 9; upstream's dueling_q_head.py. The loss is QHead's.
    Input: float32 ``(batch, features)``. Output: float32 ``(batch, actions)``.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        with self.name_scope():
            self.value_hidden = _dense(TOWER_UNITS, self.activation_function)
            self.value = _dense(1)
            self.advantage_hidden = _dense(TOWER_UNITS, self.activation_function)
            self.dense = _dense(self.num_actions)  # in the place of QHead's only layer

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        value = self.value(self.value_hidden(x))
        advantage = self.dense(self.advantage_hidden(x))
        return F.broadcast_add(value, F.broadcast_sub(advantage, advantage.mean(axis=1, keepdims=True)))


class PolicyHead(Head):
    """The policy of policy gradients and actor-critic: probabilities of actions, or the mean of a normal distribution.

    Source: upstream's policy_head.py. Input: float32 ``(batch, features)``. Output: float32 ``(batch, actions)``, the
    probabilities of a discrete space or the mean of a box; for ContinuousEntropy exploration also the standard
    deviation, which is 1 otherwise.

    Raises:
        InputError: The action space is neither discrete nor a box of one dimension, or the algorithm penalizes actions.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.return_type = ActionProbabilities
        self.beta = getattr(self.ap.algorithm, "beta_entropy", None)
        if getattr(self.ap.algorithm, "action_penalty", 0):
            raise InputError("PolicyHead on MXNet has no action_penalty, expected 0.")
        self.learns_deviation = isinstance(self.ap.exploration, ContinuousEntropyParameters)
        space = self.spaces.action
        with self.name_scope():
            if isinstance(space, DiscreteActionSpace):
                self.policy = _DiscretePolicy(len(space.actions))
            elif isinstance(space, BoxActionSpace) and len(np.atleast_1d(space.shape)) == 1:
                self.policy = _BoxPolicy(space, self.activation_function, self.learns_deviation)
            else:
                raise InputError(
                    f"PolicyHead on MXNet cannot act in a {type(space).__name__} of shape {space.shape}, "
                    "expected a discrete space or a box of one dimension."
                )

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return self.policy(x)

    def loss(self) -> HeadLoss:
        """Return the loss block; its targets are the advantages, its agent input the actions that were taken."""
        if isinstance(self.spaces.action, DiscreteActionSpace):
            return DiscretePolicyLoss(self.loss_weight, self.beta)
        return (BoxPolicyLoss if self.learns_deviation else BoxPolicyLossOfFixedDeviation)(self.loss_weight, self.beta)


class _DiscretePolicy(nn.HybridBlock):
    """A probability for each action."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        with self.name_scope():
            self.dense = _dense(actions)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.softmax(self.dense(x))


class _BoxPolicy(nn.HybridBlock):
    """The mean of an action, within the bounds of its space if it has any; and its standard deviation if learnt."""

    def __init__(self, space: Any, activation: str | None, learns_deviation: bool) -> None:
        super().__init__()
        bounded = bool(np.all(space.max_abs_range < np.inf))
        size = int(np.prod(space.shape))
        scale = np.broadcast_to(space.max_abs_range if bounded else 1.0, size)
        with self.name_scope():
            self.mean = _dense(size, activation if bounded else None)
            self.scale = self.params.get_constant("scale", scale.astype(np.float32))
            self.deviation = (
                nn.Dense(size, weight_initializer=NormalizedRSSInitializer(0.01)) if learns_deviation else None
            )

    def hybrid_forward(self, F: Any, x: Any, scale: Any) -> Any:
        mean = F.broadcast_mul(self.mean(x), F.expand_dims(scale, axis=0))
        if self.deviation is None:
            return mean
        return mean, F.Activation(self.deviation(x), act_type="softrelu") + eps


class PolicyLoss(HeadLoss):
    """``-mean(log pi(a|s) * advantage)``, and with ``beta`` the regularization ``-beta * entropy``."""

    HEAD_OUTPUTS: tuple[str, ...] = ()

    def __init__(self, loss_weight: float, beta: float | None) -> None:
        super().__init__(weight=loss_weight, batch_axis=0)
        self.loss_weight = loss_weight
        self.beta = beta

    @property
    def input_schema(self) -> LossInputSchema:
        return LossInputSchema(head_outputs=list(self.HEAD_OUTPUTS), agent_inputs=["actions"], targets=["advantages"])

    def _losses(self, log_probabilities: Any, entropies: Any, advantages: Any) -> list[tuple[Any, str]]:
        """Return Coach's list of losses; each argument has the shape ``(batch,)``."""
        loss = -(log_probabilities * advantages).mean() * self.loss_weight
        if self.beta is None:
            return [(loss, LOSS_OUT_TYPE_LOSS)]
        return [(loss, LOSS_OUT_TYPE_LOSS), (-self.beta * entropies.mean(), LOSS_OUT_TYPE_REGULARIZATION)]


class DiscretePolicyLoss(PolicyLoss):
    """Of probabilities ``(batch, actions)``; an action is an index."""

    HEAD_OUTPUTS = ("probabilities",)

    def loss_forward(self, F: Any, probabilities: Any, actions: Any, advantages: Any) -> Any:
        # Upstream adds eps before TensorFlow's Categorical normalizes.
        weights = probabilities + eps
        logs = F.broadcast_sub(F.log(weights), F.log(weights.sum(axis=-1, keepdims=True)))
        return self._losses(F.pick(logs, actions, axis=-1), -(F.exp(logs) * logs).sum(axis=-1), advantages)


class BoxPolicyLoss(PolicyLoss):
    """Of means and standard deviations ``(batch, numbers)``; an action has as many numbers."""

    HEAD_OUTPUTS = ("means", "deviations")

    def loss_forward(self, F: Any, means: Any, deviations: Any, actions: Any, advantages: Any) -> Any:
        return self._losses(*_normal(F, means, deviations, actions), advantages)


class BoxPolicyLossOfFixedDeviation(PolicyLoss):
    """Of means ``(batch, numbers)``; the standard deviation is 1, which nothing in upstream ever changes."""

    HEAD_OUTPUTS = ("means",)

    def loss_forward(self, F: Any, means: Any, actions: Any, advantages: Any) -> Any:
        return self._losses(*_normal(F, means, F.ones_like(means), actions), advantages)


def _normal(F: Any, means: Any, deviations: Any, actions: Any) -> tuple[Any, Any]:
    """Return log probabilities of actions and entropies, ``(batch,)``, of independent normal distributions."""
    logs = F.log(deviations)
    distances = F.square((actions - means) / deviations)
    log_probabilities = -(distances / 2 + logs + math.log(2 * math.pi) / 2).sum(axis=-1)
    return log_probabilities, (logs + (1 + math.log(2 * math.pi)) / 2).sum(axis=-1)


def _dense(units: int, activation: str | None = None) -> Any:
    """Return a dense layer with the initial weights of TensorFlow's heads, Glorot's uniform distribution."""
    return nn.Dense(units, activation=activation, weight_initializer=mx.init.Xavier())


HEADS = {DuelingQHeadParameters: DuelingQHead, PolicyHeadParameters: PolicyHead}
"""What a preset asks for, and the head that it gets."""
