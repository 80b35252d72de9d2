"""What can be known of requests before anything is created, uploaded or paid for.

Each mistake is one sentence. What the caller may not look at is not checked: SageMaker says it later.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from launch.aws import image_uris, role_rights
from launch.aws.clients import Clients
from launch.aws.image_configs import ECR_IMAGE, ONE_MANIFEST, REVISION, ImageConfig
from launch.aws.storage import Storage, split
from launch.cli import instance_types, options, parameter_ranges
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.sagemaker import api_limits, hyperparameter_check, session

USERS_OWN = ("Environment", "HyperParameters", "StaticHyperParameters", "Tags")
"""Fields whose texts mean nothing to SageMaker."""
IMAGES = ("TrainingImage", "Image")
INSTANCE_TYPES = (
    "InstanceType",
    "SupportedRealtimeInferenceInstanceTypes",
    "SupportedTransformInstanceTypes",
)
ROLES = ("RoleArn", "ExecutionRoleArn")
WRITTEN = ("S3OutputPath", "S3FailurePath", "DestinationS3Uri")
MAX_FILES = 3
"""That have changed since an image was built, in a sentence."""


class Field(NamedTuple):
    """A text in a request, and the names of the fields that lead to it."""

    path: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return ".".join(self.path)

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def access(self) -> str:
        """What the role must be allowed to do at the address that the text is."""
        return role_rights.WRITE if self.name in WRITTEN or "CheckpointConfig" in self.path else role_rights.READ


def check(arguments: argparse.Namespace, clients: Clients, requests: Sequence[Request]) -> None:
    """Check requests that are about to be sent; notes and warnings go to standard error.

    Args:
        arguments: the flags: ``--stale-image``, KMS keys, and the bucket, which need not be there yet.
        clients: that would send them.
        requests: operations of SageMaker's API and their parameters.

    Raises:
        UsageError: They would fail.
    """
    texts = [field for _, request in requests for field in _texts(request)]
    is_local = options.is_local(arguments)
    if not is_local:
        session.check_keys(arguments, clients)
        for operation, request in requests:
            api_limits.check(operation, request)
        _check_hyperparameters(requests)  # here a job says the same at once, and costs nothing
    for image in dict.fromkeys(field.text for field in texts if field.name in IMAGES):
        config = clients.image_config(image)
        if not is_local:
            _check_image(clients, image, config, [field.text for field in texts if field.name in INSTANCE_TYPES])
        _check_age(arguments, clients, image, config)
    if not is_local:
        roles = dict.fromkeys(field.text for field in texts if field.name in ROLES)
        for role in roles:
            role_rights.check_account(clients, role)
        _check_files(arguments, clients, [field for field in texts if field.text.startswith("s3://")], list(roles))


def _texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[Field]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in USERS_OWN:
                yield from _texts(each, (*path, name))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, path)
    elif isinstance(value, str):
        yield Field(path, value)


def _check_hyperparameters(requests: Sequence[Request]) -> None:
    for operation, request in requests:
        if operation == "CreateTrainingJob":
            image = request["AlgorithmSpecification"].get("TrainingImage", "")
            hyperparameter_check.check(image, [request.get("HyperParameters", {})])
        elif operation == "CreateHyperParameterTuningJob":
            definition = request["TrainingJobDefinition"]
            image = definition["AlgorithmSpecification"].get("TrainingImage", "")
            extremes = parameter_ranges.extremes(request["HyperParameterTuningJobConfig"]["ParameterRanges"])
            static = definition.get("StaticHyperParameters", {})
            hyperparameter_check.check(image, [{**static, **tuned} for tuned in extremes])


# --- Images ----------------------------------------------------------------------------------------------------------
def _check_image(clients: Clients, uri: str, config: ImageConfig | None, types: Sequence[str]) -> None:
    """Check that SageMaker can pull an image, and that the instances can run it."""
    image = ECR_IMAGE.fullmatch(uri)
    if image and image["region"] != clients.region:
        raise UsageError(f"The image is {uri}, of region {image['region']}, expected one of {clients.region}.")
    if image and image["account"] != clients.account:
        _note(f"Image {uri} is of account {image['account']}: the policy of its repository must let the role pull it.")
    image_uris.check_exists(clients, uri)
    for instance_type in types or [""]:
        architecture = instance_types.architecture(instance_type)
        if config and config.is_index:
            raise UsageError(
                f"Image {uri} is an index of manifests, but SageMaker takes a single one: "
                f"build it with `{ONE_MANIFEST.format(architecture)}`."
            )
        if config and architecture != config.architecture:
            instances = f"{instance_type} has" if instance_type else "SageMaker has"
            raise UsageError(f"Image {uri} is for {config.architecture}, but {instances} {architecture}.")


def _check_age(arguments: argparse.Namespace, clients: Clients, uri: str, config: ImageConfig | None) -> None:
    """Compare an image of this project with the checkout."""
    choice = arguments.stale_image or clients.stale_image
    if choice == "ok" or config is None or not (changed := config.changed_files()):
        return
    revision = config.labels.get(REVISION, "unknown")
    shown = ", ".join(changed[:MAX_FILES]) + (f" and {len(changed) - MAX_FILES} more" if changed[MAX_FILES:] else "")
    sentence = f"Image {uri} is of revision {revision}, older than the checkout's {shown}"
    remedy = "`make images` builds it" if options.is_local(arguments) else "scripts/push_images.py pushes a new one"
    if choice == "refuse":
        raise UsageError(f"{sentence}: {remedy}, --stale-image ok takes it as it is.")
    _note(f"{sentence}: {remedy}.")


# --- Files -----------------------------------------------------------------------------------------------------------
def _check_files(
    arguments: argparse.Namespace, clients: Clients, fields: Sequence[Field], roles: Sequence[str]
) -> None:
    """Check that buckets are there, in the region, and open to the role; the scripts' own bucket is made if need be."""
    storage, own = Storage(clients), split(session.home_address(arguments, clients))[1]
    for bucket, field in {split(field.text)[1]: field for field in fields}.items():
        try:
            region = storage.region_of(bucket)
        except UsageError as error:
            if bucket != own:
                raise UsageError(f"{str(error).rstrip('.')}, which {field} names.") from None
            continue
        if region not in (None, clients.region):
            raise UsageError(f"{field} is in bucket {bucket} of region {region}, expected one of {clients.region}.")
    for role in roles:
        for access, uri in dict.fromkeys((field.access, field.text) for field in fields):
            role_rights.check_access(clients, role, access, uri)


def _note(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
