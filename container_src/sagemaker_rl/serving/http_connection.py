"""HTTP/1.1 on one connection: answers in the order of the requests, each in one write, and no wait for slow clients."""

import asyncio
from collections import deque
from collections.abc import Callable, MutableSequence, Sequence
from typing import cast

from sagemaker_rl.serving.http_requests import Application, Refusal, Request, RequestReader
from sagemaker_rl.serving.http_statuses import STATUS_LINES

IDLE, BUSY, WRITING = range(3)
"""States of a connection, in memory that processes share."""
MAX_BYTES_AT_ONCE = 16_384
"""Of an answer that leave together: any socket's buffer takes them."""
SECONDS_BETWEEN_STATE_UPDATES = 0.05
"""While a client reads its answer slowly."""
BYTES_TO_RECEIVE_AT_ONCE = 256 * 1024
"""What one read takes from a socket at most, as uvloop reads without a buffer of ours."""
SECONDS_TO_LINGER = 2.0
"""For which a client may go on sending after it was refused: closing at once would take the answer from it."""
SECONDS_TO_READ = 60.0
"""Within which a client has to read some more of its answer."""
SECONDS_IDLE = 600.0
"""After which a connection without requests is closed; longer than any client's pool keeps one."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_receive_buffer = memoryview(bytearray(BYTES_TO_RECEIVE_AT_ONCE))  # of all: it is read before it is filled again


class _Unread:
    """What is unread of a connection's answers, for the room that it takes."""

    __slots__ = ("is_beside", "reserved")

    def __init__(self) -> None:
        self.reserved = 0
        self.is_beside = False


class Connection(RequestReader, asyncio.BufferedProtocol):
    """The server's side of one connection.

    The loop asks for a buffer before it reads, and so the connection is BUSY before the first byte has left the socket:
    a process that is killed while it reads leaves no part of a request to the worker that gets the connection next.

    Args:
        application: answers its requests.
        states: at ``slot``, IDLE, BUSY from before the first byte of a request is read until its answer has left, or
            WRITING while a part of an answer has: the supervisor reads it if this process dies.
        revoked: at ``slot``, 1 once the supervisor has given the connection to another process, or is about to: this
            one may answer what it has begun to read, and reads no more.
        slot: the connection's place in ``states``.
        on_close: called when the connection is gone.

    Attributes:
        is_given_back: it is gone from this process, for another one to go on with.
    """

    def __init__(
        self,
        application: Application,
        states: MutableSequence[int],
        revoked: Sequence[int],
        slot: int,
        on_close: Callable[["Connection"], None],
    ) -> None:
        super().__init__(application)
        self.slot = slot
        self.is_given_back = False
        self._states = states
        self._revoked = revoked
        self._unread = _Unread()
        self._on_close = on_close
        self._transport: asyncio.Transport | None = None
        self._last_active = self._loop.time()
        self._linger_deadline: float | None = None
        self._current: Request | None = None  # is being answered
        self._queue: deque[Request] = deque()  # came after it
        self._refusal: Refusal | None = None  # comes after those
        self._is_writable = True
        self._is_reading_paused = False
        self._is_state_update_scheduled = False

    # --- Callbacks of the transport ----------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.closing = True
        self.discard_body()
        self._discard_queue()
        if self._current is not None:
            self.application.room.release(self._current)
        self.application.room.release(self._unread)
        self._on_close(self)

    def eof_received(self) -> bool:
        self.discard_body()
        self._is_receiving = False
        self.closing = True
        # a client may shut its side and still read its answer; False closes the transport
        return self._current is not None

    def pause_writing(self) -> None:
        self._is_writable = False
        self._pause_reading()

    def resume_writing(self) -> None:
        self._is_writable = True
        self._last_active = self._loop.time()
        self._handle_next()

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._states[self.slot] == IDLE:
            # First BUSY, then the look: the supervisor revokes first, and looks later whether the connection is IDLE.
            self._states[self.slot] = BUSY
            if self._revoked[self.slot]:
                self.is_given_back = True
                raise ConnectionAbortedError  # uvloop closes this process's end, and reads nothing
        return _receive_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.closing:
            return  # lingering: what a refused client still sends
        self.feed(bytes(_receive_buffer[:nbytes]))
        if self._current is None and not self._is_receiving and not self.closing:
            self._schedule_state_update()

    # --- Callbacks of the reading half -------------------------------------------------------------------------------
    def request_received(self, request: Request) -> None:
        if self._current is None and self._is_writable:
            self._current = request
            self.application.handle(request)
        else:
            self._queue.append(request)
            self._pause_reading()

    def request_refused(self, refusal: Refusal) -> None:
        self._refusal = refusal
        if self._current is None and not self._queue:
            self._answer_refusal()

    def continue_expected(self) -> None:
        if self._current is None and self._transport is not None:
            self._transport.write(_CONTINUE)

    # --- Answering ---------------------------------------------------------------------------------------------------
    def respond(self, request: Request, status: int, body: bytes, media_type: str, headers: bytes, close: bool) -> None:
        """Write the answer to the current request, and take the next one.

        Args:
            request: nothing is written if it is not the current one: its client has gone.
            status: of HTTP.
            body: left out for HEAD.
            media_type: empty for no Content-Type.
            headers: whole lines, each with its line end.
            close: whether the connection is closed after it, even if the client would keep it.
        """
        transport = self._transport
        if transport is None or self._current is not request:
            return
        self._current = None
        self.accepted_before_drain = False
        self.application.room.release(request)
        is_last = close or not request.keep_alive or (self.closing and not self._queue and self._refusal is None)
        head = [STATUS_LINES.get(status, b"HTTP/1.1 %d \r\n" % status), headers]
        if media_type:
            head.append(b"content-type: %b\r\n" % media_type.encode("latin-1"))
        head.append(b"content-length: %d\r\n" % len(body))
        if is_last:
            head.append(b"connection: close\r\n\r\n")
        elif request.is_http_1_0:
            head.append(b"connection: keep-alive\r\n\r\n")
        else:
            head.append(b"\r\n")
        if request.method != "HEAD":
            head.append(body)
        if len(body) > MAX_BYTES_AT_ONCE:  # a part leaves within this write, and the process may die right after it
            self._states[self.slot] = WRITING
        transport.write(b"".join(head))
        self._schedule_state_update()
        if is_last:
            self.close_gracefully()
        else:
            self._handle_next()

    def _answer_refusal(self) -> None:
        assert self._refusal is not None
        request, status, detail = self._refusal
        self._refusal = None
        self._current = request
        self.application.refuse(request, status, detail)

    def _handle_next(self) -> None:
        """Take the next request, if the client reads its answers."""
        while self._current is None and self._queue and self._is_writable:
            self._current = self._queue.popleft()
            self.application.handle(self._current)
        if self._current is not None or not self._is_writable or self._transport is None:
            return
        if self._refusal is not None:
            self._answer_refusal()
        elif not self.closing:
            self._last_active = self._loop.time()
            if self._is_reading_paused:
                self._is_reading_paused = False
                if self.receiving_since is not None:
                    self.receiving_since = self._last_active  # before that, it could not arrive
                self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if not self._is_reading_paused and self._transport is not None and not self.closing:
            self._is_reading_paused = True
            self._transport.pause_reading()

    # --- The state that other processes see --------------------------------------------------------------------------
    def _schedule_state_update(self) -> None:
        """Have the state updated in the loop's next turn: before that, uvloop writes as much of an answer as it can."""
        if not self._is_state_update_scheduled:
            self._is_state_update_scheduled = True
            self._loop.call_soon(self._update_state)

    def _update_state(self) -> None:
        self._is_state_update_scheduled = False
        if self._transport is None:
            return
        unread = self._transport.get_write_buffer_size()
        if unread != self._unread.reserved:
            self._last_active = self._loop.time()
            self.application.room.release(self._unread)
            self.application.room.hold(self._unread, unread)
        if unread:  # the client reads slowly
            self._states[self.slot] = WRITING
            self._is_state_update_scheduled = True
            self._loop.call_later(SECONDS_BETWEEN_STATE_UPDATES, self._update_state)
        else:
            # WRITING, too, of a refused client that sends on: it has its answer, and gets no second one.
            is_answered = self.closing and self._current is None
            self._states[self.slot] = IDLE if self.is_idle else WRITING if is_answered else BUSY

    # --- Closing -----------------------------------------------------------------------------------------------------
    def enforce_timeouts(self, now: float, seconds_to_receive: float) -> None:
        """Refuse a request that takes too long to arrive; close a connection that lingers or is idle for too long.

        Args:
            now: seconds on the loop's clock.
            seconds_to_receive: within which a request has to arrive.
        """
        if self._unread.reserved and now - self._last_active > SECONDS_TO_READ:
            self.abort()
            return
        if self._revoked[self.slot] and self.may_be_moved:
            self.give_back()
            return
        if self.receiving_since is not None:
            if now - self.receiving_since > seconds_to_receive and not self._is_reading_paused:
                self.refuse(408, "The request did not arrive in time.")
        elif self._linger_deadline is not None:
            if now > self._linger_deadline and not self._unread.reserved:
                self.abort()
        elif self.is_idle:
            if now - self._last_active > SECONDS_IDLE:
                self.abort()
            elif not self._is_state_update_scheduled:
                self._update_state()  # a read that found nothing has made it BUSY

    def close_gracefully(self) -> None:
        """Close after what is written has left, and after the client has stopped sending or had time to."""
        self.closing = True
        self.discard_body()
        self._discard_queue()
        self._refusal = None
        if self._transport is None:
            return
        if self._is_receiving:
            self._linger_deadline = self._loop.time() + SECONDS_TO_LINGER
            if self._transport.can_write_eof():
                self._transport.write_eof()
        else:
            self._transport.close()

    def _discard_queue(self) -> None:
        for request in self._queue:
            self.application.room.release(request)
        self._queue.clear()

    def close(self) -> None:
        """Close once all that is written has left."""
        self.closing = True
        if self._transport is not None:
            self._transport.close()

    def give_back(self) -> None:
        """Read no more from it, so that another process can take it; the supervisor keeps it open."""
        self.is_given_back = True
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        if self._transport is not None:
            self._transport.abort()

    @property
    def may_be_moved(self) -> bool:
        """Whether another process could take it over now: nothing of a request or of an answer is here."""
        return (
            self.is_idle
            and self._is_writable
            and not self.closing
            and not self._is_state_update_scheduled
            and self._transport is not None
            and not self._transport.get_write_buffer_size()
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has arrived that is not answered."""
        return self._current is None and not self._queue and not self._is_receiving
