"""A Coach network as its traced graph: without the nodes that change nothing, and in NumPy where all is dense layers.

MXNet takes longer to begin an operation than a small layer takes to compute, and a network of an agent that sees a few
numbers is small layers.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mxnet as mx
import numpy as np

from sagemaker_rl.training.accelerated.operations import DENSE, Operation, dense_parameter_gradients, operation_of

INPUT = "observation"
TOLERANCE = 1e-4
"""Between MXNet and NumPy, relative to the largest value: where they differ by more, NumPy is not taken."""

NEUTRAL_SCALAR = {"_plus_scalar": 0.0, "_minus_scalar": 0.0, "_mul_scalar": 1.0, "_div_scalar": 1.0}


def to_mxnet(array: np.ndarray) -> Any:
    """Return ``array`` as MXNet's, float32."""
    return mx.nd.array(array, dtype=np.float32)


class NetworkGraph:
    """The graph of a Coach network of one input; its parameters are those of ``model``."""

    def __init__(self, model: Any) -> None:
        outputs = model(mx.sym.var(INPUT))
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        self.parameters = model.collect_params()
        self.symbol = self._without_neutral_nodes(mx.sym.Group(outputs))

    def _without_neutral_nodes(self, symbol: Any) -> Any:
        """Return ``symbol`` without additions of 0 and multiplications by 1: the same values and the same gradients.

        Coach divides its input by 1, subtracts 0, and lets gradients through a head as
        ``(1 - g) * stop_gradient(x) + g * x`` with a constant g, which is 1 (architectures/mxnet_components/
        general_network.py: ScaledGradHead). MXNet spends more of a gradient step on that than on the layers.
        """
        graph = json.loads(symbol.tojson())
        parameters = dict(self.parameters.items())
        constants: dict[int, float] = {}  # nodes of one known number
        same_as: dict[int, int] = {}
        for index, node in enumerate(graph["nodes"]):
            for reference in node["inputs"]:
                reference[0] = same_as.get(reference[0], reference[0])
            inputs = [number for number, _, _ in node["inputs"]]
            if node["op"] == "null":
                parameter = parameters.get(node["name"])
                if isinstance(parameter, mx.gluon.Constant) and parameter.shape == (1,):
                    constants[index] = float(parameter.data().asscalar())
                continue
            scalar = float(node.get("attrs", {}).get("scalar", "nan"))
            if node["op"] == "_rminus_scalar" and inputs[0] in constants:
                constants[index] = scalar - constants[inputs[0]]
            elif scalar == NEUTRAL_SCALAR.get(node["op"]):
                same_as[index] = inputs[0]
            elif node["op"] == "broadcast_mul" and constants.get(inputs[0]) in (0.0, 1.0):
                if constants[inputs[0]] == 0:
                    constants[index] = 0.0
                else:
                    same_as[index] = inputs[1]
            elif node["op"] in ("elemwise_add", "broadcast_add") and constants.get(inputs[0]) == 0:
                same_as[index] = inputs[1]
        for reference in graph["heads"]:
            reference[0] = same_as.get(reference[0], reference[0])
        return mx.sym.load_json(json.dumps(graph))


class DenseNetwork:
    """A NetworkGraph in NumPy, float32: outputs, and gradients by going back through its operations.

    Its weights are a copy: all of them in the one array ``weights``, and their gradients in ``gradients``, in the
    order of ``model.collect_params()``; parameters that are not trained are left out.
    """

    @classmethod
    def of(cls, graph: NetworkGraph) -> "DenseNetwork | None":
        """Return ``graph`` in NumPy; None if it has an operation that is not known, or if MXNet disagrees."""
        nodes = json.loads(graph.symbol.tojson())["nodes"]
        if not all(node["op"] == "null" or operation_of(node) for node in nodes):
            return None
        network = cls(graph)
        return network if network._equals_mxnet() else None

    def __init__(self, graph: NetworkGraph) -> None:
        self.graph = graph
        traced = json.loads(graph.symbol.tojson())
        self._nodes = traced["nodes"]
        self._heads = [index for index, _, _ in traced["heads"]]
        self._trained = [parameter for parameter in graph.parameters.values() if parameter.grad_req != "null"]
        size = sum(int(np.prod(parameter.shape)) for parameter in self._trained)
        self.weights = np.empty(size, dtype=np.float32)
        self.gradients = np.zeros(size, dtype=np.float32)
        index_of = {node["name"]: index for index, node in enumerate(self._nodes)}
        self._input_node = index_of[INPUT]
        self._constants: dict[int, np.ndarray] = {}
        for parameter, weights, _ in self._views():
            if parameter.name in index_of:
                self._constants[index_of[parameter.name]] = weights
        self._steps = list(self._plan(range(len(self._heads))))
        self._gradient_nodes = self._find_gradient_nodes()
        self._backward_steps = [step for step in reversed(self._steps) if step[0] in self._gradient_nodes]
        self._pass = GradientPass(self, self.gradients)
        self.pull()

    def _views(self, gradients: np.ndarray | None = None) -> Iterable[tuple[Any, np.ndarray, np.ndarray]]:
        """Yield each trained parameter with its part of the weights and of the gradients, the network's own or others.

        They are views of the arrays.
        """
        gradients = self.gradients if gradients is None else gradients
        start = 0
        for parameter in self._trained:
            part = slice(start, start + int(np.prod(parameter.shape)))
            yield parameter, self.weights[part].reshape(parameter.shape), gradients[part].reshape(parameter.shape)
            start = part.stop

    def pull(self) -> None:
        """Take the weights from MXNet."""
        for parameter, weights, _ in self._views():
            weights[...] = parameter.data().asnumpy()

    def push(self) -> None:
        """Give the weights to MXNet."""
        for parameter, weights, _ in self._views():
            parameter.set_data(to_mxnet(weights))

    def _plan(self, outputs: Iterable[int]) -> Iterable[tuple[int, Operation, list[int]]]:
        """Yield what has to be computed for some of the outputs, in order: node, operation, inputs."""
        needed, pending = set(), [self._heads[output] for output in outputs]
        while pending:
            index = pending.pop()
            if index not in needed:
                needed.add(index)
                pending += [number for number, _, _ in self._nodes[index]["inputs"]]
        for index in sorted(needed):
            if self._nodes[index]["op"] != "null":
                operation = operation_of(self._nodes[index])
                assert operation is not None
                yield index, operation, [number for number, _, _ in self._nodes[index]["inputs"]]

    def _find_gradient_nodes(self) -> set[int]:
        """Return the nodes through which gradients reach a parameter."""
        nodes = set(self._constants)
        for index, _, inputs in self._steps:
            stops = float(self._nodes[index].get("attrs", {}).get("scalar", "nan")) == 0  # x * 0: how Coach broadcasts
            if nodes.intersection(inputs) and not (stops and self._nodes[index]["op"] == "_mul_scalar"):
                nodes.add(index)
        return nodes

    def function(self, outputs: Sequence[int]) -> Callable[[np.ndarray], list[np.ndarray]]:
        """Return a function from normalized observations, float32 ``(batch, size)``, to some of the outputs.

        It always uses the present weights of this network.
        """
        steps = [(index, operation.forward, inputs) for index, operation, inputs in self._plan(outputs)]
        wanted = [self._heads[output] for output in outputs]

        def run(observations: np.ndarray) -> list[np.ndarray]:
            values = {**self._constants, self._input_node: observations}
            for index, forward, inputs in steps:
                values[index] = forward(*[values[number] for number in inputs])
            return [values[index] for index in wanted]

        return run

    def forward(self, observations: np.ndarray) -> list[np.ndarray]:
        """Return all outputs, and remember what ``backward`` needs."""
        return self._pass.forward(observations)

    def backward(self, head_gradients: Sequence[np.ndarray]) -> None:
        """Write into ``gradients`` those of a loss, given its gradients with respect to the outputs."""
        self._pass.backward(head_gradients)

    def _equals_mxnet(self) -> bool:
        """Compare outputs and gradients with MXNet's on random observations."""
        first = next(node for node in self._nodes if self._input_node in [number for number, _, _ in node["inputs"]])
        if first["op"] != "FullyConnected":
            return False
        random = np.random.default_rng(0)
        size = self._constants[first["inputs"][1][0]].shape[1]
        observations = random.normal(size=(64, size)).astype(np.float32)
        block = mx.gluon.SymbolBlock(self.graph.symbol, [mx.sym.var(INPUT)], params=self.graph.parameters)
        with mx.autograd.record():
            expected = block(mx.nd.array(observations))
            expected = list(expected) if isinstance(expected, list | tuple) else [expected]
            head_gradients = [mx.nd.array(random.normal(size=output.shape)) for output in expected]
        mx.autograd.backward(expected, head_gradients)
        computed = self.forward(observations)
        self.backward([gradient.asnumpy() for gradient in head_gradients])
        pairs = [*zip(computed, expected, strict=True), *((mine, p.grad()) for p, _, mine in self._views())]
        return all(_is_close(mine, theirs.asnumpy()) for mine, theirs in pairs)


class GradientPass:
    """A way forward and back through a DenseNetwork, with the network's weights; threads have one each.

    Its gradients are all in the one array ``gradients``, as the network's own.
    """

    def __init__(self, network: DenseNetwork, gradients: np.ndarray) -> None:
        self.gradients = gradients
        self._network = network
        self._values: dict[int, np.ndarray] = {}
        index_of = {node["name"]: index for index, node in enumerate(network._nodes)}
        self._gradient_of = {
            index_of[parameter.name]: view
            for parameter, _, view in network._views(gradients)
            if parameter.name in index_of
        }

    def forward(self, observations: np.ndarray) -> list[np.ndarray]:
        """Return all outputs, and remember what ``backward`` needs."""
        network = self._network
        values = self._values = {**network._constants, network._input_node: observations}
        for index, operation, inputs in network._steps:
            values[index] = operation.forward(*[values[number] for number in inputs])
        return [values[index] for index in network._heads]

    def backward(self, head_gradients: Sequence[np.ndarray]) -> None:
        """Write into ``gradients`` those of a loss, given its gradients with respect to the outputs."""
        network, values = self._network, self._values
        pending = dict(zip(network._heads, head_gradients, strict=True))
        self.gradients.fill(0)
        for index, operation, inputs in network._backward_steps:
            if index not in pending:
                continue
            output_gradient = pending.pop(index)
            if operation is DENSE:
                x, weight, bias = inputs
                parameter_gradients = self._gradient_of[weight], self._gradient_of[bias]
                dense_parameter_gradients(output_gradient, values[x], *parameter_gradients)
                if x not in network._gradient_nodes:
                    continue
            gradients = operation.backward(output_gradient, values[index], *[values[number] for number in inputs])
            for number, gradient in zip(inputs, gradients, strict=False):  # a dense layer's parameters have theirs
                if number in self._gradient_of:
                    self._gradient_of[number] += _summed_to(self._gradient_of[number].shape, gradient)
                elif number in network._gradient_nodes:
                    gradient = _summed_to(values[number].shape, gradient)
                    pending[number] = pending[number] + gradient if number in pending else gradient


def _summed_to(shape: tuple[int, ...], gradient: np.ndarray) -> np.ndarray:
    """Return ``gradient`` summed over the axes along which an array of ``shape`` was broadcast."""
    if gradient.shape == shape:
        return gradient
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return gradient.sum(axis=stretched, keepdims=True) if stretched else gradient


def _is_close(mine: np.ndarray, theirs: np.ndarray) -> bool:
    scale = max(float(np.abs(theirs).max()), 1e-6)
    return mine.shape == theirs.shape and bool(np.abs(mine - theirs).max() <= TOLERANCE * scale)
