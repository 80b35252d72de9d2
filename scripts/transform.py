"""Batch transform: a file of observations in, a file of actions out, without an endpoint.

The file is CSV or JSON Lines, an observation in each line; on this machine or in S3. So is the output, a line for each.

Examples:
    python scripts/transform.py --instance-type local rl-mountain-car-2026-11-23-10-00-00-000000 observations.csv
    python scripts/transform.py rl-mountain-car-2026-11-23-10-00-00-000000 s3://my-bucket/observations.jsonl
    python scripts/transform.py model.tar.gz observations.csv --heads --output heads.csv
    python scripts/transform.py --dry-run s3://my-bucket/model.tar.gz observations.csv
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.aws import clients as aws
from launch.aws import logs, roles
from launch.aws.storage import Storage, address_of, join, split
from launch.cli import errors, interruption, options
from launch.cli.command_line import at_least, check_target
from launch.cli.errors import JobFailed, UsageError
from launch.sagemaker import endpoints, models

MEDIA_TYPES = {".csv": "text/csv", ".jsonl": "application/jsonlines", ".jsonlines": "application/jsonlines"}


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument(
        "model", type=models.named, help="a training job's name, or the path or address of a model.tar.gz"
    )
    parser.add_argument("input", type=observations, help="path or address of the observations")
    parser.add_argument(
        "--output", type=Path, help="where to put the answers; default: beside a local input, with .out"
    )
    parser.add_argument("--content-type", choices=sorted(set(MEDIA_TYPES.values())), help="default: by the file's name")
    parser.add_argument("--heads", action="store_true", help="answer with the network's heads, not with actions")
    options.add_image(parser)
    options.add_instance_type(parser, "ml.c5.xlarge", "TransformInstanceType")
    parser.add_argument("--instance-count", type=at_least(1), default=1, help="(%(default)s)")
    parser.add_argument("--kms-key", help="encrypts the answers and uploads")
    arguments = parser.parse_args(command_line)
    media_type = arguments.content_type or MEDIA_TYPES.get(Path(arguments.input).suffix)
    if media_type is None:
        raise UsageError(f"The input is {arguments.input!r}, expected a name with {', '.join(MEDIA_TYPES)}.")
    target = arguments.output or (None if "://" in arguments.input else Path(f"{arguments.input}.out"))
    if target and target.resolve() == Path(arguments.input).resolve():
        raise UsageError(f"--output is {target}, which is the input, expected another file.")
    if target and not arguments.dry_run:
        check_target("--output", target)
    clients = options.clients(arguments)
    name = endpoints.resource_name("rl-mountain-car-transform")
    if not arguments.dry_run:
        options.require_image(arguments, clients, "serving")
    archive = models.archive_of(arguments, clients, name, arguments.kms_key)
    source = place_input(arguments, clients, name)
    create_model = models.request(arguments, clients, name, archive, {})
    create_job = request(arguments, clients, name, source, media_type)
    if arguments.dry_run:
        options.print_requests([("CreateModel", create_model), ("CreateTransformJob", create_job)])
        return
    roles.once_assumable(clients, clients.sagemaker.create_model, create_model)
    try:
        clients.sagemaker.create_transform_job(**create_job)
        print(f"Created transform job {name}", flush=True)
        wait_for_end(clients, name)
    except interruption.Interrupted:
        with interruption.held_back():
            stop(clients, name)
        raise
    finally:
        with interruption.held_back():
            endpoints.delete(clients, "model", name)
    answers = join(create_job["TransformOutput"]["S3OutputPath"], source.rpartition("/")[2] + ".out")
    print(f"Answers: {answers}")
    if target:
        Storage(clients).download(answers, target)
        print(f"Copied to {target}")


def observations(text: str) -> str:
    """Check that a file of this machine is there; for ``type=`` of an argument."""
    if "://" not in text and not Path(text).is_file():
        raise UsageError(f"There is no file {text}.")
    return text


def place_input(arguments: argparse.Namespace, clients: aws.Clients, name: str) -> str:
    """Return the address of the input, uploaded if it has to be.

    Raises:
        UsageError: There is nothing at the address.
    """
    storage = Storage(clients)
    if "://" in arguments.input:
        if not storage.find(arguments.input):
            raise UsageError(f"There is nothing at {arguments.input}.")
        return str(arguments.input)
    file = Path(arguments.input)
    home = options.home(arguments, clients)
    if split(home)[0] == "file":
        return address_of(arguments.input)
    target = join(home, name, "input", file.name)
    if not arguments.dry_run:
        storage.ensure_bucket(split(home)[1])
        storage.upload(file, target, arguments.kms_key)
    return target


def request(
    arguments: argparse.Namespace, clients: aws.Clients, name: str, source: str, media_type: str
) -> dict[str, Any]:
    """Return the CreateTransformJob request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
    """
    return {
        "TransformJobName": name,
        "ModelName": name,
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": 6,
        "Environment": {"SAGEMAKER_RL_OUTPUT": "heads" if arguments.heads else "actions"},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": media_type,
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": join(options.home(arguments, clients), name, "output"),
            "Accept": media_type,
            "AssembleWith": "Line",
            **({"KmsKeyId": arguments.kms_key} if arguments.kms_key else {}),
        },
        "TransformResources": {
            "InstanceType": options.instance_type(arguments),
            "InstanceCount": arguments.instance_count,
        },
        **({"Tags": arguments.tags} if arguments.tags else {}),
    }


def stop(clients: aws.Clients, name: str) -> None:
    """Stop the job, if it has begun and not ended: its answers are for this script."""
    described = aws.found(clients.sagemaker.describe_transform_job, TransformJobName=name)
    if described and described["TransformJobStatus"] == "InProgress":
        clients.sagemaker.stop_transform_job(TransformJobName=name)
        print(f"Transform job {name} is being stopped.", flush=True)


def wait_for_end(clients: aws.Clients, name: str) -> None:
    """Wait for the job, showing every change of its status.

    Raises:
        JobFailed: It failed; the message ends with the last lines of its log.
    """
    status = ""
    while status not in ("Completed", "Failed", "Stopped"):
        described = clients.sagemaker.describe_transform_job(TransformJobName=name)
        if described["TransformJobStatus"] != status:
            status = described["TransformJobStatus"]
            print(status, flush=True)
        else:
            time.sleep(clients.seconds_between_looks)
    if status != "Completed":
        reason = described.get("FailureReason", f"Transform job {name} is {status}.")
        raise JobFailed("\n".join([reason, *logs.tail(clients, logs.TRANSFORM_JOBS, f"{name}/")]))


if __name__ == "__main__":
    errors.run(main)
