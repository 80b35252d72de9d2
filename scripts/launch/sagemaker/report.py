"""The report of jobs, ``report.html``: written from their fetched files by the training image's own program."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.atomic_files import PRIVATE, replacing
from launch.aws.clients import Clients
from launch.aws.storage import Storage, join
from launch.cli import secrets
from launch.cli.errors import JobFailed
from launch.project import ROOT, runs_folder
from launch.sagemaker import results, training_jobs
from launch.sagemaker.job_kinds import ENDED

PROGRAM = ROOT / "container_src" / "write-report.py"
DESCRIPTION_FILE = "description.json"
"""DescribeTrainingJob's answer, beside a fetched job's files."""
DEMO_LOG = "job.log"
"""Of a job of the demo (launch/local/attached.py)."""
MAX_RUNS = 12
"""In one report, which then has just below 3 MB."""


def write_description(job: dict[str, Any], folder: Path) -> None:
    """Write DescribeTrainingJob's answer beside a job's files: it has the image, the billed time and the failure.

    What may be secret is left out: the folder is passed on, and the report shows the hyperparameters.
    """
    content = secrets.masked({key: value for key, value in job.items() if key != "ResponseMetadata"})
    with replacing(folder / DESCRIPTION_FILE, PRIVATE) as staged:
        staged.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def has_ended(folder: Path) -> bool:
    """Tell whether a job had ended when it was fetched, and all of it is here; the demo's has no description."""
    try:
        content = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return (folder / DEMO_LOG).is_file()
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("TrainingJobStatus") in ENDED


def fetch_job(clients: Clients, job: str) -> Path:
    """Return the folder of a training job, below ``runs/``; fetch its files unless all of them are there.

    Raises:
        UsageError: There is no such job.
    """
    folder = runs_folder() / job
    if (folder / "output").is_dir() and has_ended(folder):
        return folder
    description = training_jobs.describe(clients, job)
    results.fetch(Storage(clients), join(description["OutputDataConfig"]["S3OutputPath"], job, "output"), folder)
    write_description(description, folder)  # the last: it says that the rest is there
    return folder


def write(folders: Sequence[Path], output: Path) -> None:
    """Write the report of the jobs in ``folders``; it shows several beside each other.

    Raises:
        JobFailed: It cannot be written.
    """
    process = subprocess.run(
        [sys.executable, PROGRAM, *folders, "--output", output],
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parent)},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"exit status {process.returncode}"]
        raise JobFailed(f"The report {output} cannot be written: {lines[-1].removeprefix('Error: ')}")
