"""The flags that several scripts share. A flag of one script alone stands in that script.

What follows from the flags, clients, addresses and images, is ``launch.sagemaker.session``.
"""

import argparse
import difflib
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from launch.cli import bounds, instance_types, values
from launch.cli.errors import UsageError
from launch.project import BASE_NAME

DEFAULT_VOLUME_GB = 10
LOCAL = "local"
"""The instance type that stands for this machine."""


class Parser(argparse.ArgumentParser):
    """A parser whose error is the one sentence, without argparse's usage text: ``--help`` shows that.

    Args:
        documentation: the script's, with its examples.
    """

    def __init__(self, documentation: str | None) -> None:
        super().__init__(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError, where argparse's own method ends the process."""
        sentence = message.removeprefix("argument ")
        raise UsageError(f"{sentence[0].upper()}{sentence[1:]}; see --help.")


def parser(documentation: str | None, local: bool = True, jobs: bool = True) -> Parser:
    """Return a parser with the flags of every script.

    Args:
        documentation: the script's, with its examples.
        local: whether the script can work on this machine's jobs and endpoints.
        jobs: whether the script works with jobs or endpoints, which have a role and a bucket.
    """
    parser = Parser(documentation)
    common = parser.add_argument_group("AWS")
    common.add_argument("--region", help="AWS region; default: the environment's or the profile's")
    common.add_argument("--profile", help="of the AWS configuration files")
    if jobs:
        common.add_argument(
            "--role", type=values.role, help="ARN or name of the execution role; default: see create_role.py"
        )
        common.add_argument(
            "--bucket",
            type=values.bucket,
            help="S3 bucket; default: sagemaker-REGION-ACCOUNT, made if it is not there",
        )
        common.add_argument("--prefix", default="", help="of all keys in the bucket")
    common.add_argument(
        "--tag",
        dest="tags",
        metavar="KEY=VALUE",
        action="append",
        type=values.tag,
        default=[],
        help="on all that is made",
    )
    common.add_argument("--dry-run", action="store_true", help="print the API requests as JSON, and do nothing")
    if local:
        common.add_argument(
            "--local", action="store_true", help="jobs and endpoints of this machine; so is --instance-type local"
        )
    return parser


def is_local(arguments: argparse.Namespace) -> bool:
    """Tell whether the flags ask for this machine: by ``--local`` or by ``--instance-type local``."""
    return bool(getattr(arguments, "local", False) or getattr(arguments, "instance_type", None) == LOCAL)


def add_image(parser: argparse.ArgumentParser) -> None:
    """Add ``--image``; ``session.image_uri`` finds its default."""
    parser.add_argument("--image", help="its URI; default: what push_images.py pushed, in local mode what is built")
    parser.add_argument(
        "--stale-image",
        choices=("ok", "warn", "refuse"),
        help="what to do about one that is older than the checkout (warn; on this machine refuse)",
    )


def add_instance_type(parser: argparse.ArgumentParser, default: str, shape: str) -> None:
    """Add ``--instance-type``, checked against the list of types in botocore's model of SageMaker.

    Args:
        parser: to add it to.
        default: on AWS.
        shape: ``TrainingInstanceType``, ``ProductionVariantInstanceType`` or ``TransformInstanceType``.
    """
    known = functools.partial(_known_type, "--instance-type", shape, default, f", or {LOCAL}")
    parser.add_argument(
        "--instance-type",
        type=lambda text: text if text == LOCAL else known(text),
        help=f"({default}); {LOCAL}: on this machine",
    )
    parser.set_defaults(default_instance_type=default)


def add_instance_types(
    parser: argparse.ArgumentParser, flag: str, default: Sequence[str], shape: str, help: str
) -> None:
    """Add a flag of several types, each checked as ``--instance-type`` is.

    Args:
        parser: to add it to.
        flag: its name.
        default: the types if it is not given.
        shape: as of ``add_instance_type``.
        help: what the instances are of.
    """
    known = functools.partial(_known_type, flag, shape, default[0], "")
    parser.add_argument(flag, nargs="+", metavar="TYPE", type=known, default=default, help=help)


def _known_type(flag: str, shape: str, default: str, or_local: str, text: str) -> str:
    """Return the name of a type; say so if botocore does not know it.

    Raises:
        UsageError: It has not the form of one.
    """
    import botocore
    import botocore.session  # takes long to import, and --help does not need it

    types = botocore.session.get_session().get_service_model("sagemaker").shape_for(shape).enum
    if text not in types:
        near = ", ".join(difflib.get_close_matches(text, types, 3) or [default])
        if not instance_types.WELL_FORMED.fullmatch(text):
            raise UsageError(f"{flag} is {text!r}, which SageMaker does not have, expected one like {near}{or_local}.")
        newer = f"botocore {botocore.__version__} knows none of that name here, only the likes of {near}"
        print(f"{flag} is {text!r}, passed on: {newer}.", file=sys.stderr, flush=True)
    return text


def instance_type(arguments: argparse.Namespace) -> str:
    """Return the type for a request: the one given, ``local``, or the script's default.

    Raises:
        UsageError: It cannot run the project's own images.
    """
    if is_local(arguments):
        return LOCAL
    chosen = str(arguments.instance_type or arguments.default_instance_type)
    if not arguments.image and instance_types.architecture(chosen) != "amd64":
        default = arguments.default_instance_type
        raise UsageError(
            f"--instance-type is {chosen!r}, of arm64, but the images are amd64: expected the like of {default}."
        )
    return chosen


def add_endpoint_name(parser: argparse.ArgumentParser, check: Callable[[str], str] = values.name) -> None:
    """Add ``--endpoint-name`` with its default; ``check`` is its ``type=``."""
    parser.add_argument("--endpoint-name", type=check, default=BASE_NAME, help="(%(default)s)")


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a container's network: a VPC's subnets and security groups, or no network at all."""
    parser.add_argument("--subnets", nargs="+", metavar="ID", default=[], help="of your VPC")
    parser.add_argument("--security-groups", nargs="+", metavar="ID", default=[], help="of your VPC")
    parser.add_argument("--network-isolation", action="store_true", help="the container has no network")


def check_network(arguments: argparse.Namespace) -> None:
    """Check the flags of ``add_network``.

    Raises:
        UsageError: Subnets are given without security groups, or the reverse.
    """
    if bool(arguments.subnets) != bool(arguments.security_groups):
        raise UsageError("--subnets and --security-groups belong together, expected both or none.")


def add_training_job(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a training job, which ``training_requests.request`` turns into fields of its request."""
    add_image(parser)
    parser.add_argument("--job-name", type=values.name, help=f"default: {BASE_NAME} and the time of day")
    add_instance_type(parser, "ml.c5.xlarge", "TrainingInstanceType")
    bounds.add_number(parser, "--instance-count", "(%(default)s)", default=1)
    bounds.add_number(parser, "--volume-gb", "size of the volume (%(default)s)", default=DEFAULT_VOLUME_GB)
    bounds.add_number(parser, "--max-runtime", "(%(default)s)", default=3600, unit="SECONDS")
    parser.add_argument(
        "-p",
        dest="parameters",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a hyperparameter; may be given several times",
    )
    parser.add_argument("--hyperparameters", type=Path, metavar="FILE", help="hyperparameters as a JSON object")
    parser.add_argument(
        "--env",
        dest="environment",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an environment variable of the container",
    )
    parser.add_argument(
        "--input",
        dest="inputs",
        metavar="NAME=S3URI[,CONTENT-TYPE][,MODE]",
        action="append",
        default=[],
        help="an input channel; MODE is File, FastFile or Pipe; may be given several times",
    )
    parser.add_argument("--source-dir", type=Path, help="folder with your own code (script mode), packed and uploaded")
    parser.add_argument("--entry-point", help="the script in the source that runs; without it, one of the image's own")
    add_network(parser)
    parser.add_argument("--kms-key", help="encrypts output, model and uploads; intermediate files as their bucket does")
    parser.add_argument("--volume-kms-key", help="encrypts the volume")
    parser.add_argument("--encrypt-traffic", action="store_true", help="between several containers")
    bounds.add_number(parser, "--keep-alive", "of the instances after the job, for the next one", unit="SECONDS")
    bounds.add_number(parser, "--retries", "of a job that fails by an internal error")
    bounds.add_number(parser, "--max-pending", "until there is capacity", unit="SECONDS")
    parser.add_argument("--experiment", metavar="NAME", help="the job is tracked in, in SageMaker or MLflow")
    parser.add_argument("--run", metavar="NAME", help="of the experiment")
    parser.add_argument("--mlflow", type=values.mlflow, metavar="ARN", help="of SageMaker's MLflow, to track in")
    parser.add_argument("--profiler", choices=("off",), help="SageMaker Profiler")
    add_request_file(parser)
    parser.add_argument("--wait", action="store_true", help="follow the log until the job ends")


def add_request_file(parser: argparse.ArgumentParser) -> None:
    """Add ``--request``, which ``request_files`` of ``launch.sagemaker`` merges over the requests of a script."""
    parser.add_argument(
        "--request", type=Path, metavar="FILE", help="JSON to merge over what --dry-run shows: any field of the API"
    )
