"""A connection without a network, whose transport, application and clock a test has in its hands."""

import asyncio
import inspect
import json
import re
from types import SimpleNamespace

import pytest
from sagemaker_rl.serving import http_connection, http_requests
from sagemaker_rl.serving.body_room import BodyRoom
from sagemaker_rl.serving.http_connection import BUSY, IDLE, WRITING, Connection

GET = b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"


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
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.written)]


class FakeApplication:
    """Keeps the requests until it is told to answer."""

    max_body_bytes = 10

    def __init__(self):
        self.room = BodyRoom([0.0], [0], 0, 10_000)
        self.requests = []

    def handle(self, request):
        self.requests.append(request)

    def answer(self, body=b"ok", close=False):
        request = self.requests.pop(0)
        request.connection.respond(request, 200, body, "text/plain", b"", close)

    def refuse(self, request, status, detail):
        request.connection.respond(request, status, json.dumps({"detail": detail}).encode(), "", b"", False)


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
            revoked = bytearray(4)
            closed = []
            clock = SimpleNamespace(now=100.0)
            real = asyncio.get_running_loop()
            loop = SimpleNamespace(time=lambda: clock.now, call_soon=real.call_soon)
            loop.call_later = lambda seconds, function: real.call_soon(function)
            monkeypatch.setattr(http_requests, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
            connection = Connection(application, states, revoked, 2, closed.append)
            connection.connection_made(transport)
            available = {
                "connection": connection,
                "application": application,
                "transport": transport,
                "states": states,
                "revoked": revoked,
                "closed": closed,
                "clock": clock,
            }
            await test(**{name: available[name] for name in inspect.signature(test).parameters})

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run
