"""Names and places of this project; cheap to import, as every script does."""

import os
import subprocess
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("training", "serving")
"""The two images."""
BASE_NAME = "rl-mountain-car"
"""What the names of jobs begin with, and the default name of an endpoint."""


def repository_name(kind: str) -> str:
    """Return ``mountain-car-training`` or ``mountain-car-serving``, on an engine as in ECR."""
    return f"mountain-car-{kind}"


def image_name(kind: str, tag: str = "latest") -> str:
    """Return ``mountain-car-training:latest`` and the like."""
    return f"{repository_name(kind)}:{tag}"


def git_revision() -> str:
    """Return the checkout's revision, with ``-dirty`` after it if there are changes; ``unknown`` outside git."""
    try:
        revision = subprocess.check_output(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, text=True)
        changes = subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT, text=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return revision.strip() + ("-dirty" if changes.strip() else "")


def unique_name(base: str) -> str:
    """Return ``base`` with the time of day after it, as the SageMaker SDK names jobs."""
    return f"{base}-{datetime.now():%Y-%m-%d-%H-%M-%S-%f}"[:63]


def runs_folder() -> Path:
    """Return where results go: the folder that RL_RUNS names, else ``runs/`` of this checkout."""
    return Path(os.environ.get("RL_RUNS") or ROOT / "runs").resolve()
