"""The connections that workers have: which worker gets one, and who gets it when that one stops or dies.

The supervisor keeps every connection open beside its worker, and knows by the state in shared memory whether the
worker has begun to read from it.
"""

import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping

from sagemaker_rl.serving import control
from sagemaker_rl.serving.http_connection import BUSY, IDLE
from sagemaker_rl.serving.shared_state import MAX_CONNECTIONS, SharedState
from sagemaker_rl.serving.waiting_connections import (
    SECONDS_TO_WAIT_FOR_A_HEARTBEAT,
    SECONDS_TO_WAIT_FOR_A_WORKER,
    WaitingConnections,
    answer_503,
)
from sagemaker_rl.serving.worker_process import WorkerProcess

SECONDS_FRESH = 0.3
"""Since its last heartbeat: a worker whose event loop has turned in these gets connections first."""
SECONDS_UNRESPONSIVE = 0.5
"""Without a heartbeat, while others are fresh: these get its connections, but those on which it has begun to read."""
SECONDS_LOST = 1.0
"""Without a heartbeat, where no other is better: the machine may have too much to do, and nobody has stopped."""
SECONDS_TO_NOTICE = 0.02
"""From revoking a connection to the look whether its worker has begun to read: what each writes, the other sees by
then."""


class HandedConnections:
    """The connections that workers have.

    Args:
        state: shared by all processes.
        workers: by number; the supervisor's own, as it changes.
        waiting: where connections are that no worker can take.

    Attributes:
        draining: connections of a worker that ends are closed, not handed to another.
    """

    def __init__(self, state: SharedState, workers: Mapping[int, WorkerProcess], waiting: WaitingConnections) -> None:
        self.draining = False
        self._state = state
        self._workers = workers
        self._waiting = waiting
        self._connections: dict[int, tuple[socket.socket, WorkerProcess]] = {}
        self._free_slots = deque(range(MAX_CONNECTIONS))

    def __iter__(self) -> Iterator[socket.socket]:
        return (connection for connection, _ in self._connections.values())

    def assign(self, connection: socket.socket, has_waited: bool = False) -> None:
        """Hand a connection to the worker with the fewest, or have it wait, if it has not yet."""
        processes = self.responsive_workers()
        if processes and self._free_slots:
            slot = self._free_slots.popleft()
            message = control.slot_message(control.CONNECTION, slot)
            for process in processes:
                self._state.connection_states[slot] = IDLE
                if control.send(process.control_socket, message, connection.fileno()):
                    process.slots.add(slot)
                    self._connections[slot] = (connection, process)
                    return
            self._free_slots.append(slot)
        self._waiting.add(connection, 0.0 if has_waited else self._seconds_to_wait())

    def _seconds_to_wait(self) -> float:
        """Return for how long a connection waits: less for workers that have stopped than for one that starts."""
        if not self._workers:
            return 0.0
        starts = not all(self._state.ready[number] for number in self._workers)
        return SECONDS_TO_WAIT_FOR_A_WORKER if starts else SECONDS_TO_WAIT_FOR_A_HEARTBEAT

    def assign_waiting(self) -> None:
        for connection in self._waiting.untouched():
            if not self._free_slots or not self.responsive_workers():
                return
            self._waiting.remove(connection)
            self.assign(connection)

    def responsive_workers(self) -> list[WorkerProcess]:
        """Return the workers that can answer, and whose event loop turns: first those with the fewest connections.

        One that may just have stopped comes last, and one that a user's function holds up before those.
        """
        ages = self._ages()
        limit = SECONDS_UNRESPONSIVE if min(ages.values(), default=0.0) < SECONDS_UNRESPONSIVE else SECONDS_LOST
        numbers = [number for number, age in ages.items() if age < limit]
        busy = self._state.busy
        numbers.sort(key=lambda number: (ages[number] > SECONDS_FRESH, busy[number], len(self._workers[number].slots)))
        return [self._workers[number] for number in numbers]

    def _ages(self) -> dict[int, float]:
        """Return for each worker that is ready the seconds since its last heartbeat."""
        now = time.monotonic()
        return {number: now - self._state.heartbeats[number] for number in self._workers if self._state.ready[number]}

    def revoke(self) -> None:
        """Give the connections of workers that have stopped to others, but those on which they have begun to read.

        A worker that stops may go on later, in the middle of anything. So its connections are revoked first. It says
        that it reads before it looks whether they are, so that some time later only those are idle from which it never
        reads again.
        """
        now = time.monotonic()
        ages = self._ages()
        limit = SECONDS_UNRESPONSIVE if min(ages.values(), default=0.0) < SECONDS_FRESH else SECONDS_LOST
        for number, process in self._workers.items():
            if ages.get(number, 0.0) < limit:
                process.revoked_since = None
            elif process.revoked_since is None:
                process.revoked_since = now
                for slot in process.slots:
                    self._state.revoked[slot] = 1
            elif now - process.revoked_since > SECONDS_TO_NOTICE:
                for slot in [slot for slot in process.slots if self._state.connection_states[slot] == IDLE]:
                    self._take(slot)

    def _take(self, slot: int) -> None:
        """Hand a revoked connection to another worker; its slot is free once its worker has closed it."""
        connection, process = self._connections.pop(slot)
        process.slots.discard(slot)
        process.taken.add(slot)
        self.assign(connection, has_waited=True)

    def _free_slot(self, slot: int) -> None:
        self._state.connection_states[slot] = IDLE
        self._state.revoked[slot] = 0
        self._free_slots.append(slot)

    def _release(self, slot: int) -> tuple[socket.socket, int]:
        """Take a slot from its worker; return its connection, and the state in which that was."""
        connection, process = self._connections.pop(slot)
        process.slots.discard(slot)
        state = self._state.connection_states[slot]
        self._free_slot(slot)
        return connection, state

    def reassign(self, process: WorkerProcess) -> None:
        """Answer the requests that an ended worker had in hand, and hand its other connections to others."""
        for slot in process.taken:
            self._free_slot(slot)
        for slot in list(process.slots):
            connection, state = self._release(slot)
            if state == IDLE and not self.draining:
                self.assign(connection)
                continue
            if state == BUSY:  # and not in the middle of an answer, which ends there
                answer_503(connection, b"The worker that had this request has ended.")
            self._waiting.add_answered(connection)

    def close(self, process: WorkerProcess, slot: int) -> None:
        if slot in process.taken:
            process.taken.discard(slot)
            self._free_slot(slot)
        elif slot in process.slots:
            connection, _ = self._release(slot)
            with contextlib.suppress(OSError):
                # A worker that has stopped, or a process of a user's, may have it open, and its client would wait.
                connection.shutdown(socket.SHUT_WR)
            connection.close()

    def take_back(self, process: WorkerProcess, slot: int) -> None:
        """Hand on a connection that its worker was using when it was revoked."""
        if slot in process.slots:
            connection, _ = self._release(slot)
            self.assign(connection)
        else:
            self.close(process, slot)
