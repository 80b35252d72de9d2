"""Training jobs: creating one, describing one, waiting for its end. ``following`` shows what one does meanwhile."""

import argparse
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch.aws import errors as aws_errors
from launch.aws import roles
from launch.aws.clients import Clients
from launch.aws.storage import Storage, join, split
from launch.cli import dry_run, options
from launch.cli.errors import UsageError
from launch.cli.progress import waiting_for
from launch.sagemaker import following, inputs, preflight, session, training_requests
from launch.sagemaker.job_kinds import ENDED
from launch.sagemaker.training_requests import CODE_CHANNEL


def run(
    arguments: argparse.Namespace, clients: Clients, request: dict[str, Any], uploads: Mapping[str, Path] | None = None
) -> None:
    """Print the request if it is a dry run; else create the job and, with ``--wait``, follow it.

    Args:
        arguments: the flags.
        clients: of the account, or of this machine.
        request: of CreateTrainingJob.
        uploads: folders that the job reads, by the addresses that they are to be uploaded to.

    Raises:
        UsageError: The job would fail: see ``launch.sagemaker.preflight``. Or it has too many hyperparameters.
        JobFailed, JobStopped: It was followed, and did not complete.
    """
    training_requests.check_count(request.get("HyperParameters", {}))
    if arguments.dry_run:
        dry_run.print_request(request)
        return
    preflight.check(arguments, clients, [("CreateTrainingJob", request)])
    if not options.is_local(arguments):
        inputs.check(arguments, clients, request)
        _ensure_experiment(arguments, clients, request)
    job = request["TrainingJobName"]
    create(clients, request, arguments.source_dir, uploads)
    print(f"Created training job {job}", flush=True)
    if request.get("EnableNetworkIsolation") and not options.is_local(arguments):
        print("Without a network it uploads no intermediate files: they come with output.tar.gz", flush=True)
    if arguments.wait:
        following.follow_own(clients, job)
    else:
        flag = " --local" if options.is_local(arguments) else ""
        print(f"Its results: python scripts/fetch.py{flag} {job}")


def _ensure_experiment(arguments: argparse.Namespace, clients: Clients, request: Mapping[str, Any]) -> None:
    """Create the experiment that a job is tracked in if there is none of its name, as SageMaker's SDK does."""
    name = request.get("ExperimentConfig", {}).get("ExperimentName")
    if name and aws_errors.describe_if_exists(clients.sagemaker.describe_experiment, ExperimentName=name) is None:
        clients.sagemaker.create_experiment(ExperimentName=name, Tags=session.tags(arguments))
        print(f"Created experiment {name}", flush=True)


def create(
    clients: Clients, request: dict[str, Any], source: Path | None, uploads: Mapping[str, Path] | None = None
) -> None:
    """Create the job, after its bucket if that is not there, and after uploading what it reads."""
    prepare_storage(clients, request, source, uploads)
    roles.call_once_assumable(clients, clients.sagemaker.create_training_job, request)


def prepare_storage(
    clients: Clients, request: dict[str, Any], source: Path | None, uploads: Mapping[str, Path] | None = None
) -> None:
    """Make the bucket of a job's output if it is not there, and upload what the job reads.

    Args:
        clients: of the account, or of this machine.
        request: CreateTrainingJob's, or the TrainingJobDefinition of a tuning job.
        source: the user's source folder, if there is one.
        uploads: other folders, by their addresses.
    """
    output = request["OutputDataConfig"]
    storage = Storage(clients)
    source_address = _source_address(request) if source is not None else None
    if split(output["S3OutputPath"])[0] == "s3":
        storage.ensure_bucket(split(output["S3OutputPath"])[1])
    for address, folder in (uploads or {}).items():
        storage.upload(folder, address, output.get("KmsKeyId"))
    if source is not None and source_address is not None:
        _upload_source(storage, source, join(source_address, "sourcedir.tar.gz"), output.get("KmsKeyId"))


def _source_address(request: dict[str, Any]) -> str:
    for channel in request.get("InputDataConfig", []):
        if channel["ChannelName"] == CODE_CHANNEL:
            return str(channel["DataSource"]["S3DataSource"]["S3Uri"])
    raise UsageError(f"--request leaves out the channel {CODE_CHANNEL}, expected it in InputDataConfig: --source-dir.")


def _upload_source(storage: Storage, source: Path, target: str, kms_key: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "sourcedir.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in sorted(source.iterdir()):
                tar.add(path, path.name, filter=lambda member: None if "__pycache__" in member.name else member)
        storage.upload(archive, target, kms_key)


def wait_for_end(clients: Clients, job: str) -> dict[str, Any]:
    """Wait quietly until a job has ended, and return its description."""
    with waiting_for(f"training job {job}"):
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
