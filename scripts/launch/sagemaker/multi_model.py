"""Multi-model endpoints: they serve every model below an address, and load each when it is asked for.

https://docs.aws.amazon.com/sagemaker/latest/dg/multi-model-endpoints.html
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.storage import Storage, StoredFile, join, split
from launch.cli import options, values
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.local.ml_tree import check_archive
from launch.sagemaker import endpoints, models, session

SUFFIX = ".tar.gz"
MODE = "MultiModel"
ENDPOINTS_FLAGS = (
    "image",
    "instance_type",
    "instance_count",
    "autoscale",
    "target_invocations",
    "data_capture",
    "environment",
    "subnets",
    "security_groups",
    "network_isolation",
    "kms_key",
    "max_payload",
    "canary",
)
"""Of ``deploy.py``, by the names of the arguments: what adding a model to an endpoint does not change."""


def target(text: str) -> str:
    """Return the TargetModel of a model's name, with or without ``.tar.gz``; for ``type=`` of a flag.

    Raises:
        ArgumentTypeError: It is no name.
    """
    return values.name(text.removesuffix(SUFFIX)) + SUFFIX


def check_flags(arguments: argparse.Namespace) -> None:
    """Check the flags of ``deploy.py`` that are of a multi-model endpoint.

    Raises:
        UsageError: One does not go with another, or something is missing.
    """
    if not arguments.multi_model:
        if arguments.target_model:
            raise UsageError("--target-model is of a multi-model endpoint, expected with --multi-model.")
        return
    for name, flag in (("serverless", "--serverless"), ("asynchronous", "--async")):
        if getattr(arguments, name):
            raise UsageError(f"--multi-model does not go with {flag}.")
    if arguments.target_model and not arguments.model:
        raise UsageError("--target-model names a model, which is missing, expected a training job's name or a file.")
    if arguments.model and not arguments.target_model:
        if not models.is_job(arguments.model):
            raise UsageError(f"--target-model is missing, expected the name that {arguments.model} is to have.")
        arguments.target_model = target(arguments.model)


def folder_of(clients: Clients, config: Mapping[str, Any]) -> str | None:
    """Return the address, with a slash at its end, below which a multi-model endpoint has its models.

    Args:
        clients: of the account and the region.
        config: the description of its configuration; empty if it has none.

    Returns:
        None if its model is another.
    """
    for variant in config.get("ProductionVariants", [])[:1]:
        model = aws_errors.describe_if_exists(clients.sagemaker.describe_model, ModelName=variant.get("ModelName", ""))
        container = (model or {}).get("PrimaryContainer", {})
        if container.get("Mode") == MODE:
            return str(container["ModelDataUrl"])
    return None


def require_folder(clients: Clients, endpoint: str) -> str:
    """Return the address below which an endpoint has its models.

    Raises:
        UsageError: There is no endpoint of that name, it is not in service, or it is no multi-model endpoint.
    """
    folder = folder_of(clients, endpoints.present_config(clients, endpoints.require(clients, endpoint)))
    if folder is None:
        raise UsageError(f"Endpoint {endpoint} serves a single model, expected one of deploy.py --multi-model.")
    return folder


def list_models(clients: Clients, endpoint: str) -> list[StoredFile]:
    """Return the models of an endpoint: TargetModel and size of each."""
    files = Storage(clients).find(require_folder(clients, endpoint))
    return [file for file in files if file.path.endswith(SUFFIX)]


def new_folder(arguments: argparse.Namespace, clients: Clients, name: str) -> str:
    """Return the address below which a new endpoint is to have its models; ``put`` puts the first one there.

    Args:
        arguments: the flags of ``deploy.py``.
        clients: give the account.
        name: of the new model: an endpoint that is new finds none of an earlier one's.

    Raises:
        UsageError: There is no model.
    """
    if not arguments.model:
        raise UsageError(
            f"There is no endpoint {arguments.endpoint_name!r}{clients.where}, expected the model that it begins with."
        )
    models.find(clients, arguments.model)
    return f"{join(session.home_address(arguments, clients), name, 'models')}/"


def check_addition(arguments: argparse.Namespace) -> None:
    """Check that a model is added to an endpoint that exists by no flag that would change the endpoint.

    Raises:
        UsageError: There is one.
    """
    for name in ENDPOINTS_FLAGS:
        value = getattr(arguments, name)
        if value not in (None, [], options.LOCAL) and value is not False:
            flag = {"environment": "env"}.get(name, name).replace("_", "-")
            raise UsageError(
                f"--{flag} changes endpoint {arguments.endpoint_name}, expected without {arguments.model}: "
                f"a model is added to an endpoint as it is."
            )


def put(arguments: argparse.Namespace, clients: Clients, folder: str) -> Request:
    """Copy the model to its place, unless it is a dry run; return the request that does so.

    Raises:
        UsageError: There is no such model, it is damaged, or the endpoint has one of that name.
    """
    address, storage = folder + arguments.target_model, Storage(clients)
    source = models.find(clients, arguments.model)
    scheme, bucket, key = split(address)
    if not arguments.dry_run:
        if scheme == "s3":
            storage.ensure_bucket(bucket)
        if storage.find(address):
            raise UsageError(
                f"Endpoint {arguments.endpoint_name} has a model {arguments.target_model} already, and instances that "
                f"have loaded it keep it: expected another --target-model."
            )
        with tempfile.TemporaryDirectory() as temporary:
            archive = Path(temporary) / "model.tar.gz"
            storage.download(source, archive)
            check_archive(archive, source)
            storage.upload(archive, address, arguments.kms_key)
    return "PutObject", {"Bucket": bucket, "Key": key}


def require_model(clients: Clients, endpoint: str, target_model: str) -> str:
    """Return the address of a model of an endpoint.

    Raises:
        UsageError: The endpoint has none of that name; the sentence has those that it has.
    """
    address = require_folder(clients, endpoint) + target_model
    if not Storage(clients).find(address):
        names = ", ".join(file.path for file in list_models(clients, endpoint)) or "none"
        raise UsageError(f"Endpoint {endpoint} has no model {target_model}, it has {names}.")
    return address
