"""The models of a multi-model endpoint: one table for all workers, kept by the supervisor.

https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html. A worker that gets a request to load or unload
a model passes it to the supervisor, which has every worker carry it out, and answers when all have: all workers always
serve the same models. The worker's part is in ``multi_model_api``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sagemaker_rl.serving import control
from sagemaker_rl.serving.control import LOAD, UNLOAD, ModelOperation, Outcome

MAX_DEATHS = 3
"""Of workers while they load a model; after that it is not loaded."""
UPDATE = 0
"""The number of operations that one worker alone carries out, to catch up with the others."""


@dataclass
class _RunningOperation:
    """An operation that workers are carrying out.

    Attributes:
        operation: under the supervisor's number.
        requested_by: id of the worker process that requested it.
        requested_number: the number under which it did.
        told: ids of the processes that were told to carry it out.
        waiting_for: those of them that have not yet.
        status: of HTTP: 200 until a worker fails.
        detail: why it failed.
        deaths: how many workers have ended while they carried it out.
    """

    operation: ModelOperation
    requested_by: int
    requested_number: int
    told: set[int] = field(default_factory=set)
    waiting_for: set[int] = field(default_factory=set)
    status: int = 200
    detail: str = ""
    deaths: int = 0


class MultiModelOperations:
    """Which models are loaded, and which are being loaded or unloaded.

    Args:
        max_models: that may be loaded at the same time.
        send: sends a message to the worker process of this id; False if it cannot.
        worker_pids: returns the ids of the worker processes that there are.
        start_trial: loads a model in another process before any worker does, and returns the id of that process, whose
            outcome is recorded as a worker's is; None if there is nothing to try.

    Attributes:
        models: the folder of each loaded model by name.
    """

    def __init__(
        self,
        max_models: int,
        send: Callable[[int, bytes], bool],
        worker_pids: Callable[[], Iterable[int]],
        start_trial: Callable[[ModelOperation], int | None],
    ) -> None:
        self.models: dict[str, str] = {}
        self._max_models = max_models
        self._send = send
        self._worker_pids = worker_pids
        self._start_trial = start_trial
        self._running: dict[int, _RunningOperation] = {}
        self._last_number = 0

    def start(self, pid: int, requested: ModelOperation) -> None:
        """Have every worker carry out what the worker process ``pid`` requests, or refuse it."""
        refusal = self._refusal(requested)
        if refusal is not None:
            status, detail = refusal
            self._send(pid, Outcome(requested.number, status, detail).to_message(control.OUTCOME))
            return
        self._last_number += 1
        url = self.models.pop(requested.name) if requested.command == UNLOAD else requested.url
        operation = ModelOperation(self._last_number, requested.command, requested.name, url)
        running = _RunningOperation(operation, pid, requested.number)
        self._running[operation.number] = running
        trial = self._start_trial(operation) if requested.command == LOAD else None
        if trial is not None:
            running.told = {trial}  # and the workers, once it has loaded the model
        else:
            running.told = {worker for worker in self._worker_pids() if self._tell(worker, operation)}
        running.waiting_for = set(running.told)
        self._finish_if_complete(running)

    def _refusal(self, requested: ModelOperation) -> tuple[int, str] | None:
        """Return the status and the reason why an operation is refused, None if it is not."""
        name = requested.name
        if any(running.operation.name == name for running in self._running.values()):
            return 409, f"Model {name!r} is being loaded or unloaded."
        if requested.command == UNLOAD:
            return None if name in self.models else (404, f"Model {name!r} is not loaded.")
        if name in self.models:
            return 409, f"Model {name!r} is loaded already."
        loading = sum(running.operation.command == LOAD for running in self._running.values())
        if len(self.models) + loading >= self._max_models:
            return 507, f"{self._max_models} models are loaded already: unload one first."
        return None

    def record_outcome(self, pid: int, outcome: Outcome) -> None:
        """Note that the worker process ``pid`` has carried out an operation."""
        running = self._running.get(outcome.number)
        if running is None or pid not in running.waiting_for:
            return
        running.waiting_for.discard(pid)
        if outcome.status != 200 and running.status == 200:
            running.status, running.detail = outcome.status, outcome.detail
        self._finish_if_complete(running)

    def forget_worker(self, pid: int) -> None:
        """Wait no longer for a worker that has ended: the one after it loads the models in the table."""
        for running in list(self._running.values()):
            if pid in running.waiting_for:
                running.waiting_for.discard(pid)
                running.deaths += 1
                if running.deaths == MAX_DEATHS and running.status == 200:
                    running.status, running.detail = 500, f"{MAX_DEATHS} workers ended while they did it."
            self._finish_if_complete(running)

    def update_worker(self, pid: int, loaded: dict[str, str]) -> int:
        """Have a worker that started with the models ``loaded`` load and unload what has changed since.

        Returns:
            How many operations it has to carry out, under the number UPDATE.
        """
        loads = [ModelOperation(UPDATE, LOAD, name, url) for name, url in self.models.items() if name not in loaded]
        unloads = [ModelOperation(UPDATE, UNLOAD, name, url) for name, url in loaded.items() if name not in self.models]
        return sum(self._tell(pid, operation) for operation in loads + unloads)

    def _finish_if_complete(self, running: _RunningOperation) -> None:
        operation = running.operation
        if running.waiting_for or operation.number not in self._running:
            return
        failed = operation.command == LOAD and running.status != 200
        if not failed:
            started_meanwhile = set(self._worker_pids()) - running.told
            running.waiting_for = {worker for worker in started_meanwhile if self._tell(worker, operation)}
            running.told |= running.waiting_for
            if running.waiting_for:
                return
        del self._running[operation.number]
        if failed:
            unload = ModelOperation(operation.number, UNLOAD, operation.name, operation.url)
            for worker in running.told:
                self._tell(worker, unload)
        elif operation.command == LOAD:
            self.models[operation.name] = operation.url
        outcome = Outcome(running.requested_number, running.status, running.detail)
        self._send(running.requested_by, outcome.to_message(control.OUTCOME))

    def _tell(self, pid: int, operation: ModelOperation) -> bool:
        """Tell a worker to carry out an operation; return False if it cannot be told."""
        return self._send(pid, operation.to_message(control.CARRY_OUT))
