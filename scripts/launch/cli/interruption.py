"""Ctrl-C, SIGTERM and a closed terminal end a script, but never before it has ended what it started.

A script is interrupted at once, as Python is by Ctrl-C, except while interruptions are held back. They are held back
around the use of processes, containers and temporary folders, from their start to their end; only the long wait in the
middle lets them through.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_held_back = False
_pending: int | None = None


class Interrupted(BaseException):
    """Raised in the script's main thread by a signal; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def end_process_at_sigint() -> None:
    """Have Ctrl-C end the process without a traceback until ``install``: a script has started nothing by then."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: object) -> None:
    # An exception would pass through the import of another package, which may turn it into a traceback.
    print("Interrupted.", file=sys.stderr, flush=True)
    os._exit(128 + number)


def install() -> None:
    """Turn the signals into ``Interrupted``, except those that the script's caller ignores, as nohup does."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_signal)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold interruptions back while the context is open; one that arrives meanwhile is raised at its end."""
    try:
        with _set_held_back(True):
            yield
    finally:
        _raise_pending()


@contextlib.contextmanager
def let_through() -> Iterator[None]:
    """Let interruptions through inside ``held_back``: one that is held back is raised here, a new one at once."""
    with _set_held_back(False):
        _raise_pending()
        yield


@contextlib.contextmanager
def _set_held_back(held_back: bool) -> Iterator[None]:
    global _held_back
    before, _held_back = _held_back, held_back
    try:
        yield
    finally:
        _held_back = before


def _on_signal(number: int, frame: object) -> None:
    global _pending
    _pending = number
    _raise_pending()


def _raise_pending() -> None:
    global _pending
    if _pending is not None and not _held_back:
        number, _pending = _pending, None
        raise Interrupted(number)
