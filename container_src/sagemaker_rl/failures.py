"""How a job ends: exit status, one clear sentence, and the failure file that becomes SageMaker's FailureReason.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html
"""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from sagemaker_rl.errors import InputError

FAILURE_REASON_LENGTH = 1024


class ProgramFailed(Exception):
    """Another program of this job has failed; if it could say why, that is in the failure file already."""


def run(job: Callable[[], None], failure_file: Path) -> int:
    """Run ``job`` and return the process's exit status: 0, or 1 with the reason in ``failure_file`` and on stderr.

    A user's mistake (InputError) is one sentence; a fault of the program or of a user's own code is a traceback.
    """
    try:
        job()
    except InputError as error:
        reason = str(error)
        print(f"Error: {reason}", file=sys.stderr, flush=True)
    except ProgramFailed as error:
        reason = str(error)
        if failure_file.exists():
            return 1
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        traceback.print_exc()
    else:
        return 0
    _write(failure_file, reason[:FAILURE_REASON_LENGTH])
    return 1


def _write(failure_file: Path, reason: str) -> None:
    staged = failure_file.with_name(".failure.tmp")
    try:
        failure_file.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(reason, encoding="utf-8")
        os.replace(staged, failure_file)
    except OSError as error:
        print(f"The failure file {failure_file} cannot be written: {error.strerror}.", file=sys.stderr, flush=True)
