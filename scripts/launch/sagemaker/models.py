"""Trained models: the address of one that a user names, and the CreateModel request."""

import argparse
from pathlib import Path
from typing import Any

from launch.aws import roles
from launch.aws.clients import Clients
from launch.aws.storage import Storage, address_of, join, split
from launch.cli.errors import UsageError
from launch.cli.values import NAME
from launch.local.ml_tree import check_archive
from launch.sagemaker import fields, following, session, tuning_following


def check_name(text: str) -> str:
    """Check the text that names a model, as far as that needs no AWS; for ``type=`` of an argument.

    Raises:
        UsageError: It is neither an address, nor a job's name, nor the path of a model.tar.gz.
    """
    if "://" in text:
        return text
    if Path(text).exists():
        if not Path(text).is_file():
            raise UsageError(
                f"The model is {text}, which is a folder, expected a model.tar.gz or a training job's name."
            )
        check_archive(Path(text))
    elif not NAME.fullmatch(text):
        raise UsageError(f"There is no file {text}.")
    return text


def archive_address(arguments: argparse.Namespace, clients: Clients, name: str, kms_key: str | None = None) -> str:
    """Return the address of the ``model.tar.gz`` that ``arguments.model`` names, uploaded if it has to be.

    Args:
        arguments: with ``model``: a training or tuning job's name, a path or an address, which ``check_name`` has
            checked. A tuning job stands for its best training job.
        clients: give the account.
        name: of the model; a file is uploaded below it.
        kms_key: encrypts the upload; None for the bucket's own encryption.

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
        home = session.home_address(arguments, clients)
        if split(home)[0] == "file":
            return address_of(text)
        target = join(home, name, "model.tar.gz")
        if not arguments.dry_run:
            storage.ensure_bucket(split(home)[1])
            storage.upload(Path(text), target, kms_key)
        return target
    job = following.training_job(clients, text) or _best_of_tuning_job(clients, text)
    archive = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if not archive:
        name, status = job["TrainingJobName"], job["TrainingJobStatus"]
        raise UsageError(f"Training job {name} is {status} and has no model, expected one that has.")
    return str(archive)


def _best_of_tuning_job(clients: Clients, name: str) -> dict[str, Any]:
    """Return the description of a tuning job's best training job.

    Raises:
        UsageError: There is no such tuning job, or none of its training jobs has succeeded.
    """
    tuning_job = tuning_following.describe(clients, name)
    if tuning_job is None:
        raise UsageError(f"There is no training or tuning job {name!r}{clients.where}.")
    best = (tuning_job.get("BestTrainingJob") or {}).get("TrainingJobName")
    job = following.training_job(clients, best) if best else None
    if job is None:
        status = tuning_job["HyperParameterTuningJobStatus"]
        raise UsageError(f"Tuning job {name} is {status} and has no best training job, expected one that has.")
    return job


def request(
    arguments: argparse.Namespace, clients: Clients, name: str, archive: str, environment: dict[str, str]
) -> dict[str, Any]:
    """Return the CreateModel request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html
    """
    complete = {
        "ModelName": name,
        "ExecutionRoleArn": roles.execution_role(clients, arguments.role),
        "PrimaryContainer": {
            "Image": session.image_uri(arguments, "serving"),
            "ModelDataUrl": archive,
            "Environment": environment,
        },
        "VpcConfig": fields.vpc_config(arguments),
        "EnableNetworkIsolation": getattr(arguments, "network_isolation", False) or None,
        "Tags": arguments.tags,
    }
    return dict(fields.without_empty(complete))
