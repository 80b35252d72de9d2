"""How a script ends when something is wrong: one sentence on standard error, and an exit status.

::

    Exception
    ├── UsageError     a user's mistake: exit status 2
    ├── JobFailed      a job or an endpoint failed: exit status 1
    └── JobStopped     a job was stopped: exit status 3

Errors of a library become one of the two by an explanation that its own module registers: see ``launch.aws.errors``.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from launch.cli import interruption


class UsageError(Exception):
    """A user's mistake: exit status 2."""


class JobFailed(Exception):
    """A job or an endpoint failed: exit status 1."""


class JobStopped(Exception):
    """A job that was followed has ended before its work was done: by a user, or by its time limit. Exit status 3."""


Explanation = Callable[[Exception], UsageError | JobFailed | None]
_explanations: list[Explanation] = []


def register_explanation(explain: Explanation) -> None:
    """Have ``run`` explain errors by a function that returns None for what it does not know."""
    _explanations.append(explain)


def run(main: Callable[[], None]) -> NoReturn:
    """Run a script's ``main`` and end the process: with 0 to 3, or 128 and the number of the signal that ended it."""
    interruption.install()
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # as in `demo.py | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still flushes at its end
        sys.exit(128 + signal.SIGPIPE)
    except interruption.Interrupted as interrupted:
        _end(128 + interrupted.number, "Interrupted.")
    except JobStopped as stopped:
        _end(3, f"Stopped: {stopped}")
    except Exception as error:
        explained = _explain(error)
        if isinstance(explained, UsageError):
            _end(2, f"Error: {explained}")
        if isinstance(explained, JobFailed):
            _end(1, f"Failed: {explained}")
        raise
    sys.exit(0)


def _explain(error: Exception) -> UsageError | JobFailed | None:
    """Return the error that says in one sentence what happened; None for a fault of the script's own."""
    if isinstance(error, UsageError | JobFailed):
        return error
    for explain in _explanations:
        if explained := explain(error):
            return explained
    if isinstance(error, OSError):  # a folder that cannot be written, a full disk
        return UsageError(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.")
    return None


def _end(status: int, sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(status)
