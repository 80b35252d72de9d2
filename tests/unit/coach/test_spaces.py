"""Spaces that an agent can be trained on, and the actions that an environment gets."""

import gym
import numpy as np
import pytest
from gym.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, Sequence, Text, Tuple
from hypothesis import given, settings
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
        Box(np.array([1.0, 0.0]), np.array([0.0, 1.0]), dtype=np.float64),
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_bounds_are_as_far_apart_as_their_difference_can_be_told(dtype):
    largest = float(np.finfo(dtype).max) / 2 if dtype != np.int64 else 2.0**53
    step = 2 if dtype == np.int64 else largest * 1e-6
    for low, high in ((-largest, largest), (-largest, -largest + step), (largest - step, largest)):
        space = Box(np.array([low, 0], dtype), np.array([high, 1], dtype), dtype=dtype)
        assert check_action_space(space, "mine:Env").agent_space.shape == (2,)
    for low, high in ((-largest - step, 0), (0, largest + step)):
        with pytest.raises(InputError, match="expected a Box whose bounds are finite on both sides"):
            check_action_space(Box(np.array([0, low], dtype), np.array([1, high], dtype), dtype=dtype), "mine:Env")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_a_number_may_have_one_value_alone(dtype):
    actions = check_action_space(Box(np.array([3, -1], dtype), np.array([3, 2], dtype), dtype=dtype), "mine:Env")
    assert actions.to_environment(np.array([9.0, 0.0])).tolist() == [3, 0]
    assert (actions.agent_space.low.tolist(), actions.agent_space.high.tolist()) == ([3, -1], [3, 2])


def test_each_number_has_its_own_bounds():
    low, high = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3) * 10 + 1
    for dtype in (np.float32, np.int64):
        actions = check_action_space(Box(low.astype(dtype), high.astype(dtype), dtype=dtype), "mine:Env")
        assert actions.to_environment(np.full(6, -99.0)).tolist() == low.tolist()
        assert actions.to_environment(np.full(6, 99.0)).tolist() == high.tolist()
        assert actions.to_environment(np.array([0, 2, 3, 4, 5, 6])).tolist() == [[0, 2, 3], [4, 5, 6]]


@given(st.floats(-20, 20))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_whole_numbers_are_the_nearest(value):
    action = check_action_space(Box(0, 10, (1,), dtype=np.int32), "mine:Env").to_environment(np.array([value]))
    assert action.tolist() == [min(max(round(value), 0), 10)]


def test_a_preset_may_say_that_observations_are_tensors():
    space = Box(0, 1, (10, 10))
    assert check_observation_space(space, "mine:Env", dimensions=None).space == space


# --- Observations as an environment gives them -----------------------------------------------------------------------
VECTOR = Box(np.array([0, 1, 2], np.float32), np.array([3, 4, 5], np.float32))
PICTURE = Box(0, 255, (2, 3, 4), np.uint8)


@pytest.mark.parametrize("space", [VECTOR, PICTURE, Box(0, 1, (1, 1, 3)), Box(0, 1, (1,))], ids=str)
def test_vectors_and_pictures_are_observed(space):
    observation = np.arange(np.prod(space.shape)).reshape(space.shape).astype(space.dtype)
    observations = check_observation_space(space, "mine:Env")
    checked = observations.check(observation, "in reset()")
    assert observations.space is space
    assert (checked.tolist(), checked.dtype) == (observation.tolist(), space.dtype)
    observation += 1  # as an environment does that keeps its observation
    assert (checked != observation).all()


def test_a_list_of_numbers_is_a_vector():
    checked = check_observation_space(VECTOR, "mine:Env").check([1, 2, 4], "in step()")
    assert (checked.tolist(), checked.dtype) == ([1, 2, 4], np.float64)


@pytest.mark.parametrize(
    ("observation", "sentence"),
    [
        ([1, 2], "an observation of the shape (2,) in step(), expected (3,)."),
        ([[1, 2, 3]], "an observation of the shape (1, 3) in step(), expected (3,)."),
        ([1, np.nan, 2], "the observation [1.0, nan, 2.0] in step(), expected finite numbers."),
        ([1, 2, -np.inf], "the observation [1.0, 2.0, -inf] in step(), expected finite numbers."),
        (None, "the observation None in step(), expected an array of the shape (3,)."),
        ("abc", "the observation abc in step(), expected an array of the shape (3,)."),
        ([1, [2], 3], "the observation [1, [2], 3] in step(), expected an array of the shape (3,)."),
        (
            (np.zeros(3), {"a": 1}),
            "a tuple (ndarray, dict) as observation in step(), expected an array of the shape (3,), "
            "or in reset() the pair (observation, info).",
        ),
        (
            (np.zeros(3), None),
            "a tuple (ndarray, NoneType) as observation in step(), expected an array of the shape (3,), "
            "or in reset() the pair (observation, info).",
        ),
    ],
)
def test_what_is_no_observation_is_said_in_one_sentence(observation, sentence):
    with pytest.raises(InputError) as refused:
        check_observation_space(VECTOR, "mine:Env").check(observation, "in step()")
    assert str(refused.value) == f"Environment mine:Env gave {sentence}"


def test_entries_of_a_dictionary_are_told_apart():
    observations = check_observation_space(Dict(b=VECTOR, a=Box(0, 9, (2,))), "mine:Env")
    checked = observations.check({"a": [7, 8], "b": [1, 2, 3], "more": None}, "in reset()")
    assert {name: array.tolist() for name, array in checked.items()} == {"a": [7, 8], "b": [1, 2, 3]}
    assert observations.space == Dict(b=VECTOR, a=Box(0, 9, (2,)))
    for observation, sentence in (
        ({"a": [7, 8]}, "gave the observation ['a'] in reset(), expected a dictionary of 'a', 'b'."),
        ([7, 8], "gave the observation list in reset(), expected a dictionary of 'a', 'b'."),
        ({"a": [7, 8], "b": [1]}, "gave an observation 'b' of the shape (1,) in reset(), expected (3,)."),
    ):
        with pytest.raises(InputError) as refused:
            observations.check(observation, "in reset()")
        assert str(refused.value) == f"Environment mine:Env {sentence}"


def test_a_single_entry_called_observation_is_the_observation():
    observations = check_observation_space(Dict(observation=VECTOR), "mine:Env")
    assert observations.space == VECTOR
    assert observations.check({"observation": [1, 2, 3]}, "in reset()").tolist() == [1, 2, 3]
    assert isinstance(check_observation_space(Dict(another=VECTOR), "mine:Env").space, Dict)


def test_any_number_of_dimensions_is_said_where_a_preset_allows_it():
    with pytest.raises(InputError, match="expected a Box of one dimension or more, or a Dict of them"):
        check_observation_space(Box(0, 1, ()), "mine:Env", dimensions=None)
    with pytest.raises(InputError, match="of one or three dimensions"):
        check_observation_space(Box(0, 1, (3, 0)), "mine:Env")


def test_a_space_of_another_package_is_said_to_be_one():
    class Line:
        shape = (3,)

        def __repr__(self):
            return "Line(3)"

    Line.__module__ = "lines.spaces"
    with pytest.raises(InputError, match=r"the action space Line\(3\) of the package lines, expected Box or Discrete"):
        check_action_space(Line(), "mine:Env")
