"""The records of a transform job: cut out of files, gathered into requests, filtered, joined with their answers.

A record is a line. https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from launch.cli.errors import JobFailed
from launch.local.json_path import JsonPath, PathError

INPUT, OUTPUT = "SageMakerInput", "SageMakerOutput"
"""The names under which SageMaker joins values of JSON."""


class Request(NamedTuple):
    """What one request sends.

    Attributes:
        records: the lines that it was made of, without their line ends; none if the file is not cut into records.
        body: of the request.
    """

    records: list[bytes]
    body: bytes


class Format(NamedTuple):
    """How the records of a media type are read, written and joined.

    Attributes:
        read: from a line to a value of JSON.
        write: the reverse.
        join: from a record and its answer to a joined record.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    join: Callable[[Any, Any], Any]


def _read_csv(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error as error:
        raise ValueError(f"{line[:80]!r} is no CSV ({error})") from None


def _write_csv(row: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row if isinstance(row, list) else [row])
    return text.getvalue()


def _write_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _join_json(record: Any, answer: Any) -> dict[str, Any]:
    return {**(record if isinstance(record, dict) else {INPUT: record}), OUTPUT: answer}


def _read_json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        raise ValueError(f"{line[:80]!r} is no JSON") from None


_CSV = Format(_read_csv, _write_csv, lambda record, answer: [*record, *answer])
_JSON = Format(_read_json, _write_json, _join_json)
FORMATS = {"text/csv": _CSV, "application/json": _JSON, "application/jsonlines": _JSON}


class DataProcessing:
    """What a job does with its records besides sending them: filters and join.

    Args:
        request: the parameters of CreateTransformJob.

    Raises:
        ValueError: They do not go together, in one sentence.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        asked = request.get("DataProcessing", {})
        filters = {}
        for name in ("InputFilter", "OutputFilter"):
            try:
                filters[name] = JsonPath(asked.get(name, "$"))
            except PathError as error:
                raise ValueError(f"DataProcessing.{name} is {error}") from None
        self._input_filter, self._output_filter = filters["InputFilter"], filters["OutputFilter"]
        self._joins = asked.get("JoinSource", "None") == "Input"
        self._filters_output = self._joins or not self._output_filter.is_whole
        source, target = request["TransformInput"], request["TransformOutput"]
        media_types = [source.get("ContentType", ""), target.get("Accept", "")]
        if self._filters_output or not self._input_filter.is_whole:
            if source.get("SplitType") != "Line" or (self._filters_output and target.get("AssembleWith") != "Line"):
                raise ValueError("DataProcessing is of lines, expected SplitType and AssembleWith Line")
            if media_types[0] not in FORMATS or (self._filters_output and media_types[0] != media_types[1]):
                expected = f"the same of {', '.join(FORMATS)}"
                raise ValueError(f"ContentType and Accept are {media_types}, expected {expected} for DataProcessing")
        self._format = FORMATS.get(media_types[0], _JSON)

    def body_of(self, record: bytes) -> bytes:
        """Return what of a record is sent.

        Raises:
            ValueError: It has not the form of its media type, or nothing at the path of the filter.
        """
        if self._input_filter.is_whole:
            return record
        selected = _select("InputFilter", self._input_filter, self._format.read(record.decode("utf-8-sig")))
        return self._format.write(selected).encode("utf-8")

    def finish(self, records: Sequence[bytes], answer: bytes) -> bytes:
        """Return what of a request's answer is stored.

        Args:
            records: that were sent, as they were before the filter.
            answer: of the container.

        Raises:
            ValueError: The answer has another number of lines, another form, or nothing at the path of the filter.
        """
        if not self._filters_output:
            return answer
        values = [self._format.read(line.decode("utf-8-sig")) for line in answer.splitlines() if line.strip()]
        if self._joins:
            if len(values) != len(records):
                raise ValueError(
                    f"the answer has {len(values)} lines for {len(records)} records, expected one for each"
                )
            given = [self._format.read(record.decode("utf-8-sig")) for record in records]
            values = [self._format.join(*pair) for pair in zip(given, values, strict=True)]
        selected = [_select("OutputFilter", self._output_filter, value) for value in values]
        return "\n".join(map(self._format.write, selected)).encode("utf-8")


def _select(name: str, path: JsonPath, value: Any) -> Any:
    try:
        return path.select(value)
    except PathError as error:
        raise PathError(f"{name} {path.text}: {error}") from None


def requests_of(
    name: str, content: bytes, splits: bool, several: bool, limit: int | None, processing: DataProcessing
) -> Iterator[Request]:
    """Yield the requests that send a file: the whole, one record each, or as many records as fit; none if it is empty.

    Args:
        name: of the file, for errors.
        content: of the file.
        splits: whether lines are records; empty ones are left out.
        several: whether a request has as many records as fit.
        limit: bytes of a request; None for no limit.
        processing: filters the records.

    Raises:
        JobFailed: A record, or a file that is not split, has more bytes than the limit, or cannot be filtered.
    """
    if not splits:
        if content:
            _check_size(name, len(content), limit)
            yield Request([], content)
        return
    lines: list[bytes] = []
    bodies: list[bytes] = []
    size = 0
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            body = processing.body_of(line) + b"\n"
        except ValueError as error:
            raise JobFailed(f"ClientError: {place}: {error}") from None
        _check_size(place, len(body) - 1, limit)
        if lines and (not several or (limit is not None and size + len(body) > limit)):
            yield Request(lines, b"".join(bodies))
            lines, bodies, size = [], [], 0
        lines.append(line)
        bodies.append(body)
        size += len(body)
    if lines:
        yield Request(lines, b"".join(bodies))


def _check_size(place: str, size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        sentence = f"{size} bytes are too much for the maximum payload size of {limit}"
        raise JobFailed(f"ClientError: {place}: {sentence}, see --max-payload")


def assembled(answer: bytes, by_line: bool) -> bytes:
    """Return what of a request's answer is written: with ``AssembleWith`` Line it ends with one line end.

    An answer may end with a line end itself or not: there are neither empty lines nor two records on one.
    """
    if not by_line:
        return answer
    text = answer.rstrip(b"\r\n")
    return text + b"\n" if text else b""
