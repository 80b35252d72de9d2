"""SIGTERM, turned into an exception at a moment when the networks' weights are consistent.

SageMaker stops a job with SIGTERM, and with SIGKILL 120 s later.
"""

import signal
from typing import Any


class Stopped(Exception):
    """The job was asked to stop."""


class StopSignal:
    """Remembers a SIGTERM until the next safe moment: before an environment step, or before a gradient step."""

    def __init__(self) -> None:
        self.received = False
        signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, number: int, frame: Any) -> None:
        self.received = True

    def check(self) -> None:
        """Raise ``Stopped`` if the signal has arrived."""
        if self.received:
            raise Stopped

    def guard(self, owner: Any, method: str) -> None:
        """Check before every call of ``owner``'s ``method``."""
        original = getattr(owner, method)

        def checked(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return original(*args, **kwargs)

        setattr(owner, method, checked)
