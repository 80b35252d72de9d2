"""The folder that SageMaker synchronizes: checkpoints to go on from, each in a folder of its own that never changes.

Files are copied to S3 and back one by one, in no promised order, and the copying may be cut anywhere. A checkpoint
counts if all that its ``checkpoint.json`` names is there, byte for byte (checkpoints.py); the newest that does is gone
on from, whatever else lies beside it.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import disks
from sagemaker_rl.training import checkpoints

FOLDER = re.compile(r"(\d+)_Step-\d+")
"""Of a checkpoint's folder: its place among those of the job, and the environment steps that it was trained for."""
STATE = "state.npz"
"""The file of all that Coach's own checkpoint lacks (state_file.py)."""


def find(channel: Path) -> Path:
    """Return the folder of the checkpoint in an input channel, which may hold what a job has synchronized.

    Raises:
        InputError: The channel is missing, empty or holds no checkpoint.
    """
    return newest(channel) or checkpoints.find(channel)


def newest(folder: Path) -> Path | None:
    """Return the newest whole checkpoint in ``folder``; None if there is none."""
    return next((each for each in reversed(all_in(folder)) if _is_whole(each)), None)


def all_in(folder: Path) -> list[Path]:
    """Return the folders of all checkpoints, whole or not, the oldest first."""
    return sorted(_found_in(folder), key=_number)


def install(staging: Path, folder: Path, keep: Path | None) -> Path:
    """Move a checkpoint into ``folder`` in one go; return its place.

    Args:
        staging: its files, in a folder beside the others.
        folder: where to.
        keep: the one before, which stays, as the new one may be on its way when the job is killed; others go.

    Raises:
        OSError: It cannot be moved.
    """
    others = all_in(folder)
    number = 1 + max((_number(other) for other in others), default=0)  # one that is not whole may have the highest
    _, _, steps = checkpoints.name_of(staging).removesuffix(".ckpt").partition("_")
    target = folder / f"{number:06}_{steps}"
    staging.rename(target)
    for other in others:
        if other != keep:
            shutil.rmtree(other, ignore_errors=True)
    return target


def _found_in(folder: Path) -> Iterator[Path]:
    try:
        yield from (each for each in folder.iterdir() if FOLDER.fullmatch(each.name) and each.is_dir())
    except FileNotFoundError:
        return
    except OSError as error:
        reason = disks.why_not_written(folder, error)
        raise InputError(f"Checkpoint folder {folder} cannot be read: {reason}.") from None


def _number(folder: Path) -> int:
    found = FOLDER.fullmatch(folder.name)
    assert found is not None
    return int(found[1])


def _is_whole(folder: Path) -> bool:
    try:
        description = checkpoints.describe(folder)
        checkpoints.check_digests(folder, description)
    except (InputError, OSError):
        return False
    return STATE in description.get("sha256", {})
