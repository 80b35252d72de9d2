"""HTTP/1.1 on one connection: requests in, answers out, within limits.

Parsing is llhttp's (Node's parser, by httptools). What is here is what a server decides for itself: how much a client
may send, how long it may take, and that each answer is one write.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, MutableSequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol, cast

import httptools

MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024
SECONDS_TO_LINGER = 2.0
"""How long a client may go on sending after it was refused: closing at once would take the answer from it."""

SECONDS_BETWEEN_LOOKS = 0.05

IDLE, BUSY, WRITING = range(3)
LARGEST_AT_ONCE = 16_384
"""Bytes of an answer that leave together: any socket's buffer takes them."""
"""States of a connection."""

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request:
    """A request whose body is complete, or one that was refused before that.

    Attributes:
        method: in upper case.
        path: of the target, without the query.
        query: what follows the ``?``.
        headers: the last value of each, by name in lower case.
        body: decoded from chunks, if it was sent in chunks.
        received: seconds on the monotonic clock when its last byte came in; 0 if it never did.
        id: what the application calls it; empty at first.
    """

    __slots__ = (
        "body",
        "connection",
        "headers",
        "id",
        "is_http_1_0",
        "keep_alive",
        "method",
        "path",
        "query",
        "received",
    )

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.method = ""
        self.path = ""
        self.query = ""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.keep_alive = False
        self.is_http_1_0 = False
        self.received = 0.0
        self.id = ""

    def header(self, name: bytes) -> str:
        """Return a header's value, empty if there is none."""
        value = self.headers.get(name)
        return "" if value is None else value.decode("latin-1")

    def respond(
        self, status: int, body: bytes, media_type: str = "", headers: bytes = b"", close: bool = False
    ) -> None:
        """Answer it. ``headers`` are whole lines, each with its end."""
        self.connection.respond(self, status, body, media_type, headers, close)


class Application(Protocol):
    """What a connection asks.

    Attributes:
        max_body_bytes: of a request.
        buffered_bytes: of all bodies that have been received and not answered yet; connections keep the sum.
    """

    max_body_bytes: int
    buffered_bytes: int

    def handle(self, request: Request) -> None:
        """See that ``request.respond`` is called, now or later, once."""

    def refuse(self, request: Request, status: int, detail: str) -> None:
        """Answer a request that never became whole."""

    def may_buffer(self, size: int) -> bool:
        """Tell whether there is room for another body of this size."""


class Connection(asyncio.Protocol):
    """The server's side of one connection.

    Args:
        application: what answers.
        states: at ``slot``, IDLE, BUSY from the first byte of a request until its answer has left, or WRITING while a
            part of an answer has: what another process needs to know if this one dies.
        slot: the connection's place in ``states``.
        on_close: called when the connection is gone.
    """

    def __init__(
        self,
        application: Application,
        states: MutableSequence[int],
        slot: int,
        on_close: Callable[["Connection"], None],
    ) -> None:
        self.application = application
        self.slot = slot
        self._states = states
        self._on_close = on_close
        self._parser = httptools.HttpRequestParser(self)
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.closing = False  # no further request is read
        self.grace = False  # a request was in hand when the server began to drain
        self.receiving_since: float | None = None
        self.last_active = self.loop.time()
        self.linger_until: float | None = None
        self._request = Request(self)
        self._in_headers = True
        self._begun = False
        self._header_bytes = 0
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self._target = b""
        self._in_hand: Request | None = None
        self._waiting: deque[Request] = deque()
        self._writable = True

    # --- What the transport says -------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.closing = True
        self._forget_body()
        for request in (self._in_hand, *self._waiting):
            if request is not None:
                self.application.buffered_bytes -= len(request.body)
        self._waiting.clear()
        self._on_close(self)

    def eof_received(self) -> bool:
        if self._in_hand is None and not self._waiting:
            return False  # closes the transport
        self.closing = True
        return True  # a client may shut its side and still read the answer

    def pause_writing(self) -> None:
        self._writable = False
        self._pause()

    def resume_writing(self) -> None:
        self._writable = True
        self.last_active = self.loop.time()
        self._next()

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return  # lingering: what a refused client still sends
        if self._states[self.slot] == IDLE:
            self._states[self.slot] = BUSY
        if self._in_headers:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._request.method:
                self._stay_with_http1(data[upgrade.args[0] :])
            else:  # CONNECT, answered already
                self._close()
            return
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _Refused):
                raise
        except httptools.HttpParserError as error:
            self._refuse(400, f"The request is not HTTP/1.1: {error}.")
        if self.closing or self.transport is None:
            return
        if self._in_headers and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(431, f"The request line and headers are longer than {MAX_HEADER_BYTES} bytes.")
        elif self._begun:
            if self.receiving_since is None:
                self.receiving_since = self.loop.time()
        else:
            self.receiving_since = None
            if self._in_hand is None:
                self._look_again()

    def _stay_with_http1(self, rest: bytes) -> None:
        """Read a request that offers another protocol as if it did not: the parser left its body unread."""
        request = self._request
        headers = {**request.headers, b"connection": b"keep-alive" if request.keep_alive else b"close"}
        headers.pop(b"upgrade", None)
        head = b"%b %b HTTP/1.1\r\n" % (request.method.encode("latin-1"), self._target)
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request(self)
        self.data_received(head + b"".join(b"%b: %b\r\n" % header for header in headers.items()) + b"\r\n" + rest)

    # --- What the parser says ----------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        self._begun = True

    def on_url(self, target: bytes) -> None:
        request = self._request
        if len(target) > MAX_TARGET_BYTES:
            self._refuse_in_parser(414, f"The target is longer than {MAX_TARGET_BYTES} bytes.")
        self._target = target
        path, _, query = target.decode("latin-1").partition("?")
        if not path.startswith("/"):  # absolute form, as to a proxy
            path = "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path
        request.path, request.query = path, query

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._request.headers
        headers[name.lower()] = value
        if len(headers) > MAX_HEADERS:
            self._refuse_in_parser(431, f"The request has more than {MAX_HEADERS} headers.")

    def on_headers_complete(self) -> None:
        self._in_headers = False
        request = self._request
        request.method = self._parser.get_method().decode("latin-1")
        request.keep_alive = self._parser.should_keep_alive()
        request.is_http_1_0 = self._parser.get_http_version() == "1.0"
        length = request.headers.get(b"content-length")
        if length is not None:
            size = int(length)  # llhttp has seen to it that it is a number
            self._check_room(size)
        waits = request.headers.get(b"expect", b"").lower() == b"100-continue"
        if waits and self._in_hand is None and self.transport is not None:
            self.transport.write(_CONTINUE)

    def on_body(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        self.application.buffered_bytes += len(chunk)
        if self._body_bytes > self.application.max_body_bytes:
            self._refuse_size()
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        request = self._request
        if request.method != "CONNECT" and self._parser.should_upgrade():
            return  # see _stay_with_http1
        request.body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        self._body_bytes = 0
        self._header_bytes = 0
        self._in_headers = True
        self._begun = False
        self._request = Request(self)
        request.received = time.monotonic()
        if self._in_hand is None and self._writable:
            self._in_hand = request
            self.application.handle(request)
        else:
            self._waiting.append(request)
            self._pause()

    # --- Refusing ----------------------------------------------------------------------------------------------------
    def _check_room(self, size: int) -> None:
        if size > self.application.max_body_bytes:
            self._refuse_size()
        if not self.application.may_buffer(size):
            self._refuse_in_parser(503, "Too many bodies are being received.")

    def _refuse_size(self) -> None:
        self._refuse_in_parser(413, f"The body has more than {self.application.max_body_bytes} bytes.")

    def _forget_body(self) -> None:
        self.application.buffered_bytes -= self._body_bytes
        self._chunks = []
        self._body_bytes = 0

    def _refuse_in_parser(self, status: int, detail: str) -> None:
        self._refuse(status, detail)
        raise _Refused

    def _refuse(self, status: int, detail: str) -> None:
        """Refuse what is being received: it is answered after what came before it, and nothing more is read."""
        request = self._request
        request.keep_alive = False
        self._forget_body()
        self.closing = True
        self.receiving_since = None
        self._refusal = (request, status, detail)
        if self._in_hand is None and not self._waiting:
            self._answer_refusal()

    _refusal: tuple[Request, int, str] | None = None

    def _answer_refusal(self) -> None:
        assert self._refusal is not None
        request, status, detail = self._refusal
        self._refusal = None
        self._in_hand = request
        self.application.refuse(request, status, detail)

    def time_out(self) -> None:
        """Refuse a request that takes too long to arrive."""
        self._refuse(408, "The request did not arrive in time.")

    # --- Answering ---------------------------------------------------------------------------------------------------
    def respond(self, request: Request, status: int, body: bytes, media_type: str, headers: bytes, close: bool) -> None:
        """Write the answer to the request in hand, and take the next one."""
        transport = self.transport
        if transport is None or self._in_hand is not request:
            return  # the client has gone
        self._in_hand = None
        self.grace = False
        self.application.buffered_bytes -= len(request.body)
        last = close or not request.keep_alive or (self.closing and not self._waiting and self._refusal is None)
        head = [_STATUS_LINES.get(status, b"HTTP/1.1 %d \r\n" % status), headers]
        if media_type:
            head.append(b"content-type: %b\r\n" % media_type.encode("latin-1"))
        head.append(b"content-length: %d\r\n" % len(body))
        if last:
            head.append(b"connection: close\r\n\r\n")
        elif request.is_http_1_0:
            head.append(b"connection: keep-alive\r\n\r\n")
        else:
            head.append(b"\r\n")
        if request.method != "HEAD":
            head.append(body)
        if len(body) > LARGEST_AT_ONCE:  # a part leaves within this write, and the process may die right after it
            self._states[self.slot] = WRITING
        transport.write(b"".join(head))
        self._look_again()
        if last:
            self._close()
        else:
            self._next()

    def _next(self) -> None:
        """Take the next request, if the client reads its answers."""
        while self._in_hand is None and self._waiting and self._writable:
            self._in_hand = self._waiting.popleft()
            self.application.handle(self._in_hand)
        if self._in_hand is not None or not self._writable or self.transport is None:
            return
        if self._refusal is not None:
            self._answer_refusal()
        elif not self.closing:
            self.last_active = self.loop.time()
            if self._paused:
                self._paused = False
                self.transport.resume_reading()

    _looking = False

    def _look_again(self) -> None:
        """Have ``_settle`` called once the loop has written what it can of an answer; it does so before."""
        if not self._looking:
            self._looking = True
            self.loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Note what another process would find if this one died now."""
        self._looking = False
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size():  # the client reads slowly
            self._states[self.slot] = WRITING
            self._looking = True
            self.loop.call_later(SECONDS_BETWEEN_LOOKS, self._settle)
        else:
            self._states[self.slot] = IDLE if self.is_idle else BUSY

    _paused = False

    def _pause(self) -> None:
        if not self._paused and self.transport is not None and not self.closing:
            self._paused = True
            self.transport.pause_reading()

    def _close(self) -> None:
        """Close after what is written has left, and after the client has stopped sending or had time to."""
        self.closing = True
        self._waiting.clear()
        transport = self.transport
        if transport is None:
            return
        if self._begun:
            self.linger_until = self.loop.time() + SECONDS_TO_LINGER
            if transport.can_write_eof():
                transport.write_eof()
        else:
            transport.close()

    def close(self) -> None:
        """Close once all that is written has left."""
        self.closing = True
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has arrived that is not answered."""
        return self._in_hand is None and not self._waiting and not self._begun


class _Refused(Exception):
    """Leaves the parser's callbacks once a request has been refused."""


class Date:
    """The Date header, written once a second."""

    def __init__(self) -> None:
        self.line = b""
        self.renew()

    def renew(self) -> None:
        self.line = b"date: %b\r\n" % formatdate(usegmt=True).encode("ascii")
