"""The URIs of the pushed images, which ``runs/images.json`` keeps by region for the scripts that need one."""

import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from launch.atomic_files import replacing
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.image_configs import ECR_IMAGE
from launch.cli.errors import UsageError
from launch.project import KINDS, runs_folder


def images_file() -> Path:
    """Return the path of ``runs/images.json``."""
    return runs_folder() / "images.json"


def write(uris: dict[str, str], region: str) -> None:
    """Write a region's URIs by the images' kinds; a reader finds the old file or the new one, never half of it."""
    kept = {name: value for name, value in _content().items() if isinstance(value, dict)}
    with replacing(images_file()) as staged:
        staged.write_text(json.dumps({**kept, region: uris}, indent=2) + "\n", encoding="utf-8")


def read(kind: str, region: str) -> str:
    """Return the URI of the ``training`` or ``serving`` image that was pushed last to a region.

    Raises:
        UsageError: None has been pushed.
    """
    content = _content()
    try:
        return of_region(content, region)[kind]
    except (KeyError, TypeError):
        others = sorted(name for name, value in content.items() if isinstance(value, dict))
        known = f", which has those of {', '.join(others)}" if others else ""
        raise UsageError(
            f"There is no {kind} image of region {region} in {images_file()}{known}: "
            "push one with scripts/push_images.py, or give --image."
        ) from None


def of_region(content: dict[str, Any], region: str) -> dict[str, str]:
    """Return the URIs of a region by the images' kinds, from the content of such a file.

    Revisions before November 2026 wrote those of a single region, without its name.

    Raises:
        KeyError, TypeError: It has none.
    """
    uris = content if KINDS[0] in content else content[region]
    return {kind: str(uris[kind]) for kind in KINDS}


def _content() -> dict[str, Any]:
    try:
        content = json.loads(images_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


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
