"""The report of jobs, ``report.html``, made anew from their fetched files by the training image's own program."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.cli.errors import JobFailed
from launch.project import ROOT

PROGRAM = ROOT / "container_src" / "write-report.py"
DESCRIPTION_FILE = "description.json"
ENDED = ("Completed", "Failed", "Stopped")
MOST_RUNS = 12
"""In one report, which is then just below 3 MB."""


def describe(job: dict[str, Any], folder: Path) -> None:
    """Leave DescribeTrainingJob's answer beside a job's files: it knows the image, the bill, and why a job failed."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {key: value for key, value in job.items() if key != "ResponseMetadata"}
    staged = folder / f".{DESCRIPTION_FILE}"
    staged.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    staged.replace(folder / DESCRIPTION_FILE)


def has_ended(folder: Path) -> bool:
    """Return whether a job had ended when it was fetched into ``folder``, or was none that is described: a demo's."""
    try:
        content = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("TrainingJobStatus") in ENDED


def write(folders: Sequence[Path], output: Path) -> None:
    """Write the report of the jobs in ``folders``; of several, beside each other.

    Raises:
        JobFailed: It cannot be written.
    """
    done = subprocess.run(
        [sys.executable, PROGRAM, *folders, "--output", output],
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parent)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise JobFailed(f"The report {output} cannot be written: {lines[-1].removeprefix('Error: ')}")
