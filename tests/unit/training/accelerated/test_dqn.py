"""The fast path's DQN: its replay, and the values that it acts on."""

import numpy as np
import pytest
from graphs import make_graph
from jobs import DQN
from sagemaker_rl.coach.graph import agent_of


def test_the_replay_keeps_the_newest_transitions():
    from sagemaker_rl.training.accelerated.dqn import Replay

    replay = Replay(10, (1,))
    for start in range(0, 24, 4):
        numbers = np.arange(start, start + 4)
        replay.add(numbers[:, None], numbers[:, None] + 1, numbers, -numbers, np.ones(4))
    assert len(replay) == 10
    states, next_states, actions, rewards, not_done = replay.sample(1000, np.random.default_rng(0))
    assert set(actions.tolist()) == set(range(14, 24))
    assert (states[:, 0] == actions).all()
    assert (next_states[:, 0] == actions + 1).all()
    assert (rewards == -actions).all()
    assert (not_done == 1).all()


def test_a_replay_that_is_not_full_gives_what_it_has():
    from sagemaker_rl.training.accelerated.dqn import Replay

    replay = Replay(10, (2, 3))
    assert len(replay) == 0
    states = np.arange(18.0).reshape(3, 2, 3)
    replay.add(states, states + 0.5, np.array([2, 0, 1]), np.array([-1.0, 5.0, 0.25]), np.array([True, False, True]))
    assert len(replay) == 3
    batch = replay.sample(500, np.random.default_rng(0))
    assert [column.shape for column in batch] == [(500, 2, 3), (500, 2, 3), (500,), (500,), (500,)]
    assert [column.dtype for column in batch] == [np.float32, np.float32, np.int64, np.float32, np.float32]
    drawn = {
        (float(s[0, 0]), float(n[0, 0]), int(a), float(r), float(goes)) for s, n, a, r, goes in zip(*batch, strict=True)
    }
    assert drawn == {(0.0, 0.5, 2, -1.0, 1.0), (6.0, 6.5, 0, 5.0, 0.0), (12.0, 12.5, 1, 0.25, 1.0)}


@pytest.mark.parametrize("in_numpy", [True, False], ids=["NumPy", "MXNet"])
def test_values_are_those_of_the_online_network_and_the_best_action_has_the_highest(tmp_path, in_numpy):
    from sagemaker_rl.training.accelerated.dqn import DQNLearner, DQNRun

    graph_manager = make_graph(tmp_path, DQN)
    run = DQNRun(graph_manager, 2, 3, lambda: None)
    agent = agent_of(graph_manager)
    run.learner = DQNLearner(agent, in_numpy)
    states = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    expected = agent.networks["main"].online_network.predict({"observation": states})
    assert run.learner.action_values(states) == pytest.approx(expected, abs=1e-5)
    run.normalizations = []
    actions = run.best_actions(states)
    assert actions.shape == (40,)
    assert (expected[np.arange(40), actions] == expected.max(axis=1)).all()


def test_coachs_networks_are_made_equal_before_training(tmp_path):
    from sagemaker_rl.training.accelerated.dqn import DQNRun

    graph_manager = make_graph(tmp_path, DQN)
    run = DQNRun(graph_manager, 2, 3, lambda: None)
    networks = agent_of(graph_manager).networks["main"]
    states = {"observation": np.ones((1, 2))}
    assert np.abs(networks.online_network.predict(states) - networks.target_network.predict(states)).max() > 1e-6
    run.sync()
    assert (networks.online_network.predict(states) == networks.target_network.predict(states)).all()
