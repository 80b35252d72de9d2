"""Register a trained model: a new version in a group of SageMaker's model registry; or approve or reject a version.

Only a version that is approved can be deployed: deploy.py --package GROUP takes the newest of these.

Examples:
    python scripts/register.py rl-mountain-car-2026-11-23-10-00-00-000000 --group cars
    python scripts/register.py $JOB --evaluation $JOB-evaluation --approve
    python scripts/register.py runs/$JOB/model.tar.gz --description "by hand"
    python scripts/register.py --package cars:3 --approve
    python scripts/register.py --package cars:3 --reject
    python scripts/register.py --dry-run $JOB              # the requests
"""

import argparse
from collections.abc import Sequence

from launch.aws.clients import Clients
from launch.cli import dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.project import BASE_NAME, unique_name
from launch.sagemaker import model_packages, models, preflight, session, training_jobs


def main(command_line: Sequence[str] | None = None) -> None:
    arguments = _parse(command_line)
    clients = session.connect(arguments)
    if arguments.package:
        _decide(arguments, clients)
    else:
        _register(arguments, clients)


def _register(arguments: argparse.Namespace, clients: Clients) -> None:
    job = training_jobs.describe(clients, arguments.model) if models.is_job(arguments.model) else {}
    measured = training_jobs.describe(clients, arguments.evaluation) if arguments.evaluation else job
    report = model_packages.quality_report(measured)
    if arguments.evaluation and report is None:
        raise UsageError(
            f"Job {arguments.evaluation} is {measured['TrainingJobStatus']} and has no metric "
            f"{model_packages.QUALITY_METRIC}, expected one that has."
        )
    archive = models.find_archive(arguments, clients, unique_name(arguments.group))
    quality = model_packages.quality_address(measured) if report else None
    package = model_packages.package_request(arguments, archive, job, quality)
    requests = [*model_packages.group_requests(arguments, clients), ("CreateModelPackage", package)]
    if arguments.dry_run:
        dry_run.print_requests(requests)
        return
    preflight.check(arguments, clients, requests)
    models.upload_archive(arguments, clients, archive, arguments.kms_key)
    if report:
        model_packages.upload_quality_report(clients, measured, report)
    arn = model_packages.create(clients, requests)
    name, status = f"{arguments.group}:{arn.rpartition('/')[2]}", package["ModelApprovalStatus"]
    print(f"Registered {name} as {status}: {arn}")
    if arguments.approve:
        print(f"Deploy it: python scripts/deploy.py --package {name}")
    else:
        print(f"Approve it: python scripts/register.py --package {name} --approve")


def _decide(arguments: argparse.Namespace, clients: Clients) -> None:
    """Approve or reject a package that is registered."""
    package = model_packages.find(clients, arguments.package)
    status = model_packages.APPROVED if arguments.approve else model_packages.REJECTED
    request = {"ModelPackageArn": package["ModelPackageArn"], "ModelApprovalStatus": status}
    if arguments.description is not None:
        request["ApprovalDescription"] = arguments.description
    if arguments.dry_run:
        dry_run.print_requests([("UpdateModelPackage", request)])
        return
    clients.sagemaker.update_model_package(**request)
    name, before = model_packages.name_of(package), package.get("ModelApprovalStatus")
    print(f"Model package {name} is {status}; it was {before}")


def _parse(command_line: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments.

    Raises:
        UsageError: Some do not go together.
    """
    parser = options.parser(__doc__, local=False)
    parser.add_argument(
        "model", nargs="?", type=models.check_name, help="a training job's name, or the path or address of a model"
    )
    parser.add_argument("--group", type=values.name, default=BASE_NAME, help="made if it is not there (%(default)s)")
    parser.add_argument("--evaluation", metavar="JOB", type=values.name, help="its metric; default: the training's own")
    parser.add_argument("--description", help="of the package, or of the approval")
    options.add_image(parser)
    parser.add_argument(
        "--env", dest="environment", metavar="NAME=VALUE", action="append", default=[], help="of its container"
    )
    for flag, default, shape, users in (
        ("--instance-types", model_packages.INSTANCE_TYPES, "ProductionVariantInstanceType", "endpoints"),
        ("--transform-types", model_packages.TRANSFORM_TYPES, "TransformInstanceType", "batch transforms"),
    ):
        options.add_instance_types(parser, flag, default, shape, f"of {users}")
    parser.add_argument(
        "--package", type=model_packages.check_reference, metavar="GROUP:VERSION", help="that is registered; or its ARN"
    )
    parser.add_argument("--kms-key", help="encrypts the version, and the upload of a file")
    decision = parser.add_mutually_exclusive_group()
    decision.add_argument("--approve", action="store_true", help="the model, or the package")
    decision.add_argument("--reject", action="store_true", help="the package")
    arguments = parser.parse_args(command_line)
    if bool(arguments.model) == bool(arguments.package):
        raise UsageError("Expected a model, or --package GROUP:VERSION; see --help.")
    if arguments.package and not (arguments.approve or arguments.reject):
        raise UsageError("--package is of a package that is registered, expected with --approve or --reject.")
    if arguments.package and ":" not in arguments.package:
        raise UsageError(f"--package is {arguments.package!r}, expected GROUP:VERSION.")
    if arguments.model and arguments.reject:
        raise UsageError("--reject is of a package that is registered, expected with --package GROUP:VERSION.")
    return arguments


if __name__ == "__main__":
    errors.run(main)
