"""A real connection, on a real loop and a real socket, against the model of HTTP in ``http_model``.

The client pipelines, splits its requests at any byte, reads slowly, shuts its side, and leaves. After each step what
the client has read, what the application got, the state that other processes see and the counters must be the model's.
"""

from connection_steps import SECONDS_TO_RECEIVE, SLOT, ConnectionSteps
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant
from sagemaker_rl.serving.http_connection import BUSY, IDLE, WRITING


class ConnectionAgainstHttp(ConnectionSteps):
    def teardown(self):
        try:
            self.finish()
        finally:
            self.client.close()
            self.connection.abort()
            self.settle()
            self.loop.close()

    @invariant()
    def nothing_failed(self):
        assert not self.errors

    @invariant()
    def what_the_application_got(self):
        for request, sent in zip(self.application.handled, self.requests, strict=False):
            assert (request.method, request.path, request.body) == (sent.method, f"/{sent.number}", sent.body)
            assert not sent.refusal
        assert len(self.application.handled) <= len([sent for sent in self.whole if not sent.refusal])
        assert len(self.application.in_hand) <= 1

    @invariant()
    def what_the_client_read(self):
        for place, answer in enumerate(self.reader.answers):
            sent = self.requests[place]
            if place < len(self.expected):
                status, body = self.expected[place]
                assert answer.headers[b"x-number"] == b"%d" % place
                assert answer.body == (b"" if sent.method == "HEAD" else body)
                assert int(answer.headers[b"content-length"]) == len(body)
            else:
                status = sent.refusal
            assert answer.status == status
            if sent.is_last or self.server_closes_after == place + 1:
                assert answer.headers[b"connection"] == b"close"
            elif answer.headers.get(b"connection") == b"close":
                assert self.has_shut
                assert place + 1 == len(self.reader.answers)
            elif b" HTTP/1.0" in sent.content[:20]:
                assert answer.headers[b"connection"] == b"keep-alive"
        for place in self.reader.continues:
            assert self.requests[place].expects_continue

    @invariant()
    def nothing_hangs(self):
        if not self.is_free or self.has_left:
            return
        answered, whole = len(self.reader.answers), self.whole
        assert set(self.reader.continues) >= self.required_continues
        assert self.is_over or answered >= len(self.expected)
        refused = [sent for sent in self.requests[len(self.expected) : len(self.expected) + 1] if sent.refusal]
        if refused and (refused[0] in whole or refused[0].refusal == 408):
            assert answered == len(self.expected) + 1
        elif not self.is_over and self.server_closes_after is None:
            assert [sent.number for sent in whole] == list(range(len(self.expected)))
        last = answered and (self.requests[answered - 1].is_last or self.server_closes_after == answered)
        if last or self.is_over or self.has_shut:
            assert self.connection.closing

    @invariant()
    def what_other_processes_see(self):
        assert bytes(self.states) == b"\x09\x09%c\x09\x09" % self.states[SLOT]
        if self.connection.closing:
            return
        if self.unwritten():
            assert self.states[SLOT] == WRITING
        elif self.application.in_hand or self.partial is not None:
            assert self.states[SLOT] == BUSY
        elif self.is_quiet:
            assert self.states[SLOT] == IDLE

    @invariant()
    def what_is_counted(self):
        buffered = self.application.room.used
        assert buffered >= sum(len(request.body) for request in self.application.in_hand) * (not self.lost)
        partial = self.partial
        if self.lost or (self.is_quiet and (self.connection.closing or partial is None)):
            assert buffered == 0
        elif self.is_quiet and b"Content-Length" in partial.content:
            is_announced = self.sent >= partial.start + partial.head_size
            assert buffered == is_announced * len(partial.body)

    @invariant()
    def how_long_it_has_been_so(self):
        first = self.partial is None
        self.partial_since = (
            self.now if first else self.partial_since[0],
            self.now if first or not self.is_quiet else self.partial_since[1],
        )
        if not self.is_quiet:
            self.active_since = (self.active_since[0], self.now)

    def finish(self):
        """Answer everything, read everything, and leave: nothing is left."""
        while True:
            self.has_shut or self.send(10**9)
            self.has_left or self.read(10**9)
            if not self.application.in_hand:
                break
            self.answer(3, False)
        self.nothing_hangs()
        self.has_left or self.leave()
        self.now += 100
        self.connection.enforce_timeouts(self.now, SECONDS_TO_RECEIVE)
        self.now += 100
        self.connection.enforce_timeouts(self.now, SECONDS_TO_RECEIVE)
        self.settle()
        assert self.lost == [self.connection]
        assert not self.errors
        assert self.application.room.used == 0
        assert not self.application.in_hand


TestConnectionAgainstHttp = ConnectionAgainstHttp.TestCase
TestConnectionAgainstHttp.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # shrinking takes minutes: add Phase.shrink to look for the cause of a failure
)
