"""Clients that take room and time, and give nothing: each kind floods a server from one thread."""

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exchanges import address_of

HEAD = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
BLOCK = b" " * 65_536
ROWS = b"[" + b",".join([b"[0.5,-0.5]"] * 400) + b"]"
SECONDS_BETWEEN_TURNS = 0.002

Bytes = Callable[[int], Iterator[bytes]]
"""Yields what a connection sends for a body of so many bytes; nothing while it waits."""


def body_without_its_last_byte(size: int) -> Iterator[bytes]:
    yield HEAD + b"Content-Length: %d\r\n\r\n" % size
    for start in range(0, size - 1, len(BLOCK)):
        yield BLOCK[: min(len(BLOCK), size - 1 - start)]
    yield from itertools.repeat(b"")


def chunks_without_end(size: int) -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"%x\r\n%b\r\n" % (min(size, len(BLOCK)), BLOCK[:size]))


def head_without_end(size: int) -> Iterator[bytes]:
    """Slowloris: a few bytes of the head at a time."""
    yield HEAD
    yield from itertools.cycle([b"a", b":", b" ", b"b", b"\r", b"\n", *[b""] * 20])


def requests_whose_answers_are_not_read(size: int) -> Iterator[bytes]:
    yield from itertools.repeat(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(ROWS), ROWS))


def requests_of_which_half_is_reset(size: int) -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 10\r\n\r\n[0.5"


def requests_whose_client_leaves(size: int) -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 10\r\n\r\n[0.5,-0.5]"


KINDS: tuple[Bytes, ...] = (
    body_without_its_last_byte,
    chunks_without_end,
    head_without_end,
    requests_whose_answers_are_not_read,
    requests_of_which_half_is_reset,
    requests_whose_client_leaves,
)


@dataclass
class Flood:
    """What a flood has done so far: connections opened, and bytes sent."""

    connections: int = 0
    sent: int = 0


@dataclass
class _Client:
    socket: socket.socket
    source: Iterator[bytes]
    unsent: bytes = b""


@contextlib.contextmanager
def flood(url: str, kind: Bytes, connections: int, size: int = 65_536) -> Iterator[Flood]:
    """Keep so many connections flooding; one that the server closes, or that has sent all, is made anew.

    Args:
        url: of the server.
        kind: one of KINDS.
        connections: at the same time.
        size: of the bodies that are announced, in bytes.
    """
    done = Flood()
    stopped = threading.Event()

    def run() -> None:
        clients: list[_Client] = []
        while not stopped.is_set():
            while len(clients) < connections and (client := _connect(url, kind, size)):
                clients.append(client)
                done.connections += 1
            for client in list(clients):
                try:
                    _send(client, done)
                except (OSError, StopIteration):
                    clients.remove(client)
                    client.socket.close()
            time.sleep(SECONDS_BETWEEN_TURNS)
        for client in clients:
            client.socket.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        stopped.set()
        thread.join()


def _connect(url: str, kind: Bytes, size: int) -> _Client | None:
    try:
        connection = socket.create_connection(address_of(url), timeout=1)
    except OSError:
        return None
    connection.setblocking(False)
    if kind is requests_of_which_half_is_reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return _Client(connection, kind(size))


def _send(client: _Client, done: Flood) -> None:
    """Send as much as there is room for; raise StopIteration after the last byte."""
    if not client.unsent:
        client.unsent = next(client.source)
    if client.unsent:
        with contextlib.suppress(BlockingIOError):
            sent = client.socket.send(client.unsent)
            done.sent += sent
            client.unsent = client.unsent[sent:]
