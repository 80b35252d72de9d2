"""Endpoints: what makes one, and what belongs to one."""

import argparse
import re
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from launch.aws import clients as aws
from launch.aws import logs, scaling
from launch.cli import interruption, options
from launch.cli.errors import JobFailed, UsageError
from launch.project import unique_name

DEFAULT_ENDPOINT = "rl-mountain-car"
LONGEST_NAME = 36
IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack")
"""What an endpoint can neither be updated nor deleted from."""
SECONDS_TO_DELETE = 900
STAMP = re.compile(r"-\d{4}(-\d\d){5}(-\d+)?")
"""What ``unique_name`` puts behind an endpoint's name for its models and configurations."""


def resource_name(endpoint: str) -> str:
    """Return a new name for a model and a configuration of an endpoint."""
    return unique_name(endpoint)


def name(text: str) -> str:
    """Check an endpoint's name, which has to leave room for the time of day; for ``type=`` of a flag."""
    if len(options.name(text)) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than {LONGEST_NAME} characters")
    return text


def describe(clients: aws.Clients, endpoint: str) -> dict[str, Any] | None:
    """Return the description of an endpoint; None if there is none of that name."""
    return aws.found(clients.sagemaker.describe_endpoint, EndpointName=endpoint)


def require(clients: aws.Clients, endpoint: str) -> dict[str, Any]:
    """Return the description of an endpoint that answers.

    Raises:
        UsageError: There is none of that name, or it is not in service.
    """
    described = describe(clients, endpoint)
    if described is None:
        raise UsageError(f"There is no endpoint {endpoint!r}{clients.where}.")
    if described["EndpointStatus"] not in ("InService", "Updating", "SystemUpdating"):
        raise UsageError(f"Endpoint {endpoint} is {described['EndpointStatus']}, expected InService.")
    return described


def wait_until_in_service(clients: aws.Clients, endpoint: str, config: str) -> dict[str, Any]:
    """Wait for an endpoint to serve by a configuration, showing every change of its status.

    Raises:
        JobFailed: It does not; the message has the reason, and ends with the container's last lines.
    """
    status = ""
    since = None
    while True:
        described = describe(clients, endpoint)
        if described is None:
            raise JobFailed(f"Endpoint {endpoint} was deleted while it was waited for.")
        # at the first look this is when it was asked for, and its containers' logs are from then on
        since = since or described.get(
            "LastModifiedTime" if described["EndpointStatus"] == "Updating" else "CreationTime"
        )
        if described["EndpointStatus"] != status:
            status = described["EndpointStatus"]
            print(status, flush=True)
        if status == "InService" and described["EndpointConfigName"] == config:
            return described
        if status not in IN_PROGRESS:
            reason = described.get("FailureReason", f"Endpoint {endpoint} is {status}.")
            raise JobFailed("\n".join([reason, *logs.tail(clients, f"{logs.ENDPOINTS}/{endpoint}", "", since)]))
        time.sleep(clients.seconds_between_looks)


def belongings(clients: aws.Clients, endpoint: str) -> list[tuple[str, str]]:
    """Return what there is of an endpoint, as (kind, name), in the order in which it can be deleted."""
    found = []
    configs, models = [], []
    if scaling.find_target(clients, endpoint):
        found.append(("scaling target", endpoint))
    described = describe(clients, endpoint)
    if described:
        found.append(("endpoint", endpoint))
        configs.append(described["EndpointConfigName"])
    sagemaker = clients.sagemaker
    configs += _names(sagemaker.list_endpoint_configs, "EndpointConfigs", "EndpointConfigName", endpoint)
    models += _names(sagemaker.list_models, "Models", "ModelName", endpoint)
    kept = [name for name in dict.fromkeys(configs) if name in configs[: bool(described)] or is_of(name, endpoint)]
    for config in kept:
        described = aws.found(sagemaker.describe_endpoint_config, EndpointConfigName=config)
        if described is None:
            continue
        variants = described["ProductionVariants"]
        models += [variant["ModelName"] for variant in variants if is_of(variant["ModelName"], endpoint)]
        found.append(("endpoint configuration", config))
    found += [("model", name) for name in dict.fromkeys(models) if is_of(name, endpoint)]
    return found


def is_of(name: str, endpoint: str) -> bool:
    """Tell whether a model or a configuration was made by ``deploy.py`` for an endpoint."""
    return name.startswith(endpoint) and bool(STAMP.fullmatch(name[len(endpoint) :]))


def _names(list_some: Callable[..., dict[str, Any]], many: str, one: str, part: str) -> list[str]:
    """Return all names with a part in them, however many pages they come on."""
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = list_some(NameContains=part, **more)
        found += [each[one] for each in page[many]]
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def delete_request(kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """Return the API request that deletes one of an endpoint's belongings."""
    if kind == "scaling target":
        return "DeregisterScalableTarget", scaling.target(name)
    if kind == "endpoint":
        return "DeleteEndpoint", {"EndpointName": name}
    if kind == "endpoint configuration":
        return "DeleteEndpointConfig", {"EndpointConfigName": name}
    return "DeleteModel", {"ModelName": name}


def delete(clients: aws.Clients, kind: str, name: str) -> bool:
    """Delete one of an endpoint's belongings; tell whether it was there. An endpoint is gone when this returns.

    Raises:
        JobFailed: An endpoint does not go.
    """
    operation, request = delete_request(kind, name)
    try:
        if operation == "DeregisterScalableTarget":
            clients.autoscaling.deregister_scalable_target(**request)
        elif operation == "DeleteEndpoint":
            return _delete_endpoint(clients, name)
        elif operation == "DeleteEndpointConfig":
            clients.sagemaker.delete_endpoint_config(**request)
        else:
            clients.sagemaker.delete_model(**request)
    except ClientError as error:
        if not aws.is_not_found(error):
            raise
        return False
    return True


def _delete_endpoint(clients: aws.Clients, endpoint: str) -> bool:
    """Wait until an endpoint can be deleted, delete it, and wait until it is gone: its configuration is in use so long.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteEndpoint.html
    """
    described = describe(clients, endpoint)
    if described is None:
        return False
    said = False
    while described and described["EndpointStatus"] != "Deleting":
        try:
            clients.sagemaker.delete_endpoint(EndpointName=endpoint)
            break
        except ClientError as error:
            status = described["EndpointStatus"]
            if aws.code_of(error) != "ValidationException" or status not in IN_PROGRESS:
                raise
        if not said:
            print(f"Endpoint {endpoint} is {status}, and can be deleted after that: waiting", flush=True)
            said = True
        _pause(clients)
        described = describe(clients, endpoint)
    deadline = time.monotonic() + SECONDS_TO_DELETE
    while described := describe(clients, endpoint):
        if time.monotonic() > deadline:
            status = described["EndpointStatus"]
            raise JobFailed(f"Endpoint {endpoint} is still there after {SECONDS_TO_DELETE} s, as {status}.")
        _pause(clients)
    return True


def _pause(clients: aws.Clients) -> None:
    with interruption.let_through():  # nothing is half done in here, and it may take minutes
        time.sleep(clients.seconds_between_looks)
