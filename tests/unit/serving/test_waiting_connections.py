"""Connections without a worker: how long they wait, what the supervisor answers, and when it closes them."""

import selectors
import socket

import pytest
from sagemaker_rl.serving import waiting_connections
from sagemaker_rl.serving.waiting_connections import WaitingConnections

REQUEST = b"GET /ping HTTP/1.1\r\n\r\n"


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(waiting_connections, "time", clock)
    return clock


@pytest.fixture
def selector():
    with selectors.DefaultSelector() as selector:
        yield selector


@pytest.fixture
def waiting(selector, clock):
    return WaitingConnections(selector)


@pytest.fixture
def pair():
    server, client = socket.socketpair()
    server.setblocking(False)
    client.settimeout(5)
    with server, client:
        yield server, client


def read(selector) -> None:
    for key, _ in selector.select(0):
        key.data()


def test_a_worker_may_take_it_until_something_was_read(waiting, selector, clock, pair):
    server, client = pair
    waiting.add(server, 1.0)
    clock.now += 1
    waiting.enforce_deadlines()
    assert waiting.untouched() == [server]  # it is watched, and a worker can still take it
    clock.now += 1000
    waiting.enforce_deadlines()
    assert waiting.untouched() == [server]
    client.sendall(b"GET ")
    read(selector)
    assert waiting.untouched() == []


def test_nothing_is_read_before_its_time(waiting, selector, clock, pair):
    server, client = pair
    waiting.add(server, 1.0)
    client.sendall(REQUEST)
    clock.now += 0.9
    waiting.enforce_deadlines()
    read(selector)
    waiting.remove(server)
    assert not waiting
    assert server.recv(100) == REQUEST  # all of it is there for the worker


def test_a_request_is_answered_by_503_and_the_connection_closed_a_second_later(waiting, selector, clock, pair):
    server, client = pair
    waiting.add(server, 0.0)
    waiting.enforce_deadlines()
    client.sendall(REQUEST)
    read(selector)
    answer = client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"No worker can answer at the moment." in answer
    client.sendall(b"more")  # is read and thrown away
    read(selector)
    clock.now += 1
    waiting.enforce_deadlines()
    assert len(waiting) == 1
    clock.now += 0.1
    waiting.enforce_deadlines()
    assert not waiting
    assert server.fileno() == -1


def test_half_a_request_is_closed_after_five_seconds(waiting, selector, clock, pair):
    server, client = pair
    waiting.add(server, 0.0)
    waiting.enforce_deadlines()
    client.sendall(REQUEST[:10])
    read(selector)
    clock.now += 5
    waiting.enforce_deadlines()
    assert len(waiting) == 1
    clock.now += 0.1
    waiting.enforce_deadlines()
    assert not waiting
    assert client.recv(100) == b""


def test_a_client_that_leaves_is_forgotten(waiting, selector, pair):
    server, client = pair
    waiting.add_answered(server)
    client.close()
    read(selector)
    assert not waiting
    assert not selector.get_map()


def test_a_head_as_long_as_it_may_be(waiting, selector, clock, pair):
    server, client = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    waiting.add(server, 0.0)
    waiting.enforce_deadlines()
    client.sendall(b"x" * waiting_connections.MAX_HEAD_BYTES)
    read(selector)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    client.sendall(b"x")
    read(selector)
    assert client.recv(20).startswith(b"HTTP/1.1 503 ")


def test_an_answered_connection_is_not_answered_again(waiting, selector, clock, pair):
    server, client = pair
    waiting.add_answered(server)
    assert waiting.untouched() == []
    assert list(waiting) == [server]
    client.sendall(REQUEST)
    read(selector)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    clock.now += waiting_connections.SECONDS_TO_LINGER
    waiting.enforce_deadlines()
    assert len(waiting) == 1
    clock.now += 0.01
    waiting.enforce_deadlines()
    assert not waiting
    assert not selector.get_map()


def test_the_whole_answer_503(pair):
    server, client = pair
    waiting_connections.answer_503(server, b"Why.")
    waiting_connections.answer_503(server, b"Why.")  # its sending side is shut: no concern
    head, _, body = client.recv(1000).partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = dict(line.split(b": ") for line in lines)
    assert first == b"HTTP/1.1 503 Service Unavailable"
    assert len(headers.pop(b"x-request-id")) == 12
    assert headers == {
        b"content-type": b"application/json",
        b"retry-after": b"1",
        b"content-length": b"%d" % len(body),
        b"connection": b"close",
    }
    assert body == b'{"error":"service unavailable","detail":"Why."}'
    assert client.recv(1) == b""


def test_a_client_that_resets_is_forgotten(waiting, selector, clock, pair):
    server, client = pair
    waiting.add(server, 0.0)
    waiting.enforce_deadlines()
    server.send(b"unread")
    client.close()
    read(selector)
    assert not waiting
    assert server.fileno() == -1
