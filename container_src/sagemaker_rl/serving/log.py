"""Log lines of an endpoint: a JSON object each, on standard output."""

import contextlib
import os
import select
import sys
import time
from datetime import UTC, datetime
from typing import Any

import orjson

from sagemaker_rl.serving.http1 import Request

STDOUT = 1


def log(level: str, message: str, **fields: Any) -> None:
    """Write a line at once."""
    write([orjson.dumps({"time": now(), "level": level, "message": message, **fields}) + b"\n"])


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write(lines: list[bytes]) -> None:
    """Write whole lines. What nobody takes is lost: an endpoint does not stop because its log does."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()  # what a user's own functions printed
    for line in lines:
        for start in range(0, len(line), select.PIPE_BUF):
            if not select.select((), (STDOUT,), (), 0)[1]:
                return
            try:
                os.write(STDOUT, line[start : start + select.PIPE_BUF])
            except OSError:
                return


class AccessLog:
    """A line per request, gathered and written several times a second.

    Args:
        lines_per_second: beyond which requests are counted only; those that failed have as many lines again. 0 for no
            access log at all.
        worker: the number of the process.
    """

    def __init__(self, lines_per_second: int, worker: int) -> None:
        self._limit = lines_per_second
        self._worker = worker
        self._lines: list[bytes] = []
        self._allowed = lines_per_second
        self._failures_allowed = lines_per_second
        self._left_out = 0
        self._renewed = time.monotonic()

    def add(self, request: Request, status: int, size: int, seconds: float, request_id: str) -> None:
        if status < 400:
            if self._allowed <= 0:
                self._left_out += 1
                return
            self._allowed -= 1
        else:
            if self._failures_allowed <= 0:
                self._left_out += 1
                return
            self._failures_allowed -= 1
        line = {
            "time": now(),
            "level": "info",
            "message": "request",
            "request_id": request_id,
            "method": request.method,
            "path": request.path[:200],
            "status": status,
            "bytes_in": len(request.body),
            "bytes_out": size,
            "milliseconds": round(1000 * seconds, 3),
            "worker": self._worker,
        }
        self._lines.append(orjson.dumps(line) + b"\n")

    def flush(self) -> None:
        """Write what was gathered; several times a second, and at the end."""
        if time.monotonic() - self._renewed >= 1:
            if self._left_out and self._limit:
                line = {
                    "time": now(),
                    "level": "info",
                    "message": f"{self._left_out} more requests in this second",
                    "worker": self._worker,
                }
                self._lines.append(orjson.dumps(line) + b"\n")
            self._allowed = self._failures_allowed = self._limit
            self._left_out = 0
            self._renewed = time.monotonic()
        if self._lines:
            lines, self._lines = self._lines, []
            write(lines)
