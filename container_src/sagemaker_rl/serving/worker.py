"""A worker process: an event loop that answers on the connections that the supervisor hands to it."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import traceback
from collections import deque
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvloop

from sagemaker_rl.errors import InputError
from sagemaker_rl.serving import control
from sagemaker_rl.serving.endpoint import Endpoint, Model, load_model
from sagemaker_rl.serving.http1 import Connection
from sagemaker_rl.serving.log import log
from sagemaker_rl.serving.operations import LOAD
from sagemaker_rl.serving.servable import Servable
from sagemaker_rl.serving.settings import Settings
from sagemaker_rl.serving.shared import Board

SECONDS_BETWEEN_TICKS = 0.1
SECONDS_IDLE = 600.0
"""After which a connection without requests is closed; longer than any client's pool keeps one."""
SECONDS_TO_DRAIN = 8.0
SECONDS_TO_SAY_GOODBYE = 0.5
"""For which a draining worker still listens on idle connections: a request may be on its way."""


def run(
    settings: Settings,
    board: Board,
    number: int,
    end: socket.socket,
    model: Servable | None,
    models: Mapping[str, str],
) -> None:
    """Answer until the supervisor asks to drain, or is gone; then end the process.

    Args:
        settings: how to serve.
        board: shared by all processes.
        number: this worker's.
        end: of the connection to the supervisor.
        model: loaded before the fork; a model with a user's functions is None here, and loaded by each worker.
        models: that are loaded at the moment on a multi-model endpoint, as folders by name.
    """
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the supervisor's affair, also where a terminal sends them to all
    np.seterr(all="ignore")  # what is not finite is looked for in the answers
    ready: Model | None = model
    try:
        if ready is None and not settings.multi_model:
            ready = load_model(settings.model_dir, settings)
    except Exception as error:  # a user's functions raise what they like
        if not isinstance(error, InputError):
            log("error", "The model cannot be loaded.", traceback="".join(traceback.format_exception(error)))
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        control.send(end, control.FAILED + reason[:1000].encode("utf-8"))
        os._exit(1)
    loaded: dict[str, Model] = {}
    for name, url in models.items():
        try:
            loaded[name] = load_model(Path(url), settings)
        except Exception as error:  # it could be loaded once; the others still can
            log("error", f"Model {name!r} can no longer be loaded: {error}")
    gc.freeze()  # the collector need not look at the models again and again
    uvloop.run(Worker(settings, board, number, end, ready, loaded).run())
    os._exit(0)


class Worker:
    """What belongs to one worker process."""

    def __init__(
        self,
        settings: Settings,
        board: Board,
        number: int,
        end: socket.socket,
        model: Model | None,
        models: dict[str, Model],
    ) -> None:
        self._settings = settings
        self._board = board
        self._number = number
        self._end = end
        self._model = model
        self._models = models
        self._asked: dict[int, asyncio.Future[tuple[int, str]]] = {}
        self._connections: set[Connection] = set()
        self._unsent: deque[bytes] = deque()
        self._opening: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._endpoint = Endpoint(self._settings, self._board, self._number, self._model, self._models, self._ask)
        self._ended = loop.create_future()
        self._drain_until: float | None = None
        loop.add_reader(self._end, self._listen)
        self._board.beat(self._number)
        self._say(control.READY)
        ticking = loop.create_task(self._tick_for_ever())
        await self._ended
        ticking.cancel()
        self._endpoint.access_log.flush()

    # --- The supervisor ----------------------------------------------------------------------------------------------
    def _listen(self) -> None:
        while (received := control.receive(self._end)) is not None:
            message, file = received
            letter = message[:1]
            if letter == control.CONNECTION and file is not None:
                task = asyncio.get_running_loop().create_task(self._open(control.slot_of(message), file))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
            elif letter == control.DRAIN:
                self._drain()
            elif letter == control.DO:
                self._do(orjson.loads(message[1:]))
            elif letter == control.ANSWER:
                answer = orjson.loads(message[1:])
                self._asked.pop(answer["number"]).set_result((answer["status"], answer["detail"]))
            elif not message:
                os._exit(1)  # nobody would hand over connections any more

    def _ask(self, kind: str, name: str, url: str) -> Awaitable[tuple[int, str]]:
        """Have every worker load or unload a model; what came of it is a status and a sentence."""
        number = len(self._asked) and max(self._asked) + 1
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._say(control.ASK + orjson.dumps({"number": number, "kind": kind, "name": name, "url": url}))
        return self._asked[number]

    def _do(self, operation: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(operation))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _carry_out(self, operation: dict[str, Any]) -> None:
        if operation["kind"] == LOAD:
            status, detail = await self._endpoint.load(operation["name"], Path(operation["url"]))
        else:
            status, detail = self._endpoint.unload(operation["name"])
        self._say(
            control.DONE + orjson.dumps({"number": operation["number"], "status": status, "detail": detail[:1000]})
        )

    async def _open(self, slot: int, file: int) -> None:
        connection = Connection(self._endpoint, self._board.states, slot, self._closed)
        self._connections.add(connection)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, socket.socket(fileno=file))
        except OSError:  # it is gone already
            self._closed(connection)

    def _closed(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._say(control.slot_message(control.CLOSED, connection.slot))

    def _say(self, message: bytes) -> None:
        if self._unsent or not control.send(self._end, message):
            self._unsent.append(message)

    # --- Time --------------------------------------------------------------------------------------------------------
    async def _tick_for_ever(self) -> None:
        while True:
            self._tick(asyncio.get_running_loop().time())
            await asyncio.sleep(SECONDS_BETWEEN_TICKS)

    def _tick(self, now: float) -> None:
        self._board.beat(self._number)
        self._endpoint.tick()
        while self._unsent and control.send(self._end, self._unsent[0]):
            self._unsent.popleft()
        for connection in list(self._connections):
            if connection.receiving_since is not None:
                if now - connection.receiving_since > self._settings.seconds_to_receive:
                    connection.time_out()
            elif connection.linger_until is not None:
                if now > connection.linger_until:
                    connection.abort()
            elif now - connection.last_active > SECONDS_IDLE and connection.is_idle:
                connection.abort()
        waiting = self._endpoint.longest_wait()
        if waiting > self._settings.seconds_to_answer:
            self._endpoint.give_up(waiting)
            os._exit(1)  # the supervisor answers what was in hand, and starts another worker
        if self._drain_until is not None:
            self._leave(now)

    def _drain(self) -> None:
        now = asyncio.get_running_loop().time()
        self._endpoint.draining = True
        self._drain_until = now + SECONDS_TO_DRAIN
        self._goodbye = now + SECONDS_TO_SAY_GOODBYE
        for connection in self._connections:
            connection.grace = not connection.is_idle
        self._leave(now)

    def _leave(self, now: float) -> None:
        assert self._drain_until is not None
        if now >= self._goodbye and not self._opening:
            for connection in list(self._connections):
                if connection.is_idle:
                    connection.close()
        if (not self._connections and not self._opening) or now > self._drain_until:
            with contextlib.suppress(asyncio.InvalidStateError):
                self._ended.set_result(None)
