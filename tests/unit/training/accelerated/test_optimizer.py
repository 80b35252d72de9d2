"""Adam in NumPy, and by MXNet's fused operation, against mx.optimizer.Adam."""

from types import SimpleNamespace

import mxnet as mx
import numpy as np
import pytest
from sagemaker_rl.training.accelerated.optimizer import TINY, MXNetAdam, NumPyAdam, adam_for

SHAPES = [(3, 2), (4,)]


def make_optimizer(decays: bool = True, **options):
    schedule = mx.lr_scheduler.FactorScheduler(step=40, factor=0.5, base_lr=0.02) if decays else None
    return mx.optimizer.Adam(learning_rate=0.02, beta1=0.8, beta2=0.97, epsilon=0.003, lr_scheduler=schedule, **options)


def gradients_of_step(step: int) -> list[np.ndarray]:
    """Return gradients whose sizes are far apart; after 70 steps, that of the first is 0."""
    random = np.random.default_rng(step)
    gradients = [random.normal(size=shape).astype(np.float32) * np.float32(10.0 ** (step % 7 - 4)) for shape in SHAPES]
    if step > 70:
        gradients[0][:] = 0
    return gradients


def numpy_adam(optimizer, weights):
    adam = NumPyAdam(optimizer, np.concatenate([w.ravel() for w in weights]), np.zeros(10, np.float32))

    def step(gradients):
        adam.gradients[:] = np.concatenate([g.ravel() for g in gradients])
        adam.step()
        return adam.weights

    return adam, step


def mxnet_adam(optimizer, weights):
    parameters = []
    for index, weight in enumerate(weights):
        parameter = mx.gluon.Parameter(f"p{index}", shape=weight.shape)
        parameter.initialize()
        parameter.set_data(mx.nd.array(weight))
        parameters.append(parameter)
    adam = MXNetAdam(optimizer, parameters)

    def step(gradients):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad()[:] = gradient
        adam.step()
        return np.concatenate([parameter.data().asnumpy().ravel() for parameter in parameters])

    return adam, step


@pytest.mark.parametrize("make", [numpy_adam, mxnet_adam])
@pytest.mark.parametrize("decays", [True, False])
def test_a_hundred_steps_equal_mxnets(make, decays):
    weights = [np.random.default_rng(7).normal(size=shape).astype(np.float32) for shape in SHAPES]
    adam, step = make(make_optimizer(decays), weights)
    theirs = make_optimizer(decays)
    states = [theirs.create_state(index, mx.nd.array(weight)) for index, weight in enumerate(weights)]
    arrays = [mx.nd.array(weight) for weight in weights]
    for number in range(1, 131):
        gradients = gradients_of_step(number)
        ours = step(gradients)
        for index, gradient in enumerate(gradients):
            theirs.update(index, arrays[index], mx.nd.array(gradient), states[index])
        expected = np.concatenate([array.asnumpy().ravel() for array in arrays])
        assert np.abs(ours - expected).max() < 2e-5, number
        assert adam.learning_rate == pytest.approx(theirs.learning_rate)
    assert adam.steps == 130
    assert adam.learning_rate == pytest.approx(0.02 * 0.5**3 if decays else 0.02)


def test_the_rate_is_that_of_the_step_that_is_taken():
    """A first step moves a weight by the rate, but for epsilon; a schedule of MXNet's counts from 1."""
    rates = [0.5, 0.25, 0.125, 0.0625]
    optimizer = SimpleNamespace(beta1=0.5, beta2=0.5, epsilon=0.0, lr=9.0, lr_scheduler=lambda step: rates[step])
    adam = NumPyAdam(optimizer, np.zeros(1, np.float32), np.ones(1, np.float32))
    assert adam.learning_rate == 0.5
    positions = []
    for _ in range(3):
        adam.step()
        positions.append(float(adam.weights[0]))
    assert positions == pytest.approx([-0.25, -0.375, -0.4375])  # all gradients are 1: so is their ratio
    assert adam.learning_rate == 0.0625


def test_moments_that_have_become_tiny_are_zero_after_64_steps():
    optimizer = make_optimizer(decays=False)
    for steps, cleared in ((62, False), (63, True), (64, False), (127, True)):
        adam = NumPyAdam(optimizer, np.zeros(6, np.float32), np.zeros(6, np.float32))
        adam.steps = steps
        sizes = np.array([1.1, 0.9, -1.1, -0.9, 30, 0.001]) * TINY
        adam.first_moments[:] = sizes / optimizer.beta1
        adam.second_moments[:] = np.abs(sizes[::-1]) / optimizer.beta2
        adam.step()
        kept = np.abs(sizes) > TINY if cleared else np.full(6, True)
        assert adam.first_moments == pytest.approx(sizes * kept, rel=1e-4, abs=1e-40)
        assert adam.second_moments == pytest.approx(np.abs(sizes * kept)[::-1], rel=1e-4, abs=1e-40)
        assert ((adam.first_moments != 0) == kept).all()
        assert ((adam.second_moments != 0) == kept[::-1]).all()


def test_tiny_moments_are_far_below_what_changes_a_weight():
    assert 1e-37 < TINY <= 1e-30  # float32 is normal from 1.2e-38 on; its square root is far below any epsilon


def test_untrained_parameters_are_left_out():
    trained, constant = (mx.gluon.Parameter(name, shape=(2,)) for name in ("trained", "constant"))
    for parameter in (trained, constant):
        parameter.initialize()
    constant.grad_req = "null"
    network = SimpleNamespace(
        trainer=SimpleNamespace(_optimizer=make_optimizer()),
        model=SimpleNamespace(collect_params=lambda: {"a": constant, "b": trained}),
    )
    adam = adam_for(network, None)
    assert isinstance(adam, MXNetAdam)
    assert len(adam.weights) == 1
