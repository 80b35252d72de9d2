"""Spaces that an agent can be trained on, and the actions that an environment gets."""

import gym
import numpy as np
import pytest
from gym.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, Sequence, Text, Tuple
from hypothesis import given
from hypothesis import strategies as st
from sagemaker_rl.coach.spaces import check_action_space, check_observation_space
from sagemaker_rl.errors import InputError

LARGE = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    "space",
    [
        MultiDiscrete([3, 2]),
        MultiBinary(3),
        MultiBinary([2, 3]),
        Tuple((Discrete(2), Box(0, 1, (1,)))),
        Dict(a=Discrete(2)),
        Text(4),
        Graph(Discrete(2), None),
        Sequence(Discrete(2)),
        Box(-np.inf, np.inf, (2,)),
        Box(0, np.inf, (2,)),
        Box(-np.inf, 0, (2,)),
        Box(np.array([0.0, -np.inf]), np.array([1.0, 1.0]), dtype=np.float32),
        Box(-LARGE, LARGE, (2,)),
        Box(-np.inf, np.inf, (2,), dtype=np.int32),
        Box(0.0, 1.0, ()),
        Box(0.0, 1.0, (0,)),
        None,
        "Discrete(2)",
    ],
    ids=str,
)
def test_actions_that_no_agent_chooses_are_refused_in_one_sentence(space):
    with pytest.raises(InputError) as error:
        check_action_space(space, "mine:Env")
    sentence = str(error.value)
    assert sentence.startswith("Environment mine:Env has the action space ")
    assert ", expected " in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize(
    "space",
    [
        Discrete(16),
        MultiBinary(4),
        MultiDiscrete([4, 5]),
        Tuple((Box(0, 1, (1,)),)),
        Text(4),
        Graph(Discrete(2), None),
        Sequence(Discrete(2)),
        Box(0, 1, ()),
        Box(0, 1, (0,)),
        Box(0, 1, (10, 10)),
        Box(0, 1, (2, 2, 2, 2)),
        Dict(a=Box(0, 1, (2,)), b=Discrete(2)),
        Dict(a=Dict(b=Box(0, 1, (2,)))),
        Box(np.zeros((40, 40)), np.random.default_rng(0).random((40, 40)), dtype=np.float64),
        None,
    ],
    ids=lambda space: str(space)[:40],
)
def test_observations_that_no_network_takes_are_refused_in_one_sentence(space):
    with pytest.raises(InputError) as error:
        check_observation_space(space, "mine:Env")
    sentence = str(error.value)
    assert sentence.startswith("Environment mine:Env has the observation space ")
    assert sentence.endswith(", expected a Box of one or three dimensions, or a Dict of them.")
    assert "\n" not in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize(
    "space",
    [
        Discrete(3),
        Discrete(3, start=1),
        Discrete(3, start=-7),
        Box(-1.0, 1.0, (1,)),
        Box(-1.0, 1.0, (2, 3)),
        Box(0.0, 100.0, (1,), dtype=np.float64),
        Box(0.1, 0.3, (1,), dtype=np.float16),
        Box(0.1, 0.3, (1,), dtype=np.float64),
        Box(0, 10, (2,), dtype=np.int32),
        Box(0, 255, (2, 2), dtype=np.uint8),
        Box(-3, 3, (2,), dtype=np.int8),
        Box(np.array([0.0, -1.0]), np.array([0.5, 5.0]), dtype=np.float32),
    ],
    ids=str,
)
def test_whatever_the_agent_chooses_is_in_the_space(space):
    actions = check_action_space(space, "mine:Env")
    if isinstance(space, Discrete):
        chosen = {actions.to_environment(index) for index in range(space.n)}
        assert chosen == set(range(space.start, space.start + space.n))
        assert all(space.contains(action) for action in chosen)
        return
    random = np.random.default_rng(0)
    assert type(actions.agent_space) is gym.spaces.Box
    assert actions.agent_space.shape == (int(np.prod(space.shape)),)
    for scale in (0.1, 1.0, 1000.0):
        for _ in range(50):
            action = actions.to_environment(random.normal(0, scale, actions.agent_space.shape))
            assert space.contains(action), action
            assert action.dtype == space.dtype
            assert action.shape == space.shape
            served = action.astype(np.int64 if space.dtype.kind in "iu" else np.float32)  # as an artifact answers it
            assert space.contains(actions.cast(served)), served


@given(st.floats(-20, 20))
def test_whole_numbers_are_the_nearest(value):
    action = check_action_space(Box(0, 10, (1,), dtype=np.int32), "mine:Env").to_environment(np.array([value]))
    assert action.tolist() == [min(max(round(value), 0), 10)]


def test_numbers_are_in_the_order_of_memory():
    action = check_action_space(Box(-1, 1, (2, 2)), "mine:Env").to_environment(np.array([0.1, 0.2, 0.3, 0.4]))
    assert np.allclose(action, [[0.1, 0.2], [0.3, 0.4]])


def test_a_preset_may_say_that_observations_are_tensors():
    space = Box(0, 1, (10, 10))
    assert check_observation_space(space, "mine:Env", dimensions=None).space == space
