"""The loss of clipped PPO and its gradients: by hand, in NumPy, and as MXNet derives them."""

import math

import mxnet as mx
import numpy as np
import pytest
from graphs import relative_difference
from sagemaker_rl.training.accelerated.ppo_loss import Loss, log_probs_and_entropy

ROWS = 60


def columns(discrete: bool):
    """Return heads, actions, and the other columns of a batch; ratios are between a half and the double."""
    random = np.random.default_rng(4)
    values = random.normal(size=(ROWS, 1))
    if discrete:
        probabilities = random.dirichlet([2, 2, 2], size=ROWS)
        policy, actions = [probabilities], random.integers(0, 3, ROWS)
    else:
        policy = [random.normal(size=(ROWS, 2)), random.uniform(0.3, 2, size=(ROWS, 2))]
        actions = random.normal(size=(ROWS, 2)).astype(np.float32)
    heads = [head.astype(np.float32) for head in (values, *policy)]
    log_probs, _ = log_probs_and_entropy(np, discrete, heads[1:], actions)
    old = (log_probs + random.uniform(-0.7, 0.7, ROWS)).astype(np.float32)
    return heads, actions, old, *random.normal(size=(2, ROWS)).astype(np.float32)


@pytest.mark.parametrize("epsilon", [None, 0.2])
@pytest.mark.parametrize("discrete", [True, False])
def test_losses_and_gradients_equal_mxnets(discrete, epsilon):
    loss = Loss(discrete, epsilon, beta=0.3, value_weight=0.7, policy_weight=1.9)
    heads, *rest = columns(discrete)
    result, gradients = loss.gradients(heads, *rest, batch_size=ROWS)
    theirs = [mx.nd.array(head) for head in heads]
    for head in theirs:
        head.attach_grad()
    with mx.autograd.record():
        total, losses, ratios = loss.graph(mx.nd, theirs, *map(mx.nd.array, rest))
    total.backward()
    ours = [result.total_loss, result.value_loss, result.policy_loss, result.entropy_loss]
    assert ours == pytest.approx(losses.asnumpy().tolist(), rel=1e-4)
    assert result.total_loss == pytest.approx(sum(ours[1:]))
    for our, their in zip([result.ratios, result.clipped_ratios], ratios.asnumpy(), strict=True):
        assert relative_difference(our, their) < 1e-5
    for gradient, head in zip(gradients, theirs, strict=True):
        assert gradient.dtype == np.float32
        assert gradient.shape == head.shape
        assert relative_difference(gradient, head.grad.asnumpy()) < 1e-4
    assert (result.ratios == result.clipped_ratios).all() == (epsilon is None)


def test_losses_by_hand():
    """Ratios of 1.5 and 0.5 with advantages of both signs; means of 4 rows."""
    old = np.log(np.full(4, 0.25))
    probabilities = np.array([[0.375, 0.625], [0.375, 0.625], [0.125, 0.875], [0.125, 0.875]])
    advantages, values = np.array([1.0, -1.0, 1.0, -1.0]), np.array([[1.0], [2.0], [3.0], [4.0]])
    heads, actions, targets = [values, probabilities], np.zeros(4, dtype=np.int64), np.array([1.0, 1.0, 1.0, 0.0])
    result, _ = Loss(True, 0.2, 0.1, 0.5, 2.0).gradients(heads, actions, old, advantages, targets, batch_size=4)
    assert result.ratios == pytest.approx([1.5, 1.5, 0.5, 0.5])
    assert result.clipped_ratios == pytest.approx([1.2, 1.2, 0.8, 0.8])
    assert result.policy_loss == pytest.approx(-2.0 * (1.2 - 1.5 + 0.5 - 0.8) / 4)
    assert result.value_loss == pytest.approx(0.5 * 0.5 * (0 + 1 + 4 + 16) / 4)
    entropy = -np.mean((probabilities * np.log(probabilities)).sum(axis=1))
    assert result.entropy_loss == pytest.approx(-0.1 * entropy)
    assert result.total_loss == pytest.approx(result.value_loss + result.policy_loss + result.entropy_loss)


def test_densities_and_entropy_are_those_of_normal_distributions():
    mean, deviation, actions = np.array([[0.5, -1.0]]), np.array([[2.0, 0.5]]), np.array([[1.5, -1.5]])
    log_probs, entropy = log_probs_and_entropy(np, False, [mean, deviation], actions)
    density = math.exp(-0.125) / (2 * math.sqrt(2 * math.pi)) * math.exp(-0.5) / (0.5 * math.sqrt(2 * math.pi))
    assert log_probs == pytest.approx([math.log(density)])
    assert entropy == pytest.approx(
        [0.5 * math.log(2 * math.pi * math.e * 4) + 0.5 * math.log(2 * math.pi * math.e / 4)]
    )
