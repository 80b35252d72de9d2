"""Training jobs: creating one, describing one, waiting for its end. ``following`` shows what one does meanwhile."""

import argparse
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from launch.aws import roles
from launch.aws.clients import Clients
from launch.aws.storage import Storage, join, split
from launch.cli import dry_run, options
from launch.cli.errors import UsageError
from launch.sagemaker import following, session
from launch.sagemaker.following import ENDED


def run(arguments: argparse.Namespace, clients: Clients, request: dict[str, Any]) -> None:
    """Print the request if it is a dry run; else create the job and, with ``--wait``, follow it.

    Raises:
        UsageError: The image does not exist.
        JobFailed: It was followed, and failed.
    """
    if arguments.dry_run:
        dry_run.print_requests([("CreateTrainingJob", request)])
        return
    session.check_image(arguments, clients, "training")
    job = request["TrainingJobName"]
    create(clients, request, arguments.source_dir)
    print(f"Created training job {job}", flush=True)
    if request.get("EnableNetworkIsolation") and not options.is_local(arguments):
        print("Without a network it uploads no intermediate files: they come with output.tar.gz", flush=True)
    if arguments.wait:
        following.follow_to_end(clients, job)
    else:
        flag = " --local" if options.is_local(arguments) else ""
        print(f"Its results: python scripts/fetch.py{flag} {job}")


def create(clients: Clients, request: dict[str, Any], source: Path | None) -> None:
    """Create the job, after its bucket if that is not there, and after uploading the user's source folder, if any."""
    prepare_storage(clients, request["TrainingJobName"], request["OutputDataConfig"], source)
    roles.call_once_assumable(clients, clients.sagemaker.create_training_job, request)


def prepare_storage(clients: Clients, job: str, output: dict[str, Any], source: Path | None) -> None:
    """Make the bucket of a job's OutputDataConfig if it is not there, and upload the user's source folder, if any."""
    home = output["S3OutputPath"]
    storage = Storage(clients)
    if split(home)[0] == "s3":
        storage.ensure_bucket(split(home)[1])
    if source is not None:
        _upload_source(storage, source, join(home, job, "source", "sourcedir.tar.gz"), output.get("KmsKeyId"))


def _upload_source(storage: Storage, source: Path, target: str, kms_key: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "sourcedir.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in sorted(source.iterdir()):
                tar.add(path, path.name, filter=lambda member: None if "__pycache__" in member.name else member)
        storage.upload(archive, target, kms_key)


def wait_for_end(clients: Clients, job: str) -> dict[str, Any]:
    """Wait quietly until a job has ended, and return its description."""
    while True:
        description = clients.sagemaker.describe_training_job(TrainingJobName=job)
        if description["TrainingJobStatus"] in ENDED:
            return dict(description)
        time.sleep(clients.seconds_between_polls)


def describe(clients: Clients, job: str) -> dict[str, Any]:
    """Return the description of a job.

    Raises:
        UsageError: There is none of that name.
    """
    description = following.training_job(clients, job)
    if description is None:
        raise UsageError(f"There is no training job {job!r}{clients.where}.")
    return description
