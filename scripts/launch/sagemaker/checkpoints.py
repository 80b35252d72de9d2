"""The checkpoint that an evaluation job plays: found by what a user names it by, and put where the job can read it."""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

from launch.aws.clients import Clients
from launch.aws.storage import Storage, address_of, join, split
from launch.cli.errors import UsageError
from launch.local.ml_tree import unpack
from launch.sagemaker import session, training_jobs
from launch.sagemaker.following import ENDED


class Checkpoint(NamedTuple):
    """A checkpoint's address, and the preset that it was trained by, if a training job says so."""

    address: str
    preset: str | None


def find(arguments: argparse.Namespace, clients: Clients, job: str) -> Checkpoint:
    """Return the checkpoint that ``arguments.checkpoint`` names; put it below the job's address if need be.

    Raises:
        UsageError: There is no such checkpoint.
    """
    text = arguments.checkpoint
    storage = Storage(clients)
    if text.startswith("s3://"):
        if not storage.find(text):
            raise UsageError(f"There is nothing at {text}.")
        return Checkpoint(text, None)
    folder = Path(text.removeprefix("file://"))
    if folder.is_dir():
        if not any(folder.glob("*.coach_checkpoint")) and not (folder / ".coach_checkpoint").exists():
            raise UsageError(f"The checkpoint is {text!r}, expected a folder with Coach's .coach_checkpoint in it.")
        target = join(session.home_address(arguments, clients), job, "checkpoint")
        if split(target)[0] == "file":
            return Checkpoint(address_of(str(folder)), None)
        _upload(arguments, storage, folder, target)
        return Checkpoint(target, None)
    if "/" in text:
        raise UsageError(f"There is no folder {text}, nor can a training job have that name.")
    return _of_training_job(arguments, clients, text)


def _of_training_job(arguments: argparse.Namespace, clients: Clients, trained: str) -> Checkpoint:
    """Return the last checkpoint of a training job, unpacked from its output.

    Raises:
        UsageError: There is no such job, or it has no checkpoint.
    """
    storage = Storage(clients)
    description = training_jobs.describe(clients, trained)
    preset = description.get("HyperParameters", {}).get("RLCOACH_PRESET")
    archive = join(description["OutputDataConfig"]["S3OutputPath"], trained, "output", "output.tar.gz")
    status = description["TrainingJobStatus"]
    no_checkpoint = UsageError(f"Training job {trained} is {status} and has no checkpoint, expected one that has.")
    if status not in ENDED or not storage.find(archive):
        raise no_checkpoint
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / "output.tar.gz"
        storage.download(archive, packed)
        unpack(packed, Path(temporary) / "output", archive)
        folder = Path(temporary) / "output" / "checkpoint"
        if not folder.is_dir():
            raise no_checkpoint
        target = join(session.home_address(arguments, clients), trained, "checkpoint")
        _upload(arguments, storage, folder, target)
        return Checkpoint(target, preset)


def _upload(arguments: argparse.Namespace, storage: Storage, folder: Path, target: str) -> None:
    if arguments.dry_run:
        return
    if split(target)[0] == "s3":
        storage.ensure_bucket(split(target)[1])
    storage.upload(folder, target, arguments.kms_key)
