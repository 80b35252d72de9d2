"""Which folder of a job is full, and why a file could not be written where no exception says it."""

import os
import tempfile
from pathlib import Path

from sagemaker_rl.job import exit_reasons
from sagemaker_rl.job.ml_paths import MLPaths

ROOM = 1024 * 1024
"""A folder with fewer free bytes is full."""


def why_not_written(folder: Path, error: Exception) -> str:
    """Return why a file could not be written into ``folder``, without full stop.

    MXNet raises MXNetError without the system's reason, and ``shutil.copytree`` an OSError without a number; the folder
    is then asked itself.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return why_unwritable(folder) or exit_reasons.own_words(error).rstrip(".") or type(error).__name__


def why_unwritable(folder: Path) -> str:
    """Return the system's reason why ``folder`` takes no further file; empty if it takes one."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def full_folder(paths: MLPaths) -> Path | None:
    """Return the fullest of the folders that a job writes to, if it is full."""
    folders = (paths.model, paths.output_data, paths.intermediate, paths.synced_checkpoint, Path(tempfile.gettempdir()))
    free = {folder: _free_bytes(folder) for folder in folders if folder.is_dir()}
    fullest = min(free, key=lambda folder: free[folder])
    return fullest if free[fullest] < ROOM else None


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
