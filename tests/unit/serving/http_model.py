"""What RFC 9112 lets a client expect of a connection: a model of requests, of their answers, and of where they end."""

from collections.abc import Callable
from dataclasses import dataclass, field

MAX_BODY = 400_000
"""Bytes that the application under test accepts."""


@dataclass
class Sent:
    """A request as the client composed it.

    Attributes:
        number: its place on the connection; its path is ``/NUMBER``.
        content: all its bytes.
        head_size: bytes before the body.
        method: of HTTP.
        body: as the application has to get it.
        refusal: the status by which it is refused, 0 if the application answers it.
        is_last: the connection is closed after its answer.
        expects_continue: its client may wait for ``100 Continue``.
        start: place of its first byte among all that the client composed.
    """

    number: int
    content: bytes
    head_size: int
    method: str = "GET"
    body: bytes = b""
    refusal: int = 0
    is_last: bool = False
    expects_continue: bool = False
    start: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.content)


def body_of(number: int, size: int) -> bytes:
    """Return a body that no other request has, and that no permutation of its parts equals."""
    return b"".join(b"%d.%d;" % (number, place) for place in range(size // 4 + 1))[:size]


def get(number: int, size: int) -> Sent:
    head = b"GET /%d?size=%d HTTP/1.1\r\nhost: x\r\n\r\n" % (number, size)
    return Sent(number, head, len(head))


def head_only(number: int, size: int) -> Sent:
    head = b"HEAD /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number
    return Sent(number, head, len(head), "HEAD")


def with_length(number: int, size: int, lines: bytes = b"", version: bytes = b"1.1", **more) -> Sent:
    body = body_of(number, size)
    head = b"POST /%d HTTP/%b\r\nhost: x\r\nContent-Length: %d\r\n%b\r\n" % (number, version, size, lines)
    return Sent(number, head + body, len(head), "POST", body, **more)


def chunked(number: int, size: int) -> Sent:
    body = body_of(number, size)
    head = b"PUT /%d HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" % number
    step = max(size // 3, 1)
    chunks = [body[start : start + step] for start in range(0, size, step)]
    encoded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return Sent(number, head + encoded, len(head), "PUT", body)


def upgrade(number: int, size: int) -> Sent:
    return with_length(number, size, b"Connection: Upgrade\r\nUpgrade: h2c\r\n")


def expecting(number: int, size: int) -> Sent:
    return with_length(number, size, b"Expect: 100-continue\r\n", expects_continue=size > 0)


def closing(number: int, size: int) -> Sent:
    return with_length(number, size, b"Connection: close\r\n", is_last=True)


def old(number: int, size: int) -> Sent:
    return with_length(number, size, version=b"1.0", is_last=True)


def old_kept(number: int, size: int) -> Sent:
    return with_length(number, size, b"Connection: keep-alive\r\n", b"1.0")


def connect(number: int, size: int) -> Sent:
    head = b"CONNECT /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number
    return Sent(number, head, len(head), "CONNECT", is_last=True)


def refused(status: int, content: Callable[[int], bytes]) -> Callable[[int, int], Sent]:
    def request(number: int, size: int) -> Sent:
        return Sent(number, content(number), 0, refusal=status, is_last=True)

    request.__name__ = f"refused_{status}"
    return request


REQUESTS: tuple[Callable[[int, int], Sent], ...] = (
    get,
    head_only,
    with_length,
    chunked,
    upgrade,
    expecting,
    old_kept,
)
"""After which a connection stays open."""
LAST_REQUESTS: tuple[Callable[[int, int], Sent], ...] = (
    closing,
    old,
    connect,
    refused(400, lambda number: b"nonsense\r\n\r\n"),
    refused(400, lambda number: b"GET /%d HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n" % number),
    refused(400, lambda number: b"PUT /%d HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" % number),
    refused(
        413, lambda number: b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\nabc" % (number, MAX_BODY + 1)
    ),
    refused(
        413,
        lambda number: (
            b"PUT /%d HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b"
            % (number, MAX_BODY + 1, body_of(number, MAX_BODY + 1))
        ),
    ),
    refused(414, lambda number: b"GET /%d" % number + b"x" * 9000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"),
    refused(
        431,
        lambda number: (
            b"GET /%d HTTP/1.1\r\nhost: x\r\n" % number + b"".join(b"a%d: b\r\n" % n for n in range(101)) + b"\r\n"
        ),
    ),
)
"""After which it is closed."""


@dataclass
class Answer:
    """An answer as the client read it."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


@dataclass
class AnswerReader:
    """Reads the client's side of a connection.

    Attributes:
        answers: that are whole, interim ones left out.
        continues: for each ``100 Continue`` the number of answers before it.
    """

    received: bytearray = field(default_factory=bytearray)
    answers: list[Answer] = field(default_factory=list)
    continues: list[int] = field(default_factory=list)

    def feed(self, data: bytes, is_without_body: Callable[[int], bool]) -> None:
        """Take what has arrived; ``is_without_body`` tells whether the answer of this place has none, as HEAD's."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            first, *lines = bytes(self.received[:end]).split(b"\r\n")
            version, status = first.split(b" ")[:2]
            assert version == b"HTTP/1.1", first
            if status == b"100":
                assert not lines
                self.continues.append(len(self.answers))
                del self.received[: end + 4]
                continue
            headers = {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines)}
            assert len(headers) == len(lines), lines
            size = 0 if is_without_body(len(self.answers)) else int(headers[b"content-length"])
            if len(self.received) < end + 4 + size:
                return
            body = bytes(self.received[end + 4 : end + 4 + size])
            del self.received[: end + 4 + size]
            self.answers.append(Answer(int(status), headers, body))
