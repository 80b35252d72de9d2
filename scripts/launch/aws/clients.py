"""Clients of AWS, made from a user's flags and environment.

Everything that boto3 honours is honoured: profiles, ``AWS_*`` variables, ``AWS_ENDPOINT_URL``, a proxy, instance roles.
"""

import os
from functools import cached_property
from typing import Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config

from launch.aws import errors as aws_errors  # noqa: F401 - its explanations are registered wherever a client is
from launch.aws import image_configs
from launch.cli.errors import UsageError

ATTEMPTS = 8
"""Of a call that is throttled or fails on the server, with growing pauses; the user's settings take precedence."""


class Clients:
    """The clients that the scripts use, each made at its first use.

    Args:
        region: None for what the environment or the profile says.
        profile: of the AWS configuration files; None for the default one.
    """

    stale_image = "warn"
    """What is done about an image that is older than the checkout: ``ok``, ``warn`` or ``refuse``."""
    seconds_between_polls = 5.0
    """Between two looks at a job or an endpoint that a script waits for."""
    seconds_that_logs_lag = 3.0
    """Between two looks at the log of a job that has ended: what CloudWatch has not got by then is missing."""
    seconds_until_found = 60.0
    """From making something until AWS must find it: see ``launch.aws.consistency``."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        given = {"region": region, "profile": profile}
        self.flags = "".join(f" --{name} {value}" for name, value in given.items() if value)
        """What a command needs that works with the same jobs and endpoints."""
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
    def cloudwatch(self) -> Any:
        return self.client("cloudwatch")

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
    def kms(self) -> Any:
        return self.client("kms")

    @cached_property
    def caller(self) -> dict[str, str]:
        """GetCallerIdentity's answer: ``Account`` and ``Arn`` of the caller."""
        return dict(self.client("sts").get_caller_identity())

    @cached_property
    def account(self) -> str:
        return self.caller["Account"]

    def image_config(self, uri: str) -> image_configs.ImageConfig | None:
        """Return the configuration of an image where jobs would take it from; None if it cannot be looked at."""
        return image_configs.read_from_ecr(self.ecr, uri)

    @cached_property
    def have_credentials(self) -> bool:
        """Whether requests can be signed."""
        return self.session.get_credentials() is not None

    @property
    def region(self) -> str:
        """The region.

        Raises:
            UsageError: None is set.
        """
        if not self.session.region_name:
            raise UsageError("There is no AWS region: give --region, or set AWS_REGION.")
        return str(self.session.region_name)

    @property
    def where(self) -> str:
        """Where these clients look for jobs and endpoints; ends a sentence."""
        return f" in region {self.region}"

    @property
    def default_role(self) -> str | None:
        """The role that a request names without asking AWS for one; None on AWS."""
        return None

    @property
    def default_home(self) -> str:
        """The address below which jobs leave their files by default."""
        return f"s3://sagemaker-{self.region}-{self.account}"

    def page_of(self, endpoint: str) -> str | None:
        """Return the URL of an endpoint's page; None on AWS, where an endpoint has none."""
        return None

    @property
    def partition(self) -> str:
        """``aws``, or ``aws-cn`` and the like."""
        return str(self.session.get_partition_for_region(self.region))


def _expected_profiles() -> str:
    known = botocore.session.Session().available_profiles
    return f"expected one of {', '.join(known)}" if known else "but there are no profiles: `aws configure` makes one"
