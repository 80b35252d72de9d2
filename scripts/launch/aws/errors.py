"""AWS's errors: telling their kinds, and explaining each in one sentence.

The import of this module registers the explanation with ``launch.cli.errors``.
"""

import re
from collections.abc import Callable
from typing import Any

import boto3
from botocore import exceptions

from launch.cli.errors import JobFailed, UsageError, register_explanation

SERVER_FAULT_CODES = ("InternalFailure", "InternalServerError", "ServiceUnavailable", "InternalServerException")
NOT_FOUND_CODES = ("ResourceNotFound", "NoSuchEntity", "404", "NoSuchKey", "NoSuchBucket")
FORBIDDEN_CODES = ("403", "Forbidden", "AccessDenied", "AccessDeniedException")
KMS_CODES = "KMS."
"""What the codes begin with by which S3 passes on that a KMS key does not work."""
NOT_FOUND = re.compile("not found|could not find|does not exist", re.IGNORECASE)
THROTTLING_CODES = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown")


def code_of(error: exceptions.ClientError) -> str:
    """Return what kind of error AWS answered: ``ValidationException`` and the like."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_not_found(error: exceptions.ClientError) -> bool:
    """Tell whether AWS answered that there is nothing of that name; SageMaker calls that a ValidationException."""
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    return (
        code in NOT_FOUND_CODES
        or code.endswith("NotFoundException")
        or (code == "ValidationException" and NOT_FOUND.search(message) is not None)
    )


def is_forbidden(error: exceptions.ClientError) -> bool:
    """Tell whether AWS answered that the caller may not do that."""
    return code_of(error) in FORBIDDEN_CODES


def describe_if_exists(describe: Callable[..., dict[str, Any]], **names: Any) -> dict[str, Any] | None:
    """Return the answer of a Describe or Get operation; None if there is nothing of that name."""
    try:
        return dict(describe(**names))
    except exceptions.ClientError as error:
        if is_not_found(error):
            return None
        raise


def explain(error: Exception) -> UsageError | JobFailed | None:
    """Return an error of boto3 in one sentence, as a user's mistake or as a failure; None if it is something else."""
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return UsageError(
            "There are no AWS credentials: run `aws configure`, name a profile with --profile, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if isinstance(error, exceptions.NoRegionError):
        return UsageError("There is no AWS region: give --region, or set AWS_REGION.")
    if isinstance(error, exceptions.ParamValidationError):
        return UsageError("The request is not valid: " + " ".join(str(error).split()).partition("failed: ")[2])
    if isinstance(error, exceptions.ClientError):
        code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
        service = getattr(error, "service", "AWS")
        sentence = f"{service} refuses {error.operation_name}: {message.strip().rstrip('.') or code} ({code})."
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        failed = status >= 500 or code in SERVER_FAULT_CODES or code in THROTTLING_CODES
        return JobFailed(sentence) if failed else UsageError(sentence)
    if isinstance(
        error, exceptions.HTTPClientError | exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError
    ):
        return _explain_connection(error)
    if isinstance(error, exceptions.BotoCoreError | boto3.exceptions.Boto3Error):
        return JobFailed(" ".join(str(error).split()).rstrip(".") + ".")
    return None


def _explain_connection(error: Exception) -> UsageError | JobFailed:
    url = str(getattr(error, "kwargs", {}).get("endpoint_url") or "its address")
    host = url.partition("://")[2].partition("/")[0]
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        session = boto3.Session()  # reads a large file
        known = {
            region
            for partition in session.get_available_partitions()
            for region in session.get_available_regions("sagemaker", partition)
        }
        if not any(f".{region}." in f".{host}" for region in known):
            return UsageError(f"AWS does not answer at {host}: the region is not one that is known for SageMaker.")
    return JobFailed(f"AWS does not answer at {url}: is there a network, and a proxy where one is needed?")


register_explanation(explain)
