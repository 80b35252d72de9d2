"""Ctrl-C, SIGTERM and a closed terminal: they end a script, but never between starting something and its being ended.

A script is interrupted at once, as Python is by Ctrl-C, except while interruptions are held back: around what starts
and ends processes, containers and temporary folders, they wait, and only the long middle of that lets them through.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_held_back = False
_arrived: int | None = None


class Interrupted(BaseException):
    """The script is to end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def end_at_once() -> None:
    """End the process quietly at Ctrl-C, until ``install``: while a script imports, nothing is there to be ended."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: object) -> None:
    # An exception would go through the import of who knows what, and end in a traceback.
    print("Interrupted.", file=sys.stderr, flush=True)
    os._exit(128 + number)


def install() -> None:
    """Turn the signals into ``Interrupted``, but for those that the caller has this script ignore, as nohup does."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _arrive)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold interruptions back while the context is open; one that came meanwhile is raised at its end."""
    try:
        with _holding_back(True):
            yield
    finally:
        _raise_arrived()


@contextlib.contextmanager
def let_through() -> Iterator[None]:
    """Let interruptions through inside ``held_back``: one that waits is raised here, a new one at once."""
    with _holding_back(False):
        _raise_arrived()
        yield


@contextlib.contextmanager
def _holding_back(wanted: bool) -> Iterator[None]:
    global _held_back
    before, _held_back = _held_back, wanted
    try:
        yield
    finally:
        _held_back = before


def _arrive(number: int, frame: object) -> None:
    global _arrived
    _arrived = number
    _raise_arrived()


def _raise_arrived() -> None:
    global _arrived
    if _arrived is not None and not _held_back:
        number, _arrived = _arrived, None
        raise Interrupted(number)
