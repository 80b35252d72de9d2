"""Memory that the supervisor and its workers share, and that outlives each of them.

It is made before the workers are forked, so that no file is needed: a full disk changes nothing.
"""

import mmap
import time
from collections.abc import MutableSequence
from typing import Any, cast

from sagemaker_rl.serving import metrics

MAX_WORKERS = 64
MAX_CONNECTIONS = 8192


class Board:
    """What is known of all workers, wherever one looks.

    Attributes:
        states: for every connection, one of those that ``http1`` names.
        heartbeats: for every worker, when its event loop last turned, on the machine's monotonic clock.
        ready: for every worker, 1 once it has loaded and tested what it serves.
        serving: at 0, 1 from the moment when all workers were ready for the first time.
        counters: for every worker, the values of ``metrics``.
    """

    def __init__(self) -> None:
        sizes = (MAX_CONNECTIONS, MAX_WORKERS, 8, 8 * MAX_WORKERS, 8 * MAX_WORKERS * metrics.VALUES)
        memory = memoryview(mmap.mmap(-1, sum(sizes)))
        parts: list[memoryview[Any]] = []
        start = 0
        for size in sizes:
            parts.append(memory[start : start + size])
            start += size
        self.states = cast(MutableSequence[int], parts[0])
        self.ready = cast(MutableSequence[int], parts[1])
        self.serving = cast(MutableSequence[int], parts[2])
        self.heartbeats = cast(MutableSequence[float], parts[3].cast("d"))
        self.counters = cast(MutableSequence[float], parts[4].cast("d"))

    def beat(self, worker: int) -> None:
        self.heartbeats[worker] = time.monotonic()

    def counters_of(self, worker: int) -> MutableSequence[float]:
        return self.counters[worker * metrics.VALUES : (worker + 1) * metrics.VALUES]
