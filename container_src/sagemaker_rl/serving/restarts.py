"""When a worker is started again that has ended, and when the endpoint ends instead."""

import time

MAX_RESTART_SECONDS = 10.0
"""Before a worker is started again that could not load its model."""
MAX_EARLY_DEATHS = 3
"""Of workers before the endpoint has served; the last one ends the endpoint."""


class Restarts:
    """Workers that wait to be started again: later and later, as long as none becomes ready."""

    def __init__(self) -> None:
        self._failures = 0
        self._times: dict[int, float] = {}

    def schedule(self, number: int) -> None:
        """Have the worker of this number started again, after a while."""
        self._failures += 1
        self._times[number] = time.monotonic() + min(0.25 * 2**self._failures, MAX_RESTART_SECONDS)

    def is_hopeless(self) -> bool:
        """Tell whether an endpoint that has never served has lost as many workers as it may."""
        return self._failures >= MAX_EARLY_DEATHS

    def reset(self) -> None:
        """Forget the failures: workers become ready."""
        self._failures = 0

    def take_due(self) -> list[int]:
        """Return the numbers of the workers whose time has come, once."""
        now = time.monotonic()
        due = [number for number, restart_time in self._times.items() if now >= restart_time]
        for number in due:
            del self._times[number]
        return due
