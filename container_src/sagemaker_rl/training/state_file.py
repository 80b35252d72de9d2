"""The state of a training as one file: arrays as NumPy writes them, everything else as JSON; no pickles.

A state is a nested dictionary of numbers, texts, None, lists and NumPy arrays. What is read back is equal to it bit for
bit, but for tuples, which become lists, and NumPy's numbers, which become Python's.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

State = dict[str, Any]
ARRAY = "__array__"
"""The key of what stands in the JSON for an array: its number in the file."""
DOCUMENT = "document"


class DamagedState(ValueError):
    """A file holds no state, or a state that is of something else."""


def write(path: Path, state: State) -> None:
    """Write a state to ``path``.

    Raises:
        OSError: The file cannot be written.
        TypeError: The state holds something else than is said above.
    """
    arrays: list[np.ndarray] = []
    document = json.dumps(_without_arrays(state, arrays)).encode()
    members = {f"array-{number}": array for number, array in enumerate(arrays)}
    with path.open("wb") as file:
        np.savez(file, **{DOCUMENT: np.frombuffer(document, np.uint8)}, **members)


def read(path: Path) -> State:
    """Return the state in a file.

    Raises:
        DamagedState: There is none in it.
    """
    try:
        with np.load(path, allow_pickle=False) as members:
            state = _with_arrays(json.loads(bytes(members[DOCUMENT])), members)
    except Exception as error:  # zip, NumPy and JSON raise whatever a file's bytes lead to
        raise DamagedState(f"{path.name} cannot be read ({error})") from None
    if not isinstance(state, dict):
        raise DamagedState(f"{path.name} holds no state")
    return state


def checked(value: Any, like: np.ndarray) -> np.ndarray:
    """Return an array of a state that is to take the place of another one.

    Raises:
        DamagedState: It is of another shape or dtype.
    """
    if not isinstance(value, np.ndarray) or value.shape != like.shape or value.dtype != like.dtype:
        found = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise DamagedState(f"the state holds {found}, expected {like.dtype} {like.shape}")
    return value


def _without_arrays(value: Any, arrays: list[np.ndarray]) -> Any:
    """Return ``value`` as JSON knows it; its arrays are appended to ``arrays``."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("an array of objects is no part of a state")
        arrays.append(value)
        return {ARRAY: len(arrays) - 1}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"the keys of a state are texts, not {list(value)}")
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    return value


def _with_arrays(value: Any, members: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return members[f"array-{value[ARRAY]}"]
        return {key: _with_arrays(item, members) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, members) for item in value]
    return value
