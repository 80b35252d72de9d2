"""Runs a process to its end, with the time of every line that it prints, and its peak memory."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


class RunFailed(Exception):
    """A process that was to be measured ended with an error."""


@dataclass(frozen=True)
class TimedProcess:
    """A process that has ended with exit status 0, or was ended; times are in seconds since it was started."""

    lines: list[tuple[float, str]]
    seconds: float
    peak_memory_kib: int
    """``ru_maxrss`` of the process, or of the largest of its children that it waited for."""


def run(
    command: Sequence[str | Path],
    cwd: Path,
    log: Path,
    environment: dict[str, str],
    until: Callable[[float, str], bool] = lambda seconds, line: False,
) -> TimedProcess:
    """Run ``command`` in the folder ``cwd``, and write what it prints to ``log``, a line with its time each.

    Args:
        command: program and arguments.
        cwd: the folder.
        log: the file.
        environment: variables besides this process's own.
        until: is given the seconds and the text of each line; the process is killed where it returns True.

    Raises:
        RunFailed: Its exit status is not 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(
        [str(argument) for argument in command],
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "SDL_VIDEODRIVER": "dummy", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: list[tuple[float, str]] = []
    ended = False
    try:
        with log.open("w", encoding="utf-8") as file:
            for line in process.stdout:
                lines.append((time.monotonic() - started, line.rstrip("\n")))
                file.write(f"{lines[-1][0]:9.3f} {line}")
                if until(*lines[-1]):
                    ended = True
                    os.killpg(process.pid, signal.SIGKILL)
                    break
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not ended:
        last_line = lines[-1][1] if lines else "it printed nothing"
        raise RunFailed(f"exit status {process.returncode}: {last_line} (the log is {log})")
    return TimedProcess(lines, time.monotonic() - started, usage.ru_maxrss)
