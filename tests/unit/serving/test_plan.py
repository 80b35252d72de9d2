"""The plan of NumPy calls against MXNet: equal where it knows the graph, refused where it does not."""

import mxnet as mx
import numpy as np
import pytest
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving import plan
from sagemaker_rl.serving.servable import Servable


def graph(build):
    """Return a graph over ``observation`` with random parameters, its plan and MXNet's own answer."""
    symbol = build(mx.sym.var("observation"))
    rng = np.random.default_rng(0)
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(observation=(5, 3))[0], strict=True))
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
        (lambda x: mx.sym.softmax(x, temperature=2.0), "temperature=2.0"),
        (lambda x: mx.sym.cast(x, "int32"), "dtype=int32"),
        (lambda x: mx.sym.SliceChannel(x, num_outputs=3)[1] * 2, "SliceChannel"),
    ],
)
def test_what_it_does_not_know_it_refuses(build, reason):
    symbol, parameters, _ = graph(build)
    with pytest.raises(plan.UnknownGraphError, match=reason):
        plan.compile_plan(symbol, parameters, "observation")


def test_a_plan_that_differs_is_noticed():
    symbol, parameters, run_mxnet = graph(lambda x: mx.sym.Activation(dense(x), act_type="tanh"))
    unbounded = np.full(3, np.inf)
    for name in parameters:
        wrong = {**parameters, name: parameters[name] * np.float32(1.00001)}
        forward = plan.compile_plan(symbol, wrong, "observation")
        assert plan.largest_difference(forward, run_mxnet, -unbounded, unbounded) > plan.TOLERANCE


@pytest.mark.parametrize("job", ["ppo_job", "dqn_job"])
def test_both_policies_have_one(job, request):
    folder = request.getfixturevalue(job).ml / "model"
    servable = Servable.load(folder)
    assert servable.executor == "NumPy plan"
    observations = np.random.default_rng(1).uniform((-1.2, -0.07), (0.6, 0.07), size=(5000, 2)).astype(np.float32)
    for mine, theirs in zip(servable.heads(observations), Policy.load(folder).heads(observations), strict=True):
        assert np.abs(mine - theirs).max() <= plan.TOLERANCE * np.abs(theirs).max()


def test_without_a_plan_mxnet_answers(ppo_job, monkeypatch):
    monkeypatch.delitem(plan._OPERATIONS, "Activation")
    servable = Servable.load(ppo_job.ml / "model")
    assert servable.executor == "MXNet (operation Activation has no plan)"
    observations = np.zeros((3, 2), dtype=np.float32)
    for mine, theirs in zip(servable.heads(observations), servable.policy.heads(observations), strict=True):
        assert np.array_equal(mine, theirs)
