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
from sagemaker_rl.policy.observations import ObservationFilters
from sagemaker_rl.serving import codecs
from sagemaker_rl.serving.reading import NOT_NUMBERS

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
@settings(max_examples=200, deadline=None, derandomize=True)
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"\x93NUMPY\x01\x00\xff\xff")
@example(body=b"\x93NUMPY\x09\x00\x00\x00")
@example(body=b"\x93NUMPY\x03\x00" + b"\x10\x00\x00\x00" + b"{" * 16)
def test_any_bytes(media_type, body):
    decode(body, media_type)


@pytest.mark.parametrize("media_type", [codecs.JSON, codecs.JSON_LINES])
@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=json_values)
def test_any_json(media_type, value):
    decode(json.dumps(value).encode(), media_type)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(body=st.text(alphabet='0123456789.,-+eE_ \n\r"naif;', max_size=60))
def test_any_text_of_numbers(body):
    decode(body.encode(), codecs.CSV)


@settings(max_examples=150, deadline=None, derandomize=True)
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


@settings(max_examples=100, deadline=None, derandomize=True)
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


def refusal(body, media_type, shape=SHAPE, **given):
    with pytest.raises(RequestError) as refused:
        codecs.decode(body, media_type, shape, **given)
    assert refused.value.status == 400
    return str(refused.value)


@pytest.mark.parametrize("rows", [9_999, 10_000, 10_001, 20_000, 20_001])
def test_a_long_list_is_whole_and_in_order(rows):
    data = [[number, -number - 0.5] for number in range(rows)]
    assert codecs.decode(json.dumps(data).encode(), codecs.JSON, SHAPE).observations.tolist() == data


def test_a_long_list_of_unequal_rows_is_refused():
    for data in ([[1, 2]] * 10_000 + [[3]], [[1, 2]] * 10_000 + [[3, "4"]]):
        assert refusal(json.dumps(data).encode(), codecs.JSON) == NOT_NUMBERS


LARGEST = float(np.finfo(np.float32).max)
BEYOND = float(np.nextafter(LARGEST * (1 + 2**-24), np.inf))
"""The least float64 that rounds to an infinite float32."""


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_are_finite_in_float32(sign):
    body = f"[[0, {sign * LARGEST!r}], [1, 2]]".encode()
    assert codecs.decode(body, codecs.JSON, SHAPE).observations.tolist() == [[0, sign * LARGEST], [1, 2]]
    assert refusal(f"[[0, 1], [{sign * BEYOND!r}, 2]]".encode(), codecs.JSON) == codecs.NOT_FINITE


PIXELS = ObservationFilters([{"type": "stack", "size": 2, "axis": -1, "flat": False}], "uint8")


@pytest.mark.parametrize("number", [0, 1, 254, 255])
def test_whole_numbers_of_a_byte_are_pixels(number):
    body = f"[7, {number}]".encode()
    assert codecs.decode(body, codecs.JSON, SHAPE, PIXELS).observations.tolist() == [[7, number]]


@pytest.mark.parametrize("number", [-1, 0.5, 254.5, 255.5, 256])
def test_other_numbers_are_no_pixels(number):
    sentence = "The body holds numbers that are no pixels of uint8, expected whole numbers from 0 to 255."
    assert refusal(f"[[7, 8], [7, {number}]]".encode(), codecs.JSON, filters=PIXELS) == sentence


def test_a_stack_is_said_to_be_one():
    assert refusal(b"[1]", codecs.JSON, (2, 3), filters=PIXELS) == (
        "The body has the shape [1], expected [2, 3] for a stack of the last 2 observations, the oldest first, "
        "or [batch, 2, 3] for a batch."
    )


@pytest.mark.parametrize(
    ("body", "rows", "instances"),
    [
        (b"[1, 2]", [[1, 2]], False),
        (b"[[1, 2], [3, 4], [5, 6]]", [[1, 2], [3, 4], [5, 6]], False),
        (b'{"instances": [[1, 2], [3, 4], [5, 6]]}', [[1, 2], [3, 4], [5, 6]], True),
        (b'{"instances": [[1, 2]], "of": "true or false"}', [[1, 2]], True),
        (b'{"signature_name": "serving_default", "instances": [[1, 2]]}', [[1, 2]], True),
        (b'{"instances":[[1,2],[3,4]]}', [[1, 2], [3, 4]], True),
        (b' {"instances" : [[1, 2]] } ', [[1, 2]], True),
        (b"[[1, 2]]\n", [[1, 2]], False),
        (b"\xef\xbb\xbf[1, 2]", [[1, 2]], False),
        (b'\xef\xbb\xbf{"instances": [[1, 2]], "of": 1}', [[1, 2]], True),
    ],
)
def test_json_is_one_observation_or_a_batch(body, rows, instances):
    batch = codecs.decode(body, codecs.JSON, SHAPE)
    assert (batch.observations.tolist(), batch.has_instances) == (rows, instances)


WRONG_INSTANCES = "expected [batch, 2]: a list of observations."
WRONG_SHAPE = "expected [2] for one observation or [batch, 2] for a batch."


@pytest.mark.parametrize(
    ("media_type", "body", "sentence"),
    [
        (codecs.JSON, b'{"instances": [1, 2]}', f"instances has the shape [2], {WRONG_INSTANCES}"),
        (codecs.JSON, b'{"instances":[1,2]}', f"instances has the shape [2], {WRONG_INSTANCES}"),
        (codecs.JSON, b'{"instances": []}', f"instances has the shape [0], {WRONG_INSTANCES}"),
        (codecs.JSON, b'{"instances": [[1, 2, 3]]}', f"instances has the shape [1, 3], {WRONG_INSTANCES}"),
        (codecs.JSON, b'{"instances": [{"a": 1}]}', NOT_NUMBERS),
        (codecs.JSON, b"[[1, 2, 3]]", f"The body has the shape [1, 3], {WRONG_SHAPE}"),
        (codecs.JSON, b"[]", f"The body has the shape [0], {WRONG_SHAPE}"),
        (codecs.JSON, b'{"instances": {"a": 1}}', "instances is an object, expected a list of observations."),
        (codecs.JSON, b'{"instances": "1,2"}', "instances is a string, expected a list of observations."),
        (codecs.JSON, b'{"instances": true}', "instances is true or false, expected a list of observations."),
        (codecs.JSON, b'{"instances": null}', "instances is null, expected a list of observations."),
        (codecs.JSON, b'{"instances": 7}', "instances is a number, expected a list of observations."),
        (codecs.JSON, b"{}", "The body is an object with no key, expected the key 'instances'."),
        (
            codecs.JSON,
            b'{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}',
            "The body is an object with the keys 'a', 'b', 'c', 'd', 'e', expected the key 'instances'.",
        ),
        (
            codecs.JSON,
            b"[NaN, 1]",
            "The body is not application/json: there is no NaN and no Infinity in JSON.",
        ),
        (
            codecs.JSON,
            b"[-Infinity, 1]",
            "The body is not application/json: there is no NaN and no Infinity in JSON.",
        ),
        (codecs.JSON, b"[[1, true]]", NOT_NUMBERS),
        (codecs.JSON, b"[[1, 2], [false, 3]]", NOT_NUMBERS),
        (codecs.JSON, b"[[1, 2], [3]]", NOT_NUMBERS),
        *(
            (media_type, b" \n", "The body is empty, expected an observation or a batch of observations.")
            for media_type in codecs.CODECS
        ),
    ],
)
def test_what_is_no_batch_is_said_in_one_sentence(media_type, body, sentence):
    assert refusal(body, media_type) == sentence


def test_json_that_is_cut_off_is_said_to_be_none():
    assert refusal(b"[[1, 2], [3", codecs.JSON).startswith("The body is not application/json: unexpected end of data")


HEADS = (np.array([[1], [2]], dtype=np.float32), np.array([[0.5, -0.5], [0.25, 4]], dtype=np.float32))
ACTIONS = np.arange(12, dtype=np.int64).reshape(2, 3, 2)


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize(
    ("media_type", "has_instances", "expected"),
    [
        (codecs.JSON, False, b"[[[0,1],[2,3],[4,5]],[[6,7],[8,9],[10,11]]]"),
        (codecs.JSON, True, b'{"predictions":[[[0,1],[2,3],[4,5]],[[6,7],[8,9],[10,11]]]}'),
        (codecs.JSON_LINES, False, b"[[0,1],[2,3],[4,5]]\n[[6,7],[8,9],[10,11]]"),
        (codecs.CSV, False, b"0,1,2,3,4,5\n6,7,8,9,10,11"),
    ],
)
def test_actions_are_written(media_type, has_instances, expected, in_order):
    actions = ACTIONS if in_order else np.asfortranarray(ACTIONS)
    assert codecs.CODECS[media_type].write_actions(actions, has_instances) == expected


def test_actions_are_a_table_as_npy():
    array = np.load(io.BytesIO(codecs.CODECS[codecs.NPY].write_actions(ACTIONS, False)))
    assert array.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


@pytest.mark.parametrize(
    ("media_type", "has_instances", "expected"),
    [
        (codecs.JSON, False, b"[[[1.0],[2.0]],[[0.5,-0.5],[0.25,4.0]]]"),
        (codecs.JSON, True, b'{"predictions":[{"v":[1.0],"q":[0.5,-0.5]},{"v":[2.0],"q":[0.25,4.0]}]}'),
        (codecs.JSON_LINES, False, b"[[1.0],[0.5,-0.5]]\n[[2.0],[0.25,4.0]]"),
        (codecs.CSV, False, b"1.0,0.5,-0.5\n2.0,0.25,4.0"),
    ],
)
def test_heads_are_written(media_type, has_instances, expected):
    for heads in (HEADS, [np.asfortranarray(head) for head in HEADS]):
        assert codecs.CODECS[media_type].write_heads(heads, ("v", "q"), has_instances) == expected


def test_heads_are_written_side_by_side_as_npy():
    array = np.load(io.BytesIO(codecs.CODECS[codecs.NPY].write_heads(HEADS, ("v", "q"), False)))
    assert array.dtype == np.float32
    assert array.tolist() == [[1, 0.5, -0.5], [2, 0.25, 4]]
