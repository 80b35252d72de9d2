"""Endpoints: their names, describing one, waiting for one. What goes with one: ``endpoint_resources``."""

import argparse
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from launch.aws import consistency, logs
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.cli import values
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for
from launch.project import unique_name

MAX_NAME_LENGTH = 36
"""Leaves room for the time of day behind it: SageMaker's names have at most 63 characters."""
IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack")
"""Statuses in which an endpoint can neither be updated nor deleted."""
ANSWERING = ("InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed")
"""Statuses in which an endpoint answers: what served before an update does so till its end, and after its failure."""


def resource_name(endpoint: str) -> str:
    """Return a new name for a model and a configuration of an endpoint."""
    return unique_name(endpoint)


def check_name(text: str) -> str:
    """Check the name of an endpoint to deploy to; for ``type=`` of a flag."""
    if len(values.name(text)) > MAX_NAME_LENGTH:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than {MAX_NAME_LENGTH} characters")
    return text


def describe(clients: Clients, endpoint: str) -> dict[str, Any] | None:
    """Return the description of an endpoint; None if there is none of that name."""
    return aws_errors.describe_if_exists(clients.sagemaker.describe_endpoint, EndpointName=endpoint)


def present_config(clients: Clients, existing: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the configuration that an endpoint has; empty if there is no endpoint, or no configuration of it.

    Args:
        clients: of the account and the region.
        existing: the endpoint's description; None if there is none.
    """
    if existing is None:
        return {}
    describe, config = clients.sagemaker.describe_endpoint_config, existing["EndpointConfigName"]
    return aws_errors.describe_if_exists(describe, EndpointConfigName=config) or {}


def require(clients: Clients, endpoint: str) -> dict[str, Any]:
    """Return the description of an endpoint that answers.

    Raises:
        UsageError: There is none of that name, or it is not in service.
    """
    description = describe(clients, endpoint)
    if description is None:
        raise UsageError(f"There is no endpoint {endpoint!r}{clients.where}.")
    if description["EndpointStatus"] not in ANSWERING:
        raise UsageError(f"Endpoint {endpoint} is {description['EndpointStatus']}, expected InService.")
    return description


def wait_until_in_service(
    clients: Clients, endpoint: str, config: str, modified: datetime | None = None
) -> dict[str, Any]:
    """Wait until an endpoint serves by a configuration, showing every change of its status; return its description.

    Args:
        clients: of the account and the region.
        endpoint: its name.
        config: the name of the configuration.
        modified: LastModifiedTime from before an update was asked for; None for an endpoint that is new.

    Raises:
        JobFailed: It does not; the message has the reason, and ends with the container's last lines.
    """
    with waiting_for(f"endpoint {endpoint}"):
        return _wait_until_in_service(clients, endpoint, config, modified)


def _wait_until_in_service(clients: Clients, endpoint: str, config: str, modified: datetime | None) -> dict[str, Any]:
    def find_new_state() -> dict[str, Any] | None:
        found = describe(clients, endpoint)
        return None if found and modified and found.get("LastModifiedTime") == modified else found

    description = consistency.once_found(clients, find_new_state) or describe(clients, endpoint)
    status = ""
    since = None
    while True:
        if description is None:
            raise JobFailed(f"Endpoint {endpoint} was deleted while it was waited for.")
        # At the first look this is the time of the request, before which there is no log of its containers.
        since = since or description.get(
            "LastModifiedTime" if description["EndpointStatus"] == "Updating" else "CreationTime"
        )
        if description["EndpointStatus"] != status:
            status = description["EndpointStatus"]
            print(status, flush=True)
        if status == "InService" and description["EndpointConfigName"] == config:
            return description
        if status not in IN_PROGRESS:
            reason = description.get("FailureReason", f"Endpoint {endpoint} is {status}.")
            raise JobFailed("\n".join([reason, *logs.tail(clients, f"{logs.ENDPOINTS}/{endpoint}", "", since)]))
        time.sleep(clients.seconds_between_polls)
        description = describe(clients, endpoint)
