"""Bodies of /invocations as NumPy's arrays: headers and data of every damaged kind."""

import io
import pickle
import zipfile
from typing import Any

import numpy as np
from bodies import NPY, ONE, TWO, bad, either, good


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def npy_of(header: str | bytes, data: bytes, version: bytes = b"\x01\x00", size: int | None = None) -> bytes:
    """Return NumPy's magic, a header as it is, and data.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    text = header if isinstance(header, bytes) else header.encode("latin-1")
    length = (len(text) if size is None else size).to_bytes(2 if version[:1] == b"\x01" else 4, "little")
    return b"\x93NUMPY" + version + length + text + data


def _header(descr: str = "'<f8'", order: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", npy(TWO))
    return buffer.getvalue()


PAIR = np.array(ONE[0]).tobytes()

NPY_BODIES = (
    good("float64", npy(TWO), NPY, TWO),
    good("one observation as an array", npy(ONE[0]), NPY, ONE),
    good("float32", npy(np.float32(TWO)), NPY, TWO),
    good("float16", npy(np.float16(TWO)), NPY, TWO),
    good("big-endian", npy(np.array(TWO, ">f8")), NPY, TWO),
    good("Fortran's order", npy(np.asfortranarray(TWO)), NPY, TWO),
    good("int8", npy(np.int8([[1, -1]])), NPY, [[1, -1]]),
    good("int64", npy(np.int64([[2**62, -1]])), NPY, [[2.0**62, -1]]),
    good("uint64", npy(np.uint64([[2**64 - 1, 0]])), NPY, [[2.0**64, 0]]),
    good("big-endian int16", npy(np.array([[1, -1]], ">i2")), NPY, [[1, -1]]),
    good("a float64 too small for float32", npy([[1e-300, 0.5]]), NPY, [[0, 0.5]]),
    good("version 2.0", npy_of(_header(), PAIR, b"\x02\x00"), NPY, ONE),
    good("10,000 rows as an array", npy(ONE * 10_000), NPY, ONE * 10_000),
    either("version 3.0", npy_of(_header(), PAIR, b"\x03\x00"), NPY, ONE),
    either("long double", npy(np.longdouble(ONE)), NPY, ONE),
    either("a header without its end of line", npy_of(_header()[:-1], PAIR), NPY, ONE),
    either("Python 2's long in the shape", npy_of(_header(shape="(1L, 2L)"), PAIR), NPY, ONE),
    either("hex in the shape", npy_of(_header(shape="(0x2,)"), PAIR), NPY, ONE),
    either("a key twice in the header", npy_of("{'shape': (9,), " + _header()[1:], PAIR), NPY, ONE),
    either("the type by its name", npy_of(_header("'float64'"), PAIR), NPY, ONE),
    bad("no array", "", NPY, "empty"),
    bad("the magic alone", b"\x93NUMPY", NPY),
    bad("half the magic", b"\x93NUM", NPY),
    bad("magic and version", b"\x93NUMPY\x01\x00", NPY),
    bad("no header's length", b"\x93NUMPY\x01\x00\x76", NPY),
    bad("another magic", b"\x94" + npy(TWO)[1:], NPY),
    bad("text behind the magic", b"\x93NUMPY garbage", NPY, "is not application/x-npy"),
    bad("version 0.0", npy_of(_header(), PAIR, b"\x00\x00"), NPY),
    bad("version 9.9", npy_of(_header(), PAIR, b"\x09\x09"), NPY),
    bad("version 255.255", npy_of(_header(), PAIR, b"\xff\xff"), NPY),
    bad("an empty header", npy_of("", PAIR), NPY),
    bad("a header longer than the body", npy_of(_header(), PAIR, size=65_535), NPY),
    bad("a header of 4 GiB", npy_of(_header(), PAIR, b"\x02\x00", size=2**32 - 1), NPY),
    bad("a header of 20,000 blanks", npy_of(_header().strip() + " " * 20_000 + "\n", PAIR), NPY),
    bad("a header cut off", npy_of(_header()[:30], PAIR), NPY),
    bad("NUL in the header", npy_of(_header().replace(" ", "\0"), PAIR), NPY),
    bad("a byte beyond ASCII in the header", npy_of(_header(shape="(\u00b2,)"), PAIR), NPY),
    bad("no UTF-8 in version 3.0", npy_of(b"\xff\xfe\n", PAIR, b"\x03\x00"), NPY),
    bad(
        "digits of another script in version 3.0",
        npy_of(_header(shape="(\u0662,)").encode(), PAIR, b"\x03\x00"),
        NPY,
    ),
    bad("a list for a header", npy_of("[1, 2]\n", PAIR), NPY),
    bad("a number for a header", npy_of("1\n", PAIR), NPY),
    bad("a set for a header", npy_of("{'descr', 'shape'}\n", PAIR), NPY),
    bad("code for a header", npy_of("__import__('os').getpid()\n", PAIR), NPY),
    bad("code in the shape", npy_of(_header(shape="(1+1,)"), PAIR), NPY),
    bad("5,000 brackets in the header", npy_of("(" * 5000 + ")" * 4999 + "\n", PAIR), NPY),
    bad("5,000 signs in the header", npy_of("-" * 5000 + "1\n", PAIR), NPY),
    bad("5,000 brackets in the shape", npy_of(_header(shape="(" * 4000 + "2" + ",)" * 2000), PAIR), NPY),
    bad("10,000 digits in the shape", npy_of(_header(shape="(" + "9" * 9000 + ",)"), PAIR), NPY),
    bad("no shape", npy_of("{'descr': '<f8', 'fortran_order': False}\n", PAIR), NPY),
    bad("no order", npy_of("{'descr': '<f8', 'shape': (2,)}\n", PAIR), NPY),
    bad("no type", npy_of("{'fortran_order': False, 'shape': (2,)}\n", PAIR), NPY),
    bad("one key too many", npy_of("{'a': 1, " + _header()[1:], PAIR), NPY),
    bad("keys that are no text", npy_of("{1: 2, " + _header()[1:], PAIR), NPY),
    bad("an order of 0", npy_of(_header(order="0"), PAIR), NPY),
    bad("an order as text", npy_of(_header(order="'False'"), PAIR), NPY),
    bad("a shape of a number", npy_of(_header(shape="2"), PAIR), NPY),
    bad("a shape in a list", npy_of(_header(shape="[2]"), PAIR), NPY),
    bad("a shape of None", npy_of(_header(shape="None"), PAIR), NPY),
    bad("no size", npy_of(_header(shape="()"), PAIR[:8]), NPY, "shape []"),
    bad("a size of True", npy_of(_header(shape="(True, 2)"), PAIR), NPY),
    bad("a size of True for the batch", npy_of(_header(shape="(2, True)"), PAIR), NPY),
    bad("a size with a point", npy_of(_header(shape="(1.0, 2)"), PAIR), NPY),
    bad("a complex size", npy_of(_header(shape="(1j, 2)"), PAIR), NPY),
    bad("a size as text", npy_of(_header(shape="('1', 2)"), PAIR), NPY),
    bad("a size of None", npy_of(_header(shape="(None, 2)"), PAIR), NPY),
    bad("a size of a tuple", npy_of(_header(shape="((1,), 2)"), PAIR), NPY),
    bad("a size of NaN", npy_of(_header(shape="(1e999, 2)"), PAIR), NPY),
    bad("a negative size", npy_of(_header(shape="(-1, 2)"), PAIR), NPY),
    bad("two negative sizes", npy_of(_header(shape="(-1, -2)"), PAIR), NPY),
    bad("10^12 rows", npy_of(_header(shape="(1000000000000, 2)"), b""), NPY, "0 bytes follow"),
    bad("2^63 rows", npy_of(_header(shape="(9223372036854775808, 2)"), PAIR), NPY),
    bad("2^64 rows of nothing", npy_of(_header(shape="(18446744073709551616, 0)"), b""), NPY),
    bad("nothing of 2^63", npy_of(_header(shape="(0, 9223372036854775808)"), b""), NPY),
    bad("a product of sizes beyond 2^64", npy_of(_header(shape="(4294967296, 4294967296, 0)"), b""), NPY),
    bad("no rows in an array", npy(np.zeros((0, 2))), NPY, "shape [0, 2]"),
    bad("rows of nothing", npy(np.zeros((2, 0))), NPY, "shape [2, 0]"),
    bad("one dimension too many", npy([ONE]), NPY, "shape [1, 1, 2]"),
    bad("a column", npy([[0.5], [-0.5]]), NPY, "shape [2, 1]"),
    bad("33 dimensions", npy_of(_header(shape="(" + "1," * 32 + "2)"), PAIR), NPY),
    bad("1,000 dimensions", npy_of(_header(shape="(" + "1," * 999 + "2)"), PAIR), NPY),
    bad("8 bytes too few", npy(TWO)[:-8], NPY, "24 bytes follow"),
    bad("a byte too few", npy(TWO)[:-1], NPY, "31 bytes follow"),
    bad("a byte too many", npy(TWO) + b"x", NPY, "33 bytes follow"),
    bad("two arrays", npy(TWO) * 2, NPY),
    bad("NaN in an array", npy([np.nan, 1]), NPY, "finite"),
    bad("infinity in an array", npy([np.inf, 1]), NPY, "finite"),
    bad("infinity in float16", npy(np.float16([np.inf, 1])), NPY, "finite"),
    bad("beyond float32 in an array", npy([1e39, 1]), NPY, "beyond float32"),
    bad("booleans in an array", npy([True, False]), NPY),
    bad("complex numbers", npy([1j, 2]), NPY),
    bad("texts", npy(["0.5", "-0.5"]), NPY),
    bad("byte strings", npy([b"0.5", b"-0.5"]), NPY),
    bad("dates", npy(np.array([0, 1], "M8[s]")), NPY),
    bad("time spans", npy(np.array([0, 1], "m8[s]")), NPY),
    bad("void", npy_of(_header("'|V8'"), PAIR), NPY),
    bad("a structured type", npy(np.zeros(2, [("a", "<f8"), ("b", "<f8")])), NPY),
    bad("a structured type in text", npy_of(_header("'<f8,<f8'", shape="(1,)"), PAIR), NPY),
    bad("a type of a subarray", npy_of(_header("'(2,)<f8'", shape="(1,)"), PAIR), NPY),
    bad("a type of a tuple", npy_of(_header("('<f8', (2,))", shape="(1,)"), PAIR), NPY),
    bad("a structured type without fields", npy_of(_header("[]"), b""), NPY),
    bad("a structured type that overlaps", npy_of(_header("[('a', '<f8'), ('a', '<f8')]"), PAIR), NPY),
    bad("an unknown type", npy_of(_header("'x'"), PAIR), NPY),
    bad("a type of no size", npy_of(_header("'<f99'"), PAIR), NPY),
    bad("a type of size 0", npy_of(_header("'|S0'"), b""), NPY),
    bad("an empty type", npy_of(_header("''"), PAIR), NPY),
    bad("a number for a type", npy_of(_header("8"), PAIR), NPY),
    bad("None for a type", npy_of(_header("None"), PAIR), NPY),
    bad("objects", npy(np.array([{"a": 1}], object)), NPY, "is not application/x-npy"),
    bad("objects without a pickle", npy_of(_header("'|O'"), PAIR), NPY),
    bad("a pickle", pickle.dumps([0.5, -0.5]), NPY),
    bad("JSON for an array", "[0.5,-0.5]", NPY),
    bad("an archive of arrays", _zip(), NPY),
)
