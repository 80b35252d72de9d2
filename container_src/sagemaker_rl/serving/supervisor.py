"""The first process of an endpoint: accepts connections, hands them to workers, and replaces a worker that dies.

It keeps every connection open beside the worker that answers on it. When a worker is killed, the requests that it had
in hand are answered here, with 503, and the connections without a request go to another worker: their clients notice
nothing.
"""

import contextlib
import functools
import os
import selectors
import signal
import socket
import sys
import threading
import time
from typing import NoReturn

from sagemaker_rl.serving import control, memory, requirements, worker
from sagemaker_rl.serving.answers import format_traceback
from sagemaker_rl.serving.handed_connections import HandedConnections
from sagemaker_rl.serving.log import log
from sagemaker_rl.serving.multi_model_operations import UPDATE, MultiModelOperations
from sagemaker_rl.serving.restarts import MAX_EARLY_DEATHS, Restarts
from sagemaker_rl.serving.servable import Servable
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared_state import SharedState
from sagemaker_rl.serving.trial_load import Trials, cause_of_end
from sagemaker_rl.serving.waiting_connections import WaitingConnections
from sagemaker_rl.serving.worker_process import WorkerProcess

SECONDS_TO_DRAIN = 9.5
"""After which workers that have not ended are killed; they give up by themselves after ``worker.SECONDS_TO_DRAIN``."""
SECONDS_BETWEEN_ACCEPTS = 0.1
"""After accepting has failed."""


class Supervisor:
    """The listening socket, and the workers behind it.

    Args:
        settings: how to serve.
        listener: bound and listening.
    """

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener: socket.socket | None = listener
        self._state = SharedState()
        self._model: Servable | None = None
        self._workers: dict[int, WorkerProcess] = {}
        # the data of a registered file is a function to call when it can be read
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._waiting = WaitingConnections(self._selector)
        self._connections = HandedConnections(self._state, self._workers, self._waiting)
        self._trials = Trials(settings, self._become_child)
        self._operations = MultiModelOperations(
            settings.max_models,
            self._send,
            lambda: [process.pid for process in self._workers.values()],
            self._trials.start,
        )
        self._restarts = Restarts()
        self._stop_requested = False
        self._drain_deadline: float | None = None

    # --- The loop ----------------------------------------------------------------------------------------------------
    def refuse_until(self, loaded: threading.Event) -> None:
        """Answer 503 until a model is loaded. Run in a thread that ends before the first worker is forked."""
        while not loaded.is_set():
            self._handle_events(0.02)  # and no more: children, as pip, are waited for by who has started them
            self._waiting.enforce_deadlines()

    def run(self, model: Servable | None) -> NoReturn:
        """Start the workers and look after them until a SIGTERM; then end the process."""
        self.start(model)
        while not self.has_drained():
            self.run_once(0.05)
        self._end(0)  # and the workers that have not ended in time

    def start(self, model: Servable | None) -> None:
        """Start the workers, and have signals noted from now on."""
        self._model = model
        self._state.bytes_for_bodies = memory.bytes_for_bodies(self._settings.workers)
        self._handle_signals()
        for number in range(self._settings.workers):
            self._start_worker(number)

    def _handle_signals(self) -> None:
        """Have signals noted, and wake the selector up."""
        self._wakeup_sockets = socket.socketpair()
        for wakeup_socket in self._wakeup_sockets:
            wakeup_socket.setblocking(False)
        signal.set_wakeup_fd(self._wakeup_sockets[1].fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wakeup_sockets[0], selectors.EVENT_READ, self._drop_wakeups)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _on_stop_signal(self, number: int, frame: object) -> None:
        self._stop_requested = True  # no more: a handler runs in the middle of anything

    def _drop_wakeups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wakeup_sockets[0].recv(4096):
                pass

    def run_once(self, seconds: float) -> None:
        """Handle events, waiting for them so long at most, and look after workers and waiting connections."""
        self._handle_events(seconds)
        self._reap_children()
        if self._drain_deadline is None:
            for number in self._restarts.take_due():
                self._start_worker(number)
        self._kill_stuck_workers()
        self._trials.kill_overdue()
        self._connections.revoke()
        self._connections.assign_waiting()
        self._waiting.enforce_deadlines()
        if self._stop_requested and self._drain_deadline is None:
            self._drain()

    def _handle_events(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            key.data()

    def _drain(self) -> None:
        """Accept what has arrived, refuse what comes now, and let the workers finish."""
        self._drain_deadline = time.monotonic() + SECONDS_TO_DRAIN
        self._connections.draining = True
        self._accept()
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        for process in self._workers.values():
            control.send(process.control_socket, control.DRAIN)

    def has_drained(self) -> bool:
        """Tell whether nobody is left to wait for, or the time to wait is over."""
        if self._drain_deadline is None:
            return False
        return time.monotonic() > self._drain_deadline or not (self._workers or self._waiting)

    # --- Connections -------------------------------------------------------------------------------------------------
    def _accept(self) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # too many open files: those that are open go on
                log("error", f"A connection cannot be accepted: {error.strerror}.")
                time.sleep(SECONDS_BETWEEN_ACCEPTS)
                return
            connection.setblocking(False)
            self._connections.assign(connection)

    # --- Messages of workers -----------------------------------------------------------------------------------------
    def _read_messages(self, process: WorkerProcess) -> None:
        while (received := control.receive(process.control_socket)) is not None:
            message, _ = received
            if not message:
                self._selector.unregister(process.control_socket)  # it has ended: _reap_children replaces it
                return
            _MESSAGE_HANDLERS[message[:1]](self, process, message)

    def _on_closed(self, process: WorkerProcess, message: bytes) -> None:
        self._connections.close(process, control.slot_of(message))

    def _on_given_back(self, process: WorkerProcess, message: bytes) -> None:
        self._connections.take_back(process, control.slot_of(message))

    def _on_ready(self, process: WorkerProcess, message: bytes) -> None:
        process.updates = self._operations.update_worker(process.pid, process.models)
        if not process.updates:
            self._set_ready(process)

    def _set_ready(self, process: WorkerProcess) -> None:
        self._state.ready[process.number] = 1
        if not self._state.serving[0] and len(self._connections.responsive_workers()) == self._settings.workers:
            self._state.serving[0] = 1
        if self._state.serving[0]:
            self._restarts.reset()
        if self._drain_deadline is not None:
            control.send(process.control_socket, control.DRAIN)

    def _on_load_failed(self, process: WorkerProcess, message: bytes) -> None:
        """End the endpoint if its model cannot be loaded; if it could be before, the worker is started again."""
        reason = message[1:].decode("utf-8")
        if not self._state.serving[0]:
            self._end(1, reason)
        log("error", f"A worker cannot load its model: {reason}")

    def _on_operation_requested(self, process: WorkerProcess, message: bytes) -> None:
        self._operations.start(process.pid, control.ModelOperation.from_message(message))

    def _on_carried_out(self, process: WorkerProcess, message: bytes) -> None:
        outcome = control.Outcome.from_message(message)
        if outcome.number != UPDATE:
            self._operations.record_outcome(process.pid, outcome)
            return
        process.updates -= 1
        if not process.updates:
            self._set_ready(process)

    def _send(self, pid: int, message: bytes) -> bool:
        """Send a message to the worker process of this id; return False if it cannot be sent."""
        return any(
            process.pid == pid and control.send(process.control_socket, message) for process in self._workers.values()
        )

    # --- Worker processes --------------------------------------------------------------------------------------------
    def _start_worker(self, number: int) -> None:
        supervisor_socket, worker_socket = control.socket_pair()
        pid = os.fork()
        if pid == 0:
            try:
                self._become_worker(number, supervisor_socket, worker_socket)
            except BaseException as error:
                log("error", f"Worker {number} failed.", traceback=format_traceback(error))
            finally:
                os._exit(1)
        worker_socket.close()
        process = WorkerProcess(number, pid, supervisor_socket, dict(self._operations.models))
        self._workers[number] = process
        read_messages = functools.partial(self._read_messages, process)
        self._selector.register(supervisor_socket, selectors.EVENT_READ, read_messages)

    def _become_worker(self, number: int, supervisor_socket: socket.socket, worker_socket: socket.socket) -> None:
        """In the new process: close the supervisor's files, and run the worker."""
        self._become_child()
        supervisor_socket.close()
        worker.run(self._settings, self._state, number, worker_socket, self._model, self._operations.models)

    def _become_child(self) -> None:
        """In a new process: close the supervisor's files, or a connection that it closes would stay open here."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control_sockets = [process.control_socket for process in self._workers.values()]
        connections = (*self._connections, *self._waiting)
        for inherited in (*self._wakeup_sockets, *control_sockets, *connections):
            inherited.close()
        if self._listener is not None:
            self._listener.close()
        self._selector.close()

    def _reap_children(self) -> None:
        """Replace the workers that have ended. As process 1 of a container, forget any other process that has."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for process in list(self._workers.values()):
                if process.pid == pid:
                    self._replace_worker(process, status)
            outcome = self._trials.outcome(pid, status)
            if outcome is not None:
                self._operations.record_outcome(pid, outcome)

    def _replace_worker(self, process: WorkerProcess, status: int) -> None:
        was_ready = self._state.ready[process.number]
        self._state.ready[process.number] = 0
        self._state.release_bodies(process.number)
        del self._workers[process.number]
        self._read_last_messages(process)
        self._operations.forget_worker(process.pid)
        if self._drain_deadline is None:
            cause = cause_of_end(status)
            if not process.is_killed:  # else it is logged already
                log("error", f"Worker {process.number} has ended with {cause}, and is replaced.", pid=process.pid)
            if was_ready and self._state.serving[0]:
                self._start_worker(process.number)
            else:
                self._restarts.schedule(process.number)
            if self._restarts.is_hopeless() and not self._state.serving[0]:
                self._end(1, f"{MAX_EARLY_DEATHS} workers ended before the endpoint was ready, the last with {cause}.")
        self._connections.reassign(process)

    def _read_last_messages(self, process: WorkerProcess) -> None:
        """Read which connections an ended worker had closed, or why it ended, and close its control socket."""
        if process.control_socket in self._selector.get_map():
            self._selector.unregister(process.control_socket)
        while (received := control.receive(process.control_socket)) is not None and received[0]:
            message, _ = received
            if message[:1] in (control.CLOSED, control.GIVEN_BACK, control.FAILED):
                _MESSAGE_HANDLERS[message[:1]](self, process, message)
        process.control_socket.close()

    def _kill_stuck_workers(self) -> None:
        """Kill the workers whose event loop has not turned for as long as a request may take."""
        now = time.monotonic()
        for number, process in self._workers.items():
            seconds = now - self._state.heartbeats[number]
            if self._state.ready[number] and seconds > self._settings.seconds_to_answer and not process.is_killed:
                process.is_killed = True
                reason = f"Worker {number} has stopped for {seconds:.0f} seconds, and is replaced."
                log("error", reason, pid=process.pid)
                os.kill(process.pid, signal.SIGKILL)

    def _end(self, status: int, reason: str = "") -> NoReturn:
        """End all workers and this process; say why."""
        for process in self._workers.values():
            os.kill(process.pid, signal.SIGKILL)
        self._trials.kill()
        requirements.remove()
        if reason:
            print(f"Error: {reason}", file=sys.stderr, flush=True)
        os._exit(status)


_MESSAGE_HANDLERS = {
    control.CLOSED: Supervisor._on_closed,
    control.GIVEN_BACK: Supervisor._on_given_back,
    control.READY: Supervisor._on_ready,
    control.FAILED: Supervisor._on_load_failed,
    control.REQUEST_OPERATION: Supervisor._on_operation_requested,
    control.CARRIED_OUT: Supervisor._on_carried_out,
}
