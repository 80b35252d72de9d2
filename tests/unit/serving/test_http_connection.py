"""One connection without a network: order, states that other processes see, timeouts, and the bytes that it holds."""

import asyncio

import pytest
from one_connection import GET, POST, receive, with_connection
from sagemaker_rl.serving import http_connection
from sagemaker_rl.serving.http_connection import BUSY, IDLE, WRITING


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
async def test_only_a_connection_that_holds_nothing_may_be_moved(connection, application, transport):
    assert connection.may_be_moved
    receive(connection, POST[:-1])
    assert not connection.may_be_moved, "half a request"
    receive(connection, POST[-1:])
    assert not connection.may_be_moved, "a request"
    application.answer()
    assert not connection.may_be_moved, "its state is about to be written"
    await asyncio.sleep(0)
    assert connection.may_be_moved
    transport.unsent = 1
    assert not connection.may_be_moved, "an answer"
    transport.unsent = 0
    connection.pause_writing()
    assert not connection.may_be_moved
    connection.resume_writing()
    assert connection.may_be_moved
    connection.close()
    assert not connection.may_be_moved


@with_connection
async def test_a_large_answer_is_marked_before_it_leaves(connection, application, states):
    receive(connection, GET % b"1")
    application.answer(b"x" * (http_connection.MAX_BYTES_AT_ONCE + 1))
    assert states[2] == WRITING


@with_connection
async def test_buffered_bytes_are_given_back(connection, application, closed):
    receive(connection, POST + POST)
    assert application.room.used == 6
    application.answer()
    assert application.room.used == 3
    receive(connection, POST[:-1])
    connection.connection_lost(None)
    assert application.room.used == 0
    assert closed == [connection]


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
async def test_the_server_may_close(connection, application, transport):
    receive(connection, GET % b"1" + GET % b"2")
    application.answer(close=True)
    assert transport.is_closed
    assert application.requests == []
    assert transport.statuses == [200]


@with_connection
async def test_a_client_that_does_not_read_is_not_read_from(connection, application, transport):
    """What it pipelined waits, too, until its answers have left."""

    def write(data):
        transport.written += data
        connection.pause_writing()  # as a transport does whose buffer is full

    transport.write = write
    application.handle = lambda request: (application.requests.append(request), application.answer())
    receive(connection, GET % b"1" + GET % b"2" + POST)
    assert transport.statuses == [200]
    assert not transport.is_reading
    assert application.room.used == 3
    connection.resume_writing()
    assert transport.statuses == [200, 200]
    assert not transport.is_reading
    connection.resume_writing()
    assert transport.statuses == [200] * 3
    connection.resume_writing()
    assert transport.is_reading
    assert application.room.used == 0


@with_connection
async def test_reading_pauses_while_an_answer_waits(connection, transport):
    connection.pause_writing()
    assert not transport.is_reading
    connection.resume_writing()
    assert transport.is_reading


@with_connection
async def test_a_client_that_shuts_its_side_gets_its_answer(connection, application, transport):
    receive(connection, GET % b"1" + POST[:-1])
    assert connection.eof_received()
    assert application.room.used == 0  # the rest of the second never comes
    application.answer()
    assert transport.statuses == [200]
    assert b"connection: close" in transport.written
    assert transport.is_closed
    assert not connection.eof_received()


@with_connection
async def test_time_does_not_pass_for_a_request_that_is_not_read(connection, application, transport, clock):
    receive(connection, GET % b"1" + GET % b"2" + POST[:-1])
    clock.now += 100
    connection.enforce_timeouts(clock.now, 30)
    application.answer()
    application.answer()
    assert transport.is_reading
    connection.enforce_timeouts(clock.now + 30, 30)
    assert transport.statuses == [200] * 2
    connection.enforce_timeouts(clock.now + 30.1, 30)
    assert transport.statuses == [200] * 2 + [408]


TOO_LARGE = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n"


@with_connection
async def test_a_refused_client_that_reads_slowly_gets_its_answers(connection, application, transport, clock):
    """The time to linger begins when they have left, and what is unread takes room until then."""
    receive(connection, GET % b"1" + TOO_LARGE)
    transport.unsent = 3
    application.answer()
    assert transport.statuses == [200, 413]
    for unsent in (3, 2, 1):
        transport.unsent = unsent
        await asyncio.sleep(0.001)
        assert application.room.used == unsent
        clock.now += http_connection.SECONDS_TO_READ
        connection.enforce_timeouts(clock.now, 30)
        assert not transport.is_closed
    transport.unsent = 0
    await asyncio.sleep(0.001)
    assert application.room.used == 0
    connection.enforce_timeouts(clock.now, 30)
    assert transport.is_closed


@pytest.mark.parametrize("first", [TOO_LARGE, GET % b"1"])
def test_a_client_that_never_reads_is_closed_in_the_end(first, monkeypatch):
    @with_connection
    async def run(connection, application, transport, clock):
        receive(connection, first)
        transport.unsent = 1
        if application.requests:
            application.answer()
        await asyncio.sleep(0.001)
        connection.enforce_timeouts(clock.now + http_connection.SECONDS_TO_READ, 30)
        assert not transport.is_closed
        connection.enforce_timeouts(clock.now + http_connection.SECONDS_TO_READ + 0.1, 30)
        assert transport.is_closed
        connection.connection_lost(None)
        assert application.room.used == 0

    run(monkeypatch)


@with_connection
async def test_a_refused_client_that_sends_on_gets_no_second_answer(connection, transport, states):
    """The supervisor answers for a process that dies only what is BUSY."""
    receive(connection, TOO_LARGE)
    await asyncio.sleep(0.001)
    assert (transport.statuses, states[2]) == ([413], WRITING)
    receive(connection, b"abc")
    assert states[2] == WRITING


@with_connection
async def test_from_a_revoked_connection_nothing_more_is_read(connection, application, transport, states, revoked):
    receive(connection, POST)
    revoked[2] = 1
    connection.enforce_timeouts(0, 30)
    receive(connection, b"")  # of a request that it has begun
    application.answer()
    await asyncio.sleep(0.001)
    assert transport.statuses == [200]
    assert not connection.is_given_back
    with pytest.raises(ConnectionAbortedError):
        connection.get_buffer(-1)
    assert connection.is_given_back
    assert states[2] == BUSY  # and stays so until the supervisor knows: it must not be given to another meanwhile


@with_connection
async def test_an_idle_connection_is_given_back_at_the_next_tick(connection, transport, revoked):
    connection.enforce_timeouts(0, 30)
    assert not transport.is_closed
    revoked[2] = 1
    connection.enforce_timeouts(0, 30)
    assert transport.is_closed
    assert connection.is_given_back


@with_connection
async def test_what_is_closed_by_the_server_gives_back_what_it_held(connection, application, transport):
    receive(connection, POST + POST + POST[:-1])
    assert application.room.used == 9
    application.answer(close=True)
    assert application.room.used == 0
    assert not transport.is_closed  # it lingers, and times out once only
    connection.enforce_timeouts(1000, 30)
    assert transport.statuses == [200]
    assert transport.is_closed


@with_connection
async def test_heads_of_answers(connection, application, transport):
    """The whole head: of a plain answer, of one to HTTP/1.0 that keeps, of one to HEAD, of a status without a name."""
    receive(connection, GET % b"1")
    application.answer(b"abc")
    assert transport.written == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nabc"
    transport.written = b""
    receive(connection, b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    application.answer(b"")
    end = b"content-type: text/plain\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n"
    assert transport.written == b"HTTP/1.1 200 OK\r\n" + end
    transport.written = b""
    receive(connection, b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
    request = application.requests.pop()
    connection.respond(request, 299, b"abcd", "", b"a: b\r\n", True)
    assert transport.written == b"HTTP/1.1 299 \r\na: b\r\ncontent-length: 4\r\nconnection: close\r\n\r\n"
    connection.respond(request, 200, b"again", "", b"", False)  # is answered already
    assert transport.written.endswith(b"close\r\n\r\n")


@with_connection
async def test_a_connection_that_is_gone_takes_no_answer(connection, application, transport):
    receive(connection, POST)
    connection.connection_lost(None)
    application.answer()
    assert transport.written == b""
    assert application.room.used == 0
    assert connection.closing
