"""The file of a training's state: what is written is read again, bit for bit, and nothing else is read."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sagemaker_rl.training import random_streams, state_file
from sagemaker_rl.training.state_file import DamagedState

NUMBERS = st.one_of(st.integers(-(2**130), 2**130), st.floats(), st.booleans(), st.none(), st.text(max_size=5))
ARRAYS = arrays.arrays(
    st.sampled_from(["f4", "f8", "i8", "u1", "?"]), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
)
STATES = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        NUMBERS | ARRAYS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def same(one, other) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@settings(deadline=None, max_examples=60, derandomize=True)
@given(state=STATES)
def test_any_state_is_read_as_it_was_written(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("state") / "state.npz"
    state_file.write(path, state)
    assert same(state, state_file.read(path))


def test_tuples_become_lists_and_numpys_numbers_pythons(tmp_path):
    state_file.write(tmp_path / "s", {"a": (1, np.float32(0.5)), "b": np.int64(3)})
    assert same(state_file.read(tmp_path / "s"), {"a": [1, 0.5], "b": 3})


@pytest.mark.parametrize("value", [np.array([None]), {1: 2}, {3, 4}, object()])
def test_what_is_no_number_text_or_array_is_no_state(tmp_path, value):
    with pytest.raises(TypeError):
        state_file.write(tmp_path / "s", {"a": value})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-30],
        lambda content: content.replace(b"document", b"documend"),
        lambda content: content.replace(b"array-0", b"array-9"),
        lambda content: b"PK" + content,
    ],
)
def test_a_file_that_is_not_whole_holds_no_state(tmp_path, spoil):
    file = tmp_path / "state.npz"
    state_file.write(file, {"a": np.arange(3)})
    before = file.read_bytes()
    file.write_bytes(spoil(before))
    assert file.read_bytes() != before
    with pytest.raises(DamagedState, match=r"^state\.npz cannot be read"):
        state_file.read(file)


def test_pickles_are_not_read(tmp_path):
    with (tmp_path / "state.npz").open("wb") as file:
        np.savez(file, document=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DamagedState):
        state_file.read(tmp_path / "state.npz")


def test_an_array_is_checked_before_it_is_used():
    like = np.zeros((2, 3), np.float32)
    assert state_file.checked(like, like) is like
    for value in (np.zeros((3, 2), np.float32), np.zeros((2, 3)), [0.0], None):
        with pytest.raises(DamagedState, match=r"expected float32 \(2, 3\)$"):
            state_file.checked(value, like)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, __import__("random").Random])
def test_a_stream_goes_on_from_its_state(tmp_path, make):
    stream, other = make(5), make(6)
    draw = {np.random.default_rng: "standard_normal", np.random.RandomState: "standard_normal"}.get(make, "gauss")
    arguments = (0.0, 1.0) if draw == "gauss" else ()
    getattr(stream, draw)(*arguments)
    state_file.write(tmp_path / "s", {"stream": random_streams.state_of(stream)})
    expected = [getattr(stream, draw)(*arguments) for _ in range(5)]
    state = state_file.read(tmp_path / "s")["stream"]
    assert not random_streams.are_equal(random_streams.state_of(other), state)
    random_streams.restore(other, state)
    assert random_streams.are_equal(random_streams.state_of(other), state)
    assert [getattr(other, draw)(*arguments) for _ in range(5)] == expected


@pytest.mark.parametrize("state", [{}, {"words": [1]}, None, {"bit_generator": "MT19937"}])
@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, __import__("random").Random])
def test_what_is_no_state_of_a_stream_is_refused(make, state):
    with pytest.raises(DamagedState, match=r"^it holds no state of a "):
        random_streams.restore(make(1), state)
