"""Bodies of requests in text: JSON, JSON Lines and CSV, read strictly into arrays.

A body of what the policy expects, nothing but numbers in lists of the right lengths, is read in a few calls that pass
over all of it: by ``read_plain_json`` and its siblings, which return None for any other one. ``read_json`` and its
siblings read everything that is allowed, and find a sentence for what is not.
"""

import csv
import math
import re
import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson

from sagemaker_rl.errors import RequestError

JSON = "application/json"
CSV = "text/csv"
NOT_NUMBERS = "The body holds something else than numbers in rows of equal length."
LIST_ROWS_PER_CALL = 10_000
"""Rows of a list that NumPy converts in one call: no other thread runs during it."""

ARRAY, INSTANCES, LINES, TABLE = "array", "instances", "lines", "table"
"""Where a body's observations are: one or a batch of them; ``{"instances": batch}``; one in each line as JSON, or as
its numbers in their order."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t"
_JSON_SPACE = b" \t\r\n"
_NUMBERS = b"0123456789+-.eE"
_NUMBERS_AND_BLANKS = _NUMBERS + _BLANKS
_BRACKETS_AS_BLANKS = bytes.maketrans(b"[]", b"  ")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BEFORE_INSTANCES = b'{"instances":'


class Numbers(NamedTuple):
    """What a body holds.

    Attributes:
        array: its numbers; of LINES and TABLE a row for each line.
        form: where they are: ARRAY, INSTANCES, LINES or TABLE.
    """

    array: np.ndarray
    form: str


Shape = tuple[int, ...]


# --- Plain bodies ----------------------------------------------------------------------------------------------------
# The characters that are not of numbers tell the shape. Where they are those of a batch of the right shape, what is
# left is one list of numbers, which is parsed and converted in a quarter of the time of a list in a list for each.
def read_plain_json(body: bytes, shape: Shape) -> Numbers | None:
    """Return the numbers of a plain body, float32: of one observation of this shape, of a batch, or of instances."""
    text, form = _without_mark(body).strip(_JSON_SPACE), ARRAY
    if text.startswith(_BEFORE_INSTANCES) and text.endswith(b"}"):
        text, form = text[len(_BEFORE_INSTANCES) : -1].strip(_JSON_SPACE), INSTANCES
    skeleton = text.translate(None, _NUMBERS + _JSON_SPACE)
    if len(shape) != 1:
        return _read_nested(text, skeleton, shape, form)
    one = b"[%b]" % (b"," * (shape[0] - 1))
    if skeleton == one:
        return _numbers(text, shape, ARRAY) if form is ARRAY else None
    rows = len(skeleton) // (len(one) + 1)
    if skeleton != b"[%b]" % ((one + b",") * rows)[:-1] or text[:1] != b"[" or text[-1:] != b"]":
        return None
    begin = text.find(b"]")
    separator = text[begin : text.find(b"[", begin) + 1]
    return _numbers(_join(text[1:-1].strip(_JSON_SPACE), separator, rows), (rows, *shape), form)


def read_plain_json_lines(body: bytes, shape: Shape) -> Numbers | None:
    """Return the numbers of a plain body, float32 of shape ``(lines, *shape)``."""
    if len(shape) != 1:
        return None
    text = _with_line_feeds(_without_mark(body)).strip(b" \t\n")
    skeleton = text.translate(None, _NUMBERS_AND_BLANKS)
    rows = skeleton.count(b"\n") + 1
    if skeleton + b"\n" != b"[%b]\n" % (b"," * (shape[0] - 1)) * rows:
        return None
    joined = _join(text, b"]\n[", rows)
    return _numbers(joined and joined.replace(b"\n", b","), (rows, *shape), LINES)


def read_plain_csv(body: bytes, shape: Shape) -> Numbers | None:
    """Return the numbers of a plain body, float32 of shape ``(lines, numbers of an observation)``."""
    size = math.prod(shape)
    text = _with_line_feeds(_without_mark(body)).strip(b" \t\n")
    skeleton = text.translate(None, _NUMBERS_AND_BLANKS)
    rows = skeleton.count(b"\n") + 1
    if skeleton + b"\n" != (b"," * (size - 1) + b"\n") * rows:
        return None
    return _numbers(b"[%b]" % text.replace(b"\n", b","), (rows, size), TABLE)


def _join(text: bytes, separator: bytes, rows: int) -> bytes | None:
    """Return the lists in a text, which has the skeleton of as many rows, as one list; None if it may be malformed.

    It is not, if nothing stands before the first list and after the last, and all that stands between two is the same
    and no number: the parser refuses the list if an item is missing, or if two are not separated.
    """
    if text[:1] != b"[" or text[-1:] != b"]":
        return None
    if rows > 1 and (separator.strip(b"],[ \t\r\n") or text.count(separator) != rows - 1):
        return None
    return b"[%b]" % text.translate(_BRACKETS_AS_BLANKS)


def _read_nested(text: bytes, skeleton: bytes, shape: Shape, form: str) -> Numbers | None:
    """Return the numbers in lists of more dimensions, or of none."""
    if skeleton.translate(None, b"[],"):
        return None
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if type(data) is not list:
        return None
    one = _flatten([data], shape) if form is ARRAY else None
    flat, rows = (_flatten(data, shape), (len(data),)) if one is None else (one, ())
    return None if flat is None else Numbers(flat.reshape(*rows, *shape), form)


def _flatten(data: list[Any], shape: Shape) -> np.ndarray | None:
    """Return the numbers in a list of observations as float32; None if lists in it are not of the shape's lengths."""
    try:
        for size in shape:
            if set(map(len, data)) != {size}:
                return None
            data = list(chain.from_iterable(data))
        flat = np.array(data, dtype=np.float32)
    except (TypeError, ValueError):  # a number where a list is expected, or a list where a number is
        return None
    return flat if flat.ndim == 1 and len(flat) else None


def _numbers(text: bytes | None, shape: Shape, form: str) -> Numbers | None:
    """Return one list of JSON, which holds numbers if anything, as float32 in a shape of as many; None if malformed."""
    if text is None:
        return None
    try:
        return Numbers(np.array(orjson.loads(text), dtype=np.float32).reshape(shape), form)
    except orjson.JSONDecodeError:
        return None


# --- Any body --------------------------------------------------------------------------------------------------------
def read_json(body: bytes, shape: Shape | None = None) -> Numbers:
    """Return the numbers of a body of JSON.

    Args:
        body: of a request.
        shape: says nothing here.

    Raises:
        RequestError: It is malformed, or holds something else.
    """
    data = parse_json(body)
    if type(data) is not dict:
        return Numbers(_array(data, body), ARRAY)
    if "instances" not in data:
        raise RequestError(f"The body is an object with {_quote_keys(data)}, expected the key 'instances'.")
    instances = data["instances"]
    if type(instances) is not list:
        raise RequestError(f"instances is {_kind(instances)}, expected a list of observations.")
    return Numbers(_array(instances, body), INSTANCES)


def parse_json(body: bytes) -> Any:
    """Parse JSON strictly: no NaN, no infinity, no nesting beyond the parser's limit of 1,024.

    A byte order mark may precede it, as PowerShell and others write one (RFC 8259, section 8.1).

    Raises:
        RequestError: It is empty or malformed.
    """
    try:
        return orjson.loads(_without_mark(body))
    except orjson.JSONDecodeError as error:
        refuse_empty(body)
        if b"NaN" in body or b"Infinity" in body:
            raise RequestError(f"The body is not {JSON}: there is no NaN and no Infinity in JSON.") from None
        raise RequestError(f"The body is not {JSON}: {error}") from None


def read_json_lines(body: bytes, shape: Shape | None = None) -> Numbers:
    """Return the numbers of a body of JSON Lines, a row for each line that is not blank.

    Args:
        body: of a request.
        shape: of the observation in each line; any shape that all have if it is None.

    Raises:
        RequestError: A line is malformed, or no observation of that shape.
    """
    refuse_empty(body)
    rows = []
    for number, line in _lines(_without_mark(body)):
        try:
            row = _array(orjson.loads(line), line)
        except orjson.JSONDecodeError as error:
            raise RequestError(f"Line {number} of the body is not JSON: {error}") from None
        except RequestError:
            raise RequestError(
                f"Line {number} of the body holds something else than the numbers of one observation."
            ) from None
        shape = row.shape if shape is None else shape
        if row.shape != shape:
            raise RequestError(
                f"Line {number} of the body has the shape {list(row.shape)}, expected {list(shape)}: one "
                "observation in each line."
            )
        rows.append(row)
    return Numbers(np.array(rows), LINES)


def read_csv(body: bytes, shape: Shape | None = None) -> Numbers:
    """Return the numbers of a body of CSV (RFC 4180), a row for each line that is not blank.

    Numbers are written in ASCII's digits, with blanks or quotation marks around them perhaps; nothing else that
    Python's ``float`` reads is one: no ``1_000``, no ``nan``.

    Args:
        body: of a request.
        shape: of the observation whose numbers are in each line; of as many as in the first if it is None.

    Raises:
        RequestError: A field is no number, or a line holds more or fewer.
    """
    refuse_empty(body)
    try:
        text = _without_mark(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"The body is not {CSV}: {error}") from None
    lines = [(number, line) for number, line in enumerate(re.split("\r\n|\r|\n", text), 1) if line.strip(" \t")]
    size = None if shape is None else math.prod(shape)
    rows = []
    try:
        for (number, _), fields in zip(
            lines, csv.reader([f"{line}\n" for _, line in lines], strict=True), strict=False
        ):
            row = [_number(field, number) for field in fields]
            size = len(row) if size is None else size
            if len(row) != size:
                raise RequestError(
                    f"Line {number} of the body has the length {len(row)}, expected {size}: one observation in "
                    "each line."
                )
            rows.append(row)
    except csv.Error as error:
        raise RequestError(f"The body is not {CSV}: {str(error)[:200]}.") from None
    return Numbers(np.array(rows), TABLE)


def _number(field: str, line: int) -> float:
    text = field.strip(" \t")
    if _NUMBER.fullmatch(text) is None:
        shown = field if len(field) <= 100 else f"{field[:100]}..."
        raise RequestError(f"Line {line} of the body holds {shown!r}, expected a finite number.")
    return float(text)


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each line that is not blank; bytes end a line at CR, LF or both, and nowhere else."""
    for number, line in enumerate(body.splitlines(), 1):
        if line.strip(_BLANKS):
            yield number, line


def _with_line_feeds(body: bytes) -> bytes:
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in body else body


def _without_mark(body: bytes) -> bytes:
    return body.removeprefix(_BYTE_ORDER_MARK)


def refuse_empty(body: bytes) -> None:
    """Refuse a body of nothing but white space.

    Raises:
        RequestError: It is one.
    """
    if not _without_mark(body).strip():
        raise RequestError("The body is empty, expected an observation or a batch of observations.")


def _array(data: Any, body: bytes) -> np.ndarray:
    """Return the data that a parser read from ``body`` as an array of numbers.

    Raises:
        RequestError: The data is something else than numbers in lists.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.VisibleDeprecationWarning)  # NumPy only warns of ragged rows
            if type(data) is list and len(data) > LIST_ROWS_PER_CALL:
                result = np.concatenate(
                    [np.asarray(data[i : i + LIST_ROWS_PER_CALL]) for i in range(0, len(data), LIST_ROWS_PER_CALL)]
                )
            else:
                result = np.asarray(data)
    except (np.VisibleDeprecationWarning, ValueError, OverflowError, RecursionError):
        raise RequestError(NOT_NUMBERS) from None
    # NumPy converts a boolean between numbers to 0 or 1
    if result.dtype.kind not in "iuf" or ((b"true" in body or b"false" in body) and _has_booleans(data)):
        raise RequestError(NOT_NUMBERS)
    return result


def _has_booleans(data: Any) -> bool:
    if type(data) is list:
        return any(_has_booleans(item) for item in data)
    return type(data) is bool


def _quote_keys(data: dict[str, Any]) -> str:
    return f"the keys {', '.join(map(repr, list(data)[:5]))}"[:200] if data else "no key"


def _kind(data: Any) -> str:
    """Return what JSON calls what is no list."""
    kinds = {dict: "an object", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(data), "a number")
