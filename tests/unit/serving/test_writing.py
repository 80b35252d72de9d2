"""Answers: the same as if each observation were written by itself, whatever heads a network has."""

import io
import json

import numpy as np
import orjson
import pytest
from sagemaker_rl.serving import codecs

NAMES = ["state value", 'a "quoted" %b and %%', "é"]


def heads_of(rows, units, order):
    random = np.random.default_rng(rows)
    heads = [random.normal(size=(rows, size)).astype(np.float32) for size in units]
    heads[0][0, 0], heads[-1][-1, -1] = -0.0, 1e-30
    return [np.asarray(head, order=order) for head in heads]


def json_of(array):
    return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY).decode()


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("units", [(1, 1, 1), (3,), (1, 2, 1), (2, 2, 2), (1,)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_heads(rows, units, order):
    heads = heads_of(rows, units, order)
    names = NAMES[: len(heads)]
    lists = ["[" + ",".join(json_of(head[row]) for head in heads) + "]" for row in range(rows)]
    written = {name: codec.write_heads(heads, names, False) for name, codec in codecs.CODECS.items()}
    assert written[codecs.JSON].decode() == "[" + ",".join(map(json_of, heads)) + "]"
    assert written[codecs.JSON_LINES].decode() == "\n".join(lists)
    table = np.concatenate(heads, axis=1)
    assert written[codecs.CSV].decode() == "\n".join(json_of(row)[1:-1] for row in table)
    assert np.array_equal(np.load(io.BytesIO(written[codecs.NPY])), table)
    predictions = json.loads(codecs.CODECS[codecs.JSON].write_heads(heads, names, True))["predictions"]
    assert predictions == [dict(zip(names, json.loads(line), strict=True)) for line in lists]


def test_heads_of_other_shapes_are_a_users_own():
    heads = [np.arange(2), np.arange(8, dtype=np.float32).reshape(2, 2, 2)]
    assert (
        codecs.CODECS[codecs.JSON].write_heads(heads, (), False)
        == b"[[0,1],[[[0.0,1.0],[2.0,3.0]],[[4.0,5.0],[6.0,7.0]]]]"
    )
    assert codecs.CODECS[codecs.JSON_LINES].write_heads(heads, (), False) == (
        b"[0,[[0.0,1.0],[2.0,3.0]]]\n[1,[[4.0,5.0],[6.0,7.0]]]"
    )
    assert codecs.CODECS[codecs.CSV].write_heads(heads, (), False) == b"0.0,0.0,1.0,2.0,3.0\n1.0,4.0,5.0,6.0,7.0"
    mixed = [np.array([[1], [2]]), np.array([[0.5], [1.5]])]
    assert codecs.CODECS[codecs.JSON_LINES].write_heads(mixed, (), False) == b"[[1],[0.5]]\n[[2],[1.5]]"


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 1), (2, 3), (1, 3), (2, 2, 2), (2, 1, 1, 2)])
def test_actions(shape):
    actions = np.arange(np.prod(shape)).reshape(shape)
    written = {
        name: codec.write_actions(actions, False).decode()
        for name, codec in codecs.CODECS.items()
        if name != codecs.NPY
    }
    assert written[codecs.JSON] == json_of(actions)
    assert written[codecs.JSON_LINES] == "\n".join(
        json_of(action) if action.ndim else str(action) for action in actions
    )
    assert written[codecs.CSV] == "\n".join(",".join(map(str, action.ravel())) for action in actions)


@pytest.mark.parametrize("media_type", [codecs.JSON_LINES, codecs.CSV])
def test_answers_joined_by_lines_have_no_blank_one(media_type):
    """As batch transform joins them."""
    answers = [codecs.CODECS[media_type].write_heads(heads_of(rows, (1, 1), "C"), (), False) for rows in (1, 3)]
    assert [bool(line) for line in b"".join(answer + b"\n" for answer in answers).split(b"\n")] == [True] * 4 + [False]
