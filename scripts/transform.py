r"""Batch transform: a file of observations in, a file of actions out, without an endpoint.

The file is CSV or JSON Lines, an observation in each line; on this machine or in S3. So is the output, a line for each.

Examples:
    python scripts/transform.py --instance-type local rl-mountain-car-2026-11-23-10-00-00-000000 observations.csv
    python scripts/transform.py rl-mountain-car-2026-11-23-10-00-00-000000 s3://my-bucket/observations.jsonl
    python scripts/transform.py runs/$JOB/model.tar.gz observations.csv --heads --output heads.csv
    printf 'a,0.5,-0.5\nb,-0.5,0.5\n' > rows.csv
    python scripts/transform.py $JOB rows.csv --input-filter '$[1:]' --join --output-filter '$[0,-1]'
    python scripts/transform.py --package cars:3 observations.csv          # of the model registry: see register.py
    python scripts/transform.py --dry-run s3://my-bucket/model.tar.gz observations.csv
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from launch.aws.clients import Clients
from launch.aws.storage import Storage
from launch.cli import bounds, dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.sagemaker import model_packages, models, preflight, request_files, session, transforms


def main(command_line: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_intermixed_args(command_line)  # the model may be left out
    transforms.check_flags(arguments)
    media_type = transforms.choose_media_type(arguments.input, arguments.content_type)
    request_files.check(arguments.request, "CreateModel", "CreateTransformJob")
    target = _target(arguments)
    clients = session.connect(arguments)
    name = transforms.new_name()
    archive = _model(arguments, clients, name)
    source = transforms.find_input(arguments, clients, name)
    create_model = models.request(arguments, clients, name, archive, {})
    create_job = transforms.request(arguments, clients, name, source, media_type)
    requests = [("CreateModel", create_model), ("CreateTransformJob", create_job)]
    create_model, create_job = request_files.merge_into_each(requests, arguments.request)
    requests = [("CreateModel", create_model), ("CreateTransformJob", create_job)]
    if arguments.dry_run:
        dry_run.print_requests(requests)
        return
    preflight.check(arguments, clients, requests)
    if arguments.model:
        models.upload_archive(arguments, clients, archive, arguments.kms_key)
    transforms.upload_input(arguments, clients, source)
    answers = transforms.run(clients, create_model, create_job)
    print(f"Answers: {answers}")
    if target:
        Storage(clients).download(answers, target)
        print(f"Copied to {target}")


def _model(arguments: argparse.Namespace, clients: Clients, name: str) -> str:
    """Return the address of the model, or the ARN of its package."""
    if arguments.package:
        return model_packages.deployable(clients, arguments.package)
    return models.find_archive(arguments, clients, name)


def _parser() -> options.Parser:
    parser = options.parser(__doc__)
    parser.add_argument(
        "model",
        nargs="?",
        type=models.check_name,
        help="a training or tuning job's name, or the path or address of a model.tar.gz",
    )
    parser.add_argument("input", type=check_input, help="path or address of the observations")
    model_packages.add_flag(parser)
    parser.add_argument(
        "--output", type=Path, help="where to put the answers; default: beside a local input, with .out"
    )
    media_types = sorted(set(transforms.MEDIA_TYPES.values()))
    parser.add_argument("--content-type", choices=media_types, help="default: by the file's name")
    parser.add_argument("--heads", action="store_true", help="answer with the network's heads, not with actions")
    options.add_image(parser)
    options.add_instance_type(parser, "ml.c5.xlarge", "TransformInstanceType")
    bounds.add_number(parser, "--instance-count", "(%(default)s)", default=1)
    bounds.add_number(parser, "--max-concurrent", "requests at once per instance (as many as there are workers)")
    bounds.add_number(parser, "--max-payload", "of a request, 0 for no limit (what the container says, 6)", unit="MB")
    parser.add_argument("--strategy", choices=("MultiRecord", "SingleRecord"), help="records in a request")
    parser.add_argument("--split", choices=("Line", "None"), default="Line", help="what is a record (%(default)s)")
    parser.add_argument("--input-filter", metavar="JSONPATH", help="the part of each record that is sent")
    parser.add_argument("--join", action="store_true", help="store each record with its answer")
    parser.add_argument("--output-filter", metavar="JSONPATH", help="the part of each (joined) answer that is stored")
    parser.add_argument("--env", dest="environment", metavar="NAME=VALUE", action="append", default=[])
    options.add_network(parser)
    parser.add_argument("--kms-key", help="encrypts the answers and uploads")
    parser.add_argument("--volume-kms-key", help="encrypts the volume")
    options.add_request_file(parser)
    return parser


def check_input(text: str) -> str:
    """Check that a file of this machine is there; for ``type=`` of an argument."""
    if "://" not in text and not Path(text).is_file():
        raise UsageError(f"There is no file {text}, expected the path or address of the observations.")
    return text


def _target(arguments: argparse.Namespace) -> Path | None:
    """Return the file for the answers; None if they stay in S3.

    Raises:
        UsageError: It cannot be written, or is the input.
    """
    target: Path | None = arguments.output
    if target is None and "://" not in arguments.input:
        target = Path(f"{arguments.input}.out")
    if target and target.resolve() == Path(arguments.input).resolve():
        raise UsageError(f"--output is {target}, which is the input, expected another file.")
    if target and not arguments.dry_run:
        values.check_target("--output", target)
    return target


if __name__ == "__main__":
    errors.run(main)
