"""What belongs to an endpoint: its alarm, scaling target, configurations and models; finding and deleting it."""

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from botocore.exceptions import ClientError

from launch.aws import errors as aws_errors
from launch.aws import paging, scaling
from launch.aws.clients import Clients
from launch.cli import interruption
from launch.cli.dry_run import Request
from launch.cli.errors import JobFailed
from launch.cli.progress import waiting_for
from launch.sagemaker import rollouts
from launch.sagemaker.endpoints import IN_PROGRESS, describe

SECONDS_TO_DELETE = 900
STAMP = re.compile(r"-\d{4}(-\d\d){5}(-\d+)?")
"""What ``unique_name`` appends to an endpoint's name for its models and configurations."""
ALARM, SCALING_TARGET = "alarm", "scaling target"
ENDPOINT, CONFIG, MODEL = "endpoint", "endpoint configuration", "model"


class EndpointResource(NamedTuple):
    """A resource of an endpoint: its kind, which is a key of ``DELETE_REQUESTS``, and its name."""

    kind: str
    name: str


DELETE_REQUESTS: dict[str, Callable[[str], Request]] = {
    ALARM: lambda name: ("DeleteAlarms", {"AlarmNames": [name]}),
    SCALING_TARGET: lambda endpoint: ("DeregisterScalableTarget", scaling.target(endpoint)),
    ENDPOINT: lambda name: ("DeleteEndpoint", {"EndpointName": name}),
    CONFIG: lambda name: ("DeleteEndpointConfig", {"EndpointConfigName": name}),
    MODEL: lambda name: ("DeleteModel", {"ModelName": name}),
}
"""The API request that deletes a resource of each kind."""


def find(clients: Clients, endpoint: str) -> list[EndpointResource]:
    """Return what exists of an endpoint, in the order in which it can be deleted."""
    resources = []
    if scaling.find_target(clients, endpoint):
        if scaling.has_alarm(clients, endpoint):
            resources.append(EndpointResource(ALARM, scaling.first_instance_name(endpoint)))
        resources.append(EndpointResource(SCALING_TARGET, endpoint))
    resources += [EndpointResource(ALARM, name) for name in rollouts.find_alarms(clients, endpoint)]
    description = describe(clients, endpoint)
    if description:
        resources.append(EndpointResource(ENDPOINT, endpoint))
    sagemaker = clients.sagemaker
    in_use = [description["EndpointConfigName"]] if description else []
    configs = paging.entries(sagemaker.list_endpoint_configs, "EndpointConfigs", NameContains=endpoint)
    listed = [entry["EndpointConfigName"] for entry in configs]
    models = [entry["ModelName"] for entry in paging.entries(sagemaker.list_models, "Models", NameContains=endpoint)]
    for config in dict.fromkeys([*in_use, *(name for name in listed if is_of(name, endpoint))]):
        described = aws_errors.describe_if_exists(sagemaker.describe_endpoint_config, EndpointConfigName=config)
        if described:
            models += [variant["ModelName"] for variant in described["ProductionVariants"]]
            resources.append(EndpointResource(CONFIG, config))
    return resources + [EndpointResource(MODEL, name) for name in dict.fromkeys(models) if is_of(name, endpoint)]


def is_of(name: str, endpoint: str) -> bool:
    """Tell whether a model or a configuration was made by ``deploy.py`` for an endpoint."""
    return name.startswith(endpoint) and bool(STAMP.fullmatch(name[len(endpoint) :]))


def delete(clients: Clients, resource: EndpointResource) -> bool:
    """Delete a resource of an endpoint; return whether it existed. An endpoint is gone when this returns.

    Raises:
        JobFailed: An endpoint is not gone in time.
    """
    if resource.kind == ENDPOINT:
        with waiting_for(f"the deletion of endpoint {resource.name}"):
            return _delete_endpoint(clients, resource.name)
    operations = {
        "DeleteAlarms": lambda **request: clients.cloudwatch.delete_alarms(**request),
        "DeregisterScalableTarget": clients.autoscaling.deregister_scalable_target,
        "DeleteEndpointConfig": clients.sagemaker.delete_endpoint_config,
        "DeleteModel": clients.sagemaker.delete_model,
    }
    operation, request = DELETE_REQUESTS[resource.kind](resource.name)
    try:
        operations[operation](**request)
    except ClientError as error:
        if not aws_errors.is_not_found(error):
            raise
        return False
    return True


def _delete_endpoint(clients: Clients, endpoint: str) -> bool:
    """Wait until an endpoint can be deleted, delete it, and wait until it is gone and needs its configuration no more.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteEndpoint.html
    """
    try:
        existed = _request_deletion(clients, endpoint)
    except ClientError as error:
        if not aws_errors.is_not_found(error):
            raise
        return False
    deadline = time.monotonic() + SECONDS_TO_DELETE
    while description := describe(clients, endpoint):
        if time.monotonic() > deadline:
            status = description["EndpointStatus"]
            raise JobFailed(f"Endpoint {endpoint} is still there after {SECONDS_TO_DELETE} s, as {status}.")
        _pause(clients)
    return existed


def _request_deletion(clients: Clients, endpoint: str) -> bool:
    """Send DeleteEndpoint, once what the endpoint is doing is over; return whether there was an endpoint."""
    description = describe(clients, endpoint)
    existed = description is not None
    announced = False
    while description and description["EndpointStatus"] != "Deleting":
        status = description["EndpointStatus"]
        try:
            clients.sagemaker.delete_endpoint(EndpointName=endpoint)
            break
        except ClientError as error:
            if aws_errors.code_of(error) != "ValidationException" or status not in IN_PROGRESS:
                raise
        if not announced:
            print(f"Endpoint {endpoint} is {status}, and can be deleted after that: waiting", flush=True)
            announced = True
        _pause(clients)
        description = describe(clients, endpoint)
    return existed


def _pause(clients: Clients) -> None:
    with interruption.let_through():  # nothing is half done here, and it may take minutes
        time.sleep(clients.seconds_between_polls)
