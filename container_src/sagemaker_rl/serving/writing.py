"""Answers in each media type: a network's heads, or actions.

Each is written by as few calls of orjson as there can be, for all observations of a request. In JSON Lines and CSV no
line end follows the last line: a batch transform that assembles answers by lines puts one between those of two
requests. https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TransformOutput.html
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson

from sagemaker_rl.serving import npy

Heads = Sequence[np.ndarray]


def write_json_heads(heads: Heads, names: Sequence[str], has_instances: bool) -> bytes:
    """Write the list of heads; for instances an object of the heads by name for each observation."""
    if not has_instances:
        if len(heads[0]) == 1 or any(head.ndim != 2 or head.shape[1] != 1 for head in heads):
            return dumps([_contiguous(head) for head in heads])
        # orjson takes twice as long for a list of one number each as for one list of the numbers
        return b"[%b]" % dumps([head.ravel() for head in heads]).replace(b",", b"],[")
    keys = (orjson.dumps(name).replace(b"%", b"%%") for name in names)
    one = b"{%b}" % b",".join(b"%b:[%%b]" % key for key in keys)
    return b'{"predictions":[%b]}' % b",".join([one % row for row in zip(*map(_rows, heads), strict=True)])


def write_json_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    """Write the list of actions."""
    written = dumps(_contiguous(actions))
    return b'{"predictions":%b}' % written if has_instances else written


def write_json_lines_heads(heads: Heads, names: Sequence[str], has_instances: bool) -> bytes:
    """Write a list of heads for each observation."""
    if all(head.ndim == 2 and (head.shape, head.dtype) == (heads[0].shape, heads[0].dtype) for head in heads):
        return dumps(_contiguous(np.stack(heads, axis=1)))[1:-1].replace(b"]],[[", b"]]\n[[")
    return b"\n".join([dumps(row) for row in zip(*map(_contiguous, heads), strict=True)])  # a user's own, perhaps


def write_json_lines_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    """Write an action in each line."""
    end, begin = b"]" * (actions.ndim - 1), b"[" * (actions.ndim - 1)
    return dumps(_contiguous(actions))[1:-1].replace(b"%b,%b" % (end, begin), b"%b\n%b" % (end, begin))


def write_csv_heads(heads: Heads, names: Sequence[str], has_instances: bool) -> bytes:
    """Write the heads side by side, a line for each observation."""
    return _write_csv(_side_by_side(heads))


def write_csv_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    """Write an action in each line, the numbers of one side by side."""
    return _write_csv(actions.reshape(len(actions), -1))


def write_npy_heads(heads: Heads, names: Sequence[str], has_instances: bool) -> bytes:
    """Write a table: a row for each observation, the heads side by side."""
    return npy.write(_side_by_side(heads))


def write_npy_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    """Write a table: a row for each action."""
    return npy.write(actions.reshape(len(actions), -1))


def _write_csv(table: np.ndarray) -> bytes:
    # the shortest text that is the same float32 again: JSON's lists without their brackets
    return dumps(_contiguous(table))[2:-2].replace(b"],[", b"\n")


def _side_by_side(heads: Heads) -> np.ndarray:
    """Return a table with a row for each observation."""
    return np.concatenate([head.reshape(len(head), -1) for head in heads], axis=1)


def _rows(head: np.ndarray) -> Iterable[bytes]:
    """Return the numbers of each observation, as in JSON's list."""
    return dumps(_contiguous(head))[2:-2].split(b"],[")


def dumps(value: Any) -> bytes:
    """Return JSON of contiguous arrays."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _contiguous(array: np.ndarray) -> np.ndarray:
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
