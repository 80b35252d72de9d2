"""What the supervisor and a worker say to each other: short messages over a pair of Unix sockets.

Each is one packet: a letter, then what belongs to it. A connection travels as an open file beside its message.
"""

import socket
import struct

CONNECTION = b"C"  # to a worker: answer on this connection; its slot, and the open socket
DRAIN = b"D"  # to a worker: answer what is in hand, then end
READY = b"R"  # from a worker: it can answer
CLOSED = b"X"  # from a worker: the connection in this slot is gone
FAILED = b"F"  # from a worker: it cannot load its model, for this reason
ASK = b"A"  # from a worker: have every worker load or unload a model; the operation as JSON
DO = b"O"  # to a worker: load or unload a model
DONE = b"K"  # from a worker: it has, or why it could not
ANSWER = b"Y"  # to the worker that asked: what became of the operation
MAX_MESSAGE = 64 * 1024

_SLOT = struct.Struct("<I")


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the supervisor's and the worker's end; neither blocks."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
    return ends


def slot_message(letter: bytes, slot: int) -> bytes:
    return letter + _SLOT.pack(slot)


def slot_of(message: bytes) -> int:
    return int(_SLOT.unpack(message[1 : 1 + _SLOT.size])[0])


def send(end: socket.socket, message: bytes, file: int | None = None) -> bool:
    """Send a message; return False if there is no room, or nobody at the other end."""
    try:
        if file is None:
            end.send(message)
        else:
            socket.send_fds(end, [message], [file])
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        return False
    return True


def receive(end: socket.socket) -> tuple[bytes, int | None] | None:
    """Return the next message and the file beside it, None if there is none yet; ``b""`` if the other end is gone."""
    try:
        message, files, _, _ = socket.recv_fds(end, MAX_MESSAGE, 1)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b"", None
    return message, files[0] if files else None
