"""Clients of AWS, made from a user's flags and environment, and AWS's errors in one sentence.

Everything that boto3 honours is honoured: profiles, ``AWS_*`` variables, ``AWS_ENDPOINT_URL``, a proxy, instance roles.
"""

import os
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config

from launch.cli.errors import JobFailed, UsageError

ATTEMPTS = 8
"""Of a call that is throttled or that a server fails, with growing pauses, where the user's settings say nothing."""
OUR_FAULT_CODES = ("InternalFailure", "InternalServerError", "ServiceUnavailable", "InternalServerException")
NOT_FOUND = re.compile("not found|could not find|does not exist", re.IGNORECASE)
THROTTLING_CODES = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown")


class Clients:
    """The clients that the scripts use, each made when it is first asked for.

    Args:
        region: None for what the environment or the profile says.
        profile: of the AWS configuration files; None for the default one.
    """

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        try:
            region = region or os.environ.get("AWS_REGION") or None
            self.session = boto3.Session(region_name=region, profile_name=profile)
        except exceptions.ProfileNotFound:
            named = f"--profile is {profile!r}" if profile else f"AWS_PROFILE is {os.environ.get('AWS_PROFILE')!r}"
            raise UsageError(f"{named}, {_expected_profiles()}.") from None
        self._config = Config(user_agent_extra="rl-mountain-car", retries=self._retries())

    def _retries(self) -> Any:
        settings = self.session._session.get_scoped_config()
        if os.environ.keys() & {"AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"} or settings.keys() & {
            "retry_mode",
            "max_attempts",
        }:
            return None
        return {"mode": "standard", "total_max_attempts": ATTEMPTS}

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        return self.session.client(service, config=self._config)

    @cached_property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    @cached_property
    def runtime(self) -> Any:
        return self.client("sagemaker-runtime")

    @cached_property
    def logs(self) -> Any:
        return self.client("logs")

    @cached_property
    def autoscaling(self) -> Any:
        return self.client("application-autoscaling")

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def ecr(self) -> Any:
        return self.client("ecr")

    @cached_property
    def iam(self) -> Any:
        return self.client("iam")

    @cached_property
    def codebuild(self) -> Any:
        return self.client("codebuild")

    @cached_property
    def cloudformation(self) -> Any:
        return self.client("cloudformation")

    @cached_property
    def caller(self) -> dict[str, str]:
        """Who asks: Account and Arn (GetCallerIdentity)."""
        return dict(self.client("sts").get_caller_identity())

    @cached_property
    def account(self) -> str:
        return self.caller["Account"]

    @property
    def region(self) -> str:
        """The region.

        Raises:
            UsageError: None is set.
        """
        if not self.session.region_name:
            raise UsageError("There is no AWS region: give --region, or set AWS_REGION.")
        return str(self.session.region_name)

    seconds_between_looks = 5.0
    """At a job or an endpoint that is waited for."""
    seconds_that_logs_lag = 3.0
    """CloudWatch has the last lines of what has ended a little later."""

    @property
    def where(self) -> str:
        """Where these clients look for jobs and endpoints, for the end of a sentence."""
        return f" in region {self.region}"

    @property
    def default_role(self) -> str | None:
        """A role that needs no looking for; None on AWS."""
        return None

    @property
    def default_home(self) -> str:
        """Where jobs leave their files that do not say where."""
        return f"s3://sagemaker-{self.region}-{self.account}"

    def page_of(self, endpoint: str) -> str | None:
        """Return the address of an endpoint's page; None, as only one of this machine has one."""
        return None

    @property
    def partition(self) -> str:
        """``aws``, or ``aws-cn`` and the like."""
        return str(self.session.get_partition_for_region(self.region))


def _expected_profiles() -> str:
    known = botocore.session.Session().available_profiles
    return f"expected one of {', '.join(known)}" if known else "but there are no profiles: `aws configure` makes one"


def code_of(error: exceptions.ClientError) -> str:
    """Return what kind of error AWS answered: ``ValidationException`` and the like."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_not_found(error: exceptions.ClientError) -> bool:
    """Tell whether AWS answered that there is nothing of that name; SageMaker calls that a ValidationException."""
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    return (
        code in ("ResourceNotFound", "NoSuchEntity", "404", "NoSuchKey", "NoSuchBucket")
        or code.endswith("NotFoundException")
        or (code == "ValidationException" and NOT_FOUND.search(message) is not None)
    )


def found(describe: Callable[..., dict[str, Any]], **names: str) -> dict[str, Any] | None:
    """Return what a call answers; None if there is nothing of that name."""
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
        who = getattr(error, "who", "AWS")
        sentence = f"{who} refuses {error.operation_name}: {message.strip().rstrip('.') or code} ({code})."
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        failed = status >= 500 or code in OUR_FAULT_CODES or code in THROTTLING_CODES
        return JobFailed(sentence) if failed else UsageError(sentence)
    if isinstance(error, exceptions.HTTPClientError | exceptions.EndpointConnectionError):
        return _explain_connection(error)
    if isinstance(error, exceptions.BotoCoreError | boto3.exceptions.Boto3Error):
        return JobFailed(" ".join(str(error).split()).rstrip(".") + ".")
    return None


def _explain_connection(error: Exception) -> UsageError | JobFailed:
    url = str(getattr(error, "kwargs", {}).get("endpoint_url") or "its address")
    host = url.partition("://")[2].partition("/")[0]
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        known = {
            region
            for partition in boto3.Session().get_available_partitions()
            for region in boto3.Session().get_available_regions("sagemaker", partition)
        }
        if not any(f".{region}." in f".{host}" for region in known):
            return UsageError(f"AWS does not answer at {host}: the region is not one that is known for SageMaker.")
    return JobFailed(f"AWS does not answer at {url}: is there a network, and a proxy where one is needed?")
