"""How a script ends when something is wrong: one sentence on standard error, exit 2 or 1."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from launch import interruption


class UsageError(Exception):
    """A user's mistake: exit status 2."""


class JobFailed(Exception):
    """A job or an endpoint failed: exit status 1."""


def run(main: Callable[[], None]) -> NoReturn:
    """Run a script's ``main`` and end the process: with 0, 1, 2, or 128 and the number of the signal that ended it."""
    interruption.install()
    try:
        main()
        sys.stdout.flush()
    except UsageError as error:
        _end(2, f"Error: {error}")
    except JobFailed as error:
        _end(1, f"Failed: {error}")
    except BrokenPipeError:  # as in `demo.py | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still flushes at its end
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:  # a folder that cannot be written, a full disk
        _end(2, f"Error: {error.filename}: {error.strerror}." if error.filename else f"Error: {error}.")
    except interruption.Interrupted as interrupted:
        _end(128 + interrupted.number, "Interrupted.")
    sys.exit(0)


def _end(status: int, sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(status)
