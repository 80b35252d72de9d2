"""Memory that the supervisor and its workers share, and that outlives each of them.

It is made before the workers are forked, so that no file is needed: a full disk changes nothing.
"""

import math
import mmap
import time
from collections.abc import MutableSequence
from typing import cast

from sagemaker_rl.serving import metrics

MAX_WORKERS = 64
MAX_CONNECTIONS = 8192
SECONDS_FRESH = 0.5
"""Since a worker's heartbeat, within which another one counts on it."""


class SharedState:
    """The state of all workers and connections, as every process sees it.

    Attributes:
        connection_states: for every connection IDLE, BUSY or WRITING of ``http_connection``, by its slot.
        revoked: for every connection 1 once its worker may no longer read from it, by its slot.
        heartbeats: for every worker, when its event loop last turned, in seconds on the machine's monotonic clock.
        busy: for every worker, 1 while its threads have been taken by a user's functions for some time.
        ready: for every worker, 1 once it has loaded and tested its model.
        reserved_bytes: for every worker, what it has reserved for bodies (``body_room.BodyRoom``).
        body_beside: for every worker, 1 if it has the one body beside that room.
        bytes_for_bodies: of all workers together; the supervisor sets it before it starts them.
        serving: at 0, 1 from the moment when all workers were ready for the first time.
    """

    def __init__(self) -> None:
        self.connection_states = _shared_bytes(MAX_CONNECTIONS)
        self.revoked = _shared_bytes(MAX_CONNECTIONS)
        self.busy = _shared_bytes(MAX_WORKERS)
        self.ready = _shared_bytes(MAX_WORKERS)
        self.serving = _shared_bytes(1)
        self.heartbeats = _shared_floats(MAX_WORKERS)
        self.reserved_bytes = _shared_floats(MAX_WORKERS)
        self.body_beside = _shared_bytes(MAX_WORKERS)
        self.bytes_for_bodies = math.inf
        self._counters = _shared_floats(MAX_WORKERS * metrics.NUMBERS)

    def record_heartbeat(self, worker: int) -> None:
        """Note that the event loop of this worker has just turned."""
        self.heartbeats[worker] = time.monotonic()

    def has_free_worker(self) -> bool:
        """Tell whether there is a worker that could run a user's functions now."""
        now = time.monotonic()
        return any(
            self.ready[worker] and not self.busy[worker] and now - self.heartbeats[worker] < SECONDS_FRESH
            for worker in range(MAX_WORKERS)
        )

    def release_bodies(self, worker: int) -> None:
        """Give back the room of a worker that has ended with bodies in hand: the next one may be long in coming."""
        self.reserved_bytes[worker] = self.body_beside[worker] = 0

    def counters_of(self, worker: int) -> MutableSequence[float]:
        """Return the numbers in which this worker counts, laid out by ``metrics``."""
        return self._counters[worker * metrics.NUMBERS : (worker + 1) * metrics.NUMBERS]


def _shared_bytes(count: int) -> MutableSequence[int]:
    return cast(MutableSequence[int], memoryview(mmap.mmap(-1, count)))


def _shared_floats(count: int) -> MutableSequence[float]:
    return cast(MutableSequence[float], memoryview(mmap.mmap(-1, 8 * count)).cast("d"))
