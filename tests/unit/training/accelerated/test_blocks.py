"""A batch in blocks, on one core and on several."""

import numpy as np
import pytest
from graphs import gradients_of, make_graph, relative_difference
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.training.accelerated import ppo_learner
from sagemaker_rl.training.accelerated.threads import Threads


@pytest.fixture
def make_learner(monkeypatch):
    learners = []

    def make(agent, cores):
        monkeypatch.setattr(ppo_learner.cores, "count", lambda: cores)
        learners.append(ppo_learner.PPOLearner(agent, np.random.default_rng(0)))
        return learners[-1]

    yield make
    for learner in learners:
        learner.close()


def columns_of(rows):
    random = np.random.default_rng(1)
    states, actions, *others = (random.normal(size=shape) for shape in ((rows, 2), (rows, 1), *[(rows,)] * 3))
    old_log_probs, advantages, value_targets = others
    return [column.astype(np.float32) for column in (states, actions, old_log_probs - 2, advantages, value_targets)]


def test_weights_are_the_same_bit_for_bit_on_any_number_of_cores(tmp_path, make_learner):
    batch = {"agent_params__network_wrappers__main__batch_size": 5 * ppo_learner.ROWS + 7}
    agent = agent_of(make_graph(tmp_path, agent_params__algorithm__optimization_epochs=1, **batch))
    columns = columns_of(11 * ppo_learner.ROWS)
    weights = []
    for cores in (1, 2, 3, 8):
        learner = make_learner(agent, cores)
        before = learner.dense.weights.copy()
        states, actions, _, *floats = columns
        learner.train(states, learner.heads(states)[1:], actions, *floats, lambda: None)
        weights.append(learner.dense.weights.copy())
        assert not np.array_equal(before, weights[-1])
        forks = [fork for _, fork in learner._processes._forks]
        assert len(forks) == min(cores, 6) - 1  # a batch has six blocks
        learner.close()
        assert not any(fork.is_alive() for fork in forks)
        learner.dense.weights[:] = before
        learner.publish()
    assert all(np.array_equal(weights[0], others) for others in weights[1:])


@pytest.mark.parametrize("rows", [1, 64, ppo_learner.ROWS, ppo_learner.ROWS + 1, 3 * ppo_learner.ROWS - 5])
def test_losses_and_gradients_of_blocks_are_those_of_the_batch(tmp_path, monkeypatch, make_learner, rows):
    agent = agent_of(make_graph(tmp_path))
    columns = columns_of(4 * ppo_learner.ROWS)
    chosen = np.random.default_rng(2).permutation(len(columns[0]))[:rows]
    learner = make_learner(agent, 2)
    result = learner.compute_gradients(columns, chosen)
    gradients = gradients_of(learner)
    monkeypatch.setattr(ppo_learner, "ROWS", 10**9)
    whole = make_learner(agent, 1)
    expected = whole.compute_gradients([column[chosen] for column in columns])
    for name in ("total_loss", "value_loss", "policy_loss", "entropy_loss"):
        assert getattr(result, name) == pytest.approx(getattr(expected, name), rel=1e-5)
    assert np.abs(result.ratios - expected.ratios).max() < 1e-4
    assert result.clipped_ratios.shape == (rows,)
    for mine, theirs in zip(gradients, gradients_of(whole), strict=True):
        assert relative_difference(mine, theirs) < 1e-4


def test_a_fault_in_one_block_is_raised():
    def fail(item):
        if item == 3:
            raise ValueError("three")
        return item

    for cores in (1, 2):
        assert Threads(cores).map(fail, [0, 1, 2]) == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            Threads(cores).map(fail, [1, 2, 3, 4])
