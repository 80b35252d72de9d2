"""Bodies of requests and answers: which media types there are, how a client chooses, how each is read and written.

Decoding gives observations as a client sent them, checked to be finite numbers of the shape that the policy expects.
Everything wrong with them is a RequestError of one sentence.
"""

import csv
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from sagemaker_rl.errors import RequestError

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
NPY = "application/x-npy"
SUPPORTED = (JSON, JSON_LINES, CSV, NPY)
ALIASES = {"application/x-jsonlines": JSON_LINES, "application/jsonl": JSON_LINES, "application/x-ndjson": JSON_LINES}

NOT_NUMBERS = "The body holds something else than numbers in rows of equal length."
NOT_FINITE = "The body holds NaN, infinity or a number beyond float32, expected finite numbers."
MAX_DIMENSIONS = 32
"""Of an array, as many as NumPy has."""
ROWS_AT_A_TIME = 10_000
"""Of lists that become arrays: no other thread runs during such a call."""


@dataclass(frozen=True)
class Batch:
    """What a request asks about.

    Attributes:
        observations: float32, shape ``(batch, *observation_shape)``.
        instances: the body was ``{"instances": [...]}``, so the answer is ``{"predictions": [...]}``.
    """

    observations: np.ndarray
    instances: bool = False


# --- Which type ------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=256)
def content_media_type(content_type: str) -> str:
    """Return the supported media type that a Content-Type header names; JSON if it is empty.

    Raises:
        RequestError: 415, it is not supported, or not in UTF-8.
    """
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    media_type = ALIASES.get(media_type, media_type) or JSON
    if media_type not in SUPPORTED:
        raise RequestError(f"Content-Type is {content_type!r}, expected one of {', '.join(SUPPORTED)}.", 415)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise RequestError(f"Content-Type is {content_type!r}, expected the character set utf-8.", 415)
    return media_type


@lru_cache(maxsize=256)
def accepted_media_type(accept: str, default: str = JSON) -> str:
    """Return the media type to answer in: the best of an Accept header (RFC 9110, section 12.5.1).

    Of the types with the highest quality, the one that is named most precisely; of those, the first in the header.

    Args:
        accept: the header; all types if it is empty.
        default: what a client gets that accepts all.

    Raises:
        RequestError: 406, none of what is accepted is supported; 400, a quality is not a number from 0 to 1.
    """
    ranges = [_media_range(text) for text in accept.split(",") if text.strip()] or [("*/*", 1.0)]
    best: tuple[float, int, int, int] | None = None
    chosen = ""
    for preference, media_type in enumerate((default, *(t for t in SUPPORTED if t != default))):
        matches = [
            (precision, quality, -place)
            for place, (name, quality) in enumerate(ranges)
            if (precision := _precision(name, media_type)) >= 0
        ]
        if not matches:
            continue
        precision, quality, place = max(matches)
        rank = (quality, precision, place, -preference)
        if quality > 0 and (best is None or rank > best):
            best, chosen = rank, media_type
    if not chosen:
        raise RequestError(f"Accept is {accept!r}, expected one of {', '.join(SUPPORTED)}.", 406)
    return chosen


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = -1.0
            if not 0 <= quality <= 1:
                raise RequestError(f"Accept has the quality {value!r}, expected a number from 0 to 1.")
    return ALIASES.get(name, name), quality


def _precision(media_range: str, media_type: str) -> int:
    """Return how precisely a range names a type: 2 by its name, 1 as ``text/*``, 0 as ``*/*``, -1 not at all."""
    if media_range == media_type:
        return 2
    if media_range == media_type.partition("/")[0] + "/*":
        return 1
    return 0 if media_range == "*/*" else -1


# --- Reading ---------------------------------------------------------------------------------------------------------
def decode(body: bytes, media_type: str, shape: tuple[int, ...]) -> Batch:
    """Read one observation or a batch of them.

    Args:
        body: in JSON one observation, a batch or ``{"instances": batch}``; in JSON Lines and CSV an observation in each
            line; in NPY an array.
        media_type: one of SUPPORTED.
        shape: of one observation.

    Raises:
        RequestError: The body is not of that type, or not observations of that shape, all numbers finite.
    """
    array, instances = _parse(body, media_type)
    if instances and array.shape == shape:
        raise _shape_error(array.shape, shape)
    return Batch(observations(array, shape), instances)


def numbers(body: bytes, media_type: str) -> np.ndarray:
    """Read an array of whatever shape.

    Raises:
        RequestError: The body is not of that type, or holds something else than numbers.
    """
    return _parse(body, media_type)[0]


def _parse(body: bytes, media_type: str) -> tuple[np.ndarray, bool]:
    if media_type == JSON:
        data = read_json(body)
        if type(data) is not dict:
            return _array(data, body), False
        if "instances" not in data:
            raise RequestError(f"The body is an object with {_names(data)}, expected the key 'instances'.")
        if type(data["instances"]) is not list:
            raise RequestError(f"instances is {type(data['instances']).__name__}, expected a list of observations.")
        return _array(data["instances"], body), True
    if not body.strip():
        raise _empty()
    if media_type == NPY:
        return read_npy(body), False
    return (_array(read_csv(body)) if media_type == CSV else _array(_read_lines(body), body)), False


def _names(data: dict[str, Any]) -> str:
    return f"the keys {', '.join(map(repr, list(data)[:5]))}"[:200] if data else "no key"


def _has_booleans(data: Any) -> bool:
    if type(data) is list:
        return any(_has_booleans(item) for item in data)
    return type(data) is bool


def read_json(body: bytes) -> Any:
    """Parse JSON strictly: no NaN, no infinity, no nesting beyond the parser's limit of 1,024.

    Raises:
        RequestError: It is empty or malformed.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body.strip():
            raise _empty() from None
        if b"NaN" in body or b"Infinity" in body:
            raise RequestError(f"The body is not {JSON}: there is no NaN and no Infinity in JSON.") from None
        raise RequestError(f"The body is not {JSON}: {error}") from None


def _read_lines(body: bytes) -> list[Any]:
    rows = []
    for number, line in enumerate(body.splitlines(), 1):
        if line.strip():
            try:
                rows.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise RequestError(f"Line {number} of the body is not JSON: {error}") from None
    return rows


def read_csv(body: bytes) -> list[list[float]]:
    """Read rows of numbers strictly: a missing value is none, nor is Python's ``1_000``.

    Raises:
        RequestError: It is not text in UTF-8, or a field is not a number.
    """
    try:
        text = body.decode("utf-8-sig")
        if "_" in text:
            field = next(field for row in csv.reader(io.StringIO(text)) for field in row if "_" in field)
            raise ValueError(f"could not convert string to float: {field!r}")
        return [[float(field) for field in row] for row in csv.reader(io.StringIO(text)) if row]
    except (ValueError, csv.Error) as error:
        raise RequestError(f"The body is not {CSV}: {str(error)[:200]}") from None


def read_npy(body: bytes) -> np.ndarray:
    """Read an array in NumPy's format without copying it, and without the pickles that the format allows.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

    Raises:
        RequestError: It is malformed, or its header promises another size than there is.
    """
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, fortran_order, dtype = read_header[version](stream)
    except KeyError:
        raise RequestError(f"The body is not {NPY}: its version is {version}, expected 1.0 or 2.0.") from None
    except Exception as error:  # a header is a Python literal: whatever a parser raises
        raise RequestError(f"The body is not {NPY}: {_first_line(error)}") from None
    if dtype.hasobject:
        raise RequestError(f"The body is not {NPY}: it holds Python objects, expected numbers.")
    if dtype.kind not in "iuf":
        raise RequestError(NOT_NUMBERS)
    count = 1
    for size in shape:
        count *= size
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0 or count * dtype.itemsize != len(body) - stream.tell():
        found = len(body) - stream.tell()
        raise RequestError(
            f"The body is not {NPY}: its header says shape {list(shape)} of {dtype}, {found} bytes follow."
        )
    array = np.frombuffer(body, dtype, count, stream.tell())
    return array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _array(data: Any, body: bytes = b"") -> np.ndarray:
    """Return what a parser read from ``body`` as an array of numbers.

    Raises:
        RequestError: It is something else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.VisibleDeprecationWarning)  # NumPy only warns of ragged rows
            if type(data) is list and len(data) > ROWS_AT_A_TIME:
                array = np.concatenate(
                    [np.asarray(data[i : i + ROWS_AT_A_TIME]) for i in range(0, len(data), ROWS_AT_A_TIME)]
                )
            else:
                array = np.asarray(data)
    except (np.VisibleDeprecationWarning, ValueError, OverflowError, RecursionError):
        raise RequestError(NOT_NUMBERS) from None
    # between numbers NumPy takes true for 1
    if array.dtype.kind not in "iuf" or ((b"true" in body or b"false" in body) and _has_booleans(data)):
        raise RequestError(NOT_NUMBERS)
    return array


def observations(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``array`` as float32 of shape ``(batch, *shape)``.

    Raises:
        RequestError: It is of another shape, or holds what is not finite in float32.
    """
    batch = array[None] if array.shape == shape else array
    if batch.shape[1:] != shape or len(batch) == 0:
        raise _shape_error(array.shape, shape)
    with np.errstate(over="ignore"):
        finite = batch.astype(np.float32)
    if not np.isfinite(finite).all():
        raise RequestError(NOT_FINITE)
    return finite


def _shape_error(found: Sequence[int], shape: Sequence[int]) -> RequestError:
    batch = f"[batch, {', '.join(map(str, shape))}]"
    return RequestError(
        f"The body has the shape {list(found)}, expected {list(shape)} for one observation or {batch} for a batch."
    )


def _empty() -> RequestError:
    return RequestError("The body is empty, expected an observation or a batch of observations.")


# --- Writing ---------------------------------------------------------------------------------------------------------
def encode_heads(heads: Sequence[np.ndarray], names: Sequence[str], media_type: str, instances: bool = False) -> bytes:
    """Write a network's heads.

    Args:
        heads: an array of shape ``(batch, units)`` each.
        names: of the heads.
        media_type: one of SUPPORTED. JSON is the list of heads, JSON Lines a list of heads per observation, CSV and
            NPY have a row per observation with the heads side by side.
        instances: in JSON, ``{"predictions": [{name: units, ...}, ...]}`` instead.
    """
    if media_type == JSON:
        if not instances:
            return _dumps([_contiguous(head) for head in heads])
        rows = _rows(heads)
        return _dumps({"predictions": [dict(zip(names, row, strict=True)) for row in rows]})
    if media_type == JSON_LINES:
        return b"".join(_dumps(row) + b"\n" for row in _rows(heads))
    return _encode_table(np.concatenate([head.reshape(len(head), -1) for head in heads], axis=1), media_type)


def encode_actions(actions: np.ndarray, media_type: str, instances: bool = False) -> bytes:
    """Write actions, a row for each observation.

    Args:
        actions: shape ``(batch, *action_shape)``.
        media_type: one of SUPPORTED.
        instances: in JSON, ``{"predictions": actions}``.
    """
    if media_type == JSON:
        array = _contiguous(actions)
        return _dumps({"predictions": array} if instances else array)
    if media_type == JSON_LINES:
        return b"".join(_dumps(row) + b"\n" for row in _contiguous(actions))
    return _encode_table(actions.reshape(len(actions), -1), media_type)


def _rows(heads: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, ...]]:
    return zip(*map(_contiguous, heads), strict=True)


def _contiguous(array: np.ndarray) -> np.ndarray:
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _encode_table(table: np.ndarray, media_type: str) -> bytes:
    buffer = io.BytesIO()
    if media_type == NPY:
        np.save(buffer, table, allow_pickle=False)
        return buffer.getvalue()
    # the shortest text that is the same float32 again: JSON's list without its brackets
    return b"".join(_dumps(_contiguous(row))[1:-1] + b"\n" for row in table)
