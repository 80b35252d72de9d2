"""The URIs of the pushed images, which ``runs/images.json`` keeps for the scripts that need one."""

import json
import re
from pathlib import Path

from botocore.exceptions import ClientError

from launch.atomic_files import replacing
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.cli.errors import UsageError
from launch.project import runs_folder

ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def images_file() -> Path:
    """Return the path of ``runs/images.json``."""
    return runs_folder() / "images.json"


def write(uris: dict[str, str]) -> None:
    """Write the URIs by the images' kinds; a reader finds the old file or the new one, never half of it."""
    with replacing(images_file()) as staged:
        staged.write_text(json.dumps(uris, indent=2) + "\n", encoding="utf-8")


def read(kind: str) -> str:
    """Return the URI of the ``training`` or ``serving`` image that was pushed last.

    Raises:
        UsageError: None has been pushed.
    """
    try:
        return str(json.loads(images_file().read_text(encoding="utf-8"))[kind])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"There is no {kind} image in {images_file()}: push one with scripts/push_images.py, or give --image."
        ) from None


def check_exists(clients: Clients, uri: str) -> None:
    """Ask the caller's own ECR whether it has an image; SageMaker would report a missing one much later.

    Raises:
        UsageError: It has not.
    """
    image = ECR_IMAGE.fullmatch(uri)
    if not image or (image["account"], image["region"]) != (clients.account, clients.region):
        return
    identifier = {"imageDigest": image["digest"]} if image["digest"] else {"imageTag": image["tag"] or "latest"}
    try:
        clients.ecr.describe_images(repositoryName=image["repository"], imageIds=[identifier])
    except ClientError as error:
        if aws_errors.is_not_found(error):
            raise UsageError(f"There is no image {uri}: push one with scripts/push_images.py.") from None
        if "AccessDenied" not in aws_errors.code_of(error):  # a caller who may not look may still use it
            raise
