"""Requests as bytes whose meaning is the matter: RFC 9110, and the order of requests on a connection."""

from raw_requests import (
    AWAIT_100,
    BAD,
    BODY,
    CHUNKED,
    CHUNKS,
    CLOSE,
    HOST,
    LENGTH,
    OK,
    PAUSE,
    PING,
    chunked,
    get,
    post,
    raw,
)

EXPECTATIONS = (
    raw(
        "100-continue",
        "9110 10.1.1",
        (post(LENGTH + b"Expect: 100-continue\r\n", b""), AWAIT_100, BODY),
        OK,
        continues=(1, 1),
    ),
    raw(
        "100-Continue",
        "9110 10.1.1",
        (post(LENGTH + b"Expect: 100-Continue\r\n", b""), AWAIT_100, BODY),
        OK,
        continues=(1, 1),
    ),
    raw(
        "100-continue before chunks",
        "9110 10.1.1",
        (post(CHUNKED + b"Expect: 100-continue\r\n", b""), AWAIT_100, CHUNKS),
        OK,
        continues=(1, 1),
    ),
    raw("100-continue with the body", "9110 10.1.1", post(LENGTH + b"Expect: 100-continue\r\n"), OK, continues=(0, 1)),
    raw(
        "100-continue twice",
        "9110 10.1.1",
        post(LENGTH + b"Expect: 100-continue\r\n" * 2),
        (200, 417),
        continues=(0, 1),
    ),
    raw(
        "100-continue in HTTP/1.0",
        "9110 10.1.1",
        post(LENGTH + b"Expect: 100-continue\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK,
        closes=True,
    ),
    raw(
        "100-continue without a body",
        "9110 10.1.1",
        get(headers=HOST + b"Expect: 100-continue\r\n"),
        OK,
        continues=(0, 1),
    ),
    raw(
        "100-continue before too much",
        "9110 10.1.1",
        post(b"Content-Length: 99999999\r\nExpect: 100-continue\r\n", b""),
        (413,),
    ),
    raw(
        "100-continue beside an upgrade",
        "9110 7.8",
        post(LENGTH + b"Expect: 100-continue\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"),
        OK,
        continues=(0, 1),
    ),
    raw(
        "100-continue of two requests",
        "9110 10.1.1",
        post(LENGTH + b"Expect: 100-continue\r\n") * 2,
        OK,
        OK,
        continues=(0, 2),
    ),
    raw("another expectation", "9110 10.1.1", post(LENGTH + b"Expect: 200-ok\r\n"), (417,)),
    raw(
        "100-continue and another expectation",
        "9110 10.1.1",
        post(LENGTH + b"Expect: 100-continue, a=b\r\n"),
        (200, 417),
    ),
)

TARGETS = (
    raw("an escaped letter", "9110 4.2.3", get(b"/%70ing"), OK),
    raw("all letters escaped", "9110 4.2.3", get(b"/%70%69%6e%67"), OK),
    raw("an escape in lower and upper case", "9110 4.2.3", post(target=b"/%69n%76%6Fcations"), OK),
    raw("an escaped slash", "3986 2.2", get(b"/%2fping"), (404,)),
    raw("an escaped slash at the end", "3986 2.2", post(target=b"/invocations%2F"), (404,)),
    raw("an escape twice over", "3986 2.4", get(b"/%2570ing"), (404,)),
    raw("an escaped NUL", "3986 2.1", get(b"/ping%00"), (400, 404)),
    raw("an escaped blank", "3986 2.1", get(b"/ping%20"), (404,)),
    raw("an escaped question mark", "3986 2.2", get(b"/ping%3Fa"), (404,)),
    raw("an escape that is no UTF-8", "3986 2.1", get(b"/%ff"), (400, 404)),
    *(
        raw(f"the escape {escape.decode()}", "3986 2.1", get(b"/ping" + escape), BAD)
        for escape in (b"%", b"%7", b"%zz", b"%0x", b"%+1")
    ),
    raw("a query", "9112 3.2.1", get(b"/ping?a=b&c"), OK),
    raw("an empty query", "9112 3.2.1", get(b"/ping?"), OK),
    raw("a query of a body", "9112 3.2.1", post(target=b"/invocations?a=/ping"), OK),
    raw("a fragment", "9112 3.2.1", get(b"/ping#a"), (400, 404)),
    raw("a slash at the end", "3986 6.2.3", get(b"/ping/"), (404,)),
    raw("two slashes", "3986 6.2.3", get(b"//ping"), (404,)),
    raw("the folder above", "3986 5.2.4", get(b"/../../etc/passwd"), (400, 404)),
    raw("the escaped folder above", "3986 5.2.4", get(b"/..%2f..%2fetc/passwd"), (400, 404)),
    raw("another route", "9110 15.5.5", get(b"/nowhere"), (404,)),
    raw("absolute-form", "9112 3.2.2", get(b"http://a/ping"), OK),
    raw("absolute-form of a body", "9112 3.2.2", post(target=b"http://a:80/invocations?b"), OK),
    raw("absolute-form in upper case", "9112 3.2.2", get(b"HTTP://A/ping"), OK),
    raw("absolute-form with another Host", "9112 3.2.2", get(b"http://a/ping", b"Host: b\r\n"), OK),
    raw("absolute-form without Host", "9112 3.2.2", get(b"http://a/ping", b""), BAD),
    raw("absolute-form without a path", "9112 3.2.2", get(b"http://a"), (200, 404)),
    raw("absolute-form with a query for a path", "9112 3.2.2", get(b"http://a?/ping"), (200, 400, 404)),
    raw("authority-form of GET", "9112 3.2.3", get(b"a:80"), BAD),
    raw("CONNECT", "9112 3.2.3", get(b"a:80", method=b"CONNECT"), (400, 404, 405, 501), closes=True),
    raw(
        "CONNECT, then another request",
        "9112 3.2.3",
        get(b"a:80", method=b"CONNECT") + PING,
        (400, 404, 405, 501),
        closes=True,
    ),
    raw("asterisk-form", "9112 3.2.4", get(b"*", method=b"OPTIONS"), (200, 204, 404, 405)),
    raw("asterisk-form of GET", "9112 3.2.4", get(b"*"), (400, 404)),
    raw("no slash", "9112 3.2.1", get(b"ping"), BAD),
    raw("a blank in the target", "9112 3.2", get(b"/pi ng"), BAD),
    raw("a letter beyond ASCII in the target", "3986 2.1", get(b"/p\xc3\xa9"), (400, 404)),
    raw("a control character in the target", "9112 3.2", get(b"/p\x7fing"), (400, 404)),
    raw("a target of 8,000 bytes", "9112 3", get(b"/" + b"x" * 7999), (404,)),
    raw("a target of 9,000 bytes", "9110 15.5.15", get(b"/" + b"x" * 8999), (414,), closes=True),
    raw("a query of 9,000 bytes", "9110 15.5.15", get(b"/ping?" + b"x" * 8999), (414,), closes=True),
    raw("a target of 100,000 bytes", "9110 15.5.15", get(b"/" + b"x" * 99_999), (414,), closes=True),
)

METHOD_REFUSED = (405, 501)
HEAD_BYTES = 16 * 1024
"""Of a request line and headers, that a server of this policy takes at least nearly, and not much more of."""


def padded(size: int) -> bytes:
    """Return a request for /ping whose head has so many bytes."""
    rest = size - len(get(headers=HOST + b"a0: \r\n"))
    lines = [b"a%d: %b\r\n" % (i, b"b" * 980) for i in range(1, 1 + rest // 1000)]
    head = HOST + b"".join(lines) + b"a0: \r\n"
    return get(headers=head.replace(b"a0: ", b"a0: " + b"b" * (size - len(get(headers=head)))))


METHODS = (
    raw("HEAD", "9110 9.3.2", get(method=b"HEAD") + PING, OK, OK, methods=("HEAD", "GET")),
    raw("HEAD of what is only posted", "9110 9.3.2", get(b"/invocations", method=b"HEAD"), (405,), methods=("HEAD",)),
    raw("HEAD of nothing", "9110 9.3.2", get(b"/nowhere", method=b"HEAD"), (404,), methods=("HEAD",)),
    raw("OPTIONS", "9110 9.3.7", get(b"/invocations", method=b"OPTIONS"), (200, 204, 405)),
    *(
        raw(f"{method.decode()} of /invocations", "9110 15.5.6", get(b"/invocations", method=method), (405,))
        for method in (b"GET", b"PUT", b"DELETE", b"PATCH")
    ),
    raw("TRACE", "9110 9.3.8", get(method=b"TRACE"), METHOD_REFUSED),
    raw("POST of /ping", "9110 15.5.6", post(target=b"/ping"), (405,)),
    raw("PUT with a body", "9110 15.5.6", post().replace(b"POST", b"PUT"), (405,)),
    raw("get", "9110 9.1", get(method=b"get"), METHOD_REFUSED),
    raw("Post", "9110 9.1", post().replace(b"POST", b"Post"), METHOD_REFUSED),
    raw("an unknown method", "9110 9.1", get(method=b"FOO"), METHOD_REFUSED),
    raw("a known method that begins alike", "9110 9.1", get(method=b"GETS"), METHOD_REFUSED),
    raw("a method of WebDAV", "9110 9.1", get(method=b"PROPFIND"), METHOD_REFUSED),
    raw("a method with a bracket", "9110 9.1", get(method=b"G(T"), BAD, closes=True),
    raw("a method of 300 letters", "9110 9.1", get(method=b"G" * 300), (*METHOD_REFUSED, 400, 414)),
    raw("no method", "9112 3", get(method=b""), BAD, closes=True),
)


def accepting(*lines: bytes) -> bytes:
    return post(LENGTH + b"".join(b"Accept: %b\r\n" % line for line in lines))


LISTS = (
    raw(
        "two lines of Accept",
        "9110 5.3",
        accepting(b"text/csv;q=0.5", b"application/x-npy"),
        OK,
        media_type="application/x-npy",
    ),
    raw(
        "the better line of Accept first",
        "9110 5.3",
        accepting(b"application/x-npy", b"text/csv;q=0.5"),
        OK,
        media_type="application/x-npy",
    ),
    raw("nothing served in the second", "9110 5.3", accepting(b"text/csv", b"text/foo"), OK, media_type="text/csv"),
    raw("nothing served in the first", "9110 5.3", accepting(b"text/foo", b"text/csv"), OK, media_type="text/csv"),
    raw("an empty second line", "9110 5.6.1", accepting(b"text/csv", b""), OK, media_type="text/csv"),
    raw(
        "Content-Type twice",
        "9110 5.3",
        post(LENGTH + b"Content-Type: application/json\r\nContent-Type: text/csv\r\n"),
        BAD,
    ),
    raw("the same Content-Type twice", "9110 5.3", post(LENGTH + b"Content-Type: application/json\r\n" * 2), BAD),
    raw(
        "codings in two lines",
        "9110 5.3",
        post(LENGTH + b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n"),
        (415,),
    ),
    raw(
        "close in the second line",
        "9110 5.3",
        get(headers=HOST + b"Connection: x\r\nConnection: close\r\n"),
        OK,
        closes=True,
    ),
    raw("close in a list", "9110 7.6.1", get(headers=HOST + b"Connection: x, close\r\n"), OK, closes=True),
    raw("CLOSE", "9110 7.6.1", get(headers=HOST + b"Connection: CLOSE\r\n"), OK, closes=True),
)

LIMITS = (
    raw("100 headers", "9110 5.4", get(headers=HOST + b"".join(b"a%d: b\r\n" % i for i in range(99))), OK),
    raw(
        "200 headers",
        "6585 5",
        get(headers=HOST + b"".join(b"a%d: b\r\n" % i for i in range(199))),
        (431,),
        closes=True,
    ),
    raw("the same header 200 times", "6585 5", get(headers=HOST + b"a: b\r\n" * 199), (431,), closes=True),
    raw("a header of 15,000 bytes", "9110 5.4", get(headers=HOST + b"a: %b\r\n" % (b"b" * 15_000)), OK),
    raw("a header of 17,000 bytes", "6585 5", get(headers=HOST + b"a: %b\r\n" % (b"b" * 17_000)), (431,), closes=True),
    raw(
        "a header of 20,000 bytes that does not end",
        "6585 5",
        get(headers=HOST + b"a: " + b"b" * 20_000)[:-4],
        (431,),
        closes=True,
    ),
    raw(
        "a header's name of 20,000 bytes",
        "6585 5",
        get(headers=HOST + b"a" * 20_000 + b": b\r\n"),
        (400, 431),
        closes=True,
    ),
    raw("headers just within the limit", "9110 5.4", padded(HEAD_BYTES - 200), OK),
    raw("headers just beyond the limit", "6585 5", padded(HEAD_BYTES + 200), (431,), closes=True),
    raw(
        "headers just beyond, in two",
        "6585 5",
        (padded(HEAD_BYTES + 200)[:9000], PAUSE, padded(HEAD_BYTES + 200)[9000:]),
        (431,),
        closes=True,
    ),
    raw("15,000 bytes of headers and a body", "9110 5.4", post(LENGTH + b"a: %b\r\n" % (b"b" * 15_000)), OK),
    raw(
        "10,000 bytes of headers, 10,000 of the body",
        "9110 5.4",
        post(b"Content-Length: 10010\r\na: %b\r\n" % (b"b" * 10_000), BODY + b" " * 10_000),
        OK,
    ),
    raw("40 requests of 1,000 bytes", "9112 9.3.2", padded(1000) * 40, *(OK,) * 40),
    raw("three requests of 15,000 bytes", "9112 9.3.2", padded(15_000) * 3, OK, OK, OK),
)

CONNECTIONS = (
    raw(
        "an upgrade to h2c",
        "9110 7.8",
        post(LENGTH + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"),
        OK,
    ),
    raw("an upgrade with chunks", "9110 7.8", post(CHUNKED + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", CHUNKS), OK),
    raw(
        "an upgrade, then a request", "9110 7.8", post(LENGTH + b"Connection: Upgrade\r\nUpgrade: a\r\n") + PING, OK, OK
    ),
    raw(
        "an upgrade to WebSocket",
        "9110 7.8",
        get(headers=HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        OK,
    ),
    raw("an upgrade that closes", "9110 7.8", post(LENGTH + CLOSE + b"Upgrade: h2c\r\n"), OK, closes=True),
    raw("50 requests at once", "9112 9.3.2", PING * 50, *(OK,) * 50),
    raw(
        "requests of all kinds at once",
        "9112 9.3.2",
        (PING + post() + chunked() + get(b"/nowhere") + post(body=b"[0.5,-0.5}") + PING) * 3,
        *(OK, OK, OK, (404,), BAD, OK) * 3,
    ),
    raw("nonsense behind a request", "9112 9.3.2", post() + b"nonsense\r\n\r\n", OK, BAD, closes=True),
    raw("a request behind the last one", "9112 9.6", get(headers=HOST + CLOSE) + PING, OK, closes=True),
    raw("a body behind the last one", "9112 9.6", post(LENGTH + CLOSE) + post(), OK, closes=True),
    raw("a request behind a refused one", "9112 9.3.2", post(b"Content-Length: -1\r\n") + PING, BAD, closes=True),
    raw("an empty line between requests", "9112 2.2", PING + b"\r\n" + PING, OK, OK),
    raw(
        "pauses everywhere",
        "9112 9.3.2",
        (
            b"POST /invo",
            PAUSE,
            b"cations HTTP/1.1\r",
            PAUSE,
            b"\nHost: a\r\nConte",
            PAUSE,
            b"nt-Length: 10\r\n\r",
            PAUSE,
            b"\n[0.5",
            PAUSE,
            b",-0.5]",
        ),
        OK,
    ),
)

SPLIT = (
    post(LENGTH + b"Accept: text/csv\r\nConnection: keep-alive\r\n"),
    chunked(b'3;a="b"\r\n[0.\r\n7\r\n5,-0.5]\r\n0\r\nc: d\r\n\r\n', b"Accept: text/csv\r\n"),
    post(LENGTH + b"Expect: 100-continue\r\nAccept: text/csv\r\n"),
    post(LENGTH + b"Accept: text/csv\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", target=b"http://a/%69nvocations?b=c"),
)
"""Good requests, all for the same answer in CSV, that are sent split at every byte."""

SEMANTICS = (*EXPECTATIONS, *TARGETS, *METHODS, *LISTS, *LIMITS, *CONNECTIONS)
