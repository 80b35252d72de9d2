"""How a job ends: exit status, one clear sentence, and the failure file that becomes SageMaker's FailureReason.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html
"""

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import disks, exit_reasons, outputs
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import Stopped

FAILURE_REASON_LENGTH = 1024
OUTPUT = "The job's output"
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class ProgramFailed(Exception):
    """Another program of this job has failed; if it could say why, that is in the failure file already."""


def run(job: Callable[[], None], failure_file: Path) -> str | None:
    """Run ``job``; return None if it went well, else the reason, which is then in ``failure_file`` and on stderr too.

    A user's mistake (InputError) or a full disk is one sentence; a fault of the program or of a user's own code is a
    traceback. A job that was asked to stop and could do so has gone well.
    """
    try:
        job()
    except Stopped as stopped:
        print(f"Stopped by {stopped}.", flush=True)
        return None
    except ProgramFailed as error:
        if failure_file.exists():
            return failure_file.read_text(encoding="utf-8")
        reason = str(error)
    except InputError as error:
        reason = str(error)
    except SystemExit as end:
        if end.code in (0, None):
            return None
        reason = end.code if isinstance(end.code, str) else f"The program ended with exit status {end.code}."
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            where = error.filename or disks.full_folder(MLPaths(failure_file.parent.parent)) or OUTPUT
            reason = f"{where} cannot be written: {error.strerror}."
        else:
            reason = _last_line(error)
            traceback.print_exc()
    else:
        return None
    reason = reason[:FAILURE_REASON_LENGTH]
    print(f"Error: {reason}", file=sys.stderr, flush=True)
    _write(failure_file, reason)
    return reason


def _last_line(error: Exception) -> str:
    """Return what a traceback ends with: the exception's name and message; of a module that is missing what to do."""
    name = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{name}: {exit_reasons.missing_module(error.name)}"
    message = exit_reasons.own_words(error)
    return f"{name}: {message}" if message else name


def _write(failure_file: Path, reason: str) -> None:
    try:
        failure_file.parent.mkdir(parents=True, exist_ok=True)
        outputs.write_text(failure_file, reason)
    except OSError as error:
        print(f"The failure file {failure_file} cannot be written: {error.strerror}.", file=sys.stderr, flush=True)


@contextlib.contextmanager
def tolerated(name: str, note: Callable[[str], None] = lambda reason: None) -> Iterator[None]:
    """Let the block fail without failing the job: for extras that no result of the job depends on.

    Args:
        name: what is missing then, for the log.
        note: called with the reason.
    """
    try:
        yield
        return
    except Stopped:
        reason = "the job was stopped"
    except InputError as error:
        reason = str(error).rstrip(".")
    except Exception as error:  # of a user's own environment, of a full disk
        reason = f"{type(error).__name__}: {error}".rstrip(".")
    outputs.metric_line("Report", Missing=name, Reason=reason)
    note(reason)
