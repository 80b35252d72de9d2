"""Hyperparameters checked by the training container's own code, before a job is created.

The code is run as a program of its own: what runs in the containers and what launches them do not know each other.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from launch import project
from launch.cli.errors import UsageError

MODULE = "sagemaker_rl.hyperparameter_check"
DEFAULT_PROGRAM = "train-coach.py"
PROGRAMS = (DEFAULT_PROGRAM, "evaluate-coach.py")
PLATFORMS = "sagemaker_"
"""How the names begin that are not the program's."""
MISTAKE = 2
"""The exit status of the module if a hyperparameter is wrong; any other but 0: it cannot tell."""


def check(image: str, jobs: Sequence[Mapping[str, str]]) -> None:
    """Check the hyperparameters of jobs that run one of this project's own programs in its own training image.

    Nothing is known of other programs: a user's own source (script mode), or an image of another name.

    Args:
        image: its URI.
        jobs: the hyperparameters of each; they differ in what a tuning job tunes.

    Raises:
        UsageError: One is unknown, or its value does not fit; in the words of the job itself.
    """
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    program = jobs[0].get("sagemaker_program", DEFAULT_PROGRAM)
    is_own = name == project.repository_name("training") and program in PROGRAMS
    given = [{key: value for key, value in job.items() if not key.startswith(PLATFORMS)} for job in jobs]
    if not is_own or "sagemaker_submit_directory" in jobs[0] or not any(given):
        return
    checked = subprocess.run(
        [sys.executable, "-m", MODULE, program],
        input=json.dumps(given),
        env={**os.environ, "PYTHONPATH": str(project.ROOT / "container_src")},
        capture_output=True,
        text=True,
    )
    if checked.returncode == MISTAKE:
        raise UsageError(checked.stdout.strip().rpartition("\n")[2])
