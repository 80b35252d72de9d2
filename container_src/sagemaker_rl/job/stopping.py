"""SIGTERM: at once while a job gets ready, at a moment when the networks' weights are consistent while it trains.

SageMaker stops a job with SIGTERM, and with SIGKILL 120 s later. In a container Python is process 1, which the kernel
spares a signal that it has no handler for: hence a handler from the first moment on.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Any


class Stopped(BaseException):
    """The job was asked to stop; no ``except Exception`` on the way swallows it."""


class StopSignal:
    """Turns SIGTERM into ``Stopped``: raised at once, or, while deferred, by the next ``check``."""

    def __init__(self) -> None:
        self._received = False
        self._deferred = False

    def install(self) -> None:
        """Become the process's handler of SIGTERM."""
        signal.signal(signal.SIGTERM, self._receive)
        sys.unraisablehook = _say_what_was_swallowed

    def _receive(self, number: int, frame: Any) -> None:
        self._received = True
        if not self._deferred:
            raise Stopped

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Raise only from ``check`` while the context is open."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def check(self) -> None:
        """Raise ``Stopped`` if the signal has arrived."""
        if self._received:
            raise Stopped

    def guard(self, owner: Any, method: str) -> None:
        """Check before every call of ``owner``'s ``method``."""
        original = getattr(owner, method)

        def checked(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return original(*args, **kwargs)

        setattr(owner, method, checked)


def _say_what_was_swallowed(what: Any) -> None:
    """Say nothing of a ``Stopped`` in a finalizer or beside a fork: the next ``check`` raises it again."""
    if what.exc_type is not Stopped:
        sys.__unraisablehook__(what)


STOP = StopSignal()
"""The process's one: a process has one handler."""
