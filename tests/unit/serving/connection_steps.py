"""What can happen to a connection: the steps of the test against the model of HTTP, and what they lead to there."""

import array
import asyncio
import fcntl
import socket
import termios
from types import SimpleNamespace
from unittest import mock

import http_model
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sagemaker_rl.serving import http_connection, http_requests
from sagemaker_rl.serving.body_room import BodyRoom
from sagemaker_rl.serving.http_connection import BUSY, IDLE, WRITING, Connection

SECONDS_TO_RECEIVE = 30.0
SLOT = 2
HIGH_WATER = 64 * 1024
"""Bytes that uvloop holds back before it tells a connection to write no more."""
SIZES = st.sampled_from([0, 1, 7, 300, 20_000, 300_000])


class Application:
    """Answers when it is told to.

    Attributes:
        in_hand: the requests that it has not answered.
        handled: all that it got.
    """

    max_body_bytes = http_model.MAX_BODY

    def __init__(self):
        self.room = BodyRoom([0.0], [0], 0, 100 * http_model.MAX_BODY)
        self.handled = []
        self.in_hand = []

    def handle(self, request):
        self.handled.append(request)
        self.in_hand.append(request)

    def refuse(self, request, status, detail):
        request.connection.respond(request, status, detail.encode(), "text/plain", b"", False)


class ConnectionSteps(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = uvloop.new_event_loop()
        self.errors = []  # in the loop's callbacks
        self.loop.set_exception_handler(lambda loop, context: self.errors.append(context))
        self.now = 1000.0
        self.states = bytearray([9] * 5)
        self.states[SLOT] = IDLE
        self.application = Application()
        self.lost = []
        server, self.client = socket.socketpair()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        server.setblocking(False)
        self.client.setblocking(False)
        self.loop.run_until_complete(self.accept(server))
        # what the client did
        self.least_answers = 0
        self.requests: list[http_model.Sent] = []
        self.stream = b""  # all that was composed
        self.sent = 0  # bytes of it that the socket took
        self.has_shut = False  # it sends no more
        self.has_left = False
        self.has_waited = False
        self.is_over = False  # the server may have closed it: the answer before was the last
        self.reader = http_model.AnswerReader()
        self.at_eof = False
        self.expected: list[tuple[int, bytes]] = []  # status and body of the answers that were given
        self.server_closes_after: int | None = None  # number of answers
        self.required_continues: set[int] = set()
        self.partial_since = (self.now, self.now)  # earliest and latest
        self.active_since = (self.now, self.now)

    @initialize(
        kinds=st.lists(st.tuples(st.sampled_from(http_model.REQUESTS), SIZES), min_size=1, max_size=8),
        last=st.one_of(st.none(), st.tuples(st.sampled_from(http_model.LAST_REQUESTS), SIZES)),
        answers=st.integers(0, 8),
    )
    def compose(self, kinds, last, answers):
        """Choose what the client will send, and after how many answers it may leave."""
        for kind, size in [*kinds, last] if last else kinds:
            request = kind(len(self.requests), size)
            request.start = len(self.stream)
            self.requests.append(request)
            self.stream += request.content
        self.least_answers = min(answers, len(kinds))

    @property
    def may_end(self):
        return len(self.expected) >= self.least_answers

    async def accept(self, server):
        real = asyncio.get_running_loop()
        loop = SimpleNamespace(
            time=lambda: self.now,
            call_soon=real.call_soon,
            call_later=lambda seconds, function: real.call_soon(function),
        )
        with mock.patch.object(http_requests, "asyncio", SimpleNamespace(get_running_loop=lambda: loop)):
            self.connection = Connection(self.application, self.states, bytes(5), SLOT, self.lost.append)
        await real.connect_accepted_socket(lambda: self.connection, server)

    # --- What the client does ----------------------------------------------------------------------------------------
    @precondition(lambda self: self.sent < len(self.stream) and not self.has_shut)
    @rule(count=st.sampled_from([1, 17, 60, 5000, 10**9, 10**9, 10**9]))
    def send(self, count):
        """Send so many bytes, or as many as the socket takes while the server reads."""
        self.has_waited = False
        blocked_with = (len(self.application.handled), self.application.room.used) if self.is_blocked else None
        stop = min(self.sent + count, len(self.stream))
        while self.sent < stop:
            before, was_free = self.sent, self.is_free
            try:
                self.sent += self.client.send(self.stream[self.sent : stop])
            except BlockingIOError:
                break
            except (BrokenPipeError, ConnectionResetError):
                assert self.is_over or self.connection._transport is None
                self.sent = stop  # nobody reads it
                break
            for request in self.requests:
                head_end = request.start + request.head_size
                is_first = request.number == len(self.expected)
                if request.expects_continue and is_first and was_free and before < head_end <= self.sent:
                    self.required_continues.add(request.number)
            self.settle()
        if blocked_with is not None:
            assert (len(self.application.handled), self.application.room.used) == blocked_with

    @precondition(lambda self: self.sent < len(self.stream) and not self.has_shut)
    @rule()
    def send_all_but_one_byte(self):
        if (count := len(self.stream) - self.sent - 1) > 0:
            self.send(count)

    @precondition(lambda self: self.unread() or (self.connection.closing and not self.at_eof and not self.has_left))
    @rule(count=st.sampled_from([1, 100, 5000, 10**9, 10**9]))
    def read(self, count):
        while count > 0:
            try:
                data = self.client.recv(min(count, 262_144))
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            if not data:
                self.at_eof = True
                break
            count -= len(data)
            self.reader.feed(data, lambda place: self.requests[place].method == "HEAD")
            self.settle()
        self.settle()

    @precondition(lambda self: self.may_end and not self.has_shut)
    @rule()
    def shut(self):
        """Send no more, and go on reading."""
        self.has_shut = True
        try:
            self.client.shutdown(socket.SHUT_WR)
        except OSError:
            assert self.connection._transport is None
        self.settle()

    @precondition(lambda self: self.may_end and not self.has_left)
    @rule()
    def leave(self):
        """Close with whatever is unread."""
        self.has_left = self.has_shut = True
        self.client.close()
        self.settle()

    # --- What the server does ----------------------------------------------------------------------------------------
    @precondition(lambda self: self.application.in_hand)
    @rule(size=st.sampled_from([0, 5, 16_384, 16_385, 150_000]), close=st.sampled_from([False] * 9 + [True]))
    def answer(self, size, close):
        self.has_waited = False
        (request,) = self.application.in_hand
        self.application.in_hand.clear()
        number = len(self.expected)
        body = http_model.body_of(number, size)
        self.expected.append((201, body))
        if close:
            self.server_closes_after = len(self.expected)
        self.active_since = (self.now, self.now)
        state = self.states[SLOT]
        request.connection.respond(request, 201, body, "text/plain", b"x-number: %d\r\n" % number, close)
        if size > http_connection.MAX_BYTES_AT_ONCE and self.connection._transport is not None:
            assert self.states[SLOT] == WRITING  # at once: a part of it may have left
        else:
            assert self.states[SLOT] == state
        self.settle()
        assert not (self.is_blocked and self.application.in_hand)

    @precondition(lambda self: self.is_free and self.may_end)
    @rule()
    def wait_for_long(self):
        self.wait(601.0)

    @precondition(lambda self: not self.has_waited and (self.partial is not None or self.connection.closing))
    @rule(seconds=st.sampled_from([2.1, 29.0, 30.5]))
    def wait(self, seconds):
        self.has_waited = True
        was_quiet = self.is_quiet
        partial = self.partial
        was_closed = self.connection.closing or self.has_shut
        self.now += seconds
        self.connection.enforce_timeouts(self.now, SECONDS_TO_RECEIVE)
        self.settle()
        if was_closed:
            return
        if partial is not None:
            earliest, latest = (self.now - since for since in self.partial_since)
            if earliest <= SECONDS_TO_RECEIVE and not partial.refusal:
                assert not self.connection.closing
            elif was_quiet and latest > SECONDS_TO_RECEIVE:
                assert self.connection.closing
            if self.connection.closing:
                partial.refusal, partial.is_last = 408, True
                self.has_shut = True  # what it sends now is thrown away
        elif was_quiet:
            earliest, latest = (self.now - since for since in self.active_since)
            if earliest <= http_connection.SECONDS_IDLE:
                assert not self.lost
            elif latest > http_connection.SECONDS_IDLE:
                assert self.lost
                self.is_over = self.has_shut = True

    @rule()
    def tick(self):
        self.connection.enforce_timeouts(self.now, SECONDS_TO_RECEIVE)
        self.settle()

    def settle(self):
        """Turn the loop until nothing moves any more."""

        async def turn():
            for _ in range(3):
                await asyncio.sleep(0)

        before = None
        while before != (before := self.progress()):
            self.loop.run_until_complete(turn())

    def progress(self):
        return (
            len(self.application.handled),
            self.application.room.used,
            self.unwritten(),
            self.unread(),
            self.connection._unparsed_bytes,
            len(self.lost),
            self.connection.closing,
        )

    def unwritten(self):
        """Bytes that wait in the server."""
        transport = self.connection._transport
        return transport.get_write_buffer_size() if transport is not None else 0

    def unread(self):
        """Bytes that wait for the client."""
        if self.client.fileno() < 0:
            return 0
        count = array.array("i", [0])
        fcntl.ioctl(self.client, termios.FIONREAD, count)
        return count[0]

    # --- The model ---------------------------------------------------------------------------------------------------
    @property
    def is_free(self):
        """Whether nothing is in hand, and no answer waits for its reader."""
        return not self.application.in_hand and not self.unwritten() and not self.unread()

    @property
    def is_blocked(self):
        """Whether so much of an answer waits for its reader that nothing more is read from it."""
        return self.unwritten() > HIGH_WATER

    @property
    def is_quiet(self):
        return self.is_free and not self.whole[len(self.expected) :]

    @property
    def whole(self):
        """The requests that have been sent to their end, as far as the last that is read."""
        whole = []
        for request in self.requests:
            if self.sent < request.end:
                break
            whole.append(request)
            if request.is_last or self.server_closes_after == len(whole):
                break
        return whole

    @property
    def partial(self):
        """The request of which a part has been sent."""
        whole = self.whole
        if whole and (whole[-1].is_last or self.server_closes_after == len(whole)):
            return None
        rest = self.requests[len(whole) :]
        return rest[0] if rest and self.sent > rest[0].start else None
