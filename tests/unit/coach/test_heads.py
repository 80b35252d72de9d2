"""The heads of heads.py against upstream's definition for TensorFlow, in NumPy, and against finite differences."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sagemaker_rl.coach import repairs

repairs.apply()

import mxnet as mx  # noqa: E402 - after the repairs
from rl_coach.agents.actor_critic_agent import ActorCriticAgentParameters  # noqa: E402
from rl_coach.agents.policy_gradients_agent import PolicyGradientsAgentParameters  # noqa: E402
from rl_coach.exploration_policies.additive_noise import AdditiveNoiseParameters  # noqa: E402
from rl_coach.exploration_policies.categorical import CategoricalParameters  # noqa: E402
from rl_coach.exploration_policies.continuous_entropy import ContinuousEntropyParameters  # noqa: E402
from rl_coach.spaces import BoxActionSpace, DiscreteActionSpace, MultiSelectActionSpace  # noqa: E402
from sagemaker_rl.coach import heads  # noqa: E402
from sagemaker_rl.errors import InputError  # noqa: E402

FEATURES = np.random.default_rng(1).normal(size=(6, 5))
"""What the middleware gives: ``(batch, features)``."""
ADVANTAGES = np.random.default_rng(2).normal(size=6)
EPS = 1.1920929e-07  # float32's, as upstream adds it
BOX = BoxActionSpace(2, np.array([-2.0, -1.0]), np.array([2.0, 3.0]))


def make_head(kind: Any, space: Any, exploration: Any = None, beta: float = 0.3) -> Any:
    """Return an initialized head in float64, so that finite differences are sharp."""
    parameters = ActorCriticAgentParameters()
    parameters.algorithm.beta_entropy = beta
    parameters.exploration = exploration
    activation = "relu" if kind is heads.DuelingQHead else "tanh"
    head = kind(parameters, SimpleNamespace(action=space), "main", loss_weight=0.7, activation_function=activation)
    mx.random.seed(5)
    head.collect_params().initialize()
    head(mx.nd.zeros((1, 5)))
    head.cast("float64")
    for parameter in head.collect_params().values():
        if parameter.grad_req != "null":
            parameter.set_data(mx.nd.array(np.random.default_rng(3).normal(size=parameter.shape) / 3, dtype="float64"))
    return head


def weights(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    return layer.weight.data().asnumpy(), layer.bias.data().asnumpy()


def dense(x: np.ndarray, layer: Any) -> np.ndarray:
    weight, bias = weights(layer)
    return x @ weight.T + bias


def outputs(head: Any) -> list[np.ndarray]:
    made = head(mx.nd.array(FEATURES, dtype="float64"))
    return [output.asnumpy() for output in (made if isinstance(made, tuple) else (made,))]


def loss(head: Any, *arguments: np.ndarray) -> Any:
    """Return the sum of what the head's loss block gives for its outputs and the arguments."""
    block = head.loss()
    made = head(mx.nd.array(FEATURES, dtype="float64"))
    made = made if isinstance(made, tuple) else (made,)
    results = block(*made, *(mx.nd.array(argument, dtype="float64") for argument in arguments))
    return mx.nd.add_n(*(results if isinstance(results, list | tuple) else [results]))


def assert_gradients_are_finite_differences(head: Any, *arguments: np.ndarray) -> None:
    trained = [p for p in head.collect_params().values() if p.grad_req != "null"]
    with mx.autograd.record():
        total = loss(head, *arguments)
    total.backward()
    random = np.random.default_rng(4)
    step = 1e-6
    for parameter in trained:
        values, gradients = parameter.data().asnumpy(), parameter.grad().asnumpy()
        for index in {tuple(random.integers(size) for size in values.shape) for _ in range(5)}:
            sides = []
            for sign in (1, -1):
                moved = values.copy()
                moved[index] += sign * step
                parameter.set_data(mx.nd.array(moved, dtype="float64"))
                sides.append(loss(head, *arguments).asscalar())
            parameter.set_data(mx.nd.array(values, dtype="float64"))
            difference = (sides[0] - sides[1]) / (2 * step)
            assert gradients[index] == pytest.approx(difference, rel=1e-4, abs=1e-7), (parameter.name, index)


def test_dueling_q_values():
    head = make_head(heads.DuelingQHead, DiscreteActionSpace(3))
    value = dense(np.maximum(dense(FEATURES, head.value_hidden), 0), head.value)
    advantage = dense(np.maximum(dense(FEATURES, head.advantage_hidden), 0), head.dense)
    expected = value + advantage - advantage.mean(axis=1, keepdims=True)
    assert np.allclose(outputs(head)[0], expected, rtol=1e-12)
    shapes = sorted(parameter.shape for parameter in head.collect_params().values())
    assert shapes == [(1,), (1, 512), (3,), (3, 512), (512,), (512,), (512, 5), (512, 5)]
    assert_gradients_are_finite_differences(head, np.random.default_rng(6).normal(size=(6, 3)))


def test_initial_weights_are_glorots():
    parameters = ActorCriticAgentParameters()
    head = heads.DuelingQHead(parameters, SimpleNamespace(action=DiscreteActionSpace(3)), "main")
    head.collect_params().initialize()
    head(mx.nd.zeros((1, 100)))
    bound = np.sqrt(6 / (100 + 512))
    largest = np.abs(weights(head.value_hidden)[0]).max()
    assert 0.99 * bound < largest <= bound


def test_probabilities_of_actions():
    head = make_head(heads.PolicyHead, DiscreteActionSpace(3), CategoricalParameters())
    exponentials = np.exp(dense(FEATURES, head.policy.dense))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert np.allclose(outputs(head)[0], probabilities, rtol=1e-12)
    actions = np.array([0, 1, 2, 2, 1, 0])
    normalized = (probabilities + EPS) / (probabilities + EPS).sum(axis=1, keepdims=True)
    entropy = -(normalized * np.log(normalized)).sum(axis=1).mean()
    expected = -0.7 * (np.log(normalized[np.arange(6), actions]) * ADVANTAGES).mean() - 0.3 * entropy
    assert loss(head, actions, ADVANTAGES).asscalar() == pytest.approx(expected, rel=1e-9)
    assert_gradients_are_finite_differences(head, actions, ADVANTAGES)


@pytest.mark.parametrize("exploration", [ContinuousEntropyParameters(), AdditiveNoiseParameters()])
def test_normal_distribution_of_actions(exploration):
    head = make_head(heads.PolicyHead, BOX, exploration)
    mean = np.tanh(dense(FEATURES, head.policy.mean)) * [2.0, 3.0]  # the largest of each bound's absolute values
    learnt = type(exploration) is ContinuousEntropyParameters
    deviation = np.log1p(np.exp(dense(FEATURES, head.policy.deviation))) + EPS if learnt else np.ones_like(mean)
    expected_outputs = [mean, deviation] if learnt else [mean]
    for actual, expected in zip(outputs(head), expected_outputs, strict=True):
        assert np.allclose(actual, expected, rtol=1e-12)
    actions = np.random.default_rng(7).uniform(-2, 2, size=(6, 2))
    logs = (-(((actions - mean) / deviation) ** 2) / 2 - np.log(deviation) - np.log(2 * np.pi) / 2).sum(axis=1)
    entropy = (np.log(deviation) + (1 + np.log(2 * np.pi)) / 2).sum(axis=1).mean()
    expected_loss = -0.7 * (logs * ADVANTAGES).mean() - 0.3 * entropy
    assert loss(head, actions, ADVANTAGES).asscalar() == pytest.approx(expected_loss, rel=1e-9)
    assert_gradients_are_finite_differences(head, actions, ADVANTAGES)


def test_an_unbounded_mean_is_neither_squeezed_nor_scaled():
    head = make_head(heads.PolicyHead, BoxActionSpace(2), AdditiveNoiseParameters())
    assert np.allclose(outputs(head)[0], dense(FEATURES, head.policy.mean), rtol=1e-12)


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (MultiSelectActionSpace(3), "cannot act in a MultiSelectActionSpace"),
        (BoxActionSpace((2, 2), -1.0, 1.0), "cannot act in a BoxActionSpace of shape"),
    ],
)
def test_other_action_spaces(space, sentence):
    with pytest.raises(InputError, match=sentence):
        make_head(heads.PolicyHead, space)


def test_a_penalty_of_actions():
    parameters = PolicyGradientsAgentParameters()
    parameters.algorithm.register_var("action_penalty", 0.1)
    with pytest.raises(InputError, match="no action_penalty, expected 0"):
        heads.PolicyHead(parameters, SimpleNamespace(action=DiscreteActionSpace(2)), "main")
