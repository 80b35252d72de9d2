"""Flags that the launch scripts share, and what follows from them: clients, addresses, images."""

import argparse
import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from launch import project
from launch.aws import clients as aws
from launch.aws import roles
from launch.aws.storage import join
from launch.cli.command_line import Parser
from launch.cli.errors import UsageError

LOCAL = "local"
RUNS = project.runs_folder()
IMAGES_FILE = RUNS / "images.json"
"""Where push_images.py, or a build in CodeBuild, leaves the image URIs."""
ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def parser(documentation: str | None, local: bool = True, jobs: bool = True) -> Parser:
    """Return a parser with the flags of every script.

    Args:
        documentation: the script's, with its examples.
        local: whether the script can work on this machine's jobs and endpoints.
        jobs: whether it has to do with jobs and endpoints, and so with their role and their bucket.
    """
    made = Parser(documentation)
    common = made.add_argument_group("AWS")
    common.add_argument("--region", help="AWS region; default: the environment's or the profile's")
    common.add_argument("--profile", help="of the AWS configuration files")
    if jobs:
        common.add_argument(
            "--role", type=roles.given, help="ARN or name of the execution role; default: see create_role.py"
        )
        common.add_argument("--bucket", help="S3 bucket; default: sagemaker-REGION-ACCOUNT, made if it is not there")
        common.add_argument("--prefix", default="", help="of all keys in the bucket")
    common.add_argument(
        "--tag", dest="tags", metavar="KEY=VALUE", action="append", type=_tag, default=[], help="on all that is made"
    )
    common.add_argument("--dry-run", action="store_true", help="print the API requests as JSON, and do nothing")
    if local:
        common.add_argument(
            "--local", action="store_true", help="jobs and endpoints of this machine; so is --instance-type local"
        )
    return made


def _tag(text: str) -> dict[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not 0 < len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE")
    return {"Key": key, "Value": value}


def is_local(arguments: argparse.Namespace) -> bool:
    return bool(getattr(arguments, "local", False) or getattr(arguments, "instance_type", None) == LOCAL)


def clients(arguments: argparse.Namespace) -> aws.Clients:
    """Return the clients that the flags ask for: AWS's, or this machine's with the same methods.

    Raises:
        UsageError: The flags ask for both.
    """
    if is_local(arguments):
        if getattr(arguments, "instance_type", None) not in (None, LOCAL):
            raise UsageError(
                f"--instance-type is {arguments.instance_type!r}, expected {LOCAL}, or none, with --local."
            )
        from launch.local.clients import LocalClients

        return LocalClients(arguments.region, arguments.profile)
    return aws.Clients(arguments.region, arguments.profile)


def home(arguments: argparse.Namespace, connected: aws.Clients) -> str:
    """Return the address that jobs work below: ``s3://bucket/prefix``, or a folder of this machine in local mode."""
    if is_local(arguments) and not arguments.bucket:
        return connected.default_home
    base = f"s3://{arguments.bucket}" if arguments.bucket else connected.default_home
    return join(base, arguments.prefix)


def image_uri(arguments: argparse.Namespace, kind: str) -> str:
    """Return the image to use: the one given, on this machine the one that was built, else the one that was pushed.

    Raises:
        UsageError: None has been pushed.
    """
    if arguments.image:
        return str(arguments.image)
    if is_local(arguments):
        return project.image_name(kind)
    try:
        return str(json.loads(IMAGES_FILE.read_text(encoding="utf-8"))[kind])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"There is no {kind} image in {IMAGES_FILE}: push one with scripts/push_images.py, or give --image."
        ) from None


def require_image(arguments: argparse.Namespace, connected: aws.Clients, kind: str) -> None:
    """Check that the image to use is there, as far as it is in the caller's own ECR; SageMaker would say so much later.

    Raises:
        UsageError: It is not.
    """
    uri = image_uri(arguments, kind)
    image = ECR_IMAGE.fullmatch(uri)
    if is_local(arguments) or not image:
        return
    if (image["account"], image["region"]) != (connected.account, connected.region):
        return
    wanted = {"imageDigest": image["digest"]} if image["digest"] else {"imageTag": image["tag"] or "latest"}
    try:
        connected.ecr.describe_images(repositoryName=image["repository"], imageIds=[wanted])
    except ClientError as error:
        if aws.is_not_found(error):
            raise UsageError(f"There is no image {uri}: push one with scripts/push_images.py.") from None
        if "AccessDenied" not in aws.code_of(error):  # who may not look may use it still
            raise


def add_image(made: argparse.ArgumentParser) -> None:
    made.add_argument("--image", help="its URI; default: what push_images.py pushed, in local mode what is built")


def name(text: str) -> str:
    """Check a job's or an endpoint's name; for ``type=`` of a flag."""
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of 1 to 63 letters, digits and hyphens")
    return text


def hyperparameters(given: Sequence[str], file: Path | None = None) -> dict[str, str]:
    """Return hyperparameters from ``NAME=VALUE`` texts and a file of JSON; a text wins over the file.

    Raises:
        UsageError: A text is not of that form, or the file is not an object of plain values.
    """
    found: dict[str, str] = {}
    if file is not None:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"--hyperparameters is {file}, which cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise UsageError(f"--hyperparameters is {file}, which cannot be read as JSON: {error}.") from None
        if not isinstance(content, dict):
            raise UsageError(f"--hyperparameters is {file}, expected an object of names and plain values.")
        for key, value in content.items():
            if value is None or isinstance(value, dict | list):
                raise UsageError(
                    f"--hyperparameters is {file}, where {key} is {json.dumps(value)[:50]}, expected a plain value."
                )
        found = {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}
    for text in given:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise UsageError(f"-p is {text!r}, expected NAME=VALUE.")
        found[key] = value
    for key, value in found.items():
        if len(key) > 256 or len(value) > 2500:
            raise UsageError(f"Hyperparameter {key[:50]} is too long: SageMaker takes names of 256, values of 2,500.")
    if len(found) > 100:
        raise UsageError(f"There are {len(found)} hyperparameters, expected at most 100.")
    return found


def add_instance_type(made: argparse.ArgumentParser, default: str, shape: str) -> None:
    """Add ``--instance-type``, held to SageMaker's own list of types, as botocore has it.

    Args:
        made: the parser.
        default: on AWS.
        shape: ``TrainingInstanceType``, ``ProductionVariantInstanceType`` or ``TransformInstanceType``.
    """

    def known(text: str) -> str:
        import botocore.session  # takes long, and --help needs it not

        types = botocore.session.get_session().get_service_model("sagemaker").shape_for(shape).enum
        if text != LOCAL and text not in types:
            near = ", ".join(difflib.get_close_matches(text, types, 3) or [default])
            raise UsageError(
                f"--instance-type is {text!r}, which SageMaker does not have, expected one like {near}, or {LOCAL}."
            )
        return text

    made.add_argument("--instance-type", type=known, help=f"({default}); {LOCAL}: on this machine")
    made.set_defaults(default_instance_type=default)


def instance_type(arguments: argparse.Namespace) -> str:
    """Return the type for a request: the one given, ``local``, or the script's default."""
    return LOCAL if is_local(arguments) else str(arguments.instance_type or arguments.default_instance_type)


def without_nothing(request: Any) -> Any:
    """Return a request without what was not asked for: None, empty lists and objects."""
    if isinstance(request, dict):
        kept = {key: without_nothing(value) for key, value in request.items()}
        return {key: value for key, value in kept.items() if value is not None and value != [] and value != {}}
    return request


def print_requests(requests: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Print what ``--dry-run`` shows: an object of operation and request for each."""
    print(json.dumps([{operation: request} for operation, request in requests], indent=2))
