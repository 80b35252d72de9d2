"""The repairs to Coach, each against what it stands in for."""

import multiprocessing
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_rl.coach import repairs
from sagemaker_rl.errors import InputError

repairs.apply()


def test_discounted_sums_equal_scipys():
    from rl_coach.agents.actor_critic_agent import ActorCriticAgent
    from scipy.signal import lfilter

    rewards = np.random.default_rng(0).normal(size=2000)
    expected = lfilter([1], [1, -0.97], rewards[::-1])[::-1]
    assert np.allclose(ActorCriticAgent.discount(SimpleNamespace(), rewards, 0.97), expected, rtol=1e-12, atol=1e-12)


def test_constant_takes_a_list_that_holds_none():
    import mxnet as mx

    for value, expected in (([None], 0.0), ([0.5], 0.5), (2.0, 2.0)):
        assert mx.init.Constant(value).value == expected


def test_coach_raises_where_it_would_exit(capsys):
    from rl_coach.logger import screen

    with pytest.raises(InputError, match=r"^The level Pogn is not one of Pong, Qbert\.$"):
        screen.error("The level Pogn is not one of \nPong, Qbert.")
    screen.error("no CARLA here", crash=False)
    assert "no CARLA here" in capsys.readouterr().out


def test_a_level_that_coach_does_not_know():
    from rl_coach.environments.environment import SingleLevelSelection

    level = SingleLevelSelection({"pong": "PongDeterministic-v4"})
    level.select("pogn")
    with pytest.raises(InputError, match=r"The selected level \(pogn\) is not part of the available levels \(pong\)"):
        str(level)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_a_box_of_unsigned_integers_without_bounds(dtype):
    import gym

    box = gym.spaces.Box(-np.inf, np.inf, shape=(2,), dtype=dtype)
    assert box.low.tolist() == [0, 0]
    assert box.high.tolist() == [np.iinfo(dtype).max - 2] * 2
    above = gym.spaces.Box(3, np.inf, shape=(2,), dtype=dtype)
    assert above.contains(above.sample())


def test_other_boxes_without_bounds_are_gyms():
    from gym.spaces import box

    assert box.get_inf(np.float32, "-") == -np.inf
    assert box.get_inf(np.int8, "+") == 125
    with pytest.raises(ValueError, match="infinite bounds"):
        box.get_inf(np.complex64, "+")


def test_a_memory_takes_no_process_of_its_own(tmp_path):
    from graphs import make_graph
    from jobs import DQN
    from sagemaker_rl.coach.graph import agent_of

    memory = agent_of(make_graph(tmp_path, DQN)).memory
    assert multiprocessing.active_children() == []
    memory.reader_writer_lock.lock_writing_and_reading()
    assert not memory.reader_writer_lock.writers_lock.acquire(blocking=False)
    memory.reader_writer_lock.release_writing_and_reading()
