"""HTTP/1.1 requests, read from one connection within limits.

Parsing is llhttp's (Node's parser, by httptools). This module has what a server decides for itself: how much a client
may send, and what happens to a request that is refused before it is whole.
"""

import abc
import asyncio
import time
from typing import NamedTuple, Protocol, cast

import httptools

from sagemaker_rl.serving.body_room import BodyRoom
from sagemaker_rl.serving.http_fields import SINGLE_FIELDS, is_host, parse_request_line, split_target

MAX_HEADER_BYTES = 16 * 1024
"""Of the request line and the fields before a body; of chunk extensions and the fields after it as many again."""
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024
BYTES_AT_ONCE = 16 * 1024
"""That the parser gets of headers and chunks: by so many bytes a limit may be wrong where requests are pipelined."""
CHUNK_BYTES = 32
"""Around a chunk that do not count as its extension: its size and line ends."""
PADDING_BYTES = 1024
"""Around the fields of a head, which count only while it is incomplete: blanks, and the rest of the request line."""
TOO_LONG = f"The request line and headers are longer than {MAX_HEADER_BYTES} bytes."
LINE_ERRORS = (
    "Expected space after method",
    "Invalid HTTP version",
    "Invalid method encountered",
    "Pause on PRI/Upgrade",  # HTTP/2's preface
)
"""What the parser says of a request line of a method or version that it does not know, before it has read all of it."""
MAX_LINE_BYTES = MAX_TARGET_BYTES + 100


class Request:
    """A request whose body is complete, or one that was refused before that.

    Attributes:
        connection: on which it is answered, by ``request.connection.respond(request, ...)``.
        method: in upper case.
        path: of the target, without the query, decoded but for ``%2F`` and ``%25``.
        query: what follows the ``?``.
        headers: by name in lower case; the values of one that is repeated are joined by commas.
        body: decoded from chunks, if it was sent in chunks; a bytearray if it came in several parts.
        received: seconds on the monotonic clock when its last byte came in; 0 if it never did.
        reserved: bytes of the room for bodies that it has.
        is_beside: whether its body is the one beside that room.
        id: for the log and the client, given by the application; empty at first.
    """

    __slots__ = (
        "body",
        "connection",
        "headers",
        "id",
        "is_beside",
        "is_http_1_0",
        "keep_alive",
        "method",
        "path",
        "query",
        "received",
        "reserved",
    )

    def __init__(self, connection: "RequestReader") -> None:
        self.connection = connection
        self.method = ""
        self.path = ""
        self.query = ""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.reserved = 0
        self.is_beside = False
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
        room: for the bodies that are being received or answered.
    """

    max_body_bytes: int
    room: BodyRoom

    def handle(self, request: Request) -> None:
        """Answer a request once by ``request.connection.respond``, now or later."""

    def refuse(self, request: Request, status: int, detail: str) -> None:
        """Answer a request that never became whole."""


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
        self._is_in_chunks = False
        self._header_bytes = 0  # of complete fields
        self._unparsed_bytes = 0  # of the fields before the body, complete or not; or around the chunks of a body
        self._headers = 0
        self._body: bytes | bytearray = b""
        self._target = b""
        # What has arrived of a request whose first line may be incomplete; None of one that began within a piece.
        self._line: bytes | None = b""
        self._line_error: httptools.HttpParserError | None = None

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
        """Parse what has arrived. Where limits apply to what the parser keeps to itself it gets small pieces."""
        start = 0
        while start < len(data) and not self.closing:
            counted = self._is_in_headers or self._is_in_chunks
            piece = data[start : start + BYTES_AT_ONCE] if counted else data[start:]
            start += len(piece)
            if not self._is_receiving:
                self._line = b""
            if self._line is not None and self._is_in_headers and b"\r\n" not in self._line:
                self._line += piece
            if counted:
                self._unparsed_bytes += len(piece)
            self._parse(piece)
            if counted and not self.closing:
                self._check_unparsed_bytes()
        if self.closing:
            return
        if not self._is_receiving:
            self.receiving_since = None
        elif self.receiving_since is None:
            self.receiving_since = self._loop.time()

    def _parse(self, piece: bytes) -> None:
        if self._line_error:
            self._explain_line(self._line_error)
            return
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self._request.method:
                self._feed_without_upgrade(piece[upgrade.args[0] :])
            else:
                self.closing = True  # CONNECT, whose answer is the last: what follows is not HTTP
        except httptools.HttpParserCallbackError:
            if not self.closing:  # else it was _Refused
                raise
        except httptools.HttpParserError as error:
            if self._is_in_headers and str(error) in LINE_ERRORS:
                self._explain_line(error)
            else:
                self._refuse_as_malformed(error)

    def _refuse_as_malformed(self, error: Exception) -> None:
        self.refuse(400, f"The request is not HTTP/1.1: {error}.")

    def _explain_line(self, error: httptools.HttpParserError) -> None:
        """Answer a request line that the parser does not take, once it is complete: 400, 501, 505, or as HTTP/1.1."""
        if self._line is None:
            self._refuse_as_malformed(error)
            return
        line, is_complete, following = self._line.lstrip(b"\r\n").partition(b"\r\n")
        self._line_error = error
        if not is_complete and len(line) <= MAX_LINE_BYTES and line.removesuffix(b"\r").decode("latin-1").isprintable():
            return
        parts = parse_request_line(line)
        if parts is None:
            self._refuse_as_malformed(error)
        elif parts.major != 1:
            self.refuse(505, f"The request is HTTP/{parts.major}.{parts.minor}, expected HTTP/1.1 or HTTP/1.0.")
        elif parts.minor > 1:  # RFC 9110, section 2.5: as the highest version of this major one
            self._read_again(b"%b %b HTTP/1.1\r\n%b" % (parts.method, parts.target, following))
        else:
            method = parts.method[:100].decode("latin-1")
            self.refuse(501, f"The method {method!r} is not known here, expected GET, HEAD, POST or DELETE.")

    def _read_again(self, data: bytes) -> None:
        """Read the request from its beginning, as ``data`` has it."""
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request(self)
        self._line_error = None
        self._is_receiving = False
        self._unparsed_bytes = 0
        self.feed(data)

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """Read a request that offers another protocol as if it did not: the parser left its body unread."""
        request = self._request
        headers = {**request.headers, b"connection": b"keep-alive" if request.keep_alive else b"close"}
        headers.pop(b"upgrade", None)
        request_line = b"%b %b HTTP/1.1\r\n" % (request.method.encode("latin-1"), self._target)
        lines = b"".join(b"%b: %b\r\n" % header for header in headers.items())
        self._read_again(request_line + lines + b"\r\n" + rest)

    def _check_unparsed_bytes(self) -> None:
        """Refuse what is too long before the parser has told of it: a field, a chunk's extension, a trailer."""
        if self._is_in_headers and self._unparsed_bytes > MAX_HEADER_BYTES + PADDING_BYTES:
            self.refuse(431, TOO_LONG)
        elif self._is_in_chunks and self._unparsed_bytes > MAX_HEADER_BYTES:
            self.refuse(431, f"Chunk extensions and trailers are longer than {MAX_HEADER_BYTES} bytes.")

    # --- Callbacks of the parser -------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        self._is_receiving = True
        self._target = b""
        self._header_bytes = self._headers = 0

    def on_url(self, part: bytes) -> None:
        self._target += part  # a request line may arrive in pieces
        if len(self._target) > MAX_TARGET_BYTES:
            self._refuse_in_callback(414, f"The target is longer than {MAX_TARGET_BYTES} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        if self._headers > MAX_HEADERS:
            self._refuse_in_callback(431, f"The request has more than {MAX_HEADERS} headers.")
        if not self._is_in_headers:
            return  # a trailer, which must not change what the request was (RFC 9110, section 6.5.1)
        self._header_bytes += len(name) + len(value) + 4
        headers = self._request.headers
        name = name.lower()
        value = value.rstrip(b" \t")
        if name in headers:
            if name in SINGLE_FIELDS:
                self._refuse_in_callback(400, f"The request has {name.decode('latin-1')!r} twice, expected it once.")
            value = headers[name] + b", " + value
        headers[name] = value

    def on_headers_complete(self) -> None:
        request = self._request
        parser = self._parser
        request.method = parser.get_method().decode("latin-1")
        request.keep_alive = parser.should_keep_alive()
        version = parser.get_http_version()
        request.is_http_1_0 = version == "1.0"
        if self._header_bytes + len(self._target) > MAX_HEADER_BYTES:
            self._refuse_in_callback(431, TOO_LONG)
        if parser.should_upgrade() and request.method != "CONNECT":
            return  # it is read again, see _feed_without_upgrade
        if version not in ("1.0", "1.1"):
            self._refuse_in_callback(505, f"The request is HTTP/{version}, expected HTTP/1.1 or HTTP/1.0.")
        self._check_target_and_host(request)
        self._check_coding(request)
        self._is_in_headers = False
        head_bytes = len(request.method) + len(self._target) + self._header_bytes + len(" HTTP/1.1\r\n\r\n")
        self._unparsed_bytes = max(0, self._unparsed_bytes - head_bytes)
        length = request.headers.get(b"content-length")
        if length is not None:
            self._reserve(int(length))  # llhttp has checked that it is a number
        expected = request.headers.get(b"expect")
        if expected is not None and not request.is_http_1_0:
            if {part.strip() for part in expected.lower().split(b",")} != {b"100-continue"}:
                self._refuse_in_callback(417, f"Expect is {expected.decode('latin-1')!r}, expected '100-continue'.")
            if length != b"0" and (length or self._is_in_chunks):
                self.continue_expected()

    def on_chunk_header(self) -> None:
        self._unparsed_bytes -= CHUNK_BYTES

    def on_body(self, part: bytes) -> None:
        if self._is_in_chunks:
            self._unparsed_bytes -= len(part)
            self._reserve(len(part))
        if not self._body:
            self._body = part
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += part

    def on_message_complete(self) -> None:
        request = self._request
        if request.method != "CONNECT" and self._parser.should_upgrade():
            return  # see _feed_without_upgrade
        if request.method == "CONNECT":
            request.keep_alive = False
        self._line = None
        request.body = cast(bytes, self._body)
        self._body = b""
        self._unparsed_bytes = 0
        self._is_in_headers = True
        self._is_in_chunks = False
        self._is_receiving = False
        self._request = Request(self)
        request.received = time.monotonic()
        self.request_received(request)

    def _check_target_and_host(self, request: Request) -> None:
        try:
            request.path, request.query = split_target(self._target)
        except ValueError:
            self._refuse_in_callback(400, "The target holds a bad escape, expected UTF-8 as % and two digits each.")
        host = request.headers.get(b"host")
        if host is None:
            if not request.is_http_1_0:
                self._refuse_in_callback(400, "The request has no Host, which HTTP/1.1 asks for.")
        elif not is_host(host):
            self._refuse_in_callback(400, f"Host is {host.decode('latin-1')!r}, expected a name and perhaps a port.")

    def _check_coding(self, request: Request) -> None:
        """Refuse a body of another coding than chunked (RFC 9112, section 6.1)."""
        coding = request.headers.get(b"transfer-encoding")
        if coding is None:
            return
        if request.is_http_1_0:
            self._refuse_in_callback(400, "The request is HTTP/1.0, which has no Transfer-Encoding.")
        codings = [part.strip() for part in coding.lower().split(b",")]
        if codings[-1] == b"chunked" and codings != [b"chunked"]:
            detail = f"Transfer-Encoding is {coding.decode('latin-1')!r}, expected 'chunked'."
            self._refuse_in_callback(501, detail)
        self._is_in_chunks = True

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
        self.application.room.release(self._request)
        self._body = b""

    def _reserve(self, size: int) -> None:
        """Reserve room for so many more bytes of the body."""
        limit = self.application.max_body_bytes
        if len(self._body) + size > limit:
            self._refuse_in_callback(413, f"The body has more than {limit} bytes.")
        if not self.application.room.reserve(self._request, size):
            self._refuse_in_callback(503, "Too many bodies are being received.")

    def _refuse_in_callback(self, status: int, detail: str) -> None:
        """Refuse the request, and stop the parser."""
        self.refuse(status, detail)
        raise _Refused


class _Refused(Exception):
    """Leaves the parser's callbacks once a request has been refused."""
