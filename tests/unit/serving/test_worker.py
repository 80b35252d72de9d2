"""A worker in this process, at the other end of whose control socket the test is."""

import asyncio
import gc
import os
import signal
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sagemaker_rl.errors import PolicyError
from sagemaker_rl.serving import control, worker
from sagemaker_rl.serving.control import LOAD, UNLOAD, ModelOperation, Outcome
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared_state import SharedState

NUMBER = 3
ENVIRONMENT = {"SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND": "0", "SAGEMAKER_MODEL_SERVER_WORKERS": str(NUMBER + 1)}
PING = b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n"


class Ended(BaseException):
    """In the place of the process's end."""


class Supervisor:
    """What the test does in the supervisor's place.

    Attributes:
        messages: that the worker has sent and that no test has taken.
    """

    def __init__(self, monkeypatch, **environment):
        self.settings = Settings.from_environment({**ENVIRONMENT, **environment})
        self.state = SharedState()
        self.state.serving[0] = 1
        self.socket, self.other = control.socket_pair()
        self.messages = []
        monkeypatch.setattr(worker, "SECONDS_BETWEEN_TICKS", 0.001)

    def run(self, test, model=None):
        """Run a worker, and a test beside it until it has ended."""

        async def main():
            self.worker = worker.Worker(self.settings, self.state, NUMBER, self.other, model, {})
            task = asyncio.ensure_future(self.worker.run())
            try:
                await asyncio.wait_for(test(), 30)
                if self.socket.fileno() >= 0:
                    control.send(self.socket, control.DRAIN)
                await asyncio.wait_for(task, 30)
            finally:
                task.cancel()

        try:
            asyncio.run(main())
        finally:
            self.socket.close()
            self.other.close()

    async def message(self) -> bytes:
        """Wait for a message of the worker."""
        while (received := control.receive(self.socket)) is None:
            await asyncio.sleep(0.001)
        return received[0]

    def connect(self, slot):
        """Hand the worker a connection; return its client's side."""
        server, client = socket.socketpair()
        client.setblocking(False)
        assert control.send(self.socket, control.slot_message(control.CONNECTION, slot), server.fileno())
        server.close()
        return client

    async def ask(self, client, request) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, request)
        return await loop.sock_recv(client, 65536)


@pytest.fixture
def supervisor(monkeypatch):
    return Supervisor(monkeypatch)


@pytest.fixture
def multi_model(monkeypatch):
    return Supervisor(monkeypatch, SAGEMAKER_MULTI_MODEL="true")


def test_it_says_that_it_is_ready_and_answers_until_it_drains(supervisor):
    async def test():
        assert await supervisor.message() == control.READY
        client = supervisor.connect(5)
        assert (await supervisor.ask(client, PING)).startswith(b"HTTP/1.1 200 ")
        client.close()
        assert await supervisor.message() == control.slot_message(control.CLOSED, 5)

    supervisor.run(test, model=SimpleNamespace())


def test_its_heart_beats_in_its_own_place(supervisor):
    async def test():
        before = supervisor.state.heartbeats[NUMBER]
        while supervisor.state.heartbeats[NUMBER] == before or not before:
            before = before or supervisor.state.heartbeats[NUMBER]
            await asyncio.sleep(0.001)
        assert not any(beat for number, beat in enumerate(supervisor.state.heartbeats) if number != NUMBER)

    supervisor.run(test)


def test_a_connection_that_is_gone_before_it_is_taken_is_closed(supervisor, monkeypatch):
    async def test():
        await supervisor.message()

        async def refuse(factory, connection):
            factory()
            connection.close()
            raise OSError

        monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", refuse)
        supervisor.connect(7)
        assert await supervisor.message() == control.slot_message(control.CLOSED, 7)

    supervisor.run(test)


def test_draining_closes_idle_connections_after_half_a_second(supervisor, monkeypatch):
    """Until then, a request that is on its way is told that the server is about to end."""
    monkeypatch.setattr(worker, "SECONDS_TO_KEEP_IDLE", 1000.0)

    async def test():
        await supervisor.message()
        client = supervisor.connect(5)
        assert (await supervisor.ask(client, PING)).startswith(b"HTTP/1.1 200 ")
        control.send(supervisor.socket, control.DRAIN)
        while supervisor.worker._drain_deadline is None:
            await asyncio.sleep(0.001)
        now = asyncio.get_running_loop().time()
        assert now + 990 < supervisor.worker._idle_deadline <= now + 1000
        assert now + worker.SECONDS_TO_DRAIN - 5 < supervisor.worker._drain_deadline <= now + worker.SECONDS_TO_DRAIN
        supervisor.worker._continue_draining(now + 999.9 - 1000, now + 1)
        assert not supervisor.worker._drained.is_set()
        answer = await supervisor.ask(client, PING)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer
        assert await supervisor.message() == control.slot_message(control.CLOSED, 5)

    supervisor.run(test)


def test_draining_ends_at_its_deadline(supervisor):
    async def test():
        await supervisor.message()
        client = supervisor.connect(5)
        await supervisor.ask(client, PING)
        tested, (connection,) = supervisor.worker, supervisor.worker._connections
        tested._idle_deadline = 100.0
        tested._continue_draining(99.9, 99.9)
        assert not tested._drained.is_set()
        assert not connection.closing
        tested._continue_draining(99.95, 99.9)
        assert tested._drained.is_set()
        tested._drained.clear()
        tested._continue_draining(100.0, 200.0)
        assert connection.closing
        assert not tested._drained.is_set()
        await supervisor.message()
        tested._continue_draining(100.0, 200.0)
        assert tested._drained.is_set()

    supervisor.run(test)


def test_operations_are_passed_on_under_numbers_of_their_own(multi_model):
    async def test():
        await multi_model.message()
        waiting = [multi_model.worker._request_operation(LOAD, name, f"/{name}") for name in ("a", "b")]
        requested = [await multi_model.message() for _ in waiting]
        assert [message[:1] for message in requested] == [control.REQUEST_OPERATION] * 2
        operations = [ModelOperation.from_message(message) for message in requested]
        assert operations == [ModelOperation(0, LOAD, "a", "/a"), ModelOperation(1, LOAD, "b", "/b")]
        for number in (1, 0):
            outcome = Outcome(number, 200 + number, "why")
            control.send(multi_model.socket, outcome.to_message(control.OUTCOME))
            assert await waiting[number] == outcome
        assert multi_model.worker._outcomes == {}

    multi_model.run(test)


def test_what_it_is_told_is_carried_out(multi_model):
    async def test():
        await multi_model.message()
        operation = ModelOperation(9, UNLOAD, "a", "")
        control.send(multi_model.socket, operation.to_message(control.CARRY_OUT))
        message = await multi_model.message()
        assert message[:1] == control.CARRIED_OUT
        assert Outcome.from_message(message) == Outcome(9, 200, "")

    multi_model.run(test)


def test_messages_that_find_no_room_are_sent_in_order_later(supervisor, monkeypatch):
    async def test():
        await supervisor.message()
        sent = []
        room = [False]
        monkeypatch.setattr(control, "send", lambda file, message: room[0] and not sent.append(message))
        supervisor.worker._send(b"1")
        room[0] = True
        supervisor.worker._send(b"2")
        while len(sent) < 2:
            await asyncio.sleep(0.001)
        supervisor.worker._send(b"3")
        assert sent == [b"1", b"2", b"3"]
        monkeypatch.undo()

    supervisor.run(test)


def end(monkeypatch):
    """Have the process's end raise ``Ended`` with its status."""

    def leave(status):
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", leave)


def test_without_a_supervisor_it_ends(supervisor, monkeypatch):
    async def test():
        await supervisor.message()
        supervisor.worker._loop.remove_reader(supervisor.other)
        supervisor.socket.close()
        end(monkeypatch)
        with pytest.raises(Ended) as status:
            supervisor.worker._read_messages()
        assert status.value.args == (1,)
        monkeypatch.undo()
        supervisor.worker._drained.set()

    supervisor.run(test)


def test_a_worker_whose_request_is_never_answered_ends(supervisor, monkeypatch, capfd):
    async def test():
        await supervisor.message()
        waits = [supervisor.settings.seconds_to_answer]
        monkeypatch.setattr(supervisor.worker._endpoint._answers, "longest_wait", lambda: waits[0])
        end(monkeypatch)
        supervisor.worker._tick(0.0)
        waits[0] += 0.1
        with pytest.raises(Ended) as status:
            supervisor.worker._tick(0.0)
        assert status.value.args == (1,)
        monkeypatch.undo()

    supervisor.run(test)
    assert '"message":"No answer after 60 seconds: this worker is replaced.","worker":3' in capfd.readouterr().out


def test_a_request_that_does_not_arrive_is_refused_in_time(supervisor):
    async def test():
        await supervisor.message()
        client = supervisor.connect(5)
        await asyncio.get_running_loop().sock_sendall(client, PING[:-1])
        while not any(connection.receiving_since for connection in supervisor.worker._connections):
            await asyncio.sleep(0.001)
        (connection,) = supervisor.worker._connections
        supervisor.worker._tick(connection.receiving_since + supervisor.settings.seconds_to_receive)
        assert not connection.closing
        supervisor.worker._tick(connection.receiving_since + supervisor.settings.seconds_to_receive + 0.1)
        assert (await asyncio.get_running_loop().sock_recv(client, 100)).startswith(b"HTTP/1.1 408 ")
        client.close()

    supervisor.run(test)


# --- Loading, before there is a loop ---------------------------------------------------------------------------------
def fail(error):
    def load(folder, settings):
        raise error

    return load


@pytest.mark.parametrize(
    ("error", "reason", "is_logged"),
    [
        (PolicyError("It is broken."), "It is broken.", False),
        (KeyError("weights"), "KeyError: 'weights'", True),
        (SystemExit(3), "SystemExit: 3", True),
        (OSError("two\nlines"), "OSError: two lines", True),
        (ValueError("x" * 2000), "ValueError: " + "x" * 988, True),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_worker_with_the_reason(
    supervisor, monkeypatch, capfd, error, reason, is_logged
):
    monkeypatch.setattr(worker, "load_model", fail(error))
    end(monkeypatch)
    with pytest.raises(Ended) as status:
        worker._load_or_exit(supervisor.settings, supervisor.other)
    assert status.value.args == (1,)
    assert control.receive(supervisor.socket) == (control.FAILED + reason.encode(), None)
    assert ("Traceback" in capfd.readouterr().out) == is_logged


def test_the_model_is_loaded_from_its_folder(supervisor, monkeypatch):
    monkeypatch.setattr(worker, "load_model", lambda folder, settings: (folder, settings))
    assert worker._load_or_exit(supervisor.settings, supervisor.other) == (Path("/opt/ml/model"), supervisor.settings)


def test_a_model_that_can_no_longer_be_loaded_leaves_the_others(supervisor, monkeypatch, capfd):
    def load(folder, settings):
        if folder == Path("/b"):
            raise PolicyError("It is gone.")
        return folder

    monkeypatch.setattr(worker, "load_model", load)
    assert worker._load_models(supervisor.settings, {"a": "/a", "b": "/b", "c": "/c"}) == {
        "a": Path("/a"),
        "c": Path("/c"),
    }
    assert "Model 'b' can no longer be loaded: It is gone." in capfd.readouterr().out


@pytest.mark.parametrize(
    ("multi_model", "given", "used"), [("false", None, "loaded"), ("false", "shared", "shared"), ("true", None, None)]
)
def test_which_model_a_worker_runs_with(monkeypatch, multi_model, given, used):
    tested = Supervisor(monkeypatch, SAGEMAKER_MULTI_MODEL=multi_model)
    made, ignored = [], []

    class Recorder:
        def __init__(self, *arguments):
            made.extend(arguments)

        def run(self):
            return "running"

    monkeypatch.setattr(worker, "Worker", Recorder)
    monkeypatch.setattr(worker, "load_model", lambda folder, settings: "loaded")
    monkeypatch.setattr(worker.uvloop, "run", lambda work: made.append(work))
    monkeypatch.setattr(worker.signal, "signal", lambda number, handler: ignored.append((number, handler)))
    end(monkeypatch)
    with np.errstate(), pytest.raises(Ended) as status:
        worker.run(tested.settings, tested.state, NUMBER, tested.other, given, {"a": "/a"})
    gc.unfreeze()
    assert status.value.args == (0,)
    assert made == [tested.settings, tested.state, NUMBER, tested.other, used, {"a": "loaded"}, "running"]
    assert {number.name for number, _ in ignored} == {"SIGTERM", "SIGINT", "SIGHUP"}
    assert {handler for _, handler in ignored} == {signal.SIG_IGN}
