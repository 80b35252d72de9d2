"""The plan of NumPy calls against MXNet: equal where it knows the graph, refused where it does not."""

import mxnet as mx
import numpy as np
import pytest
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving import plan
from sagemaker_rl.serving.servable import Servable


def graph(build, shape=(3,)):
    """Return a graph over ``observation`` with random parameters, these, and MXNet's own answer."""
    symbol = build(mx.sym.var("observation"))
    rng = np.random.default_rng(0)
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(observation=(5, *shape))[0], strict=True))
    parameters = {
        name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items() if name != "observation"
    }

    def run_mxnet(observations):
        arrays = {name: mx.nd.array(value) for name, value in parameters.items()}
        executor = symbol.bind(mx.cpu(), {**arrays, "observation": mx.nd.array(observations)})
        return [output.asnumpy() for output in executor.forward()]

    return symbol.tojson(), parameters, run_mxnet


def dense(x, units=4, **options):
    return mx.sym.FullyConnected(x, num_hidden=units, **options)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: dense(x),
        lambda x: dense(x, no_bias=True),
        lambda x: dense(x, flatten=False),
        lambda x: mx.sym.Activation(dense(x), act_type="relu"),
        lambda x: mx.sym.Activation(dense(x), act_type="tanh"),
        lambda x: mx.sym.Activation(dense(x), act_type="sigmoid"),
        lambda x: mx.sym.softmax(dense(x)),
        lambda x: mx.sym.softmax(dense(x), axis=0),
        lambda x: mx.sym.clip(x, -0.5, 0.25),
        lambda x: 2 - x * 3 + 4 / 1 - (x / 7 - 1),
        lambda x: mx.sym.cast(mx.sym.cast(x, "float64") / 3, "float32"),
        lambda x: mx.sym.exp(mx.sym.BlockGrad(x) * 0.1),
        lambda x: mx.sym.reshape(mx.sym.squeeze(dense(x, 1), axis=1), shape=(-1, 1)),
        lambda x: mx.sym.Flatten(mx.sym.expand_dims(x, axis=1)),
        lambda x: mx.sym.Group([dense(x), mx.sym.broadcast_mul(dense(x, 3), x)]),
    ],
)
def test_every_operation_equals_mxnets(build):
    symbol, parameters, run_mxnet = graph(build)
    forward = plan.compile_plan(symbol, parameters, "observation")
    unbounded = np.full(3, np.inf)
    assert plan.largest_difference(forward, run_mxnet, -unbounded, unbounded) <= plan.TOLERANCE


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x: mx.sym.log(x), "operation log"),
        (lambda x: mx.sym.Activation(x, act_type="softrelu"), "act_type=softrelu"),
        (lambda x: mx.sym.reshape(x, shape=(0, 3)), "shape="),
        (lambda x: mx.sym.reshape(x, shape=(-2,)), "shape="),
        (lambda x: mx.sym.reshape(x, shape=(-1, 3), reverse=True), "reverse=True"),
        (lambda x: mx.sym.softmax(x, dtype="float64"), "dtype=float64"),
        (lambda x: mx.sym.softmax(x, temperature=2.0), "temperature=2.0"),
        (lambda x: mx.sym.cast(x, "int32"), "dtype=int32"),
        (lambda x: mx.sym.SliceChannel(x, num_outputs=3)[1] * 2, "SliceChannel"),
    ],
)
def test_what_it_does_not_know_it_refuses(build, reason):
    symbol, parameters, _ = graph(build)
    with pytest.raises(plan.UnknownGraphError, match=reason):
        plan.compile_plan(symbol, parameters, "observation")


@pytest.mark.parametrize(
    "build",
    [
        lambda x: dense(x, 5),
        lambda x: dense(x, 5, flatten=False),
        lambda x: dense(x, 5, flatten=False, no_bias=True),
        lambda x: mx.sym.Flatten(x),
        lambda x: mx.sym.softmax(x),
        lambda x: mx.sym.softmax(x, axis=1),
        lambda x: mx.sym.reshape(x, shape=(-1, 4)),
        lambda x: mx.sym.expand_dims(x, axis=2),
        lambda x: mx.sym.squeeze(mx.sym.expand_dims(x, axis=0)),
        lambda x: mx.sym.broadcast_sub(x, mx.sym.var("weight", shape=(1, 1, 4))),
        lambda x: mx.sym.broadcast_div(x, mx.sym.var("weight", shape=(1, 3, 1))),
        lambda x: mx.sym.broadcast_add(mx.sym.var("weight", shape=(1, 3, 4)), x),
        lambda x: (x - x * 2) / (mx.sym.exp(x * 0.01) + x * 0.001),
        lambda x: mx.sym.Group([x * 1, x / 1, x + 0, x - 0, x * 2, x / 2, x + 1, x - 1, 1 - x]),
    ],
)
def test_observations_of_several_axes_stay_in_order(build):
    symbol, parameters, run_mxnet = graph(build, (3, 4))
    forward = plan.compile_plan(symbol, parameters, "observation")
    unbounded = np.full((3, 4), np.inf)
    assert plan.largest_difference(forward, run_mxnet, -unbounded, unbounded) <= plan.TOLERANCE


def test_what_depends_on_no_observation_is_computed_once():
    weight = mx.sym.var("weight", shape=(1, 3))
    symbol, parameters, _ = graph(lambda x: mx.sym.Group([mx.sym.exp(weight * 2), x]))
    forward = plan.compile_plan(symbol, parameters, "observation")
    observations = np.ones((2, 3), dtype=np.float32)
    constant, same = forward(observations)
    assert np.allclose(constant, np.exp(2 * parameters["weight"]))
    assert same is observations
    assert forward(observations + 1)[0] is constant


def test_a_variable_without_a_value_is_refused():
    symbol, parameters, _ = graph(lambda x: mx.sym.broadcast_add(x, mx.sym.var("weight", shape=(1, 3))))
    with pytest.raises(plan.UnknownGraphError, match=r"^variable 'weight'$"):
        plan.compile_plan(symbol, {}, "observation")
    with pytest.raises(plan.UnknownGraphError, match=r"^variable 'observation'$"):
        plan.compile_plan(symbol, parameters, "x")


LOW, HIGH = np.array([-2.0, 5.0, -np.inf, 0.0]), np.array([-1.0, 6.0, 0.0, np.inf])


def compare(actual, expected):
    return plan.largest_difference(actual, expected, LOW, HIGH)


def test_the_difference_is_relative_to_the_largest_of_a_head():
    assert compare(lambda x: [x, x], lambda x: [x, x]) == 0
    assert compare(lambda x: [x, x], lambda x: [x, x * 2]) == 0.5
    assert compare(lambda x: [x * 2, x], lambda x: [x, x]) == 1
    tiny = np.float32(np.finfo(np.float32).tiny)
    assert compare(lambda x: [x * 0 + tiny], lambda x: [x * 0]) == 1


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (lambda x: [x[:, :3]], lambda x: [x]),
        (lambda x: [x.astype(np.float64)], lambda x: [x]),
        (lambda x: [np.where(x > 0, np.nan, x)], lambda x: [x]),
        (lambda x: [x], lambda x: [np.where(x > 0, np.float32(np.inf), x)]),
    ],
)
def test_outputs_of_another_kind_differ_infinitely(actual, expected):
    assert compare(actual, expected) == np.inf


def test_what_is_finite_nowhere_does_not_differ():
    assert compare(lambda x: [x * np.float32(np.nan)], lambda x: [x * np.float32(np.inf) * 0]) == 0


def test_plans_are_compared_on_observations_within_the_space_and_far_beyond():
    seen = []
    compare(lambda x: seen.append(x) or [x], lambda x: [x])
    assert [batch.shape for batch in seen] == [(64, 4)] * 6 + [(1, 4)]
    assert all(batch.dtype == np.float32 for batch in seen)
    inside = seen[0]
    assert (inside[:, :2] >= LOW[:2]).all()
    assert (inside[:, :2] <= HIGH[:2]).all()
    assert np.ptp(inside, axis=0).min() > 0.9
    assert (
        np.abs(inside[:, 2:]).max(axis=0) > 1
    ).all()  # without a bound on both sides they are of a normal distribution
    assert (inside[:, 2:] < 0).any(axis=0).all()
    spreads = [batch.std() for batch in seen[1:6]]
    assert np.allclose(spreads, [1e-3, 0.1, 1, 10, 1e3], rtol=0.2)
    assert len({batch[0, 0] for batch in seen[:6]}) == 6
    assert (seen[6] == inside[:1]).all()


def test_a_plan_that_differs_is_noticed():
    symbol, parameters, run_mxnet = graph(lambda x: mx.sym.Activation(dense(x), act_type="tanh"))
    unbounded = np.full(3, np.inf)
    for name in parameters:
        wrong = {**parameters, name: parameters[name] * np.float32(1.00001)}
        forward = plan.compile_plan(symbol, wrong, "observation")
        assert plan.largest_difference(forward, run_mxnet, -unbounded, unbounded) > plan.TOLERANCE


@pytest.mark.parametrize("model", ["ppo_model", "dqn_model"])
def test_both_policies_have_one(model, request):
    folder = request.getfixturevalue(model)
    servable = Servable.load(folder)
    assert servable.executor == "NumPy plan"
    observations = np.random.default_rng(1).uniform((-1.2, -0.07), (0.6, 0.07), size=(5000, 2)).astype(np.float32)
    for mine, theirs in zip(servable.heads(observations), Policy.load(folder).heads(observations), strict=True):
        assert np.abs(mine - theirs).max() <= plan.TOLERANCE * np.abs(theirs).max()


def test_without_a_plan_mxnet_answers(ppo_model, monkeypatch):
    monkeypatch.delitem(plan._OPERATIONS, "Activation")
    servable = Servable.load(ppo_model)
    assert servable.executor == "MXNet (operation Activation has no plan)"
    observations = np.zeros((3, 2), dtype=np.float32)
    for mine, theirs in zip(servable.heads(observations), servable.policy.heads(observations), strict=True):
        assert np.array_equal(mine, theirs)
