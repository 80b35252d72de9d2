"""Media types of requests and answers: ``CODECS`` has one entry for each, with how it is read and how it is written.

Reading gives observations as the client sent them, checked to be finite numbers of the shape that the policy expects.
Every fault in them is a RequestError of one sentence. The same media types are described in ``openapi.json``.
"""

import csv
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson

from sagemaker_rl.errors import RequestError
from sagemaker_rl.policy.observations import ObservationFilters

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
NPY = "application/x-npy"

NOT_NUMBERS = "The body holds something else than numbers in rows of equal length."
NOT_FINITE = "The body holds NaN, infinity or a number beyond float32, expected finite numbers."
NO_FILTERS = ObservationFilters([])
MAX_DIMENSIONS = 32
"""Of an array; NumPy has no more."""
LIST_ROWS_PER_CALL = 10_000
"""Rows of a list that NumPy converts in one call: no other thread runs during it."""


class Batch(NamedTuple):
    """The observations of a request.

    Attributes:
        observations: float32, shape ``(batch, *observation_shape)``.
        has_instances: whether the body was ``{"instances": [...]}``; its answer is ``{"predictions": [...]}``.
    """

    observations: np.ndarray
    has_instances: bool


@dataclass(frozen=True)
class Codec:
    """How one media type is read and written.

    Attributes:
        read: returns a body's numbers as an array, and whether the body was ``{"instances": [...]}``; raises
            RequestError if the body is not of this media type.
        write_heads: writes a network's heads: an array of shape ``(batch, units)`` for each, the heads' names, and
            whether the request had ``instances``.
        write_actions: writes actions: an array of shape ``(batch, *action_shape)``, and whether the request had
            ``instances``.
        aliases: other names of the media type.
    """

    read: Callable[[bytes], tuple[np.ndarray, bool]]
    write_heads: Callable[[Sequence[np.ndarray], Sequence[str], bool], bytes]
    write_actions: Callable[[np.ndarray, bool], bytes]
    aliases: tuple[str, ...] = ()


def decode(body: bytes, media_type: str, shape: tuple[int, ...], filters: ObservationFilters = NO_FILTERS) -> Batch:
    """Read one observation or a batch of them.

    Args:
        body: in JSON one observation, a batch or ``{"instances": batch}``; in JSON Lines and CSV an observation in each
            line; in NPY an array.
        media_type: a key of CODECS.
        shape: of one observation, or of a stack of them.
        filters: that observations pass before the policy's graph.

    Raises:
        RequestError: The body is not of that type, or not observations of that shape, all numbers finite.
    """
    array, has_instances = CODECS[media_type].read(body)
    if has_instances and array.shape == shape:
        raise _shape_error(array.shape, shape, filters)
    return Batch(as_observations(array, shape, filters), has_instances)


def as_observations(array: np.ndarray, shape: tuple[int, ...], filters: ObservationFilters = NO_FILTERS) -> np.ndarray:
    """Return ``array`` as float32 of shape ``(batch, *shape)``.

    Raises:
        RequestError: It is of another shape, or holds a number that is not finite in float32, or one that is no pixel
            where the filters compute on pixels.
    """
    batch = array[None] if array.shape == shape else array
    if batch.shape[1:] != shape or len(batch) == 0:
        raise _shape_error(array.shape, shape, filters)
    with np.errstate(over="ignore"):
        observations = batch.astype(np.float32)
    if not np.isfinite(observations).all():
        raise RequestError(NOT_FINITE)
    if filters.dtype == np.uint8 and batch.dtype != np.uint8:
        _check_pixels(observations)
    return observations


def _check_pixels(observations: np.ndarray) -> None:
    """Refuse a picture in floats between 0 and 1, which would become black."""
    if observations.min() < 0 or observations.max() > 255 or (observations != np.rint(observations)).any():
        raise RequestError("The body holds numbers that are no pixels of uint8, expected whole numbers from 0 to 255.")


def _shape_error(actual: Sequence[int], shape: Sequence[int], filters: ObservationFilters) -> RequestError:
    batch = f"[batch, {', '.join(map(str, shape))}]"
    size = filters.stack_size
    one = f"a stack of the last {size} observations, the oldest first," if size else "one observation"
    return RequestError(
        f"The body has the shape {list(actual)}, expected {list(shape)} for {one} or {batch} for a batch."
    )


# --- Reading ---------------------------------------------------------------------------------------------------------
def _read_json(body: bytes) -> tuple[np.ndarray, bool]:
    data = parse_json(body)
    if type(data) is not dict:
        return _array(data, body), False
    if "instances" not in data:
        raise RequestError(f"The body is an object with {_quote_keys(data)}, expected the key 'instances'.")
    instances = data["instances"]
    if type(instances) is not list:
        raise RequestError(f"instances is {type(instances).__name__}, expected a list of observations.")
    return _array(instances, body), True


def _quote_keys(data: dict[str, Any]) -> str:
    return f"the keys {', '.join(map(repr, list(data)[:5]))}"[:200] if data else "no key"


def _has_booleans(data: Any) -> bool:
    if type(data) is list:
        return any(_has_booleans(item) for item in data)
    return type(data) is bool


def parse_json(body: bytes) -> Any:
    """Parse JSON strictly: no NaN, no infinity, no nesting beyond the parser's limit of 1,024.

    Raises:
        RequestError: It is empty or malformed.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _refuse_empty(body)
        if b"NaN" in body or b"Infinity" in body:
            raise RequestError(f"The body is not {JSON}: there is no NaN and no Infinity in JSON.") from None
        raise RequestError(f"The body is not {JSON}: {error}") from None


def _read_json_lines(body: bytes) -> tuple[np.ndarray, bool]:
    _refuse_empty(body)
    rows = []
    for number, line in enumerate(body.splitlines(), 1):
        if line.strip():
            try:
                rows.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise RequestError(f"Line {number} of the body is not JSON: {error}") from None
    return _array(rows, body), False


def _read_csv(body: bytes) -> tuple[np.ndarray, bool]:
    """Read rows of numbers strictly: an empty field is not a number, nor is ``1_000``, which Python reads."""
    _refuse_empty(body)
    try:
        text = body.decode("utf-8-sig")
        if "_" in text:
            field = next(field for row in csv.reader(io.StringIO(text)) for field in row if "_" in field)
            raise ValueError(f"could not convert string to float: {field!r}")
        rows = [[float(field) for field in row] for row in csv.reader(io.StringIO(text)) if row]
    except (ValueError, csv.Error) as error:
        raise RequestError(f"The body is not {CSV}: {str(error)[:200]}") from None
    return _array(rows), False


def _read_npy(body: bytes) -> tuple[np.ndarray, bool]:
    """Read an array in NumPy's format without copying it, and without the pickles that the format allows.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    _refuse_empty(body)
    shape, fortran_order, dtype, start = _read_npy_header(body)
    if dtype.hasobject:
        raise RequestError(f"The body is not {NPY}: it holds Python objects, expected numbers.")
    if dtype.kind not in "iuf":
        raise RequestError(NOT_NUMBERS)
    count = 1
    for size in shape:  # in Python's integers: those of NumPy overflow
        count *= size
    data_bytes = len(body) - start
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0 or count * dtype.itemsize != data_bytes:
        raise RequestError(
            f"The body is not {NPY}: its header says shape {list(shape)} of {dtype}, {data_bytes} bytes follow."
        )
    array = np.frombuffer(body, dtype, count, start)
    return (array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)), False


def _read_npy_header(body: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Return shape, whether the order is Fortran's, dtype, and at which byte the data starts."""
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            return (*read_header[version](stream), stream.tell())
    except KeyError:
        raise RequestError(f"The body is not {NPY}: its version is {version}, expected 1.0 or 2.0.") from None
    except Exception as error:  # a header is a Python literal: its parser raises many types
        raise RequestError(f"The body is not {NPY}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _array(data: Any, body: bytes = b"") -> np.ndarray:
    """Return the data that a parser read from ``body`` as an array of numbers.

    Args:
        data: numbers in lists.
        body: empty if its format has no booleans.

    Raises:
        RequestError: The data is something else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.VisibleDeprecationWarning)  # NumPy only warns of ragged rows
            if type(data) is list and len(data) > LIST_ROWS_PER_CALL:
                array = np.concatenate(
                    [np.asarray(data[i : i + LIST_ROWS_PER_CALL]) for i in range(0, len(data), LIST_ROWS_PER_CALL)]
                )
            else:
                array = np.asarray(data)
    except (np.VisibleDeprecationWarning, ValueError, OverflowError, RecursionError):
        raise RequestError(NOT_NUMBERS) from None
    # NumPy converts a boolean between numbers to 0 or 1
    if array.dtype.kind not in "iuf" or ((b"true" in body or b"false" in body) and _has_booleans(data)):
        raise RequestError(NOT_NUMBERS)
    return array


def _refuse_empty(body: bytes) -> None:
    if not body.strip():
        raise RequestError("The body is empty, expected an observation or a batch of observations.")


# --- Writing ---------------------------------------------------------------------------------------------------------
def _write_json_heads(heads: Sequence[np.ndarray], names: Sequence[str], has_instances: bool) -> bytes:
    """Write the list of heads; for instances an object of the heads by name for each observation."""
    if not has_instances:
        return _dumps([_contiguous(head) for head in heads])
    return _dumps({"predictions": [dict(zip(names, row, strict=True)) for row in _rows(heads)]})


def _write_json_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    array = _contiguous(actions)
    return _dumps({"predictions": array} if has_instances else array)


def _write_json_lines_heads(heads: Sequence[np.ndarray], names: Sequence[str], has_instances: bool) -> bytes:
    """Write a list of heads for each observation."""
    return b"".join(_dumps(row) + b"\n" for row in _rows(heads))


def _write_json_lines_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    return b"".join(_dumps(row) + b"\n" for row in _contiguous(actions))


def _write_csv_heads(heads: Sequence[np.ndarray], names: Sequence[str], has_instances: bool) -> bytes:
    return _write_csv(_side_by_side(heads))


def _write_csv_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    return _write_csv(actions.reshape(len(actions), -1))


def _write_npy_heads(heads: Sequence[np.ndarray], names: Sequence[str], has_instances: bool) -> bytes:
    return _write_npy(_side_by_side(heads))


def _write_npy_actions(actions: np.ndarray, has_instances: bool) -> bytes:
    return _write_npy(actions.reshape(len(actions), -1))


def _write_csv(table: np.ndarray) -> bytes:
    # the shortest text that is the same float32 again: JSON's list without its brackets
    return b"".join(_dumps(_contiguous(row))[1:-1] + b"\n" for row in table)


def _write_npy(table: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=False)
    return buffer.getvalue()


def _side_by_side(heads: Sequence[np.ndarray]) -> np.ndarray:
    """Return a table with a row for each observation."""
    return np.concatenate([head.reshape(len(head), -1) for head in heads], axis=1)


def _rows(heads: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, ...]]:
    return zip(*map(_contiguous, heads), strict=True)


def _contiguous(array: np.ndarray) -> np.ndarray:
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


CODECS: dict[str, Codec] = {
    JSON: Codec(_read_json, _write_json_heads, _write_json_actions),
    JSON_LINES: Codec(
        _read_json_lines,
        _write_json_lines_heads,
        _write_json_lines_actions,
        aliases=("application/x-jsonlines", "application/jsonl", "application/x-ndjson"),
    ),
    CSV: Codec(_read_csv, _write_csv_heads, _write_csv_actions),
    NPY: Codec(_read_npy, _write_npy_heads, _write_npy_actions),
}
"""The codec of each media type. If a client accepts several alike, it gets the default, or else the first of these."""
