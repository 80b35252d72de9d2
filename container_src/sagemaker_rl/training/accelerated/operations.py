"""MXNet's operations (https://mxnet.apache.org/versions/1.9.1/api) in NumPy, each with its gradient.

Those of an exported policy, forward only, are in serving/plan.py: the serving image has none of the training's code.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


class Operation:
    """One of MXNet's operations in NumPy.

    ``forward`` takes the inputs, ``backward`` the gradient with respect to the output, the output and the inputs; it
    returns the gradients with respect to the inputs, in their order and perhaps not yet summed over a broadcast.
    """

    def __init__(self, forward: Callable[..., np.ndarray], backward: Callable[..., Sequence[np.ndarray]]) -> None:
        self.forward = forward
        self.backward = backward


def _reshaping(forward: Callable[..., np.ndarray]) -> Operation:
    return Operation(forward, lambda gradient, y, x: (gradient.reshape(x.shape),))


def _softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    y = x @ weight.T
    y += bias
    return y


def _dense_gradient(
    gradient: np.ndarray, y: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray]:
    """Return the gradient with respect to ``x`` alone: see ``dense_parameter_gradients`` for the others."""
    # For one unit a product of a column and a row is faster than a matrix product.
    return (gradient * weight if len(weight) == 1 else gradient @ weight,)


def dense_parameter_gradients(
    gradient: np.ndarray, x: np.ndarray, weight_gradient: np.ndarray, bias_gradient: np.ndarray
) -> None:
    """Write a dense layer's gradients with respect to weight and bias into the last two arguments."""
    np.matmul(gradient.T, x, out=weight_gradient)
    np.matmul(_ones(len(gradient)), gradient, out=bias_gradient)  # sums faster than `sum` does


@functools.lru_cache(maxsize=8)
def _ones(size: int) -> np.ndarray:
    return np.ones(size, dtype=np.float32)


DENSE = Operation(_dense, _dense_gradient)
TANH = Operation(np.tanh, lambda gradient, y, x: (gradient * (1 - y * y),))
RELU = Operation(lambda x: np.maximum(x, np.float32(0)), lambda gradient, y, x: (gradient * (y > 0),))
EXP = Operation(np.exp, lambda gradient, y, x: (gradient * y,))
SOFTMAX = Operation(_softmax, lambda gradient, y, x: (y * (gradient - (gradient * y).sum(axis=-1, keepdims=True)),))
MULTIPLY = Operation(np.multiply, lambda gradient, y, a, b: (gradient * b, gradient * a))


def _scaled(factor: np.float32) -> Operation:
    return Operation(lambda x: x * factor, lambda gradient, y, x: (gradient * factor,))


def _shifted(term: np.float32) -> Operation:
    return Operation(lambda x: x + term, lambda gradient, y, x: (gradient,))


def _scalar(attributes: Mapping[str, str]) -> np.float32:
    return np.float32(attributes["scalar"])


ACTIVATIONS = {"tanh": TANH, "relu": RELU}
OPERATIONS: dict[str, Callable[[Mapping[str, str]], Operation | None]] = {
    "FullyConnected": lambda attributes: DENSE if attributes.get("no_bias") == "False" else None,
    "Activation": lambda attributes: ACTIVATIONS.get(attributes["act_type"]),
    "exp": lambda attributes: EXP,
    "softmax": lambda attributes: SOFTMAX,
    "broadcast_mul": lambda attributes: MULTIPLY,
    "Flatten": lambda attributes: _reshaping(lambda x: x.reshape(len(x), -1)),
    "squeeze": lambda attributes: _reshaping(lambda x: np.squeeze(x, int(attributes["axis"]))),
    "expand_dims": lambda attributes: _reshaping(lambda x: np.expand_dims(x, int(attributes["axis"]))),
    "_mul_scalar": lambda attributes: _scaled(_scalar(attributes)),
    "_plus_scalar": lambda attributes: _shifted(_scalar(attributes)),
}
"""MXNet's name of an operation -> the operation with these attributes; None if it is not known with them."""


def operation_of(node: dict[str, Any]) -> Operation | None:
    """Return the operation that computes a node of a graph; None if it is not known, and MXNet has to compute it."""
    make = OPERATIONS.get(node["op"])
    return make(node.get("attrs", {})) if make else None
