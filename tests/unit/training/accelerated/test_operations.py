"""MXNet's operations in NumPy: outputs and gradients, and what happens where the two differ."""

import json

import mxnet as mx
import numpy as np
import pytest
from graphs import gradients_of, make_graph, relative_difference
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.training.accelerated import network as networks
from sagemaker_rl.training.accelerated import operations
from sagemaker_rl.training.accelerated.network import TOLERANCE, DenseNetwork, NetworkGraph
from sagemaker_rl.training.accelerated.operations import Operation, operation_of


class Model(mx.gluon.HybridBlock):
    """Two dense layers, and between and after them whatever a test asks for; two heads."""

    def __init__(self, between, after=lambda ops, x: x, units: int = 3) -> None:
        super().__init__()
        self.between, self.after = between, after
        with self.name_scope():
            self.first = mx.gluon.nn.Dense(5, in_units=4)
            self.second = mx.gluon.nn.Dense(units, in_units=5)
            self.third = mx.gluon.nn.Dense(1, in_units=5)
            self.scale = self.params.get("scale", shape=(1, 5), init=mx.init.Uniform(1.0))
            self.shift = self.params.get("unused", shape=(2,), init=mx.init.One())
        mx.random.seed(5)
        self.initialize(mx.init.Uniform(0.8))

    def hybrid_forward(self, ops, x, scale, shift):
        hidden = self.between(ops, self.first(x), scale)
        return [self.after(ops, self.second(hidden)), self.third(hidden)]


MODELS = {
    "tanh": Model(lambda ops, x, scale: ops.Activation(x, act_type="tanh")),
    "relu": Model(lambda ops, x, scale: ops.Activation(x, act_type="relu")),
    "scaled by a parameter": Model(lambda ops, x, scale: ops.broadcast_mul(scale, ops.Activation(x, act_type="tanh"))),
    "times itself": Model(lambda ops, x, scale: ops.broadcast_mul(x, x)),
    "by numbers": Model(lambda ops, x, scale: ops.exp(x * -0.4 + 0.3)),
    "softmax": Model(lambda ops, x, scale: x, lambda ops, x: ops.softmax(x)),
    "of one unit": Model(lambda ops, x, scale: x, units=1),
    "squeezed": Model(lambda ops, x, scale: x, lambda ops, x: ops.squeeze(ops.exp(x), axis=1), units=1),
    "expanded": Model(lambda ops, x, scale: ops.Flatten(ops.expand_dims(x, axis=1))),
    "stopped": Model(lambda ops, x, scale: x, lambda ops, x: x * 0 + 1.5),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_outputs_and_gradients_equal_mxnets(model):
    dense = DenseNetwork.of(NetworkGraph(model))
    assert dense is not None
    random = np.random.default_rng(5)
    states = random.normal(size=(7, 4)).astype(np.float32)
    with mx.autograd.record():
        expected = model(mx.nd.array(states))
        head_gradients = [random.normal(size=head.shape).astype(np.float32) for head in expected]
    mx.autograd.backward(expected, [mx.nd.array(gradient) for gradient in head_gradients])
    for mine, theirs in zip(dense.forward(states), expected, strict=True):
        assert mine.shape == theirs.shape
        assert relative_difference(mine, theirs.asnumpy()) < 1e-5
    for _ in range(2):  # the second time from gradients that are there already
        dense.backward(head_gradients)
        for parameter, _, mine in dense._views():
            if not parameter.name.endswith("unused"):
                theirs = parameter.grad().asnumpy()
                assert mine.shape == theirs.shape
                assert relative_difference(mine, theirs) < 1e-5 or np.abs(theirs).max() < 1e-6, parameter.name


def test_weights_are_taken_and_given_in_the_order_of_the_parameters():
    model = Model(lambda ops, x, scale: x)
    dense = DenseNetwork(NetworkGraph(model))
    assert dense.weights.size == 20 + 5 + 15 + 3 + 5 + 1 + 5 + 2
    parameters = list(model.collect_params().values())
    assert (dense.weights == np.concatenate([p.data().asnumpy().ravel() for p in parameters])).all()
    dense.weights[:] = np.arange(dense.weights.size)
    assert parameters[0].data().asnumpy().max() < 1
    dense.push()
    assert (dense.weights == np.concatenate([p.data().asnumpy().ravel() for p in parameters])).all()
    parameters[-1].set_data(mx.nd.array(np.full(parameters[-1].shape, -3.0)))
    dense.pull()
    assert (dense.weights[-parameters[-1].data().size :] == -3).all()


WRONG = {
    "outputs": Operation(lambda x: np.tanh(x) * np.float32(1 + 4 * TOLERANCE), operations.TANH.backward),
    "gradients": Operation(np.tanh, lambda gradient, y, x: (gradient * (1 - y * y) * np.float32(1 + 10 * TOLERANCE),)),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_where_numpy_differs_from_mxnet_mxnet_trains(tmp_path, monkeypatch, wrong):
    from sagemaker_rl.training.accelerated.ppo_learner import PPOLearner

    agent = agent_of(make_graph(tmp_path))
    random = np.random.default_rng(1)
    assert PPOLearner(agent, random).dense is not None
    monkeypatch.setitem(operations.ACTIVATIONS, "tanh", wrong)
    learner = PPOLearner(agent, random)
    assert learner.dense is None
    states = random.normal(size=(16, 2)).astype(np.float32)
    columns = random.normal(size=(3, 16)).astype(np.float32)
    result = learner.compute_gradients([states, random.normal(size=(16, 1)).astype(np.float32), *columns])
    assert result.ratios.shape == (16,)
    assert max(np.abs(gradient).max() for gradient in gradients_of(learner)) > 0


def test_a_difference_within_the_tolerance_is_that_of_float32(monkeypatch):
    close = Operation(lambda x: np.tanh(x) * np.float32(1 + TOLERANCE / 10), operations.TANH.backward)
    monkeypatch.setitem(operations.ACTIVATIONS, "tanh", close)
    assert DenseNetwork.of(NetworkGraph(MODELS["tanh"])) is not None


def test_closeness_is_relative_to_the_largest_value_and_has_a_shape():
    large = np.array([1000.0, 0.0])
    assert networks._is_close(large + np.array([0, 0.9 * 1000 * TOLERANCE]), large)
    assert not networks._is_close(large + np.array([0, 1.1 * 1000 * TOLERANCE]), large)
    assert not networks._is_close(large + np.array([-1.1 * 1000 * TOLERANCE, 0]), large)
    assert not networks._is_close(-large, large)
    assert not networks._is_close(large[None], large)
    tiny = np.array([1e-9])
    assert networks._is_close(tiny + 0.9e-6 * TOLERANCE, tiny)
    assert not networks._is_close(tiny + 1.1e-6 * TOLERANCE, tiny)
    assert not networks._is_close(np.array([np.nan]), tiny)


def test_a_network_that_begins_with_something_else_is_mxnets():
    class Activated(mx.gluon.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            with self.name_scope():
                self.dense = mx.gluon.nn.Dense(2, in_units=3)
            self.initialize()

        def hybrid_forward(self, ops, x):
            return self.dense(ops.Activation(x, act_type="tanh"))

    assert DenseNetwork.of(NetworkGraph(Activated())) is None


@pytest.mark.parametrize(
    "node",
    [
        {"op": "FullyConnected", "attrs": {"no_bias": "True"}},
        {"op": "FullyConnected"},
        {"op": "Activation", "attrs": {"act_type": "softrelu"}},
        {"op": "Convolution"},
    ],
)
def test_an_operation_with_attributes_that_numpy_does_not_know_is_none(node):
    assert operation_of(node) is None


SCALARS = {
    "_plus_scalar": (0.0, lambda x, number: x + number),
    "_minus_scalar": (0.0, lambda x, number: x - number),
    "_mul_scalar": (1.0, lambda x, number: x * number),
    "_div_scalar": (1.0, lambda x, number: x / number),
}


@pytest.mark.parametrize("name", SCALARS)
def test_only_what_changes_nothing_is_left_out_of_a_graph(name):
    neutral, apply = SCALARS[name]
    states = mx.nd.array(np.random.default_rng(3).normal(size=(5, 4)))
    for number, is_left_out in ((neutral, True), (neutral + 1, False), (neutral - 1, False), (0.5, False)):
        if name == "_div_scalar" and number == 0:
            continue
        model = Model(lambda ops, x, scale, number=number: apply(x, number))
        graph = NetworkGraph(model)
        names = [node["op"] for node in json.loads(graph.symbol.tojson())["nodes"]]
        assert (name not in names) == is_left_out, number
        block = mx.gluon.SymbolBlock(graph.symbol, [mx.sym.var(networks.INPUT)], params=graph.parameters)
        for mine, theirs in zip(block(states), model(states), strict=True):
            assert mine.asnumpy() == pytest.approx(theirs.asnumpy(), rel=1e-5)
