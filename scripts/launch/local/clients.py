"""SageMaker on this machine: clients with the methods, requests and answers of boto3's.

Jobs are run by processes of their own, endpoints by a container or a process; all outlive the script that started
them, and later commands find them by their records. Where a Docker engine answers, the images run; where none does,
the same entry points run as processes.
"""

import os
import sys
from functools import cached_property
from typing import Any

from docker.errors import ImageNotFound

from launch.aws.clients import Clients
from launch.aws.image_configs import ImageConfig
from launch.aws.storage import Storage
from launch.cli.errors import UsageError
from launch.local import images, labels, records
from launch.local.endpoints_api import EndpointsApi
from launch.local.logs_client import LocalLogs
from launch.local.records import ENDPOINTS
from launch.local.runtime_client import LocalRuntime
from launch.local.tuning_api import TuningApi
from launch.project import runs_folder


class LocalSageMaker(TuningApi, EndpointsApi):
    """The methods of boto3's ``sagemaker`` client that the scripts use: of jobs, models and endpoints."""

    def list_model_package_groups(self, **request: Any) -> dict[str, Any]:
        """Return none: local mode has no model registry."""
        return {"ModelPackageGroupSummaryList": []}


class LocalAutoscaling:
    """The methods of boto3's ``application-autoscaling`` client: local mode does not scale, and says so."""

    def register_scalable_target(self, **request: Any) -> dict[str, Any]:
        print("Local mode leaves out automatic scaling.", file=sys.stderr)
        return {}

    def put_scaling_policy(self, **request: Any) -> dict[str, Any]:
        return {}

    def deregister_scalable_target(self, **request: Any) -> dict[str, Any]:
        return {}

    def describe_scalable_targets(self, **request: Any) -> dict[str, Any]:
        return {"ScalableTargets": []}

    def describe_scaling_policies(self, **request: Any) -> dict[str, Any]:
        return {"ScalingPolicies": []}


class LocalCloudWatch:
    """The method of boto3's ``cloudwatch`` client that looks for alarms: local mode has none."""

    def describe_alarms(self, **request: Any) -> dict[str, Any]:
        return {"MetricAlarms": [], "CompositeAlarms": []}


class LocalClients(Clients):
    """Local mode's clients. S3's is AWS's, for jobs that read or write there."""

    stale_image = "refuse"
    seconds_between_polls = 0.3
    seconds_that_logs_lag = 0.0
    seconds_until_found = 0.0
    where = " on this machine"
    have_credentials = True  # none are needed

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        super().__init__(region, profile)
        self.flags = f" --local{self.flags}"

    @cached_property
    def sagemaker(self) -> Any:
        """The client; making it removes the containers that killed jobs have left."""
        labels.remove_leftovers()
        return LocalSageMaker(Storage(self))

    @cached_property
    def runtime(self) -> Any:
        return LocalRuntime(Storage(self))

    @cached_property
    def logs(self) -> Any:
        return LocalLogs()

    @cached_property
    def autoscaling(self) -> Any:
        return LocalAutoscaling()

    def image_config(self, uri: str) -> ImageConfig | None:
        """Return the configuration of an image on the Docker engine; None where none would run."""
        if os.environ.get("RL_LOCAL_ENGINE") == "process":
            return None
        try:
            return images.config_of(images.connect().images.get(uri))
        except (UsageError, ImageNotFound):
            return None

    @cached_property
    def cloudwatch(self) -> Any:
        return LocalCloudWatch()

    def page_of(self, endpoint: str) -> str | None:
        """Return the URL of an endpoint's page, to play with in a browser; None if the endpoint does not serve."""
        record = records.read(ENDPOINTS, endpoint)
        return f"{record.serving.url}/" if record and record.serving else None

    @property
    def default_home(self) -> str:
        """The address below which jobs leave their files by default."""
        return f"file://{runs_folder() / '.local' / 'output'}"

    @property
    def default_role(self) -> str | None:
        """The role that requests name; local mode leaves it out."""
        return records.ROLE
