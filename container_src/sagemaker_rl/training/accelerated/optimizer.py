"""Adam (https://arxiv.org/abs/1412.6980, algorithm 1) over all of a network's parameters at once.

It computes what the ``mx.optimizer.Adam`` of a Coach network does, which starts several operations for each parameter.
Rate and decays are read from that optimizer.
"""

import math
from typing import Any

import mxnet as mx
import numpy as np

from sagemaker_rl.training.accelerated.network import DenseNetwork
from sagemaker_rl.training.state_file import State, checked

TINY = 1e-30


class _Adam:
    """Counts the steps and knows their learning rates; a subclass has the moments and takes the steps."""

    def __init__(self, optimizer: mx.optimizer.Adam) -> None:
        self.optimizer = optimizer
        self.steps = 0

    @property
    def learning_rate(self) -> float:
        """The next step's, without the correction for moments that began at 0."""
        schedule = self.optimizer.lr_scheduler
        return float(self.optimizer.lr if schedule is None else schedule(self.steps))

    def _next_rate(self) -> float:
        """Count a step; return its learning rate, with the correction for moments that began at 0."""
        self.steps += 1
        beta1, beta2 = self.optimizer.beta1, self.optimizer.beta2
        return self.learning_rate * math.sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)


class NumPyAdam(_Adam):
    """Updates ``weights`` in place from ``gradients``, float32 of one shape ``(size,)``."""

    def __init__(self, optimizer: mx.optimizer.Adam, weights: np.ndarray, gradients: np.ndarray) -> None:
        super().__init__(optimizer)
        self.weights, self.gradients = weights, gradients
        self.first_moments, self.second_moments, self._change, self._scale = np.zeros((4, *weights.shape), np.float32)

    def step(self) -> None:
        """Update the weights by the gradients that they have now."""
        rate, beta1, beta2 = self._next_rate(), self.optimizer.beta1, self.optimizer.beta2
        change, scale = self._change, self._scale
        self.first_moments *= beta1
        self.first_moments += np.multiply(self.gradients, 1 - beta1, out=change)
        self.second_moments *= beta2
        np.square(self.gradients, out=change)
        self.second_moments += np.multiply(change, 1 - beta2, out=change)
        np.sqrt(self.second_moments, out=scale)
        scale += self.optimizer.epsilon
        np.divide(self.first_moments, scale, out=change)
        self.weights -= np.multiply(change, rate, out=change)
        if self.steps % 64 == 0:
            # Moments of weights without a gradient become denormal numbers, which are slow to compute with.
            self.first_moments[np.abs(self.first_moments) < TINY] = 0
            self.second_moments[self.second_moments < TINY] = 0

    def state(self) -> State:
        """Return the steps taken and the moments."""
        return {"steps": self.steps, "first": self.first_moments, "second": self.second_moments}

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned."""
        self.steps = int(state["steps"])
        self.first_moments[...] = checked(state["first"], self.first_moments)
        self.second_moments[...] = checked(state["second"], self.second_moments)


class MXNetAdam(_Adam):
    """Updates a network's own parameters; MXNet's fused operation is that of AdamW, without decay the same."""

    def __init__(self, optimizer: mx.optimizer.Adam, parameters: list[Any]) -> None:
        super().__init__(optimizer)
        self.weights = [parameter.data() for parameter in parameters]
        self.gradients = [parameter.grad() for parameter in parameters]
        self.first_moments = [mx.nd.zeros_like(weight) for weight in self.weights]
        self.second_moments = [mx.nd.zeros_like(weight) for weight in self.weights]
        self._no_rescaling = mx.nd.ones(1)

    def step(self) -> None:
        """Update the weights by the gradients that they have now."""
        rate, count = self._next_rate(), len(self.weights)
        mx.nd.contrib.multi_adamw_update(
            self.weights,
            self.gradients,
            self.first_moments,
            self.second_moments,
            self._no_rescaling,
            lrs=[rate] * count,
            wds=[0.0] * count,
            etas=[1.0] * count,
            beta1=self.optimizer.beta1,
            beta2=self.optimizer.beta2,
            epsilon=self.optimizer.epsilon,
            out=self.weights,
        )

    def state(self) -> State:
        """Return the steps taken and the moments."""
        first, second = ([each.asnumpy() for each in each] for each in (self.first_moments, self.second_moments))
        return {"steps": self.steps, "first": first, "second": second}

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned."""
        self.steps = int(state["steps"])
        for moments, saved in ((self.first_moments, state["first"]), (self.second_moments, state["second"])):
            for moment, array in zip(moments, saved, strict=True):
                moment[:] = mx.nd.array(checked(array, moment.asnumpy()))


def adam_for(network: Any, dense: DenseNetwork | None) -> NumPyAdam | MXNetAdam:
    """Return the Adam of a Coach network, of its copy in NumPy if it has one."""
    optimizer = network.trainer._optimizer
    if dense:
        return NumPyAdam(optimizer, dense.weights, dense.gradients)
    return MXNetAdam(optimizer, [p for p in network.model.collect_params().values() if p.grad_req != "null"])
