"""HTTP/1.1 requests, read from one connection within limits.

Parsing is llhttp's (Node's parser, by httptools). This module has what a server decides for itself: how much a client
may send, and what happens to a request that is refused before it is whole.
"""

import abc
import asyncio
import time
from typing import NamedTuple, Protocol

import httptools

MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024


class Request:
    """A request whose body is complete, or one that was refused before that.

    Attributes:
        connection: on which it is answered, by ``request.connection.respond(request, ...)``.
        method: in upper case.
        path: of the target, without the query.
        query: what follows the ``?``.
        headers: the last value of each, by name in lower case.
        body: decoded from chunks, if it was sent in chunks.
        received: seconds on the monotonic clock when its last byte came in; 0 if it never did.
        id: for the log and the client, given by the application; empty at first.
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

    def __init__(self, connection: "RequestReader") -> None:
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


class Refusal(NamedTuple):
    """A request that is refused before it is whole, and the answer that it gets."""

    request: Request
    status: int
    detail: str


class Application(Protocol):
    """What answers the requests of all connections.

    Attributes:
        max_body_bytes: of a request.
        buffered_bytes: of all bodies that have been received and not answered yet; connections keep the sum.
    """

    max_body_bytes: int
    buffered_bytes: int

    def handle(self, request: Request) -> None:
        """Answer a request once by ``request.connection.respond``, now or later."""

    def refuse(self, request: Request, status: int, detail: str) -> None:
        """Answer a request that never became whole."""

    def may_buffer(self, size: int) -> bool:
        """Tell whether there is room for another body of this size."""


class RequestReader(abc.ABC):
    """The reading half of a connection: bytes in, requests out. The other half is ``http_connection.Connection``.

    Attributes:
        application: sets the limits.
        closing: no further request is read.
        receiving_since: seconds on the loop's clock since which a request is incomplete; None if there is none.
        accepted_before_drain: a request was in hand when the server began to drain.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self.closing = False
        self.receiving_since: float | None = None
        self.accepted_before_drain = False
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request(self)
        self._is_receiving = False
        self._is_in_headers = True
        self._header_bytes = 0
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self._target = b""

    # --- The other half ----------------------------------------------------------------------------------------------
    @abc.abstractmethod
    def request_received(self, request: Request) -> None:
        """Take a request that is whole."""

    @abc.abstractmethod
    def request_refused(self, refusal: Refusal) -> None:
        """Answer a request that is refused, after all that came before it."""

    @abc.abstractmethod
    def continue_expected(self) -> None:
        """Tell a client that waits for it to send the body."""

    @abc.abstractmethod
    def respond(self, request: Request, status: int, body: bytes, media_type: str, headers: bytes, close: bool) -> None:
        """Write the answer to a request."""

    # --- Bytes in ----------------------------------------------------------------------------------------------------
    def feed(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self._is_in_headers:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._request.method:
                self._feed_without_upgrade(data[upgrade.args[0] :])
            else:
                self.closing = True  # CONNECT, whose answer is the last: what follows is not HTTP
            return
        except httptools.HttpParserCallbackError:
            if not self.closing:  # else it was _Refused
                raise
        except httptools.HttpParserError as error:
            self.refuse(400, f"The request is not HTTP/1.1: {error}.")
        if self.closing:
            return
        if self._is_in_headers and self._header_bytes > MAX_HEADER_BYTES:
            self.refuse(431, f"The request line and headers are longer than {MAX_HEADER_BYTES} bytes.")
        elif not self._is_receiving:
            self.receiving_since = None
        elif self.receiving_since is None:
            self.receiving_since = self._loop.time()

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """Read a request that offers another protocol as if it did not: the parser left its body unread."""
        request = self._request
        headers = {**request.headers, b"connection": b"keep-alive" if request.keep_alive else b"close"}
        headers.pop(b"upgrade", None)
        request_line = b"%b %b HTTP/1.1\r\n" % (request.method.encode("latin-1"), self._target)
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request(self)
        lines = b"".join(b"%b: %b\r\n" % header for header in headers.items())
        self.feed(request_line + lines + b"\r\n" + rest)

    # --- Callbacks of the parser -------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        self._is_receiving = True
        self._target = b""

    def on_url(self, part: bytes) -> None:
        request = self._request
        self._target += part  # a request line may arrive in pieces
        target = self._target
        if len(target) > MAX_TARGET_BYTES:
            self._refuse_in_callback(414, f"The target is longer than {MAX_TARGET_BYTES} bytes.")
        path, _, query = target.decode("latin-1").partition("?")
        if not path.startswith("/"):  # absolute form, as to a proxy
            path = "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path
        request.path, request.query = path, query

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._request.headers
        headers[name.lower()] = value
        if len(headers) > MAX_HEADERS:
            self._refuse_in_callback(431, f"The request has more than {MAX_HEADERS} headers.")

    def on_headers_complete(self) -> None:
        self._is_in_headers = False
        request = self._request
        request.method = self._parser.get_method().decode("latin-1")
        request.keep_alive = self._parser.should_keep_alive()
        request.is_http_1_0 = self._parser.get_http_version() == "1.0"
        length = request.headers.get(b"content-length")
        if length is not None:
            self._check_body_size(int(length))  # llhttp has checked that it is a number
        if request.headers.get(b"expect", b"").lower() == b"100-continue":
            self.continue_expected()

    def on_body(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        self.application.buffered_bytes += len(chunk)
        if self._body_bytes > self.application.max_body_bytes:
            self._refuse_body()
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        request = self._request
        if request.method != "CONNECT" and self._parser.should_upgrade():
            return  # see _feed_without_upgrade
        if request.method == "CONNECT":
            request.keep_alive = False
        request.body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        self._body_bytes = 0
        self._header_bytes = 0
        self._is_in_headers = True
        self._is_receiving = False
        self._request = Request(self)
        request.received = time.monotonic()
        self.request_received(request)

    # --- Refusing ----------------------------------------------------------------------------------------------------
    def refuse(self, status: int, detail: str) -> None:
        """Refuse the request that is being received, and read nothing more."""
        request = self._request
        request.keep_alive = False
        self.discard_body()
        self.closing = True
        self.request_refused(Refusal(request, status, detail))

    def discard_body(self) -> None:
        """Forget what has been received of a request that never becomes whole, and wait for it no longer."""
        self.receiving_since = None
        self.application.buffered_bytes -= self._body_bytes
        self._chunks = []
        self._body_bytes = 0

    def _check_body_size(self, size: int) -> None:
        if size > self.application.max_body_bytes:
            self._refuse_body()
        if not self.application.may_buffer(size):
            self._refuse_in_callback(503, "Too many bodies are being received.")

    def _refuse_body(self) -> None:
        self._refuse_in_callback(413, f"The body has more than {self.application.max_body_bytes} bytes.")

    def _refuse_in_callback(self, status: int, detail: str) -> None:
        """Refuse the request, and stop the parser."""
        self.refuse(status, detail)
        raise _Refused


class _Refused(Exception):
    """Leaves the parser's callbacks once a request has been refused."""
