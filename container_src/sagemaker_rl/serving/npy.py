"""NumPy's file format for arrays of numbers: without the pickles that it allows, and without copying what is read.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import io
import math
import warnings
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sagemaker_rl.errors import RequestError

NPY = "application/x-npy"
MAX_DIMENSIONS = 32
"""Of an array; NumPy has no more."""
MAX_HEADER_BYTES = 10_000
"""As NumPy reads since 1.24: a header is a Python literal, whose parser takes long for a longer one."""
MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
"""Of a header's length, by version. Version 3.0 differs in the names of fields, and arrays of numbers have none."""
_QUOTED = 120
"""Characters of what a header holds that an error quotes."""


class Header(NamedTuple):
    """What precedes the data.

    Attributes:
        shape: of the array, sizes that are not negative.
        fortran_order: the first axis is the one that is contiguous.
        dtype: of integers or floats.
    """

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype


def read(body: bytes) -> np.ndarray:
    """Return the array of a file, in the dtype that it has there.

    Raises:
        RequestError: It is none of numbers, or damaged.
    """
    text, start = _split(body)
    header = _parse_header(bytes(text))  # a body that came in parts is a bytearray, which has no hash
    shape, dtype = header.shape, header.dtype
    count = math.prod(shape)  # in Python's integers: those of NumPy overflow
    data_bytes = len(body) - start
    if len(shape) > MAX_DIMENSIONS or count * dtype.itemsize != data_bytes:
        raise _error(f"its header says shape {_quote(list(shape))} of {dtype}, {data_bytes} bytes follow")
    array = np.frombuffer(body, dtype, count, start)
    try:
        return array.reshape(shape[::-1]).T if header.fortran_order else array.reshape(shape)
    except (ValueError, OverflowError):  # one size is 0 and the others are beyond NumPy's integers
        raise _error(f"its header says shape {_quote(list(shape))}, expected sizes that fit") from None


def write(array: np.ndarray) -> bytes:
    """Return the file of an array of numbers, in version 1.0."""
    return _header_of(array.dtype.str, array.shape) + array.tobytes()


@lru_cache(maxsize=256)
def _header_of(dtype: str, shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _split(body: bytes) -> tuple[bytes, int]:
    """Return the header's text, and at which byte the data starts."""
    if body[: len(MAGIC)] != MAGIC:
        raise _error("it does not begin as such a file")
    version = tuple(body[len(MAGIC) : len(MAGIC) + 2])
    if version not in LENGTH_BYTES:
        raise _error(f"its version is {version}, expected 1.0 or 2.0")
    begin = len(MAGIC) + 2 + LENGTH_BYTES[version]
    length = int.from_bytes(body[len(MAGIC) + 2 : begin], "little")
    if begin + length > len(body):
        raise _error(f"its header should have {length} bytes, {max(0, len(body) - begin)} follow")
    if length > MAX_HEADER_BYTES:
        raise _error(f"its header has {length} bytes, expected at most {MAX_HEADER_BYTES}")
    return body[begin : begin + length], begin + length


@lru_cache(maxsize=256)
def _parse_header(text: bytes) -> Header:
    """Read a header; those of batches of the same size are the same.

    Raises:
        RequestError: It is another literal than that of an array of numbers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of literals that look like mistakes
            values: Any = ast.literal_eval(text.decode("latin-1").strip())
    except Exception:  # of a Python literal the parser raises many types
        raise _error("its header is no Python literal") from None
    if type(values) is not dict or set(values) != {"descr", "fortran_order", "shape"}:
        raise _error(f"its header is {_quote(values)}, expected the keys descr, fortran_order and shape")
    shape, fortran_order, descr = values["shape"], values["fortran_order"], values["descr"]
    if type(shape) is not tuple or not all(type(size) is int and size >= 0 for size in shape):
        raise _error(f"its header says shape {_quote(shape)}, expected a tuple of sizes")
    if type(fortran_order) is not bool:
        raise _error(f"its header says fortran_order {_quote(fortran_order)}, expected True or False")
    return Header(shape, fortran_order, _dtype(descr))


def _dtype(descr: Any) -> np.dtype:
    """Return the dtype that a header describes.

    Raises:
        RequestError: It is none, or not one of integers or floats.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dtype = np.dtype(descr)
    except Exception:  # TypeError, ValueError and others, by what it is
        raise _error(f"its header says descr {_quote(descr)}, expected a dtype as '<f4'") from None
    if dtype.hasobject:
        raise _error("it holds Python objects, expected numbers")
    if type(descr) is not str or dtype.kind not in "iuf":
        raise _error(f"it holds {_quote(descr)}, expected integers or floats")
    return dtype


def _quote(value: Any) -> str:
    """Return what a header holds, shortened."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        return "a huge number"
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."


def _error(reason: str) -> RequestError:
    return RequestError(f"The body is not {NPY}: {reason}.")
