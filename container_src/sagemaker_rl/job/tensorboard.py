"""The numbers of Coach's CSV as TensorBoard's event files, which SageMaker copies to S3 while the job runs.

An event file is a TFRecord of protocol buffers of the type Event:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details,
https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto. They are written here, as
the libraries that do it bring TensorFlow, or a runtime of protocol buffers.
"""

import csv
import math
import os
import struct
import time
from functools import cache
from pathlib import Path

VARIABLE = "SAGEMAKER_RL_TENSORBOARD"
"""The environment variable that asks for event files, by 1: ``train.py --tensorboard`` sets it."""
STEPS, SECONDS = "Total steps", "Wall-Clock Time"
FILE_VERSION = b"brain.Event:2"


class EventFile:
    """An event file that grows with a CSV: an event for each row, a scalar for each column.

    Args:
        folder: for the file, with TensorBoardOutputConfig ``/opt/ml/output/tensorboard``.
        table: Coach's CSV, which need not be there yet.
    """

    def __init__(self, folder: Path, table: Path) -> None:
        self._began = time.time()
        self._file = folder / f"events.out.tfevents.{int(self._began)}.{os.uname().nodename}.{os.getpid()}"
        self._table = table
        self._read = self._step = 0
        self._columns: list[str] = []

    def update(self) -> None:
        """Write what has been added to the CSV since the last call, as far as its rows are whole."""
        if not self._table.is_file():
            return
        with self._table.open("rb") as stream:
            stream.seek(self._read)
            content = stream.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        rows = list(csv.reader(whole.decode("utf-8", "replace").splitlines()))
        if not self._columns and rows:
            self._columns = rows.pop(0)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        records = b"" if self._file.exists() else _record(_double(1, self._began) + _bytes(3, FILE_VERSION))
        for row in rows:
            records += _record(self._event(_numbers(self._columns, row)))
        with self._file.open("ab") as stream:
            stream.write(records)

    def _event(self, numbers: dict[str, float]) -> bytes:
        # An evaluation after the last episode has a row without steps.
        self._step = int(numbers.pop(STEPS, self._step))
        moment = self._began + numbers.pop(SECONDS, 0.0)
        values = b"".join(_bytes(1, _bytes(1, tag.encode()) + _float(2, value)) for tag, value in numbers.items())
        return _double(1, moment) + _key(2, 0) + _varint(self._step) + _bytes(5, values)


def event_file(output: Path, table: Path) -> EventFile | None:
    """Return the event file of this job; None if nobody has asked for one.

    Args:
        output: the folder ``output`` of ``/opt/ml``.
        table: Coach's CSV.
    """
    return EventFile(output / "tensorboard", table) if os.environ.get(VARIABLE) == "1" else None


def _numbers(columns: list[str], row: list[str]) -> dict[str, float]:
    """Return the finite numbers of a row, by column."""
    numbers = {}
    for column, text in zip(columns, row, strict=False):
        try:
            value = float(text)
        except ValueError:
            continue
        if math.isfinite(value):
            numbers[column] = value
    return numbers


# --- Protocol buffers: https://protobuf.dev/programming-guides/encoding/ ---------------------------------------------
def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _key(field, 5) + struct.pack("<f", value)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


# --- TFRecord --------------------------------------------------------------------------------------------------------
def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _masked_checksum(length) + content + _masked_checksum(content)


def _masked_checksum(content: bytes) -> bytes:
    """Return CRC-32C (Castagnoli), rotated and added to as TFRecord has it."""
    checksum = 0xFFFFFFFF
    for byte in content:
        checksum = _checksums()[(checksum ^ byte) & 0xFF] ^ checksum >> 8
    checksum ^= 0xFFFFFFFF
    return struct.pack("<I", ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _checksums() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table
