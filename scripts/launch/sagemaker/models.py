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


def is_job(text: str) -> bool:
    """Tell whether a text that names a model is a training job's name, not a path or an address."""
    return "://" not in text and not Path(text).exists()


def find(clients: Clients, text: str) -> str:
    """Return the address of the ``model.tar.gz`` that a text names.

    Args:
        clients: of the account and the region.
        text: a training or tuning job's name, a path or an address, which ``check_name`` has checked. A tuning job
            stands for its best training job.

    Raises:
        UsageError: There is no such job, it left no model, or there is nothing at the address.
    """
    if "://" in text:
        if not Storage(clients).find(text):
            raise UsageError(f"There is nothing at {text}.")
        return text
    if not is_job(text):
        return address_of(text)
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


def find_archive(arguments: argparse.Namespace, clients: Clients, name: str) -> str:
    """Return the address of the ``model.tar.gz`` that ``arguments.model`` names; ``upload_archive`` puts a file there.

    Args:
        arguments: with ``model``, see ``find``.
        clients: give the account.
        name: of the model; a file is to be uploaded below it.

    Raises:
        UsageError: See ``find``.
    """
    text = arguments.model
    if "://" in text and not session.may_ask(arguments, clients):
        return str(text)
    found = find(clients, text)
    if not Path(text).is_file():
        return found
    home = session.home_address(arguments, clients)
    return found if split(home)[0] == "file" else join(home, name, "model.tar.gz")


def upload_archive(arguments: argparse.Namespace, clients: Clients, address: str, kms_key: str | None = None) -> None:
    """Upload the ``model.tar.gz`` that ``arguments.model`` names, if it is a file that is not at its address yet.

    Args:
        arguments: as for ``find_archive``.
        clients: of the account.
        address: what ``find_archive`` returned.
        kms_key: encrypts the upload; None for the bucket's own encryption.
    """
    scheme, bucket, _ = split(address)
    if scheme == "s3" and Path(arguments.model).is_file():
        storage = Storage(clients)
        storage.ensure_bucket(bucket)
        storage.upload(Path(arguments.model), address, kms_key)


def request(
    arguments: argparse.Namespace, clients: Clients, name: str, source: str, environment: dict[str, str]
) -> dict[str, Any]:
    """Return the CreateModel request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html

    Args:
        arguments: the script's flags; with ``multi_model`` the container serves all models below ``source``.
        clients: give the role.
        name: of the model.
        source: the address of the ``model.tar.gz``, or of the folder of them; or the ARN of a model package, which
            names image and address itself.
        environment: variables of the container.
    """
    if source.startswith("arn:"):
        container: dict[str, Any] = {"ModelPackageName": source}
    else:
        mode = "MultiModel" if getattr(arguments, "multi_model", False) else None
        container = {"Image": session.image_uri(arguments, "serving"), "ModelDataUrl": source, "Mode": mode}
    complete = {
        "ModelName": name,
        "ExecutionRoleArn": roles.execution_role(clients, arguments.role),
        "PrimaryContainer": {**container, "Environment": environment},
        "VpcConfig": fields.vpc_config(arguments),
        "EnableNetworkIsolation": getattr(arguments, "network_isolation", False) or None,
        "Tags": session.tags(arguments),
    }
    return dict(fields.without_empty(complete))
