"""One request as bytes on a socket, and what comes back, read strictly by RFC 9112."""

import contextlib
import json
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

RIGHT, WRONG, FIVE_HUNDRED, NO_ANSWER = KINDS = ("right", "wrong", "5xx", "no answer")
"""What an answer may be; a 5xx that the RFCs ask for (501, 505) is right."""
PING = b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"
SECONDS = 10.0
"""For an answer, or for a connection to be closed."""


class NoAnswerError(Exception):
    """The connection was closed or reset, or nothing came in time."""


class MalformedError(Exception):
    """What came back is not HTTP/1.1."""


@dataclass
class Answer:
    """A response: its status, headers by name in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"

    def error(self) -> str:
        """Return what is wrong with an error's body, empty if it is a JSON object of error and detail."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return f"the body of {self.status} is not JSON: {self.body[:80]!r}"
        if not isinstance(content, dict) or not all(isinstance(content.get(key), str) for key in ("error", "detail")):
            return f"the body of {self.status} is not of error and detail: {self.body[:80]!r}"
        if "Traceback" in content["detail"] or "\n" in content["detail"]:
            return f"the detail of {self.status} is not a sentence: {content['detail'][:80]!r}"
        return ""


@dataclass
class Outcome:
    """What became of a case.

    Attributes:
        kind: one of KINDS.
        reason: empty if the answer is right.
    """

    kind: str
    reason: str = ""
    answers: list[Answer] = field(default_factory=list)


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


class Exchange:
    """A connection on which bytes are sent as they are.

    Args:
        url: of the server.
        seconds: to wait for bytes.
    """

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self.socket = socket.create_connection(address_of(url), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> "Exchange":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send; a server that has closed already may have answered before."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def end(self) -> None:
        """Shut the sending side."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def read_answer(self, method: str = "GET") -> Answer:
        """Read one response, 1xx included.

        Raises:
            NoAnswerError: There is none.
            MalformedError: It is not HTTP.
        """
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = status_line.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdigit() or rest[3:4] not in (" ", ""):
            raise MalformedError(f"the status line is {status_line[:80]!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or name in headers:
                raise MalformedError(f"the header {line[:80]!r}")
            headers[name] = value.strip()
        status = int(rest[:3])
        body = b"" if method == "HEAD" or status < 200 or status in (204, 304) else self._read_body(headers)
        return Answer(status, headers, body)

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        if "content-length" in headers:
            return self._read_bytes(int(headers["content-length"]))
        if headers.get("connection", "").lower() != "close":
            raise MalformedError("the answer has neither length nor end")
        with contextlib.suppress(NoAnswerError):
            while True:
                self._receive()
        body, self._received = self._received, b""
        return body

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._received:
                self._receive()
            size, _, self._received = self._received.partition(b"\r\n")
            chunk = self._read_bytes(int(size, 16) + 2)
            body += chunk[:-2]
            if chunk == b"\r\n":
                return body

    def _read_bytes(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        data, self._received = self._received[:size], self._received[size:]
        return data

    def _receive(self) -> None:
        try:
            part = self.socket.recv(1 << 20)
        except (ConnectionError, TimeoutError) as error:
            raise NoAnswerError(f"{type(error).__name__} after {self._received[:80]!r}") from None
        if not part:
            raise NoAnswerError(f"closed after {self._received[:80]!r}")
        self._received += part

    def check_closed(self) -> str:
        """Return what came instead of the end of the connection; empty if that is all."""
        try:
            self._receive()
        except NoAnswerError as end:
            return "the connection stays open" if "TimeoutError" in str(end) else ""
        return f"after the last answer came {self._received[:80]!r}"

    def check_next(self) -> "Outcome":
        """Tell whether the next request on this connection is answered as it should be."""
        self.send(PING)
        try:
            answer = self.read_answer()
        except NoAnswerError as error:
            return Outcome(NO_ANSWER, f"the next request on the connection: {error}")
        except MalformedError as error:
            return Outcome(WRONG, f"the next request on the connection: {error}")
        if self._received or answer.status != 200:
            kind = FIVE_HUNDRED if answer.status >= 500 else WRONG
            return Outcome(kind, f"the next request, of /ping, is answered {answer.status} {answer.body[:80]!r}")
        return Outcome(RIGHT)


def ping_seconds(url: str, seconds: float = SECONDS) -> float:
    """Return how long /ping takes on a new connection.

    Raises:
        NoAnswerError: It is not answered by 200 in time.
    """
    start = time.monotonic()
    try:
        with Exchange(url, seconds) as exchange:
            exchange.send(PING)
            answer = exchange.read_answer()
    except OSError as error:
        raise NoAnswerError(f"/ping: {error!r}") from None
    if answer.status != 200:
        raise NoAnswerError(f"/ping is answered {answer.status} {answer.body[:80]!r}")
    return time.monotonic() - start


def summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how many answers there are of each kind."""
    return {kind: sum(outcome.kind == kind for outcome in outcomes) for kind in KINDS}
