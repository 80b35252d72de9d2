"""Messages between the supervisor and a worker, over a pair of Unix sockets: one packet each.

A message is a letter and what belongs to it. A connection travels as an open file beside its message.
"""

import socket
import struct
from dataclasses import dataclass

import orjson

CONNECTION = b"C"  # to a worker: answer on this connection; its slot, and the open socket
DRAIN = b"D"  # to a worker: answer what is in hand, then end
READY = b"R"  # from a worker: it can answer
CLOSED = b"X"  # from a worker: the connection in this slot is gone
GIVEN_BACK = b"B"  # from a worker: it reads no more from the connection in this slot, on which there is no request
FAILED = b"F"  # from a worker: it cannot load its model, for this reason
REQUEST_OPERATION = b"A"  # from a worker: have every worker carry out this ModelOperation
CARRY_OUT = b"O"  # to a worker: carry out this ModelOperation
CARRIED_OUT = b"K"  # from a worker: the Outcome of it there
OUTCOME = b"Y"  # to the worker that requested it: the Outcome of all
MAX_MESSAGE = 64 * 1024

LOAD, UNLOAD = "load", "unload"
"""Commands of a ModelOperation."""

_SLOT = struct.Struct("<I")


@dataclass(frozen=True)
class ModelOperation:
    """Loading or unloading a model.

    Attributes:
        number: by which the sender recognises the outcome.
        command: LOAD or UNLOAD.
        name: of the model.
        url: its folder; empty to unload it.
    """

    number: int
    command: str
    name: str
    url: str

    def to_message(self, letter: bytes) -> bytes:
        """Return it as a message of this letter."""
        return letter + orjson.dumps(self)

    @classmethod
    def from_message(cls, message: bytes) -> "ModelOperation":
        """Read what ``to_message`` wrote."""
        return cls(**orjson.loads(message[1:]))


@dataclass(frozen=True)
class Outcome:
    """What came of a ModelOperation.

    Attributes:
        number: of the operation.
        status: of HTTP: 200, or why not.
        detail: a sentence, if the status is not 200.
    """

    number: int
    status: int
    detail: str

    def to_message(self, letter: bytes) -> bytes:
        """Return it as a message of this letter."""
        return letter + orjson.dumps(self)

    @classmethod
    def from_message(cls, message: bytes) -> "Outcome":
        """Read what ``to_message`` wrote."""
        return cls(**orjson.loads(message[1:]))


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return the supervisor's control socket and the worker's; neither blocks."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for control_socket in pair:
        control_socket.setblocking(False)
    return pair


def slot_message(letter: bytes, slot: int) -> bytes:
    """Return a message of this letter about the connection in a slot."""
    return letter + _SLOT.pack(slot)


def slot_of(message: bytes) -> int:
    """Return the slot of the connection that a message is about."""
    return int(_SLOT.unpack(message[1 : 1 + _SLOT.size])[0])


def send(control_socket: socket.socket, message: bytes, file: int | None = None) -> bool:
    """Send a message; return False if there is no room, or if the other process is gone."""
    try:
        if file is None:
            control_socket.send(message)
        else:
            socket.send_fds(control_socket, [message], [file])
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        return False
    return True


def receive(control_socket: socket.socket) -> tuple[bytes, int | None] | None:
    """Return the next message and the file beside it, None if there is none yet.

    The message is ``b""`` if the other process is gone.
    """
    try:
        message, files, _, _ = socket.recv_fds(control_socket, MAX_MESSAGE, 1)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b"", None
    return message, files[0] if files else None
