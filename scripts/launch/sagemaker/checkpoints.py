"""The checkpoint that an evaluation job plays: found by what a user names it by, and put where the job can read it."""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from launch.aws.clients import Clients
from launch.aws.storage import Storage, address_of, join, split
from launch.cli.errors import UsageError
from launch.local.ml_tree import unpack
from launch.sagemaker import session, training_jobs
from launch.sagemaker.job_kinds import ENDED

SYNCHRONIZED = "*_Step-*/checkpoint.json"
"""The files that describe the checkpoints in a folder which a job has synchronized; the newest is the last by name."""


class Checkpoint(NamedTuple):
    """A checkpoint, where the job can read it.

    Attributes:
        address: of its folder.
        preset: that it was trained by; None if it is not known here.
        job: the description of the training job that it is of; empty if it is given by its place.
        uploads: the folder that has to be uploaded to the address first, if there is one.
    """

    address: str
    preset: str | None
    job: Mapping[str, Any]
    uploads: Mapping[str, Path] = {}


@contextlib.contextmanager
def found(arguments: argparse.Namespace, clients: Clients, job: str) -> Iterator[Checkpoint]:
    """Give the checkpoint that ``arguments.checkpoint`` names, to be put below the job's address if need be.

    While the context is open, its folder is there.

    Raises:
        UsageError: There is no such checkpoint.
    """
    text = arguments.checkpoint
    storage = Storage(clients)
    if text.startswith("s3://"):
        if session.may_ask(arguments, clients) and not storage.find(text):
            raise UsageError(f"There is nothing at {text}.")
        yield Checkpoint(text, None, {})
        return
    folder = Path(text.removeprefix("file://"))
    if folder.is_dir():
        if not any(folder.glob("*.coach_checkpoint")) and not any(folder.glob(SYNCHRONIZED)):
            raise UsageError(f"The checkpoint is {text!r}, expected a folder with Coach's .coach_checkpoint in it.")
        target = join(session.home_address(arguments, clients), job, "checkpoint")
        if split(target)[0] == "file":
            yield Checkpoint(address_of(str(folder)), _preset(folder), {})
        else:
            yield Checkpoint(target, _preset(folder), {}, {target: folder})
        return
    if "/" in text:
        raise UsageError(f"There is no folder {text}, nor can a training job have that name.")
    with tempfile.TemporaryDirectory() as temporary:
        yield _of_training_job(arguments, clients, text, Path(temporary))


def _of_training_job(arguments: argparse.Namespace, clients: Clients, trained: str, temporary: Path) -> Checkpoint:
    """Return the last checkpoint of a training job, unpacked from its output into a temporary folder.

    Raises:
        UsageError: There is no such job, or it has no checkpoint.
    """
    storage = Storage(clients)
    description = training_jobs.describe(clients, trained)
    archive = join(description["OutputDataConfig"]["S3OutputPath"], trained, "output", "output.tar.gz")
    status = description["TrainingJobStatus"]
    no_checkpoint = UsageError(f"Training job {trained} is {status} and has no checkpoint, expected one that has.")
    if status not in ENDED or not storage.find(archive):
        raise no_checkpoint
    packed = temporary / "output.tar.gz"
    storage.download(archive, packed)
    unpack(packed, temporary / "output", archive)
    folder = temporary / "output" / "checkpoint"
    if not folder.is_dir():
        raise no_checkpoint
    target = join(session.home_address(arguments, clients), trained, "checkpoint")
    return Checkpoint(target, _preset(folder), description, {target: folder})


def _preset(folder: Path) -> str | None:
    """Return the preset that a checkpoint names; a checkpoint of Coach's own making names none."""
    synchronized = sorted(folder.glob(SYNCHRONIZED))
    try:
        file = synchronized[-1] if synchronized else folder / "checkpoint.json"
        return str(json.loads(file.read_text(encoding="utf-8"))["preset"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
