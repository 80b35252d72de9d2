"""The replay of the fast path's DQN."""

import numpy as np


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
