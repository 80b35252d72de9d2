"""Decoders of bodies against whatever bytes there are: observations, or a RequestError of one sentence."""

import io
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jobs import ROOT
from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import codecs

OPENAPI = json.loads((ROOT / "container_src/sagemaker_rl/serving/openapi.json").read_text(encoding="utf-8"))
SHAPE = (2,)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["instances", "a"]), inner, max_size=2),
    max_leaves=12,
)
finite = st.floats(-(2.0**100), 2.0**100, width=32)
rows = st.lists(st.tuples(finite, finite).map(list), min_size=1, max_size=20)


def decode(body: bytes, media_type: str) -> None:
    try:
        batch = codecs.decode(body, media_type, SHAPE)
    except RequestError as error:
        assert 400 <= error.status < 500
        assert len(str(error)) < 1000
        return
    assert batch.observations.dtype == np.float32
    assert batch.observations.shape[1:] == SHAPE
    assert np.isfinite(batch.observations).all()


@pytest.mark.parametrize("media_type", codecs.CODECS)
@settings(max_examples=500, deadline=None)
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"\x93NUMPY\x01\x00\xff\xff")
@example(body=b"\x93NUMPY\x09\x00\x00\x00")
@example(body=b"\x93NUMPY\x03\x00" + b"\x10\x00\x00\x00" + b"{" * 16)
def test_any_bytes(media_type, body):
    decode(body, media_type)


@pytest.mark.parametrize("media_type", [codecs.JSON, codecs.JSON_LINES])
@settings(max_examples=500, deadline=None)
@given(value=json_values)
def test_any_json(media_type, value):
    decode(json.dumps(value).encode(), media_type)


@settings(max_examples=300, deadline=None)
@given(body=st.text(alphabet='0123456789.,-+eE_ \n\r"naif;', max_size=60))
def test_any_text_of_numbers(body):
    decode(body.encode(), codecs.CSV)


@settings(max_examples=300, deadline=None)
@given(
    array=arrays.arrays(arrays.array_dtypes() | arrays.scalar_dtypes(), arrays.array_shapes(max_dims=3, max_side=3)),
    cut=st.integers(0, 20),
)
def test_any_array(array, cut):
    buffer = io.BytesIO()
    np.save(buffer, array)
    body = buffer.getvalue()
    decode(body, codecs.NPY)
    decode(body[: len(body) - cut], codecs.NPY)


@settings(max_examples=200, deadline=None)
@given(rows=rows)
def test_every_format_holds_the_same_numbers(rows):
    expected = np.array(rows, dtype=np.float32)
    buffer = io.BytesIO()
    np.save(buffer, expected)
    bodies = {
        codecs.JSON: json.dumps(rows).encode(),
        codecs.JSON_LINES: b"\n".join(json.dumps(row).encode() for row in rows),
        codecs.CSV: "\n".join(",".join(map(repr, row)) for row in rows).encode(),
        codecs.NPY: buffer.getvalue(),
    }
    for media_type, body in bodies.items():
        assert np.array_equal(codecs.decode(body, media_type, SHAPE).observations, expected)
    for media_type, codec in codecs.CODECS.items():
        body = codec.write_actions(expected, False)
        assert np.array_equal(codecs.decode(body, media_type, SHAPE).observations, expected)


def test_a_nested_bomb_is_refused_quickly():
    for bomb in (b"[" * 3_000_000, b'{"instances":' * 200_000, b"[[],[" * 500_000):
        decode(bomb, codecs.JSON)


@pytest.mark.parametrize("path", ["/invocations", "/models/{model_name}/invoke"])
def test_openapi_describes_every_media_type(path):
    operation = OPENAPI["paths"][path]["post"]
    assert list(operation["requestBody"]["content"]) == list(codecs.CODECS)
    assert list(operation["responses"]["200"]["content"]) == list(codecs.CODECS)


def test_an_unknown_media_type_raises():
    with pytest.raises(KeyError):
        codecs.decode(b"0,0", "application/xml", SHAPE)


HEADS = (np.array([[1], [2]], dtype=np.float32), np.array([[0.5, -0.5], [0.25, 4]], dtype=np.float32))


@pytest.mark.parametrize(
    ("media_type", "has_instances", "expected"),
    [
        (codecs.JSON, False, b"[[[1.0],[2.0]],[[0.5,-0.5],[0.25,4.0]]]"),
        (codecs.JSON, True, b'{"predictions":[{"v":[1.0],"q":[0.5,-0.5]},{"v":[2.0],"q":[0.25,4.0]}]}'),
        (codecs.JSON_LINES, False, b"[[1.0],[0.5,-0.5]]\n[[2.0],[0.25,4.0]]\n"),
        (codecs.CSV, False, b"1.0,0.5,-0.5\n2.0,0.25,4.0\n"),
    ],
)
def test_heads_are_written(media_type, has_instances, expected):
    assert codecs.CODECS[media_type].write_heads(HEADS, ("v", "q"), has_instances) == expected


def test_heads_are_written_side_by_side_as_npy():
    array = np.load(io.BytesIO(codecs.CODECS[codecs.NPY].write_heads(HEADS, ("v", "q"), False)))
    assert array.dtype == np.float32
    assert array.tolist() == [[1, 0.5, -0.5], [2, 0.25, 4]]
