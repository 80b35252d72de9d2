"""Arrays in NumPy's format: their orders and dtypes, and every header that a client may write."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sagemaker_rl.errors import RequestError
from sagemaker_rl.serving import codecs, npy

SHAPE = (2,)


def file_of(shape, order="False", dtype="'<f4'", data=b"", version=1):
    """Return a file with a header of this text, and whatever follows."""
    return with_header(f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}}}\n", data, version)


def with_header(text, data=b"", version=1):
    header = text.encode("latin-1") if isinstance(text, str) else text
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def refusal(body, shape=SHAPE):
    with pytest.raises(RequestError) as refused:
        codecs.decode(body, codecs.NPY, shape)
    assert refused.value.status == 400
    assert len(str(refused.value)) < 400
    return str(refused.value)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", ">f2", "<f16", ">i2", "<i8", "|u1", "<u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_read_in_its_own_order(order, dtype, version):
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    read = codecs.decode(buffer.getvalue(), codecs.NPY, (3, 4)).observations
    assert read.tolist() == array.tolist()
    assert read.dtype == np.float32


def test_an_array_of_a_header_without_padding_is_read():
    """Its numbers are at any address."""
    for padding in range(4):
        body = file_of("(1, 2)" + " " * padding, data=np.array([[0.5, -3]], dtype="<f4").tobytes())
        assert codecs.decode(body, codecs.NPY, SHAPE).observations.tolist() == [[0.5, -3]]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (file_of("(1, 2)", data=bytes(7)), "its header says shape [1, 2] of float32, 7 bytes follow."),
        (file_of("(1, 2)", data=bytes(9)), "its header says shape [1, 2] of float32, 9 bytes follow."),
        (file_of((1,) * 33, data=bytes(4)), f"its header says shape {[1] * 33} of float32, 4 bytes follow."),
        (file_of((2**32, 2**32)), f"its header says shape {[2**32, 2**32]} of float32, 0 bytes follow."),
        (file_of((0, 2**70)), f"its header says shape {[0, 2**70]}, expected sizes that fit."),
        (file_of((2**62, 0, 8)), f"its header says shape {[2**62, 0, 8]}, expected sizes that fit."),
        (file_of((2**62, 0, 8), "True"), f"its header says shape {[2**62, 0, 8]}, expected sizes that fit."),
        (file_of("(0x" + "f" * 8000 + ",)"), "its header says shape a huge number of float32, 0 bytes follow."),
        (file_of("(1, 2)", dtype="'|O'"), "it holds Python objects, expected numbers."),
        (file_of("(1, 2)", dtype="[('a', 'O')]"), "it holds Python objects, expected numbers."),
        (file_of("(1, 2)", version=3), "its version is (3, 0), expected 1.0 or 2.0."),
        (file_of("(1, 2)", version=9), "its version is (9, 0), expected 1.0 or 2.0."),
        (b"\x93NUMPY\x01", "its version is (1,), expected 1.0 or 2.0."),
        (b"\x93NUMPY\x01\x00", "its header should have 0 bytes, 0 follow."),
        (b"\x93NUMPY\x01\x00\xff\xff", "its header should have 65535 bytes, 0 follow."),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "its header should have 2147483647 bytes, 0 follow."),
        (b"0.5,-0.5", "it does not begin as such a file."),
        (with_header(b" " * 10_001), "its header has 10001 bytes, expected at most 10000."),
    ],
)
def test_an_array_that_is_not_what_its_header_says(body, sentence):
    assert refusal(body) == f"The body is not application/x-npy: {sentence}"


@pytest.mark.parametrize(
    "text", ["", "{", "(" * 9_000, "-" * 9_000 + "1", "{'descr': x}", "\0", "\xff\xfe", "1 +", "{[]: 1}"]
)
def test_a_header_that_is_no_literal(text):
    assert refusal(with_header(text)) == "The body is not application/x-npy: its header is no Python literal."


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "'descr'",
        "{}",
        "{'descr', 'fortran_order', 'shape'}",
        "{'descr': '<f4', 'shape': (1, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'more': 1}",
        "{b'descr': '<f4', b'fortran_order': False, b'shape': (1, 2)}",
        "'" + "é" * 5000 + "'",
    ],
)
def test_a_header_without_its_keys(text):
    assert refusal(with_header(text)).endswith(", expected the keys descr, fortran_order and shape.")


@pytest.mark.parametrize(
    "shape",
    [
        *(
            "True",
            "(True, 2)",
            "(1.0, 2)",
            "(1, 2.0)",
            "(-1, -2)",
            "(1, -2)",
            "1",
            "2",
            "None",
            "'12'",
            "[1, 2]",
            "{1, 2}",
        ),
        *("((1, 2),)", "(1, (2,))", "(None, 2)", "('1', 2)", "(1j, 2)", "(1, b'2')", "{}", "...", "(1, ...)"),
    ],
)
def test_sizes_are_plain_integers(shape):
    assert refusal(file_of(shape, data=bytes(8))).endswith(", expected a tuple of sizes.")


@pytest.mark.parametrize("order", ["0", "1", "None", "'False'", "()", "0.0"])
def test_the_order_is_true_or_false(order):
    sentence = f"its header says fortran_order {order}, expected True or False."
    assert refusal(file_of("(1, 2)", order, data=bytes(8))) == f"The body is not application/x-npy: {sentence}"


@pytest.mark.parametrize(
    "dtype",
    [
        *("'|b1'", "'<c8'", "'<U2'", "'|S4'", "'|V8'", "'V'", "'S'", "'<M8[s]'", "'M8[ns]'", "'m8'", "'?'", "'(2,)f4'"),
        *("'<f4,<f4'", "[('a', '<f4')]", "[]", "None", "('<f4', (2,))", "{'names': [], 'formats': []}"),
    ],
)
def test_an_array_of_no_numbers(dtype):
    assert refusal(file_of("(1, 2)", dtype=dtype, data=bytes(16))).endswith(", expected integers or floats.")


@pytest.mark.parametrize(
    "dtype",
    [
        "''",
        "'<f5'",
        "'f4f4'",
        "'<q9'",
        "1",
        "1.5",
        "True",
        "b'x'",
        "'\xff'",
        "'<M8[x]'",
        "{}",
        "(1, 2, 3)",
        "('<f4', {})",
    ],
)
def test_a_dtype_that_does_not_exist(dtype):
    assert refusal(file_of("(1, 2)", dtype=dtype, data=bytes(16))).startswith("The body is not application/x-npy: ")


@pytest.mark.parametrize(
    ("body", "actual"),
    [
        (file_of((1,) * 32, data=bytes(4)), [1] * 32),
        (file_of("(0, 2)"), [0, 2]),
        (file_of("()", data=bytes(4)), []),
        (file_of("(3, 1)", data=bytes(12)), [3, 1]),
    ],
)
def test_an_array_of_another_shape(body, actual):
    expected = "expected [2] for one observation or [batch, 2] for a batch."
    assert refusal(body) == f"The body has the shape {actual}, {expected}"


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
dtypes = literals | st.sampled_from(
    ["<f4", ">f8", "<f4,<f4", "(2,)f4", "O", "V8", "S4", "M8[ns]", "m8", "f16", "e", "?"]
)
shapes = literals | st.lists(st.integers(-2, 4) | st.integers() | st.booleans(), max_size=4).map(tuple)
headers = st.fixed_dictionaries({"descr": dtypes, "fortran_order": st.booleans() | literals, "shape": shapes})


@settings(max_examples=500, deadline=None, derandomize=True)
@given(header=headers | literals, data=st.integers(0, 32), version=st.integers(1, 3))
def test_any_header(header, data, version):
    text = repr(header).encode("utf-8", "backslashreplace")[:10_000]
    try:
        array = npy.read(with_header(text, bytes(data), version))
    except RequestError as error:
        assert error.status == 400
        assert len(str(error)) < 400
        return
    assert (array.size * array.dtype.itemsize, array.dtype.kind in "iuf") == (data, True)
    assert array.tolist() == np.load(io.BytesIO(with_header(text, bytes(data), version))).tolist()


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_an_array_is_written_as_numpy_does(dtype):
    for shape in ((1, 3), (100, 3), (0, 3)):
        array = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
        for other in (array, np.asfortranarray(array)):
            assert np.load(io.BytesIO(npy.write(other)), allow_pickle=False).tolist() == array.tolist()
        buffer = io.BytesIO()
        np.save(buffer, array)
        assert npy.write(array) == buffer.getvalue()
