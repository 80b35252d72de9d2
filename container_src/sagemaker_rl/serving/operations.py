"""Loading and unloading models on a multi-model endpoint: one table for all workers, kept by the supervisor.

https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html. A worker that is asked for an operation asks
the supervisor, which has every worker carry it out, and answers when all have: all always serve the same models.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from sagemaker_rl.serving import control

LOAD, UNLOAD = "load", "unload"


@dataclass
class _Operation:
    number: int
    kind: str
    name: str
    url: str
    asked_by: int
    asked_as: int
    waiting: set[int] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    status: int = 200
    detail: str = ""

    def order(self, kind: str) -> bytes:
        return control.DO + orjson.dumps({"number": self.number, "kind": kind, "name": self.name, "url": self.url})


class Operations:
    """What is loaded, and what is being loaded or unloaded.

    Args:
        max_models: that may be loaded at the same time.
        send: sends a message to the worker process of this id; False if it cannot.
        workers: returns the ids of the worker processes that there are.

    Attributes:
        models: the folder of each loaded model by name.
    """

    def __init__(
        self, max_models: int, send: Callable[[int, bytes], bool], workers: Callable[[], Iterable[int]]
    ) -> None:
        self.models: dict[str, str] = {}
        self._max_models = max_models
        self._send = send
        self._workers = workers
        self._running: dict[int, _Operation] = {}
        self._number = 0

    def ask(self, worker: int, message: bytes) -> None:
        """Begin what a worker asks for."""
        asked: dict[str, Any] = orjson.loads(message[1:])
        self._number += 1
        operation = _Operation(
            self._number, asked["kind"], asked["name"], asked.get("url", ""), worker, asked["number"]
        )
        refusal = self._refusal(operation)
        if refusal is not None:
            operation.status, operation.detail = refusal
            self._answer(operation)
            return
        if operation.kind == UNLOAD:
            operation.url = self.models.pop(operation.name)
        self._running[operation.number] = operation
        operation.waiting = {each for each in self._workers() if self._send(each, operation.order(operation.kind))}
        operation.told = set(operation.waiting)
        self._end_if_complete(operation)

    def _refusal(self, operation: _Operation) -> tuple[int, str] | None:
        name = operation.name
        if any(running.name == name for running in self._running.values()):
            return 409, f"Model {name!r} is being loaded or unloaded."
        if operation.kind == UNLOAD:
            return None if name in self.models else (404, f"Model {name!r} is not loaded.")
        if name in self.models:
            return 409, f"Model {name!r} is loaded already."
        loading = sum(running.kind == LOAD for running in self._running.values())
        if len(self.models) + loading >= self._max_models:
            return 507, f"{self._max_models} models are loaded already: unload one first."
        return None

    def done(self, worker: int, message: bytes) -> None:
        """Note what a worker made of an operation."""
        outcome: dict[str, Any] = orjson.loads(message[1:])
        operation = self._running.get(outcome["number"])
        if operation is None or worker not in operation.waiting:
            return
        operation.waiting.discard(worker)
        if outcome["status"] != 200 and operation.status == 200:
            operation.status, operation.detail = outcome["status"], outcome["detail"]
        self._end_if_complete(operation)

    def gone(self, worker: int) -> None:
        """Wait no longer for a worker that has ended: the one after it loads what is in the table."""
        for operation in list(self._running.values()):
            operation.waiting.discard(worker)
            self._end_if_complete(operation)

    def catch_up(self, worker: int, loaded: dict[str, str]) -> None:
        """Have a worker that started with ``loaded`` load and unload what has changed since."""
        for name, url in self.models.items():
            if name not in loaded:
                self._send(worker, _Operation(0, LOAD, name, url, 0, 0).order(LOAD))
        for name, url in loaded.items():
            if name not in self.models:
                self._send(worker, _Operation(0, UNLOAD, name, url, 0, 0).order(UNLOAD))

    def _end_if_complete(self, operation: _Operation) -> None:
        if operation.waiting or operation.number not in self._running:
            return
        del self._running[operation.number]
        if operation.kind == LOAD and operation.status != 200:
            for worker in operation.told:
                self._send(worker, operation.order(UNLOAD))
        else:
            if operation.kind == LOAD:
                self.models[operation.name] = operation.url
            for worker in set(self._workers()) - operation.told:  # started meanwhile
                self._send(worker, operation.order(operation.kind))
        self._answer(operation)

    def _answer(self, operation: _Operation) -> None:
        answer = {"number": operation.asked_as, "status": operation.status, "detail": operation.detail}
        self._send(operation.asked_by, control.ANSWER + orjson.dumps(answer))
