"""SIGTERM or Ctrl-C ends a job: at once while it gets ready; in training, when the networks' weights are consistent.

SageMaker stops a job with SIGTERM, and with SIGKILL 120 s later. In a container Python is process 1, to which the
kernel delivers no signal that it has no handler for: hence a handler from the first moment on.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""That ask a job to stop; the second is Ctrl-C."""


class Stopped(BaseException):
    """The job was asked to stop, by the signal of this name; no ``except Exception`` on the way swallows it."""


def handle(handler: Callable[[int, Any], Any]) -> None:
    """Have ``handler`` called with the number of each of SIGNALS.

    SIGINT stays ignored where it is: a shell has it so in the background, for its Ctrl-C is not meant.
    """
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def ignore() -> None:
    """Let neither of SIGNALS end the process any more: Python's own end would take their handlers away."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Hold SIGNALS back while the context is open: a process that begins in it gets none until it unblocks them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def is_caught(pid: int, number: int) -> bool:
    """Tell whether a process has a handler of a signal (https://man7.org/linux/man-pages/man5/proc.5.html: SigCgt)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


class StopSignal:
    """Turns SIGTERM and Ctrl-C into ``Stopped``: raised at once, or, while deferred, by the next ``check``."""

    def __init__(self) -> None:
        self._received = ""
        self._since = 0.0
        self._deferred = False

    def install(self) -> None:
        """Become the process's handler of both."""
        handle(self._receive)
        sys.unraisablehook = _report_unraisable

    def _receive(self, number: int, frame: Any) -> None:
        if not self._received:  # asking again gains nobody time
            self._since = time.monotonic()
        self._received = signal.Signals(number).name
        if not self._deferred:
            raise Stopped(self._received)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Raise only from ``check`` while the context is open; it may be opened inside another."""
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before

    def check(self, patience: float = 0.0) -> None:
        """Raise ``Stopped`` if a signal has arrived, and ``patience`` seconds have passed since."""
        if self.is_due(patience):
            raise Stopped(self._received)

    def is_due(self, patience: float = 0.0) -> bool:
        """Tell whether a signal has arrived, and ``patience`` seconds have passed since."""
        return bool(self._received) and time.monotonic() >= self._since + patience

    @property
    def received(self) -> str:
        """The name of the signal that has arrived; empty if none has."""
        return self._received

    def guard(self, owner: Any, method: str) -> None:
        """Check before every call of ``owner``'s ``method``."""
        original = getattr(owner, method)

        def checked(*args: Any, **kwargs: Any) -> Any:
            self.check()
            return original(*args, **kwargs)

        setattr(owner, method, checked)


def _report_unraisable(unraisable: Any) -> None:
    """Print an exception that Python cannot raise, of a finalizer perhaps; not ``Stopped``, which ``check`` raises."""
    if unraisable.exc_type is not Stopped:
        sys.__unraisablehook__(unraisable)


STOP = StopSignal()
"""The only one: a process has one handler of a signal."""
