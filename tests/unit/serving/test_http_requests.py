"""Reading requests: limits at, inside and outside their ends, bodies of both kinds, and lines that arrive in pieces."""

import pytest
from one_connection import GET, POST, receive, with_connection
from sagemaker_rl.serving import http_requests
from sagemaker_rl.serving.body_room import BodyRoom


@pytest.mark.parametrize("header", [b"content-length: 11", b"transfer-encoding: chunked"])
def test_a_body_that_is_too_large_is_refused(header, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        receive(connection, b"POST / HTTP/1.1\r\nhost: x\r\n" + header + b"\r\n\r\nb\r\n12345678901\r\n")
        assert transport.statuses == [413]
        assert application.room.used == 0
        assert b"connection: close" in transport.written

    run(monkeypatch)


@with_connection
async def test_an_upgrade_is_not_accepted_and_its_body_is_read(connection, application):
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\n"
    receive(connection, head + b"abc")
    (request,) = application.requests
    assert (request.method, request.body) == ("POST", b"abc")


@with_connection
async def test_connect_is_answered_after_what_came_before_it(connection, application, transport):
    receive(connection, GET % b"1" + b"CONNECT a:1 HTTP/1.1\r\nhost: x\r\n\r\n")
    assert not transport.is_closed
    application.answer()
    application.answer()
    assert transport.statuses == [200, 200]
    assert transport.is_closed


@with_connection
async def test_a_request_line_may_arrive_in_pieces(connection, application):
    for piece in (b"GE", b"T /mod", b"els?lim", b"it=2 HTTP/1.1\r\nhost: x\r\n", b"\r\n"):
        receive(connection, piece)
    (request,) = application.requests
    assert (request.method, request.path, request.query) == ("GET", "/models", "limit=2")


@pytest.mark.parametrize(
    ("count", "statuses"), [(http_requests.MAX_HEADERS, [200]), (http_requests.MAX_HEADERS + 1, [431])]
)
def test_as_many_headers_as_there_may_be(count, statuses, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        receive(
            connection,
            b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(count - 1)) + b"\r\n",
        )
        if application.requests:
            application.answer()
        assert transport.statuses == statuses

    run(monkeypatch)


@pytest.mark.parametrize(
    ("size", "statuses"), [(http_requests.MAX_TARGET_BYTES, [200]), (http_requests.MAX_TARGET_BYTES + 1, [414])]
)
def test_a_target_as_long_as_it_may_be(size, statuses, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        target = b"/" + b"x" * (size - 1)
        for piece in (b"GET " + target[:5000], target[5000:] + b" HTTP/1.1\r\nhost: x\r\n\r\n"):
            receive(connection, piece)
        if application.requests:
            application.answer()
        assert transport.statuses == statuses

    run(monkeypatch)


SEGMENTS = (1, 1000, 16_384, 1_000_000)
"""Bytes that arrive at a time."""


def receive_in_segments(connection, data, size):
    for start in range(0, len(data), size):
        receive(connection, data[start : start + size])


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize(("excess", "statuses"), [(0, [200]), (1, [431])])
def test_a_head_as_long_as_it_may_be_however_it_arrives(excess, statuses, segment, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        fields = len("/") + len("hostx") + len("a") + 2 * 4
        value = b"b" * (http_requests.MAX_HEADER_BYTES - fields + excess)
        receive_in_segments(connection, b"GET / HTTP/1.1\r\nhost: x\r\na: " + value + b"\r\n\r\n", segment)
        if application.requests:
            application.answer()
        assert transport.statuses == statuses

    run(monkeypatch)


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_head_that_never_ends_is_refused_before_it_is_kept(segment, monkeypatch):
    @with_connection
    async def run(connection, transport):
        receive_in_segments(connection, b"GET / HTTP/1.1\r\na: " + b"b" * 17_400, segment)
        assert transport.statuses == [431]

    run(monkeypatch)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize(
    ("chunks", "statuses"),
    [
        (b"3;a=%b\r\nabc\r\n0\r\n\r\n" % (b"x" * 15_000), [200]),
        (b"3;a=%b\r\nabc\r\n0\r\n\r\n" % (b"x" * 40_000), [431]),
        (b"3\r\nabc\r\n0\r\na: %b\r\n\r\n" % (b"x" * 15_000), [200]),
        (b"3\r\nabc\r\n0\r\na: %b\r\n\r\n" % (b"x" * 40_000), [431]),
        (b"3\r\nabc\r\n0\r\n%b\r\n" % b"".join(b"a%d: b\r\n" % n for n in range(99)), [431]),
        (b"1\r\na\r\n" * 2_000 + b"0\r\n\r\n", [200]),  # what is around small chunks is no extension
    ],
)
def test_extensions_and_trailers_count(chunks, statuses, segment, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        application.max_body_bytes = 3_000
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        receive_in_segments(connection, head + chunks, segment)
        if application.requests:
            application.answer()
        assert transport.statuses == statuses

    run(monkeypatch)


@with_connection
async def test_trailers_change_no_header(connection, application):
    head = b"POST / HTTP/1.1\r\nhost: x\r\nContent-Type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n"
    receive(connection, head + b"3\r\nabc\r\n0\r\ncontent-type: text/html\r\nx-new: 1\r\nHost: y\r\n\r\n")
    (request,) = application.requests
    assert (request.headers[b"content-type"], request.headers[b"host"]) == (b"text/csv", b"x")
    assert b"x-new" not in request.headers


@with_connection
async def test_a_repeated_list_is_joined(connection, application):
    receive(connection, b"GET / HTTP/1.1\r\nhost: x\r\nAccept: text/csv; q=0.5 \t\r\na: b\r\naccept: */*\r\n\r\n")
    assert application.requests[0].header(b"accept") == "text/csv; q=0.5, */*"


@pytest.mark.parametrize(
    ("head", "status", "detail"),
    [
        (b"GET / HTTP/1.1\r\n", 400, "has no Host"),
        (b"GET / HTTP/1.0\r\n", 200, ""),
        (b"GET / HTTP/1.1\r\nhost:\r\n", 200, ""),
        (b"GET / HTTP/1.1\r\nhost: [::1]:80\r\n", 200, ""),
        (b"GET / HTTP/1.1\r\nhost: a b\r\n", 400, "Host is 'a b'"),
        (b"GET / HTTP/1.1\r\nhost: a/b\r\n", 400, "Host is 'a/b'"),
        (b"GET / HTTP/1.1\r\nhost: a:b\r\n", 400, "Host is 'a:b'"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n", 400, "'host' twice"),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-type: a\r\ncontent-type: a\r\n", 400, "'content-type' twice"),
        (b"GET / HTTP/2.0\r\nhost: a\r\n", 505, "is HTTP/2.0"),
        (b"GET / HTTP/0.9\r\nhost: a\r\n", 505, "is HTTP/0.9"),
        (b"GET / HTTP/1.2\r\nhost: a\r\n", 200, ""),
        (b"GET / HTTP/3.0\r\nhost: a\r\n", 505, "is HTTP/3.0"),
        (b"GET / HTTX/1.1\r\nhost: a\r\n", 400, "not HTTP/1.1"),
        (b"FOO / HTTP/1.1\r\nhost: a\r\n", 501, "method 'FOO' is not known"),
        (b"get / HTTP/1.1\r\nhost: a\r\n", 501, "method 'get' is not known"),
        (b"GETS / HTTP/1.1\r\nhost: a\r\n", 501, "method 'GETS' is not known"),
        (b"G@T / HTTP/1.1\r\nhost: a\r\n", 400, "not HTTP/1.1"),
        (b"FOO " + b"x" * 8400, 400, "not HTTP/1.1"),
        (b"\x16\x03\x01\x02\x00", 400, "not HTTP/1.1"),  # TLS's
        (b"GET / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nexpect: 100-Continue\r\n", 200, ""),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", 505, "is HTTP/2.0"),
        (b"GET /%7 HTTP/1.1\r\nhost: a\r\n", 400, "bad escape"),
        (b"GET /%zz HTTP/1.1\r\nhost: a\r\n", 400, "bad escape"),
        (b"GET /%ff HTTP/1.1\r\nhost: a\r\n", 400, "bad escape"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nexpect: x\r\n", 417, "Expect is 'x'"),
        (b"GET / HTTP/1.0\r\nexpect: x\r\n", 200, ""),
        (b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n", 501, "Transfer-Encoding is 'gzip, "),
        (b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: GZIP\r\ntransfer-encoding: chunked\r\n", 501, "'GZIP, "),
        (b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n", 400, "not HTTP/1.1"),
        (b"PUT / HTTP/1.0\r\ntransfer-encoding: chunked\r\n", 400, "HTTP/1.0, which has no"),
    ],
)
@pytest.mark.parametrize("segment", [1, 1_000_000])
def test_what_is_asked_of_a_head(head, status, detail, segment, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        receive_in_segments(connection, head + b"\r\n", segment)
        if application.requests:
            application.answer()
        assert transport.statuses == [status]
        assert detail.encode() in transport.written

    run(monkeypatch)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (b"HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\nExpect: 100-Continue", 1),
        (b"HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\nExpect: 100-continue", 1),
        (b"HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\nContent-Length: 3\r\nExpect: 100-continue", 1),
        (b"HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue", 0),
        (b"HTTP/1.1\r\nhost: a\r\nContent-Length: 0\r\nExpect: 100-continue", 0),
        (b"HTTP/1.1\r\nhost: a\r\nExpect: 100-continue", 0),
        (b"HTTP/1.1\r\nhost: a\r\nContent-Length: 99\r\nExpect: 100-continue", 0),
    ],
)
def test_who_is_told_to_go_on(lines, count, monkeypatch):
    @with_connection
    async def run(connection, transport):
        receive(connection, b"POST / %b\r\n\r\n" % lines)
        assert transport.statuses.count(100) == count

    run(monkeypatch)


@with_connection
async def test_a_body_does_not_count_as_head(connection, application, transport):
    application.max_body_bytes = 50_000
    receive(connection, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 40000\r\n\r\n")
    for _ in range(4):
        receive(connection, b"x" * 10_000)
    application.answer()
    receive(connection, b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * 16_000)
    assert transport.statuses == [200]


@with_connection
async def test_a_body_as_large_as_it_may_be(connection, application):
    receive(
        connection,
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n6\r\nefghij\r\n0\r\n\r\n",
    )
    assert application.requests[0].body == b"abcdefghij"
    application.answer()
    receive(connection, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n0123456789")
    assert application.requests[0].body == b"0123456789"


@with_connection
async def test_bodies_that_there_is_no_room_for_are_refused_before_they_come(connection, application, transport):
    application.room = BodyRoom([0.0, 7500.0], [0, 1], 0, 7506)
    receive(connection, b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 7\r\n\r\n")
    assert transport.statuses == [503]
    assert b"Too many bodies are being received." in transport.written
    assert application.room.used == 0


@with_connection
async def test_chunks_that_there_is_no_room_for_are_refused_as_they_come(connection, application, transport):
    application.room = BodyRoom([0.0, 7500.0], [0, 1], 0, 7506)
    receive(connection, b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
    assert application.room.used == 6
    receive(connection, b"1\r\ng\r\n")
    assert transport.statuses == [503]
    assert application.room.used == 0


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a/b?c=d?e", "/a/b", "c=d?e"),
        (b"http://host:1/a/b?c", "/a/b", "c"),
        (b"http://host", "/", ""),
        (b"*", "*", ""),
        (b"/a?u=http://x/y", "/a", "u=http://x/y"),
        (b"/%70ing?%70", "/ping", "%70"),
        (b"/a%2fb%2Fc%25d/%C3%A9", "/a%2fb%2Fc%25d/é", ""),
    ],
)
def test_forms_of_the_target(target, path, query, monkeypatch):
    @with_connection
    async def run(connection, application):
        receive(connection, b"OPTIONS " + target + b" HTTP/1.1\r\nhost: x\r\nX-A: 1\r\n\r\n")
        (request,) = application.requests
        assert (request.path, request.query) == (path, query)
        assert (request.header(b"x-a"), request.header(b"x-b")) == ("1", "")

    run(monkeypatch)


@with_connection
async def test_what_follows_an_upgrade_is_read(connection, application):
    head = b"POST /1 HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc"
    receive(connection, head + GET % b"2")
    application.answer()
    assert [(request.path, request.keep_alive) for request in application.requests] == [("/2", True)]
