"""Connections that no worker has: they wait for one, and the supervisor answers 503 itself if none comes in time."""

import contextlib
import functools
import os
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

SECONDS_TO_WAIT_FOR_A_WORKER = 1.0
"""After which the supervisor answers with 503: SageMaker's ping waits for 2."""
SECONDS_TO_WAIT_FOR_A_HEARTBEAT = 0.4
"""The same where no worker starts, and those that there are have stopped."""
SECONDS_TO_READ = 5.0
"""Within which the head of a request has to arrive that the supervisor answers."""
SECONDS_TO_LINGER = 1.0
"""For which a client may go on sending after its answer: closing at once would take the answer from it."""
MAX_HEAD_BYTES = 64 * 1024

_BODY = b'{"error":"service unavailable","detail":"%b"}'
_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"x-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
)


@dataclass
class _WaitingConnection:
    """A connection without a worker.

    Attributes:
        socket: non-blocking.
        deadline: seconds on the monotonic clock. Until then it waits for a worker; once it is watched and bytes have
            arrived, it is closed then.
        is_watched: the supervisor reads from it.
        received_bytes: how much of its request has been read.
        end: the last bytes of it.
        is_answered: with 503.
    """

    socket: socket.socket
    deadline: float
    is_watched: bool = False
    received_bytes: int = 0
    end: bytes = b""
    is_answered: bool = False

    @property
    def is_untouched(self) -> bool:
        """Whether a worker can still take it: nothing has been read from it, and it is not answered."""
        return not self.received_bytes and not self.is_answered


class WaitingConnections:
    """The connections that no worker has.

    Args:
        selector: the supervisor's; the data of a registered file is a function to call when it can be read.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._connections: dict[socket.socket, _WaitingConnection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[socket.socket]:
        return iter(self._connections)

    def add(self, connection: socket.socket, seconds: float) -> None:
        """Have a connection wait so many seconds for a worker."""
        self._connections[connection] = _WaitingConnection(connection, time.monotonic() + seconds)

    def add_answered(self, connection: socket.socket) -> None:
        """Close a connection that is answered already, once its client has closed it or had time to."""
        waiting = _WaitingConnection(connection, time.monotonic() + SECONDS_TO_LINGER, is_answered=True)
        self._connections[connection] = waiting
        self._watch(waiting)

    def untouched(self) -> list[socket.socket]:
        """Return the connections that a worker can still take."""
        return [waiting.socket for waiting in self._connections.values() if waiting.is_untouched]

    def remove(self, connection: socket.socket) -> None:
        """Wait no longer; the connection stays open."""
        waiting = self._connections.pop(connection)
        if waiting.is_watched:
            self._selector.unregister(connection)

    def enforce_deadlines(self) -> None:
        """Begin to read from connections that have waited for long enough, and close those that were read for long."""
        now = time.monotonic()
        for waiting in list(self._connections.values()):
            if not waiting.is_untouched:
                if now > waiting.deadline:
                    self._close(waiting)
            elif not waiting.is_watched and now >= waiting.deadline:
                waiting.deadline = now + SECONDS_TO_READ
                self._watch(waiting)

    def _watch(self, waiting: _WaitingConnection) -> None:
        waiting.is_watched = True
        callback = functools.partial(self._read_and_refuse, waiting)
        self._selector.register(waiting.socket, selectors.EVENT_READ, callback)

    def _read_and_refuse(self, waiting: _WaitingConnection) -> None:
        """Read a request as far as its headers, and answer 503; what follows is read and thrown away."""
        try:
            data = waiting.socket.recv(MAX_HEAD_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._close(waiting)
        elif not waiting.is_answered:
            waiting.received_bytes += len(data)
            data = waiting.end + data
            waiting.end = data[-3:]
            if b"\r\n\r\n" in data or waiting.received_bytes > MAX_HEAD_BYTES:
                waiting.is_answered = True
                waiting.deadline = time.monotonic() + SECONDS_TO_LINGER
                answer_503(waiting.socket, b"No worker can answer at the moment.")

    def _close(self, waiting: _WaitingConnection) -> None:
        self.remove(waiting.socket)
        waiting.socket.close()


def answer_503(connection: socket.socket, detail: bytes) -> None:
    """Answer with ``detail``, and shut the sending side; a client that is gone is none of our concern."""
    body = _BODY % detail
    with contextlib.suppress(OSError):
        connection.send(_UNAVAILABLE % (os.urandom(6).hex().encode("ascii"), len(body), body))
        connection.shutdown(socket.SHUT_WR)
