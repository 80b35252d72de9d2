"""Batch transform jobs: the request, and running one from a file of observations to a file of answers.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
"""

import argparse
import time
from pathlib import Path
from typing import Any

from launch.aws import consistency, logs, roles
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.storage import Storage, address_of, join, split
from launch.cli import interruption, options, values
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for
from launch.local.json_path import JsonPath, PathError
from launch.project import BASE_NAME, unique_name
from launch.sagemaker import endpoint_resources, fields, following, model_packages, session
from launch.sagemaker.endpoint_resources import EndpointResource
from launch.sagemaker.job_kinds import ENDED, TRANSFORM

MEDIA_TYPES = {".csv": "text/csv", ".jsonl": "application/jsonlines", ".jsonlines": "application/jsonlines"}
"""Of an input file, by its suffix."""
DEFAULT_PAYLOAD_IN_MB = 6
MAX_MB_AT_ONCE = 100
"""Of all requests that are under way."""


def new_name() -> str:
    """Return a name for a job and for the model that is created for it alone."""
    return unique_name(f"{BASE_NAME}-transform")


def choose_media_type(file: str, flag: str | None) -> str:
    """Return the media type of the input: that of the flag, else by the file's name.

    Raises:
        UsageError: There is no flag, and the name has no suffix that is known.
    """
    media_type = flag or MEDIA_TYPES.get(Path(file).suffix)
    if media_type is None:
        raise UsageError(f"The input is {file!r}, expected a name with {', '.join(MEDIA_TYPES)}.")
    return media_type


def check_flags(arguments: argparse.Namespace) -> None:
    """Check flags that depend on each other.

    Raises:
        UsageError: A flag makes no sense with another, or a filter is no JSONPath.
    """
    options.check_network(arguments)
    if not (arguments.model or arguments.package):
        raise UsageError("There is no model, expected a training job's name, a model.tar.gz or --package.")
    model_packages.check_flags(arguments)
    payload = DEFAULT_PAYLOAD_IN_MB if arguments.max_payload is None else arguments.max_payload
    together = payload * (arguments.max_concurrent or 1)
    if together > MAX_MB_AT_ONCE:
        times = f" times --max-concurrent {arguments.max_concurrent}" if arguments.max_concurrent else ""
        raise UsageError(f"--max-payload {payload}{times} is {together} MB, expected at most {MAX_MB_AT_ONCE}.")
    for flag in ("input_filter", "output_filter"):
        try:
            JsonPath(getattr(arguments, flag) or "$")
        except PathError as error:
            raise UsageError(f"--{flag.replace('_', '-')} is {error}.") from None
    if arguments.split == "Line":
        return
    if arguments.strategy == "MultiRecord":
        raise UsageError("--strategy MultiRecord gathers lines, expected with --split Line.")
    for flag in ("join", "input_filter", "output_filter"):
        if getattr(arguments, flag):
            raise UsageError(f"--{flag.replace('_', '-')} is of lines, expected with --split Line.")


def find_input(arguments: argparse.Namespace, clients: Clients, name: str) -> str:
    """Return the address of the input; ``upload_input`` puts a file of this machine there.

    Raises:
        UsageError: There is nothing at the address, or nothing in the files.
    """
    if "://" in arguments.input and not session.may_ask(arguments, clients):
        return str(arguments.input)
    storage = Storage(clients)
    files = storage.find(address_of(arguments.input))
    if not files:
        raise UsageError(f"There is nothing at {arguments.input}.")
    if not any(file.size for file in files):
        raise UsageError(f"The input is {arguments.input}, which is empty, expected an observation in each line.")
    if "://" in arguments.input:
        return str(arguments.input)
    file = Path(arguments.input)
    home = session.home_address(arguments, clients)
    if split(home)[0] == "file":
        return address_of(arguments.input)
    return join(home, name, "input", file.name)


def upload_input(arguments: argparse.Namespace, clients: Clients, address: str) -> None:
    """Upload the input, if it is a file that is not yet at the address that ``find_input`` returned."""
    scheme, bucket, _ = split(address)
    if scheme == "s3" and "://" not in arguments.input:
        storage = Storage(clients)
        storage.ensure_bucket(bucket)
        storage.upload(Path(arguments.input), address, arguments.kms_key)


def request(arguments: argparse.Namespace, clients: Clients, name: str, source: str, media_type: str) -> dict[str, Any]:
    """Return the CreateTransformJob request.

    Args:
        arguments: the flags of ``transform.py``.
        clients: give the account.
        name: of the job and of its model.
        source: the address of the input.
        media_type: of the input and of the answers.
    """
    by_line = arguments.split == "Line"
    output = {"SAGEMAKER_RL_OUTPUT": "heads" if arguments.heads else "actions"}
    complete = {
        "TransformJobName": name,
        "ModelName": name,
        "BatchStrategy": arguments.strategy or ("MultiRecord" if by_line else "SingleRecord"),
        # without these two SageMaker asks the container, which knows its workers
        "MaxConcurrentTransforms": arguments.max_concurrent,
        "MaxPayloadInMB": arguments.max_payload,
        "Environment": {**output, **values.environment(arguments.environment)},
        "TransformInput": {
            "DataSource": fields.s3_data_source(source),
            "ContentType": media_type,
            "SplitType": arguments.split,
        },
        "TransformOutput": {
            "S3OutputPath": join(session.home_address(arguments, clients), name, "output"),
            "Accept": media_type,
            "AssembleWith": arguments.split,
            "KmsKeyId": arguments.kms_key,
        },
        "TransformResources": {
            "InstanceType": options.instance_type(arguments),
            "InstanceCount": arguments.instance_count,
            "VolumeKmsKeyId": arguments.volume_kms_key,
        },
        "DataProcessing": {
            "InputFilter": arguments.input_filter,
            "JoinSource": "Input" if arguments.join else None,
            "OutputFilter": arguments.output_filter,
        },
        "Tags": session.tags(arguments),
    }
    return dict(fields.without_empty(complete))


def run(clients: Clients, create_model: dict[str, Any], create_job: dict[str, Any]) -> str:
    """Create the model and the job, wait for the job's end, delete the model; return the address of the answers.

    An interruption stops the job: nobody else would read its answers.

    Raises:
        JobFailed: The job failed; the message ends with the last lines of its log.
        JobStopped: Somebody has stopped it.
    """
    name = create_job["TransformJobName"]
    roles.call_once_assumable(clients, clients.sagemaker.create_model, create_model)
    try:
        clients.sagemaker.create_transform_job(**create_job)
        print(f"Created transform job {name}", flush=True)
        with waiting_for(f"transform job {name}"):
            description = _wait_for_end(clients, name)
    except interruption.Interrupted:
        with interruption.held_back():
            _stop(clients, name)
        raise
    finally:
        with interruption.held_back():
            endpoint_resources.delete(clients, EndpointResource(endpoint_resources.MODEL, name))
    try:
        following.check_completed(TRANSFORM, name, description)
    except JobFailed as failure:
        lines = logs.tail(clients, logs.TRANSFORM_JOBS, f"{name}/")
        raise JobFailed("\n".join([str(failure), *lines])) from None
    source = create_job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    return join(create_job["TransformOutput"]["S3OutputPath"], source.rpartition("/")[2] + ".out")


def _stop(clients: Clients, name: str) -> None:
    """Stop a job, if it was created and has not ended."""
    description = _describe(clients, name)
    if description and description["TransformJobStatus"] == "InProgress":
        clients.sagemaker.stop_transform_job(TransformJobName=name)
        print(f"Transform job {name} is being stopped.", flush=True)


def _describe(clients: Clients, name: str) -> dict[str, Any] | None:
    return aws_errors.describe_if_exists(clients.sagemaker.describe_transform_job, TransformJobName=name)


def _wait_for_end(clients: Clients, name: str) -> dict[str, Any]:
    """Wait for a job, showing every change of its status; return its description then."""
    status = ""
    while True:
        description = consistency.once_found(clients, lambda: _describe(clients, name))
        if description is None:
            raise JobFailed(f"There is no transform job {name}{clients.where} any more.")
        if description["TransformJobStatus"] != status:
            status = description["TransformJobStatus"]
            print(status, flush=True)
        if status in ENDED:
            return description
        time.sleep(clients.seconds_between_polls)
