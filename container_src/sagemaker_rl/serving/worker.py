"""A worker process: an event loop that answers on the connections that the supervisor hands to it."""

import asyncio
import gc
import os
import signal
import socket
from collections import deque
from collections.abc import Awaitable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from sagemaker_rl.errors import InputError
from sagemaker_rl.serving import control, freed_memory, memory
from sagemaker_rl.serving.answers import format_traceback
from sagemaker_rl.serving.endpoint import Endpoint
from sagemaker_rl.serving.http_connection import Connection
from sagemaker_rl.serving.log import log
from sagemaker_rl.serving.models import Model, load_model
from sagemaker_rl.serving.servable import Servable
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared_state import SharedState

SECONDS_BETWEEN_TICKS = 0.1
SECONDS_SATURATED = 0.1
"""For which users' functions take all threads, until other workers get the connections without a request."""
SECONDS_TO_DRAIN = 8.0
SECONDS_TO_KEEP_IDLE = 0.5
"""For which a draining worker still listens on idle connections: a request may be on its way."""


def run(
    settings: Settings,
    state: SharedState,
    number: int,
    control_socket: socket.socket,
    model: Servable | None,
    folders: Mapping[str, str],
) -> None:
    """Answer until the supervisor asks to drain, or is gone; then end the process.

    Args:
        settings: how to serve.
        state: shared by all processes.
        number: of this worker.
        control_socket: connected to the supervisor.
        model: loaded before the fork; a model with a user's functions is None here, and loaded by each worker.
        folders: of the models that are loaded at the moment on a multi-model endpoint, by name.
    """
    for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # the supervisor handles them, also where a terminal sends them to all processes
        signal.signal(signal_number, signal.SIG_IGN)
    memory.be_killed_first()
    np.seterr(all="ignore")  # every answer is checked to be finite
    freed_memory.keep_some()
    default_model = model if model is not None or settings.multi_model else _load_or_exit(settings, control_socket)
    models = _load_models(settings, folders)
    gc.freeze()  # the garbage collector skips the models from now on
    uvloop.run(Worker(settings, state, number, control_socket, default_model, models).run())
    os._exit(0)


def _load_or_exit(settings: Settings, control_socket: socket.socket) -> Model:
    """Load the model; if it cannot be loaded, tell the supervisor why, and end the process."""
    try:
        return load_model(settings.model_dir, settings)
    except InputError as error:
        reason = str(error)
    except BaseException as error:  # a user's functions may raise any
        log("error", "The model cannot be loaded.", traceback=format_traceback(error))
        reason = " ".join(f"{type(error).__name__}: {error}".split())
    control.send(control_socket, control.FAILED + reason[:1000].encode("utf-8"))
    os._exit(1)


def _load_models(settings: Settings, folders: Mapping[str, str]) -> dict[str, Model]:
    """Load the models of a multi-model endpoint by name."""
    models: dict[str, Model] = {}
    for name, folder in folders.items():
        try:
            models[name] = load_model(Path(folder), settings)
        except Exception as error:  # it could be loaded once; the others still can
            log("error", f"Model {name!r} can no longer be loaded: {error}")
    return models


class Worker:
    """The event loop of one worker process. For the arguments see ``run``."""

    def __init__(
        self,
        settings: Settings,
        state: SharedState,
        number: int,
        control_socket: socket.socket,
        model: Model | None,
        models: dict[str, Model],
    ) -> None:
        self._settings = settings
        self._state = state
        self._number = number
        self._control_socket = control_socket
        self._model = model
        self._models = models
        self._outcomes: dict[int, asyncio.Future[control.Outcome]] = {}
        self._connections: set[Connection] = set()
        self._unsent: deque[bytes] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle_deadline = 0.0
        self._drain_deadline: float | None = None

    async def run(self) -> None:
        """Answer until the worker has drained."""
        self._loop = asyncio.get_running_loop()
        self._endpoint = Endpoint(
            self._settings, self._state, self._number, self._model, self._models, self._request_operation
        )
        self._drained = asyncio.Event()
        self._loop.add_reader(self._control_socket, self._read_messages)
        self._state.record_heartbeat(self._number)
        self._state.busy[self._number] = 0
        self._send(control.READY)
        tick_task = self._loop.create_task(self._tick_forever())
        await self._drained.wait()
        tick_task.cancel()
        self._endpoint.flush_access_log()

    # --- Messages of the supervisor ----------------------------------------------------------------------------------
    def _read_messages(self) -> None:
        while (received := control.receive(self._control_socket)) is not None:
            message, file = received
            if not message:
                os._exit(1)  # nobody would hand over connections any more
            _MESSAGE_HANDLERS[message[:1]](self, message, file)

    def _on_connection(self, message: bytes, file: int | None) -> None:
        if file is not None:
            self._run_task(self._serve_connection(control.slot_of(message), file))

    def _on_drain(self, message: bytes, file: int | None) -> None:
        """Let connections finish what they have begun, then end."""
        now = self._loop.time()
        self._endpoint.start_draining()
        self._drain_deadline = now + SECONDS_TO_DRAIN
        self._idle_deadline = now + SECONDS_TO_KEEP_IDLE
        for connection in self._connections:
            connection.accepted_before_drain = not connection.is_idle
        self._continue_draining(now, self._drain_deadline)

    def _on_carry_out(self, message: bytes, file: int | None) -> None:
        self._run_task(self._carry_out(control.ModelOperation.from_message(message)))

    def _on_outcome(self, message: bytes, file: int | None) -> None:
        outcome = control.Outcome.from_message(message)
        self._outcomes.pop(outcome.number).set_result(outcome)

    def _request_operation(self, command: str, name: str, url: str) -> Awaitable[control.Outcome]:
        """Have every worker load or unload a model."""
        number = max(self._outcomes) + 1 if self._outcomes else 0
        self._outcomes[number] = self._loop.create_future()
        operation = control.ModelOperation(number, command, name, url)
        self._send(operation.to_message(control.REQUEST_OPERATION))
        return self._outcomes[number]

    async def _carry_out(self, operation: control.ModelOperation) -> None:
        outcome = await self._endpoint.multi_model.carry_out(operation)
        self._send(outcome.to_message(control.CARRIED_OUT))

    def _send(self, message: bytes) -> None:
        if self._unsent or not control.send(self._control_socket, message):
            self._unsent.append(message)

    def _run_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    # --- Connections -------------------------------------------------------------------------------------------------
    async def _serve_connection(self, slot: int, file: int) -> None:
        state = self._state
        connection = Connection(
            self._endpoint, state.connection_states, state.revoked, slot, self._on_connection_closed
        )
        self._connections.add(connection)
        try:
            await self._loop.connect_accepted_socket(lambda: connection, socket.socket(fileno=file))
        except OSError:  # it is gone already
            self._on_connection_closed(connection)

    def _on_connection_closed(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            letter = control.GIVEN_BACK if connection.is_given_back else control.CLOSED
            self._send(control.slot_message(letter, connection.slot))

    # --- Time --------------------------------------------------------------------------------------------------------
    async def _tick_forever(self) -> None:
        while True:
            self._tick(self._loop.time())
            await asyncio.sleep(SECONDS_BETWEEN_TICKS)

    def _tick(self, now: float) -> None:
        self._state.record_heartbeat(self._number)
        self._endpoint.tick()
        while self._unsent and control.send(self._control_socket, self._unsent[0]):
            self._unsent.popleft()
        for connection in list(self._connections):
            connection.enforce_timeouts(now, self._settings.seconds_to_receive)
        self._return_connections_if_busy()
        if self._endpoint.is_stuck():
            self._endpoint.log_stuck()
            self._endpoint.flush_access_log()
            os._exit(1)  # the supervisor answers the requests in hand, and starts another worker
        if self._drain_deadline is not None:
            self._continue_draining(now, self._drain_deadline)

    def _return_connections_if_busy(self) -> None:
        """Hand connections without a request back, if a user's functions hold this worker up, and not another one."""
        is_busy = self._endpoint.seconds_saturated() > SECONDS_SATURATED
        self._state.busy[self._number] = is_busy
        if not is_busy or self._drain_deadline is not None or not self._state.has_free_worker():
            return
        for connection in list(self._connections):
            if connection.may_be_moved:
                connection.give_back()

    def _continue_draining(self, now: float, deadline: float) -> None:
        """Close idle connections once their time is over; end when none is left, or at the deadline."""
        if now >= self._idle_deadline and not self._tasks:
            for connection in list(self._connections):
                if connection.is_idle:
                    connection.close()
        if not (self._connections or self._tasks) or now > deadline:
            self._drained.set()


_MESSAGE_HANDLERS = {
    control.CONNECTION: Worker._on_connection,
    control.DRAIN: Worker._on_drain,
    control.CARRY_OUT: Worker._on_carry_out,
    control.OUTCOME: Worker._on_outcome,
}
