"""The end of what this process and its children write to standard output or standard error, while it is written."""

import contextlib
import os
import sys
import threading
from collections import deque
from types import TracebackType

STDOUT = 1
STDERR = 2
BYTES_KEPT = 64 * 1024
BYTES_PER_READ = 16 * 1024
SECONDS_TO_FINISH = 2.0
"""For what is still in the pipe; a process that a program left behind may hold it open for as long as it likes."""


class StreamTail:
    """Passes a file descriptor's output on as it comes, and keeps the last of it.

    A context manager. Processes that are started inside it inherit the descriptor, whatever they are written in.

    Args:
        descriptor: ``STDOUT`` or ``STDERR``.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept: deque[bytes] = deque()
        self._size = 0

    @property
    def text(self) -> str:
        """The last 64 KiB or so, decoded; complete once the context has been left."""
        return b"".join(self._kept).decode("utf-8", "replace")

    def __enter__(self) -> "StreamTail":
        _flush()
        self._original = os.dup(self._descriptor)
        self._pipe, write_end = os.pipe()
        os.dup2(write_end, self._descriptor)
        os.close(write_end)
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _flush()
        os.dup2(self._original, self._descriptor)  # closes this process's end of the pipe
        self._thread.join(SECONDS_TO_FINISH)

    def _pass_on(self) -> None:
        while data := os.read(self._pipe, BYTES_PER_READ):
            self._kept.append(data)
            self._size += len(data)
            while self._size - len(self._kept[0]) >= BYTES_KEPT:
                self._size -= len(self._kept.popleft())
            with contextlib.suppress(OSError):  # nobody reads the log: the programs that write it go on
                view = memoryview(data)
                while view:
                    view = view[os.write(self._original, view) :]
        os.close(self._pipe)
        os.close(self._original)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed
            stream.flush()
