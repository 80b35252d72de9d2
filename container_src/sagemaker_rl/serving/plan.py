"""An exported graph of dense layers as a plan of NumPy calls: the same numbers as MXNet's, in less time per operation.

A policy of a few small layers takes MXNet a fifth of a millisecond, nearly all of it spent on beginning operations.
``compile_plan`` knows the operations that Coach's dense networks and their normalization export; a graph with any other
one has no plan, nor has one whose answers differ from MXNet's on random observations. Training has operations of its
own, with gradients: training/accelerated/operations.py.
"""

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

TOLERANCE = 1e-5
"""Largest difference from MXNet, relative to the largest value of a head.

Where many terms of a layer cancel, MXNet's own float32 differs by 1e-6 from the same graph in float64, and so does
NumPy's: a smaller tolerance left such a policy to MXNet, which takes several times as long.
"""
SCALES = (1e-3, 0.1, 1.0, 10.0, 1e3)
"""Of the random observations on which the two are compared, besides those from within the observation space."""
ROWS = 64

Arrays = list[np.ndarray]
Forward = Callable[[np.ndarray], Arrays]
Operation = Callable[..., np.ndarray]


class Step(NamedTuple):
    """One operation: the nodes of the graph that it computes from, and the one that it computes."""

    operation: Operation
    inputs: tuple[int, ...]
    node: int


class UnknownGraphError(Exception):
    """The graph has an operation, or an option of one, that has no counterpart here."""


def compile_plan(symbol: str, parameters: Mapping[str, np.ndarray], input_name: str) -> Forward:
    """Return a function that computes a graph's outputs by NumPy.

    Args:
        symbol: the graph, as ``mxnet.sym.Symbol.tojson`` writes it.
        parameters: its parameters by name.
        input_name: the variable that is none of them.

    Returns:
        A function from a float32 batch of observations to the outputs, one array each. It may be called from several
        threads at once.

    Raises:
        UnknownGraphError: There is something in it that is not known here.
    """
    graph = json.loads(symbol)
    constants: dict[int, np.ndarray] = {}
    steps: list[Step] = []
    input_node = -1
    for number, node in enumerate(graph["nodes"]):
        if node["op"] == "null":
            if node["name"] == input_name:
                input_node = number
            elif node["name"] in parameters:
                constants[number] = parameters[node["name"]]
            else:
                raise UnknownGraphError(f"variable {node['name']!r}")
            continue
        if any(output for _, output, *_ in node["inputs"]):
            raise UnknownGraphError(f"a second output before {node['name']!r}")
        operation = _operation(node["op"], node.get("attrs") or {})
        inputs = tuple(source for source, *_ in node["inputs"])
        if node["op"] == "FullyConnected" and all(source in constants for source in inputs[1:]):
            constants[inputs[1]] = np.asfortranarray(constants[inputs[1]])  # so that its transpose is contiguous
        if all(source in constants for source in inputs):
            constants[number] = operation(*(constants[source] for source in inputs))
        else:
            steps.append(Step(operation, inputs, number))
    values: list[Any] = [constants.get(number) for number in range(len(graph["nodes"]))]
    return _forward(values, input_node, steps, [number for number, *_ in graph["heads"]])


def _forward(values: Sequence[Any], input_node: int, steps: Sequence[Step], outputs: Sequence[int]) -> Forward:
    """Return a function that computes a graph's outputs.

    Args:
        values: of the graph's nodes, None where they depend on the observations.
        input_node: the node of the observations.
        steps: that compute the other nodes, in their order.
        outputs: the nodes that are returned.
    """

    def forward(observations: np.ndarray) -> Arrays:
        computed = list(values)
        computed[input_node] = observations
        for operation, inputs, node in steps:
            computed[node] = operation(*[computed[source] for source in inputs])
        return [computed[node] for node in outputs]

    return forward


def largest_difference(plan: Forward, reference: Forward, low: np.ndarray, high: np.ndarray, seed: int = 0) -> float:
    """Return the largest difference of a plan from the reference on random observations, relative to a head's largest.

    Args:
        plan: is compared.
        reference: computes the expected outputs.
        low: lower bounds of observations, with infinity where there is none.
        high: upper bounds.
        seed: of the observations.

    Returns:
        The difference; infinity if shapes, dtypes or the places of values that are not finite differ.
    """
    rng = np.random.default_rng(seed)
    bounded = np.isfinite(low) & np.isfinite(high)
    inside = np.where(
        bounded,
        rng.uniform(np.where(bounded, low, 0.0), np.where(bounded, high, 1.0), (ROWS, *low.shape)),
        rng.normal(size=(ROWS, *low.shape)),
    )
    largest = 0.0
    for observations in (inside, *(scale * rng.normal(size=(ROWS, *low.shape)) for scale in SCALES), inside[:1]):
        batch = observations.astype(np.float32)
        with np.errstate(all="ignore"):
            outputs = zip(plan(batch), reference(batch), strict=True)
        for actual, expected in outputs:
            if actual.shape != expected.shape or actual.dtype != expected.dtype:
                return float("inf")
            finite = np.isfinite(expected)
            if not np.array_equal(finite, np.isfinite(actual)):
                return float("inf")
            if finite.any():
                scale = max(float(np.abs(expected[finite]).max()), float(np.finfo(np.float32).tiny))
                largest = max(largest, float(np.abs(actual[finite] - expected[finite]).max()) / scale)
    return largest


def _operation(name: str, attributes: Mapping[str, str]) -> Operation:
    """Return the NumPy counterpart of an operation of MXNet with these attributes."""
    make = _OPERATIONS.get(name)
    if make is None:
        raise UnknownGraphError(f"operation {name}")
    return make({key: _parse_attribute(text) for key, text in attributes.items() if not key.startswith("__")})


def _parse_attribute(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _supported(attributes: Mapping[str, Any], name: str, known: Sequence[Any]) -> Any:
    """Return an attribute's value; raise UnknownGraphError if it is not ``known``, whose first is MXNet's default."""
    value = attributes.get(name, known[0])
    if value not in known:
        raise UnknownGraphError(f"{name}={value}")
    return value


def _identity(x: np.ndarray) -> np.ndarray:
    return x


def _flatten(x: np.ndarray) -> np.ndarray:
    return x if x.ndim == 2 else x.reshape(len(x), -1)


def _dense(attributes: Mapping[str, Any]) -> Operation:
    flatten = _supported(attributes, "flatten", (True, False))
    if _supported(attributes, "no_bias", (False, True)):
        return lambda x, weight: (_flatten(x) if flatten else x) @ weight.T
    return lambda x, weight, bias: _add_in_place((_flatten(x) if flatten else x) @ weight.T, bias)


def _add_in_place(x: np.ndarray, bias: np.ndarray) -> np.ndarray:
    x += bias
    return x


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))  # where exp overflows, 1 / infinity is the correct limit 0


def _softmax(attributes: Mapping[str, Any]) -> Operation:
    axis = attributes.get("axis", -1)
    _supported(attributes, "temperature", (None, 1.0, "None"))
    _supported(attributes, "use_length", (False,))
    _supported(attributes, "dtype", (None, "None"))

    def softmax(x: np.ndarray) -> np.ndarray:
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)

    return softmax


def _with_scalar(compute: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Mapping[str, Any]], Operation]:
    """Return a function that makes an operation of an array and one number, in the array's dtype as in MXNet."""

    def make(attributes: Mapping[str, Any]) -> Operation:
        scalar = attributes["scalar"]
        if (compute, scalar) in _NEUTRAL:
            return _identity
        return lambda x: compute(x, x.dtype.type(scalar))

    return make


def _reshape(attributes: Mapping[str, Any]) -> Operation:
    shape = attributes["shape"]
    _supported(attributes, "reverse", (False,))
    if any(size == 0 or size < -1 for size in shape):  # MXNet's codes for "copy this dimension" and others
        raise UnknownGraphError(f"shape={shape}")
    return lambda x: x.reshape(shape)


def _squeeze(attributes: Mapping[str, Any]) -> Operation:
    axis = attributes.get("axis")
    return lambda x: np.squeeze(x, axis)


def _expand_dims(attributes: Mapping[str, Any]) -> Operation:
    axis = attributes["axis"]
    return lambda x: np.expand_dims(x, axis)


def _cast(attributes: Mapping[str, Any]) -> Operation:
    dtype = np.dtype(_supported(attributes, "dtype", ("float32", "float64")))
    return lambda x: x.astype(dtype, copy=False)


def _clip(attributes: Mapping[str, Any]) -> Operation:
    low, high = attributes["a_min"], attributes["a_max"]
    # np.clip takes four times as long as these two
    return lambda x: np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high))


def _activation(attributes: Mapping[str, Any]) -> Operation:
    return _ACTIVATIONS[_supported(attributes, "act_type", tuple(_ACTIVATIONS))]


def _without_attributes(operation: Operation) -> Callable[[Mapping[str, Any]], Operation]:
    return lambda attributes: operation


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, x.dtype.type(0))


_NEUTRAL = {(np.multiply, 1.0), (np.divide, 1.0), (np.add, 0.0), (np.subtract, 0.0)}
_ACTIVATIONS: dict[str, Operation] = {"relu": _relu, "tanh": np.tanh, "sigmoid": _sigmoid}
_OPERATIONS: dict[str, Callable[[Mapping[str, Any]], Operation]] = {
    "Activation": _activation,
    "BlockGrad": _without_attributes(_identity),
    "Cast": _cast,
    "Flatten": _without_attributes(_flatten),
    "FullyConnected": _dense,
    "Reshape": _reshape,
    "_div_scalar": _with_scalar(np.divide),
    "_minus_scalar": _with_scalar(np.subtract),
    "_mul_scalar": _with_scalar(np.multiply),
    "_plus_scalar": _with_scalar(np.add),
    "_rminus_scalar": _with_scalar(lambda x, scalar: scalar - x),
    "broadcast_add": _without_attributes(np.add),
    "broadcast_div": _without_attributes(np.divide),
    "broadcast_mul": _without_attributes(np.multiply),
    "broadcast_sub": _without_attributes(np.subtract),
    "clip": _clip,
    "elemwise_add": _without_attributes(np.add),
    "elemwise_div": _without_attributes(np.divide),
    "elemwise_mul": _without_attributes(np.multiply),
    "elemwise_sub": _without_attributes(np.subtract),
    "exp": _without_attributes(np.exp),
    "expand_dims": _expand_dims,
    "softmax": _softmax,
    "squeeze": _squeeze,
}
