"""Start-up: seconds from ``docker run ... train`` to a job's first environment step."""

import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import timed_process
import training_job

IMAGE = "mountain-car-training:latest"
HOST = "algo-1"
REPEATS = 7
"""The result is the median of the repeats, without a first one that brings the image into memory."""
FIRST_STEP = "Path>"
"""A job prints a line that begins so, and then steps its environments for the first time."""


def image_id() -> str | None:
    """Return the training image's id, None if there is no Docker engine or no image."""
    if not shutil.which("docker"):
        return None
    command = ["docker", "image", "inspect", "--format={{.Id}}", IMAGE]
    process = subprocess.run(command, capture_output=True, text=True)
    return process.stdout.strip() if process.returncode == 0 else None


SHORT_JOB = {
    "RLCOACH_PRESET": "preset-mountain-car-continuous-clipped-ppo",
    "seed": "0",
    "improve_steps": "4096",
    "training_freq_env_steps": "4096",
    "training_batch_size": "1024",
    "training_epochs": "1",
    "evaluation_episodes": "1",
}


def measure(log: Path) -> dict[str, Any]:
    """Start a job several times; return what is recorded of it.

    Raises:
        timed_process.RunFailed: It failed.
    """
    seconds = [_start(log) for _ in range(REPEATS + 1)][1:]
    return {"system": "start-up", "seconds": statistics.median(seconds), "each": seconds}


def _start(log: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        ml = Path(folder)
        training_job.write_inputs(ml, SHORT_JOB, HOST)
        options = ["--rm", "--network=none", f"--hostname={HOST}", f"--add-host={HOST}:127.0.0.1"]
        command: list[str | Path] = ["docker", "run", *options, f"--volume={ml}:/opt/ml", IMAGE, "train"]
        process = timed_process.run(command, ml, log, {})
    return next(at for at, line in process.lines if line.startswith(FIRST_STEP))
