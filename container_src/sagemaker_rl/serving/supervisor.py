"""The first process of an endpoint: accepts connections, hands them to workers, and replaces a worker that dies.

It keeps every connection open beside the worker that answers on it. When a worker is killed, what it had in hand is
answered here, with 503, and the connections without a request go to another worker: their clients notice nothing.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from typing import NoReturn

from sagemaker_rl.serving import control, worker
from sagemaker_rl.serving.http1 import BUSY, IDLE
from sagemaker_rl.serving.log import log
from sagemaker_rl.serving.operations import Operations
from sagemaker_rl.serving.servable import Servable
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared import MAX_CONNECTIONS, Board

SECONDS_UNRESPONSIVE = 1.0
"""Without a sign of life from its event loop, a worker gets no further connections."""
SECONDS_TO_WAIT_FOR_A_WORKER = 1.0
"""For which a connection waits when none can answer; then the supervisor does, with 503: SageMaker's ping waits 2."""
SECONDS_TO_END = 9.5
SECONDS_TO_HEAR = 5.0
SECONDS_BETWEEN_FAILURES = 0.1
_BODY = b'{"error":"service unavailable","detail":"%b"}'
_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"x-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
)


@dataclass
class _Worker:
    number: int
    pid: int
    end: socket.socket
    models: dict[str, str]
    slots: set[int] = field(default_factory=set)


@dataclass
class _Held:
    """A connection that no worker has taken yet."""

    connection: socket.socket
    since: float
    heard: bytes = b""
    answered: bool = False


class Supervisor:
    """The listening socket, and the workers behind it.

    Args:
        settings: how to serve.
        listener: bound and listening.
    """

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener: socket.socket | None = listener
        self._board = Board()
        self._model: Servable | None = None
        self._workers: dict[int, _Worker] = {}
        self._connections: dict[int, tuple[socket.socket, _Worker]] = {}
        self._free = deque(range(MAX_CONNECTIONS))
        self._held: dict[socket.socket, _Held] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, "listener")
        self._operations = Operations(
            settings.max_models, self._send, lambda: [each.pid for each in self._workers.values()]
        )
        self._failures = 0
        self._start_again: dict[int, float] = {}
        self._asked_to_end = False
        self._end_at: float | None = None

    # --- Before there is a model -------------------------------------------------------------------------------------
    def answer_while(self, loading: threading.Event) -> None:
        """Answer 503 until ``loading`` is over. Run in a thread that has ended before the first worker is forked."""
        while not loading.is_set():
            self._turn(0.02)

    # --- With a model ------------------------------------------------------------------------------------------------
    def run(self, model: Servable | None) -> NoReturn:
        """Start the workers and see to them until a SIGTERM; then end the process."""
        self._model = model
        wakeup, wake = socket.socketpair()
        for end in (wakeup, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._own = (wakeup, wake)
        self._selector.register(wakeup, selectors.EVENT_READ, "signal")
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._ask_to_end)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in range(self._settings.workers):
            self._start(number)
        while not self._is_over():
            self._turn(0.05)
            if self._asked_to_end:
                self._drain()
        os._exit(0)

    def _ask_to_end(self, number: int, frame: object) -> None:
        self._asked_to_end = True  # no more: a handler runs in the middle of anything

    def _is_over(self) -> bool:
        if self._end_at is None:
            return False
        if time.monotonic() > self._end_at:
            for each in self._workers.values():
                os.kill(each.pid, signal.SIGKILL)
            return True
        return not self._workers and not self._held

    def _turn(self, seconds: float) -> None:
        """Do what there is to do; wait for it so long at most."""
        for key, _ in self._selector.select(seconds):
            what = key.data
            if what == "listener":
                self._accept()
            elif what == "signal":
                with contextlib.suppress(BlockingIOError):
                    while self._own[0].recv(4096):
                        pass
            elif isinstance(what, _Worker):
                self._listen(what)
            elif isinstance(what, _Held):
                self._hear(what)
        self._bury()
        self._see_to_workers()
        self._see_to_held()

    # --- Connections -------------------------------------------------------------------------------------------------
    def _accept(self) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # too many open files: those that are open go on
                log("error", f"A connection cannot be accepted: {error.strerror}.")
                time.sleep(SECONDS_BETWEEN_FAILURES)
                return
            connection.setblocking(False)
            self._place(connection)

    def _place(self, connection: socket.socket) -> None:
        """Hand a connection to the worker with the fewest, or hold it."""
        able = sorted(self._able(), key=lambda each: len(each.slots))
        if able and self._free:
            slot = self._free.popleft()
            for each in able:
                self._board.states[slot] = IDLE
                if control.send(each.end, control.slot_message(control.CONNECTION, slot), connection.fileno()):
                    each.slots.add(slot)
                    self._connections[slot] = (connection, each)
                    return
            self._free.append(slot)
        since = time.monotonic()
        held = _Held(connection, since if self._workers else since - SECONDS_TO_WAIT_FOR_A_WORKER)
        self._held[connection] = held

    def _able(self) -> list[_Worker]:
        now = time.monotonic()
        return [
            each
            for each in self._workers.values()
            if self._board.ready[each.number] and now - self._board.heartbeats[each.number] < SECONDS_UNRESPONSIVE
        ]

    def _let_go(self, slot: int) -> None:
        connection, owner = self._connections.pop(slot)
        owner.slots.discard(slot)
        self._board.states[slot] = IDLE
        self._free.append(slot)
        connection.close()

    # --- What is answered here ---------------------------------------------------------------------------------------
    def _see_to_held(self) -> None:
        now = time.monotonic()
        for held in list(self._held.values()):
            if held.answered or held.heard:
                if now - held.since > SECONDS_TO_HEAR:
                    self._drop(held)
            elif self._able() and self._free:
                self._drop(held, close=False)
                self._place(held.connection)
            elif now - held.since >= SECONDS_TO_WAIT_FOR_A_WORKER:
                with contextlib.suppress(KeyError):
                    self._selector.get_key(held.connection)
                    continue
                held.since = now
                self._selector.register(held.connection, selectors.EVENT_READ, held)

    def _hear(self, held: _Held) -> None:
        """Read a request as far as its headers, and answer 503; what follows is read and thrown away."""
        try:
            data = held.connection.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(held)
        elif not held.answered:
            held.heard += data[:65536]
            if b"\r\n\r\n" in held.heard or len(held.heard) > 65536:
                held.answered = True
                held.since = time.monotonic() - SECONDS_TO_HEAR + 1
                self._answer_503(held.connection, b"No worker can answer at the moment.")

    def _drop(self, held: _Held, close: bool = True) -> None:
        del self._held[held.connection]
        with contextlib.suppress(KeyError):
            self._selector.unregister(held.connection)
        if close:
            held.connection.close()

    def _answer_503(self, connection: socket.socket, detail: bytes) -> None:
        body = _BODY % detail
        with contextlib.suppress(OSError):
            connection.send(_UNAVAILABLE % (os.urandom(6).hex().encode("ascii"), len(body), body))
            connection.shutdown(socket.SHUT_WR)

    # --- Workers -----------------------------------------------------------------------------------------------------
    def _start(self, number: int) -> None:
        mine, theirs = control.pair()
        pid = os.fork()
        if pid == 0:
            try:
                self._become_worker(number, mine, theirs)
            except BaseException as error:
                log("error", f"Worker {number} failed.", traceback="".join(traceback.format_exception(error)))
            finally:
                os._exit(1)
        theirs.close()
        each = _Worker(number, pid, mine, dict(self._operations.models))
        self._workers[number] = each
        self._selector.register(mine, selectors.EVENT_READ, each)

    def _become_worker(self, number: int, mine: socket.socket, theirs: socket.socket) -> None:
        """In the new process: close what is the supervisor's alone, and work."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        others = [each.end for each in self._workers.values()]
        held = [connection for connection, _ in self._connections.values()]
        for file in (mine, *self._own, *others, *held, *self._held, self._listener):
            if file is not None:
                file.close()
        self._selector.close()
        worker.run(self._settings, self._board, number, theirs, self._model, self._operations.models)

    def _listen(self, each: _Worker) -> None:
        while (received := control.receive(each.end)) is not None:
            message, _ = received
            letter = message[:1]
            if letter == control.CLOSED:
                if control.slot_of(message) in each.slots:
                    self._let_go(control.slot_of(message))
            elif letter == control.READY:
                self._welcome(each)
            elif letter == control.FAILED:
                self._despair(message[1:].decode("utf-8"))
            elif letter == control.ASK:
                self._operations.ask(each.pid, message)
            elif letter == control.DONE:
                self._operations.done(each.pid, message)
            elif not message:
                self._selector.unregister(each.end)  # it has ended: it is buried when the kernel says so
                return

    def _welcome(self, each: _Worker) -> None:
        self._operations.catch_up(each.pid, each.models)
        self._board.ready[each.number] = 1
        self._failures = 0
        if not self._board.serving[0] and len(self._able()) == self._settings.workers:
            self._board.serving[0] = 1
        if self._end_at is not None:
            control.send(each.end, control.DRAIN)

    def _send(self, pid: int, message: bytes) -> bool:
        return any(each.pid == pid and control.send(each.end, message) for each in self._workers.values())

    def _despair(self, reason: str) -> None:
        """End the endpoint if its model cannot be loaded; later, when it could be at first, a worker is tried again."""
        if not self._board.serving[0]:
            print(f"Error: {reason}", file=sys.stderr, flush=True)
            for each in self._workers.values():
                os.kill(each.pid, signal.SIGKILL)
            os._exit(1)
        log("error", f"A worker cannot load its model: {reason}")

    def _bury(self) -> None:
        """Take leave of processes that have ended: workers, and as process 1 of a container any other."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for each in list(self._workers.values()):
                if each.pid == pid:
                    self._replace(each, status)

    def _replace(self, each: _Worker, status: int) -> None:
        was_ready = self._board.ready[each.number]
        self._board.ready[each.number] = 0
        del self._workers[each.number]
        with contextlib.suppress(KeyError):
            self._selector.unregister(each.end)
        self._listen_to_the_end(each)
        each.end.close()
        self._operations.gone(each.pid)
        if self._end_at is None:
            how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
            log("error", f"Worker {each.number} has ended with {how}, and is replaced.", pid=each.pid)
            if was_ready:
                self._start(each.number)
            else:
                self._failures += 1
                self._start_again[each.number] = time.monotonic() + min(0.25 * 2**self._failures, 10.0)
        self._inherit(each)

    def _listen_to_the_end(self, each: _Worker) -> None:
        """Hear what it said last: which connections it had closed."""
        while (received := control.receive(each.end)) is not None and received[0]:
            message, _ = received
            if message[:1] == control.CLOSED and control.slot_of(message) in each.slots:
                self._let_go(control.slot_of(message))

    def _inherit(self, each: _Worker) -> None:
        """Answer what it had in hand, and hand its other connections on."""
        for slot in list(each.slots):
            connection, _ = self._connections.pop(slot)
            state = self._board.states[slot]
            self._board.states[slot] = IDLE
            self._free.append(slot)
            if state == IDLE and self._end_at is None:
                self._place(connection)
                continue
            if state == BUSY:  # and not in the middle of an answer, which ends there
                self._answer_503(connection, b"The worker that had this request has ended.")
            held = _Held(connection, time.monotonic() - SECONDS_TO_HEAR + 1, answered=True)
            self._held[connection] = held
            self._selector.register(connection, selectors.EVENT_READ, held)
        each.slots.clear()

    def _see_to_workers(self) -> None:
        now = time.monotonic()
        for number, when in list(self._start_again.items()):
            if now >= when and self._end_at is None:
                del self._start_again[number]
                self._start(number)
        for each in self._workers.values():
            if (
                self._board.ready[each.number]
                and now - self._board.heartbeats[each.number] > self._settings.seconds_to_answer
            ):
                log("error", f"Worker {each.number} is stuck.", pid=each.pid)
                os.kill(each.pid, signal.SIGKILL)

    def _drain(self) -> None:
        """Accept what has arrived, refuse what comes now, and let the workers finish."""
        if self._end_at is not None:
            return
        self._end_at = time.monotonic() + SECONDS_TO_END
        self._accept()
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        for each in self._workers.values():
            control.send(each.end, control.DRAIN)
