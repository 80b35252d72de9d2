"""One connection without a network: order, states that other processes see, timeouts, and the bytes that it holds."""

import asyncio
import inspect
import json
from types import SimpleNamespace

import pytest
from sagemaker_rl.serving import http_connection
from sagemaker_rl.serving.http_connection import BUSY, IDLE, WRITING, Connection

GET = b"GET /%b HTTP/1.1\r\n\r\n"
POST = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc"


class FakeTransport:
    """Keeps what is written."""

    def __init__(self):
        self.written = b""
        self.unsent = 0
        self.is_closed = False
        self.is_reading = True

    def write(self, data):
        self.written += data

    def get_write_buffer_size(self):
        return self.unsent

    def pause_reading(self):
        self.is_reading = False

    def resume_reading(self):
        self.is_reading = True

    def can_write_eof(self):
        return True

    def write_eof(self):
        pass

    def close(self):
        self.is_closed = True

    abort = close

    @property
    def statuses(self):
        return [int(part[:3]) for part in self.written.split(b"HTTP/1.1 ")[1:]]


class FakeApplication:
    """Keeps the requests until it is told to answer."""

    max_body_bytes = 10

    def __init__(self):
        self.buffered_bytes = 0
        self.requests = []

    def handle(self, request):
        self.requests.append(request)

    def answer(self, body=b"ok", close=False):
        request = self.requests.pop(0)
        request.connection.respond(request, 200, body, "text/plain", b"", close)

    def refuse(self, request, status, detail):
        request.connection.respond(request, status, json.dumps({"detail": detail}).encode(), "", b"", False)

    def may_buffer(self, size):
        return True


def receive(connection, data):
    """Have a connection read as the loop does: into a buffer that it asks for first."""
    buffer = connection.get_buffer(-1)
    buffer[: len(data)] = data
    connection.buffer_updated(len(data))


def with_connection(test):
    """Run a test as a coroutine, with what it needs as arguments."""

    def run(monkeypatch):
        async def main():
            application, transport, states = FakeApplication(), FakeTransport(), bytearray(4)
            closed = []
            connection = Connection(application, states, 2, closed.append)
            connection.connection_made(transport)
            clock = SimpleNamespace(now=100.0)
            loop = SimpleNamespace(time=lambda: clock.now, call_soon=connection._loop.call_soon)
            loop.call_later = lambda seconds, function: connection._loop.call_soon(function)
            monkeypatch.setattr(connection, "_loop", loop)
            available = {
                "connection": connection,
                "application": application,
                "transport": transport,
                "states": states,
                "closed": closed,
                "clock": clock,
            }
            await test(**{name: available[name] for name in inspect.signature(test).parameters})

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@with_connection
async def test_requests_are_answered_one_after_the_other(connection, application, transport):
    receive(connection, GET % b"1" + GET % b"2" + GET % b"3")
    assert [request.path for request in application.requests] == ["/1"]
    assert not transport.is_reading  # no more than what has arrived
    for path in ("/2", "/3"):
        application.answer()
        assert [request.path for request in application.requests] == [path]
    application.answer()
    assert transport.statuses == [200] * 3
    assert transport.is_reading


@with_connection
async def test_a_refusal_comes_after_the_answers_before_it(connection, application, transport):
    receive(connection, GET % b"1" + b"nonsense\r\n\r\n")
    assert transport.written == b""
    application.answer()
    assert transport.statuses == [200, 400]
    receive(connection, GET % b"2")  # what a refused client still sends
    assert application.requests == []


@with_connection
async def test_the_state_is_busy_before_anything_is_read(connection, states, clock):
    """Killed in the middle of a read, a worker has taken bytes that no other worker would see."""
    connection.get_buffer(-1)
    assert states[2] == BUSY
    connection.enforce_timeouts(clock.now, 30)  # nothing was there to be read
    assert states[2] == IDLE


@with_connection
async def test_the_state_is_busy_until_the_answer_has_left(connection, application, transport, states):
    assert states[2] == IDLE
    receive(connection, POST[:-1])
    assert states[2] == BUSY
    receive(connection, POST[-1:])
    transport.unsent = 1
    application.answer()
    assert states[2] == BUSY
    await asyncio.sleep(0)
    assert states[2] == WRITING  # the client reads slowly
    transport.unsent = 0
    await asyncio.sleep(0.001)
    assert states[2] == IDLE
    assert list(states[:2]) == [0, 0]


@with_connection
async def test_a_large_answer_is_marked_before_it_leaves(connection, application, states):
    receive(connection, GET % b"1")
    application.answer(b"x" * (http_connection.MAX_BYTES_AT_ONCE + 1))
    assert states[2] == WRITING


@with_connection
async def test_buffered_bytes_are_given_back(connection, application, closed):
    receive(connection, POST + POST)
    assert application.buffered_bytes == 6
    application.answer()
    assert application.buffered_bytes == 3
    receive(connection, POST[:-1])
    connection.connection_lost(None)
    assert application.buffered_bytes == 0
    assert closed == [connection]


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
async def test_a_request_that_does_not_arrive_is_refused(connection, transport, clock):
    receive(connection, POST[:-1])
    connection.enforce_timeouts(clock.now + 30, 30)
    assert transport.statuses == []
    connection.enforce_timeouts(clock.now + 30.1, 30)
    assert transport.statuses == [408]
    assert not transport.is_closed  # it lingers: the client may still be sending
    connection.enforce_timeouts(clock.now + http_connection.SECONDS_TO_LINGER + 0.1, 30)
    assert transport.is_closed


@with_connection
async def test_an_idle_connection_is_closed_after_a_while(connection, application, transport, clock):
    receive(connection, GET % b"1")
    connection.enforce_timeouts(clock.now + 10_000, 30)
    assert not transport.is_closed  # it waits for its answer
    application.answer()
    connection.enforce_timeouts(clock.now + http_connection.SECONDS_IDLE, 30)
    assert not transport.is_closed
    connection.enforce_timeouts(clock.now + http_connection.SECONDS_IDLE + 0.1, 30)
    assert transport.is_closed


@with_connection
async def test_an_upgrade_is_not_accepted_and_its_body_is_read(connection, application):
    head = b"POST / HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\n"
    receive(connection, head + b"abc")
    (request,) = application.requests
    assert (request.method, request.body) == ("POST", b"abc")


@with_connection
async def test_the_server_may_close(connection, application, transport):
    receive(connection, GET % b"1" + GET % b"2")
    application.answer(close=True)
    assert transport.is_closed
    assert application.requests == []
    assert transport.statuses == [200]
