"""Trained models: where they are, and the request that makes one known to SageMaker."""

import argparse
from pathlib import Path
from typing import Any

from launch.aws import clients as aws
from launch.aws import roles
from launch.aws.storage import Storage, address_of, join, split
from launch.cli import options
from launch.cli.errors import UsageError
from launch.local.ml_tree import check
from launch.sagemaker import training_jobs


def named(text: str) -> str:
    """Check what names a model as far as this machine can; for ``type=`` of an argument.

    Raises:
        UsageError: It is no address and no job's name, and no file either, or one of something else.
    """
    if "://" in text:
        return text
    if Path(text).exists():
        if not Path(text).is_file():
            raise UsageError(
                f"The model is {text}, which is a folder, expected a model.tar.gz or a training job's name."
            )
        check(Path(text))
    elif not options.NAME.fullmatch(text):
        raise UsageError(f"There is no file {text}.")
    return text


def archive_of(arguments: argparse.Namespace, clients: aws.Clients, name: str, kms_key: str | None = None) -> str:
    """Return the address of the ``model.tar.gz`` that ``arguments.model`` names, uploaded if it has to be.

    Args:
        arguments: with ``model``: a training job's name, a path or an address, which ``named`` has checked.
        clients: who asks.
        name: of the model, below which a file is uploaded.
        kms_key: encrypts what is uploaded; the bucket says by what if this does not.

    Raises:
        UsageError: There is no such job, it left no model, or there is nothing at the address.
    """
    text = arguments.model
    storage = Storage(clients)
    if "://" in text:
        if not storage.find(text):
            raise UsageError(f"There is nothing at {text}.")
        return text
    if Path(text).is_file():
        home = options.home(arguments, clients)
        if split(home)[0] == "file":
            return address_of(text)
        target = join(home, name, "model.tar.gz")
        if not arguments.dry_run:
            storage.ensure_bucket(split(home)[1])
            storage.upload(Path(text), target, kms_key)
        return target
    job = training_jobs.describe(clients, text)
    archive = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if not archive:
        raise UsageError(f"Training job {text} is {job['TrainingJobStatus']} and has no model, expected one that has.")
    return str(archive)


def request(
    arguments: argparse.Namespace, clients: aws.Clients, name: str, archive: str, environment: dict[str, str]
) -> dict[str, Any]:
    """Return the CreateModel request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html
    """
    whole = {
        "ModelName": name,
        "ExecutionRoleArn": roles.execution_role(clients, arguments.role),
        "PrimaryContainer": {
            "Image": options.image_uri(arguments, "serving"),
            "ModelDataUrl": archive,
            "Environment": environment,
        },
        "VpcConfig": {
            "SecurityGroupIds": getattr(arguments, "security_groups", []),
            "Subnets": getattr(arguments, "subnets", []),
        },
        "EnableNetworkIsolation": getattr(arguments, "network_isolation", False) or None,
        "Tags": arguments.tags,
    }
    return dict(options.without_nothing(whole))
