"""Event files of TensorBoard, read by an independent decoder: checksums bit by bit, protocol buffers by wire types."""

import struct
from pathlib import Path
from typing import Any


def crc32c(content: bytes) -> int:
    """Compute by division, bit by bit, without a table."""
    remainder = 0xFFFFFFFF
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ 0x82F63B78 if remainder % 2 else remainder >> 1
    return remainder ^ 0xFFFFFFFF


def unmasked(masked: int) -> int:
    rotated = (masked - 0xA282EAD8) % 2**32
    return (rotated << 15 | rotated >> 17) % 2**32


def records(content: bytes) -> list[bytes]:
    found, place = [], 0
    while place < len(content):
        length, check = struct.unpack_from("<QI", content, place)
        assert unmasked(check) == crc32c(content[place : place + 8])
        data = content[place + 12 : place + 12 + length]
        (check,) = struct.unpack_from("<I", content, place + 12 + length)
        assert unmasked(check) == crc32c(data)
        found.append(data)
        place += 16 + length
    return found


def fields(message: bytes) -> list[tuple[int, Any]]:
    def varint() -> int:
        nonlocal place
        number = shift = 0
        while True:
            byte = message[place]
            place += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    place, found = 0, []
    while place < len(message):
        key = varint()
        kind = key & 7
        size = varint() if kind == 2 else {1: 8, 5: 4}.get(kind, 0)
        value: Any = varint() if kind == 0 else message[place : place + size]
        place += size
        if kind in (1, 5):
            (value,) = struct.unpack("<d" if kind == 1 else "<f", value)
        found.append((key >> 3, value))
    return found


def events(folder: Path) -> list[tuple[int, dict[str, float]]]:
    """Return step and scalars of each event; the file's first one says its version."""
    (file,) = folder.glob("events.out.tfevents.*")
    first, *rest = map(dict, map(fields, records(file.read_bytes())))
    assert first[3] == b"brain.Event:2"
    assert all(event[1] >= first[1] for event in rest)
    scalars = [[dict(fields(value)) for number, value in fields(event[5]) if number == 1] for event in rest]
    return [
        (event[2], {value[1].decode(): value[2] for value in values})
        for event, values in zip(rest, scalars, strict=True)
    ]
