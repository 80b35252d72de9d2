"""A request as bytes, and what RFC 9110 and RFC 9112 ask of a server; where they leave a choice, each is right."""

from dataclasses import dataclass

BODY = b"[0.5,-0.5]"
HOST = b"Host: a\r\n"
LENGTH = b"Content-Length: 10\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CLOSE = b"Connection: close\r\n"
CHUNKS = b"3\r\n[0.\r\n7\r\n5,-0.5]\r\n0\r\n\r\n"
PING = b"GET /ping HTTP/1.1\r\n" + HOST + b"\r\n"
MEBIBYTE = 1 << 20
OK, BAD = (200,), (400,)
OK_OR_BAD = (200, 400)
UNKNOWN_CODING = (400, 501)

AWAIT_100 = b"-- await 100 --"
"""In place of a part: the client waits for 100 Continue."""
END = b"-- end --"
"""In place of a part: the client shuts its sending side."""
PAUSE = b"-- pause --"
"""In place of a part: what comes before has arrived before what comes after."""


@dataclass(frozen=True)
class RawRequest:
    """Bytes, and what is right.

    Attributes:
        name: unique.
        section: of the RFC, such as "9112 3.2".
        parts: sent one after the other.
        answers: the statuses that are right, for each answer.
        closes: the connection ends after the last answer; else it may.
        methods: of the requests, where it matters: HEAD's answer has no body.
        continues: how many 100 Continue may come, at least and at most.
        media_type: of the answer, if the headers ask for one.
        may_stay_silent: closing without an answer is right, too.
    """

    name: str
    section: str
    parts: tuple[bytes, ...]
    answers: tuple[tuple[int, ...], ...]
    closes: bool = False
    methods: tuple[str, ...] = ()
    continues: tuple[int, int] = (0, 0)
    media_type: str = ""
    may_stay_silent: bool = False


def raw(
    name: str,
    section: str,
    request: bytes | tuple[bytes, ...],
    *answers: tuple[int, ...],
    closes: bool = False,
    methods: tuple[str, ...] = (),
    continues: tuple[int, int] = (0, 0),
    media_type: str = "",
    may_stay_silent: bool = False,
) -> RawRequest:
    parts = request if isinstance(request, tuple) else (request,)
    return RawRequest(name, section, parts, answers, closes, methods, continues, media_type, may_stay_silent)


def post(headers: bytes = LENGTH, body: bytes = BODY, target: bytes = b"/invocations") -> bytes:
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (target, HOST, headers, body)


def get(target: bytes = b"/ping", headers: bytes = HOST, version: bytes = b"HTTP/1.1", method: bytes = b"GET") -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, headers)


def chunked(chunks: bytes = CHUNKS, headers: bytes = b"") -> bytes:
    return post(CHUNKED + headers, chunks)
