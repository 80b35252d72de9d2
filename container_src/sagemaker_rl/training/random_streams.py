"""The states of random number generators, of NumPy and of Python, as a state has them (state_file.py)."""

import random
from typing import Any

import numpy as np

from sagemaker_rl.training.state_file import DamagedState, State

Stream = np.random.Generator | np.random.RandomState | random.Random
STREAMS = (np.random.Generator, np.random.RandomState, random.Random)
GLOBAL: dict[str, Stream] = {"python": random._inst, "numpy": np.random.mtrand._rand}
"""The two that a module's functions draw from."""


def state_of(stream: Stream) -> State:
    """Return the state of a stream."""
    if isinstance(stream, np.random.Generator):
        return dict(stream.bit_generator.state)
    if isinstance(stream, np.random.RandomState):
        return dict(stream.get_state(legacy=False))
    version, words, gauss = stream.getstate()
    return {"version": version, "words": np.array(words, dtype=np.int64), "gauss": gauss}


def restore(stream: Stream, state: State) -> None:
    """Give a stream a state that one of its kind has had.

    Raises:
        DamagedState: It is none.
    """
    try:
        if isinstance(stream, np.random.Generator):
            stream.bit_generator.state = state
        elif isinstance(stream, np.random.RandomState):
            stream.set_state(state)
        else:
            stream.setstate((state["version"], tuple(int(word) for word in state["words"]), state["gauss"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedState(f"it holds no state of a {type(stream).__name__} ({error})") from None


def are_equal(one: Any, other: Any) -> bool:
    """Tell whether two states are the same, arrays element by element."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))
    return bool(one == other)
