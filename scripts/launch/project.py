"""Names and places of this project; cheap to import, as every script does."""

import os
import shlex
import subprocess
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("training", "serving")
"""The two images."""
PLATFORM = "linux/amd64"
"""Of both images, wherever they are built and run: MXNet has packages for no other, and SageMaker is told of none."""
BASE_NAME = "rl-mountain-car"
"""What the names of jobs begin with, and the default name of an endpoint."""

TAG = {"Key": "created-by", "Value": BASE_NAME}
"""Of what the scripts make in SageMaker, and of a bucket that they make: ``clean_up.py`` finds it by that."""


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


def changed_since(revision: str, kind: str, built: datetime) -> list[str]:
    """Return the files of an image that are not as they were when it was built; none where git cannot tell.

    Args:
        revision: what ``git_revision`` returned then. With ``-dirty`` after it the image may have changes that no
            commit has: then a file has changed since if it was written later than the image.
        kind: of the image.
        built: when.
    """
    commit = revision.removesuffix("-dirty")
    sources = [f":(glob){source.rstrip('/')}" for source in _sources(kind)]
    try:
        listings = [
            subprocess.check_output(["git", *command, "--", *sources], cwd=ROOT, text=True, stderr=subprocess.DEVNULL)
            for command in (
                ["diff", "--name-only", "--relative", commit],
                ["ls-files", "--others", "--exclude-standard"],
            )
        ]
    except (OSError, subprocess.CalledProcessError):  # no git, or a revision that this checkout does not have
        return []
    changed = sorted({name for listing in listings for name in listing.splitlines()})
    if commit == revision:
        return changed
    return [name for name in changed if (ROOT / name).is_file() and (ROOT / name).stat().st_mtime > built.timestamp()]


def _sources(kind: str) -> list[str]:
    """Return what goes into an image, as its Dockerfile names it, and the Dockerfile."""
    dockerfile = f"docker/{kind}/Dockerfile"
    lines = (ROOT / dockerfile).read_text(encoding="utf-8").splitlines()
    copies = [shlex.split(line)[1:-1] for line in lines if line.startswith("COPY ")]
    return [dockerfile, *(source for sources in copies if not sources[0].startswith("--") for source in sources)]


def unique_name(base: str) -> str:
    """Return ``base`` with the time of day after it, as the SageMaker SDK names jobs."""
    return f"{base}-{datetime.now():%Y-%m-%d-%H-%M-%S-%f}"[:63]


def runs_folder() -> Path:
    """Return where results go: the folder that RL_RUNS names, else ``runs/`` of this checkout."""
    return Path(os.environ.get("RL_RUNS") or ROOT / "runs").resolve()
