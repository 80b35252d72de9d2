"""Reading requests: limits at, inside and outside their ends, bodies of both kinds, and lines that arrive in pieces."""

import pytest
from one_connection import GET, POST, receive, with_connection
from sagemaker_rl.serving import http_requests


@pytest.mark.parametrize("header", [b"content-length: 11", b"transfer-encoding: chunked"])
def test_a_body_that_is_too_large_is_refused(header, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        receive(connection, b"POST / HTTP/1.1\r\n" + header + b"\r\n\r\nb\r\n12345678901\r\n")
        assert transport.statuses == [413]
        assert application.buffered_bytes == 0
        assert b"connection: close" in transport.written

    run(monkeypatch)


@with_connection
async def test_an_upgrade_is_not_accepted_and_its_body_is_read(connection, application):
    head = b"POST / HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\n"
    receive(connection, head + b"abc")
    (request,) = application.requests
    assert (request.method, request.body) == ("POST", b"abc")


@with_connection
async def test_connect_is_answered_after_what_came_before_it(connection, application, transport):
    receive(connection, GET % b"1" + b"CONNECT a:1 HTTP/1.1\r\n\r\n")
    assert not transport.is_closed
    application.answer()
    application.answer()
    assert transport.statuses == [200, 200]
    assert transport.is_closed


@with_connection
async def test_a_request_line_may_arrive_in_pieces(connection, application):
    for piece in (b"GE", b"T /mod", b"els?lim", b"it=2 HTTP/1.1\r\n", b"\r\n"):
        receive(connection, piece)
    (request,) = application.requests
    assert (request.method, request.path, request.query) == ("GET", "/models", "limit=2")


@pytest.mark.parametrize(
    ("count", "statuses"), [(http_requests.MAX_HEADERS, [200]), (http_requests.MAX_HEADERS + 1, [431])]
)
def test_as_many_headers_as_there_may_be(count, statuses, monkeypatch):
    @with_connection
    async def run(connection, application, transport):
        receive(connection, b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(count)) + b"\r\n")
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
        for piece in (b"GET " + target[:5000], target[5000:] + b" HTTP/1.1\r\n\r\n"):
            receive(connection, piece)
        if application.requests:
            application.answer()
        assert transport.statuses == statuses

    run(monkeypatch)


@pytest.mark.parametrize(("size", "statuses"), [(http_requests.MAX_HEADER_BYTES, []), (None, [431])])
def test_a_head_as_long_as_it_may_be(size, statuses, monkeypatch):
    @with_connection
    async def run(connection, transport):
        first = b"GET / HTTP/1.1\r\na: "
        receive(connection, first)
        receive(connection, b"b" * ((size or http_requests.MAX_HEADER_BYTES + 1) - len(first)))
        assert transport.statuses == statuses

    run(monkeypatch)


@with_connection
async def test_a_body_does_not_count_as_head(connection, application, transport):
    application.max_body_bytes = 50_000
    receive(connection, b"POST / HTTP/1.1\r\ncontent-length: 40000\r\n\r\n")
    for _ in range(4):
        receive(connection, b"x" * 10_000)
    application.answer()
    receive(connection, b"GET / HTTP/1.1\r\na: " + b"b" * 16_000)
    assert transport.statuses == [200]


@with_connection
async def test_a_body_as_large_as_it_may_be(connection, application):
    receive(connection, b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n6\r\nefghij\r\n0\r\n\r\n")
    assert application.requests[0].body == b"abcdefghij"
    application.answer()
    receive(connection, b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n0123456789")
    assert application.requests[0].body == b"0123456789"


@with_connection
async def test_bodies_that_there_is_no_room_for_are_refused_before_they_come(connection, application, transport):
    asked = []
    application.may_buffer = lambda size: asked.append(size)
    receive(connection, b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 7\r\n\r\n")
    assert asked == [7]
    assert transport.statuses == [503]
    assert b"Too many bodies are being received." in transport.written


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a/b?c=d?e", "/a/b", "c=d?e"),
        (b"http://host:1/a/b?c", "/a/b", "c"),
        (b"http://host", "/", ""),
        (b"*", "*", ""),
        (b"/a?u=http://x/y", "/a", "u=http://x/y"),
    ],
)
def test_forms_of_the_target(target, path, query, monkeypatch):
    @with_connection
    async def run(connection, application):
        receive(connection, b"OPTIONS " + target + b" HTTP/1.1\r\nX-A: 1\r\n\r\n")
        (request,) = application.requests
        assert (request.path, request.query) == (path, query)
        assert (request.header(b"x-a"), request.header(b"x-b")) == ("1", "")

    run(monkeypatch)


@with_connection
async def test_what_follows_an_upgrade_is_read(connection, application):
    head = b"POST /1 HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc"
    receive(connection, head + GET % b"2")
    application.answer()
    assert [(request.path, request.keep_alive) for request in application.requests] == [("/2", True)]
