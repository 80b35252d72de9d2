"""The log of an endpoint: a JSON object in each line, on standard output."""

import contextlib
import os
import select
import sys
import time
from datetime import UTC, datetime
from typing import Any

import orjson

from sagemaker_rl.serving.http_requests import Request

STDOUT = 1


def log(level: str, message: str, **fields: Any) -> None:
    """Write a line now."""
    write([orjson.dumps({"time": now(), "level": level, "message": message, **fields}) + b"\n"])


def now() -> str:
    """Return the time as the log writes it, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write(lines: list[bytes]) -> None:
    """Write whole lines. Those that nobody reads are lost: an endpoint does not stop because its log does."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()  # what a user's own functions have printed
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
        lines_per_second: for requests that succeeded, and as many again for those that failed; the others are counted.
            0 for no access log at all.
        worker: the number of the process.
    """

    def __init__(self, lines_per_second: int, worker: int) -> None:
        self._limit = lines_per_second
        self._worker = worker
        self._lines: list[bytes] = []
        self._allowed = lines_per_second
        self._failures_allowed = lines_per_second
        self._left_out = 0
        self._second_began = time.monotonic()

    def add(self, request: Request, status: int, size: int, seconds: float, request_id: str) -> None:
        """Gather the line of a request whose answer has ``size`` bytes and took so many seconds."""
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
        """Write the lines that were gathered; called several times a second, and at the end."""
        if time.monotonic() - self._second_began >= 1:
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
            self._second_began = time.monotonic()
        if self._lines:
            lines, self._lines = self._lines, []
            write(lines)
