"""Model packages: the versions of a model in a group of SageMaker's model registry.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry.html
"""

import argparse
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from launch.aws import errors as aws_errors
from launch.aws import image_uris, paging
from launch.aws.clients import Clients
from launch.aws.storage import Storage, join
from launch.cli import options, values
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.sagemaker import evaluations, fields, session

APPROVED, REJECTED, PENDING = "Approved", "Rejected", "PendingManualApproval"
PACKAGE_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/[a-zA-Z0-9-]+(/\d{1,9})?")
MEDIA_TYPES = ("application/json", "application/jsonlines", "text/csv", "application/x-npy")
"""What the serving image reads and writes."""
INSTANCE_TYPES = ("ml.t2.medium", "ml.c5.large", "ml.c5.xlarge", "ml.m5.large", "ml.m5.xlarge")
TRANSFORM_TYPES = ("ml.c5.xlarge", "ml.m5.large", "ml.m5.xlarge")
QUALITY_METRIC = "reward-evaluation"
"""The metric of a training or an evaluation job that says how good its policy is."""


def check_reference(text: str) -> str:
    """Check the text that names a package: ``GROUP``, ``GROUP:VERSION`` or an ARN; for ``type=`` of a flag.

    Raises:
        ArgumentTypeError: It has none of these forms.
    """
    group, colon, version = text.partition(":")
    is_named = values.NAME.fullmatch(group) and (not colon or re.fullmatch(r"[1-9]\d{0,8}", version, re.ASCII))
    if not PACKAGE_ARN.fullmatch(text) and not is_named:
        raise argparse.ArgumentTypeError(f"{text!r} is no GROUP, GROUP:VERSION or ARN of a model package")
    return text


def add_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--package``, which names the model of an endpoint or of a batch transform."""
    parser.add_argument(
        "--package",
        type=check_reference,
        metavar="GROUP[:VERSION]",
        help="of the model registry, or an ARN; without VERSION the newest that is approved",
    )


def find(clients: Clients, reference: str) -> dict[str, Any]:
    """Return the description of a package; of ``GROUP`` alone, of the newest one that is approved.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeModelPackage.html

    Args:
        clients: of the account and the region.
        reference: which ``check_reference`` has checked.

    Raises:
        UsageError: There is none.
    """
    if reference.startswith("arn:"):
        return _describe(clients, reference)
    group, _, version = reference.partition(":")
    approval = {} if version else {"ModelApprovalStatus": APPROVED}
    for summary in versions(clients, group, **approval):
        if not version or summary["ModelPackageVersion"] == int(version):
            return _describe(clients, summary["ModelPackageArn"])
    what = f"version {version}" if version else "version that is approved"
    raise UsageError(f"Model package group {group} has no {what}.")


def query(group: str) -> dict[str, Any]:
    """Return the ListModelPackages request for the packages of a group, the newest first."""
    return {
        "ModelPackageGroupName": group,
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 100,
    }


def versions(clients: Clients, group: str, **chosen: str) -> Iterator[dict[str, Any]]:
    """Return the summaries of the packages of a group, the newest first.

    Args:
        clients: of the account and the region.
        group: its name.
        chosen: more parameters of ListModelPackages.

    Raises:
        UsageError: There is no such group.
    """
    described = clients.sagemaker.describe_model_package_group
    if aws_errors.describe_if_exists(described, ModelPackageGroupName=group) is None:
        raise UsageError(f"There is no model package group {group!r}{clients.where}.")
    list_packages = clients.sagemaker.list_model_packages
    return paging.entries(list_packages, "ModelPackageSummaryList", **query(group), **chosen)


def _describe(clients: Clients, arn: str) -> dict[str, Any]:
    described = aws_errors.describe_if_exists(clients.sagemaker.describe_model_package, ModelPackageName=arn)
    if described is None:
        raise UsageError(f"There is no model package {arn}{clients.where}.")
    return described


def name_of(package: Mapping[str, Any]) -> str:
    """Return ``GROUP:VERSION`` of a package by its description; the ARN of one without version."""
    if "ModelPackageVersion" not in package:
        return str(package["ModelPackageArn"])
    return f"{package['ModelPackageGroupName']}:{package['ModelPackageVersion']}"


# --- Deploying -------------------------------------------------------------------------------------------------------
def check_flags(arguments: argparse.Namespace) -> None:
    """Check the flags of ``deploy.py`` or ``transform.py`` that go with a package.

    Raises:
        UsageError: One does not go with it.
    """
    if not arguments.package:
        return
    if arguments.model:
        raise UsageError(f"--package names the model, expected without {arguments.model}.")
    for name in ("image", "multi_model"):
        if getattr(arguments, name, None):
            raise UsageError(f"--{name.replace('_', '-')} does not go with --package, which names image and model.")
    if options.is_local(arguments):
        raise UsageError("--package does not go with --local: this machine has no model registry.")


def deployable(clients: Clients, reference: str) -> str:
    """Return the ARN of a package that can be deployed: it is approved, its image and its model are there.

    Raises:
        UsageError: It cannot.
    """
    package = find(clients, reference)
    name, approval, status = name_of(package), package.get("ModelApprovalStatus"), package["ModelPackageStatus"]
    if approval != APPROVED:
        raise UsageError(
            f"Model package {name} is {approval}, expected {APPROVED}: "
            f"python scripts/register.py --package {name} --approve."
        )
    if status != "Completed":
        raise UsageError(f"Model package {name} is {status}, expected Completed.")
    for container in package.get("InferenceSpecification", {}).get("Containers", []):
        image_uris.check_exists(clients, container["Image"])
        if "ModelDataUrl" in container and not Storage(clients).find(container["ModelDataUrl"]):
            raise UsageError(f"There is nothing at {container['ModelDataUrl']}, the model of package {name}.")
    return str(package["ModelPackageArn"])


# --- Registering -----------------------------------------------------------------------------------------------------
def group_requests(arguments: argparse.Namespace, clients: Clients) -> list[Request]:
    """Return the CreateModelPackageGroup request; none if the group is there."""
    describe, group = clients.sagemaker.describe_model_package_group, arguments.group
    if aws_errors.describe_if_exists(describe, ModelPackageGroupName=group) is not None:
        return []
    complete = {
        "ModelPackageGroupName": group,
        "Tags": session.tags(arguments),
    }  # its packages cannot have tags of their own
    return [("CreateModelPackageGroup", dict(fields.without_empty(complete)))]


def package_request(
    arguments: argparse.Namespace, archive: str, job: Mapping[str, Any], quality: str | None
) -> dict[str, Any]:
    """Return the CreateModelPackage request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html

    Args:
        arguments: the flags of ``register.py``.
        archive: the address of the model.
        job: the description of the training job that it is of; empty if it is given as a file.
        quality: the address of its model quality report; None if it has none.
    """
    image = session.image_uri(arguments, "serving")
    variables = values.environment(arguments.environment)
    statistics = {"ContentType": "application/json", "S3Uri": quality}
    complete = {
        "ModelPackageGroupName": arguments.group,
        "ModelPackageDescription": arguments.description,
        "InferenceSpecification": {
            "Containers": [fields.without_empty({"Image": image, "ModelDataUrl": archive, "Environment": variables})],
            "SupportedContentTypes": list(MEDIA_TYPES),
            "SupportedResponseMIMETypes": list(MEDIA_TYPES),
            "SupportedRealtimeInferenceInstanceTypes": list(arguments.instance_types),
            "SupportedTransformInstanceTypes": list(arguments.transform_types),
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": statistics}} if quality else None,
        "ModelApprovalStatus": APPROVED if arguments.approve else PENDING,
        "CustomerMetadataProperties": _properties(image, job),
        "SecurityConfig": {"KmsKeyId": arguments.kms_key} if arguments.kms_key else None,
    }
    return dict(fields.without_empty(complete))


def _properties(image: str, job: Mapping[str, Any]) -> dict[str, str]:
    """Return where a model comes from: its job, preset, training image, and the revision of the serving image."""
    uri = image_uris.ECR_IMAGE.fullmatch(image)
    properties = {
        "training-job": job.get("TrainingJobName"),
        "preset": evaluations.decoded(job.get("HyperParameters", {}).get("RLCOACH_PRESET", "")),
        "training-image": job.get("AlgorithmSpecification", {}).get("TrainingImage"),
        "serving-image-revision": uri["tag"] if uri else None,  # push_images.py tags images by their git revision
    }
    return {name: value for name, value in properties.items() if value}


def quality_report(job: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a job's policy was measured at, in SageMaker's schema of model quality; None if it was not.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html

    Args:
        job: the description of a training or an evaluation job.
    """
    metrics = {metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", [])}
    if QUALITY_METRIC not in metrics:
        return None
    value = {"value": metrics[QUALITY_METRIC], "standard_deviation": "NaN"}  # as AWS writes one that is not known
    return {"version": 0.0, "regression_metrics": {QUALITY_METRIC: value}}


def quality_address(job: Mapping[str, Any]) -> str:
    """Return the address of a job's model quality report, below the job's own."""
    return join(job["OutputDataConfig"]["S3OutputPath"], job["TrainingJobName"], "model-quality.json")


def upload_quality_report(clients: Clients, job: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Put a job's model quality report at its address, encrypted as the job's output is."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model-quality.json"
        file.write_text(json.dumps(report), encoding="utf-8")
        Storage(clients).upload(file, quality_address(job), job["OutputDataConfig"].get("KmsKeyId") or None)


def create(clients: Clients, requests: list[Request]) -> str:
    """Send the requests of ``group_requests`` and ``package_request``; return the package's ARN."""
    operations = {
        "CreateModelPackageGroup": clients.sagemaker.create_model_package_group,
        "CreateModelPackage": clients.sagemaker.create_model_package,
    }
    answers = [operations[operation](**request) for operation, request in requests]
    return str(answers[-1]["ModelPackageArn"])
