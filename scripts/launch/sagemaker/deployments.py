"""Deploying a model to an endpoint that is new or exists already: planning the requests, and carrying them out."""

import argparse
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from launch.aws import errors as aws_errors
from launch.aws import roles, scaling
from launch.aws.clients import Clients
from launch.cli import interruption, options
from launch.cli.dry_run import Request
from launch.cli.errors import JobFailed, UsageError
from launch.sagemaker import endpoint_requests, endpoint_resources, endpoints, models, session
from launch.sagemaker.endpoint_resources import EndpointResource


@dataclass(frozen=True)
class Plan:
    """What a deployment asks for.

    Attributes:
        endpoint: its name.
        name: of the new model and of the new configuration.
        archive: the address of the model.
        is_update: whether the endpoint exists.
        modified: when it was modified last, if it exists.
        model: the CreateModel request.
        config: the CreateEndpointConfig request.
        endpoint_request: the CreateEndpoint or the UpdateEndpoint request.
        scaling_to_restore: the requests that restore the endpoint's scaling, if the update has to remove it meanwhile:
            an instance type cannot change while Application Auto Scaling has the endpoint as a target.
        scaling: the requests that are to make the endpoint scale in the end.
    """

    endpoint: str
    name: str
    archive: str
    is_update: bool
    modified: datetime | None
    model: dict[str, Any]
    config: dict[str, Any]
    endpoint_request: Request
    scaling_to_restore: list[Request]
    scaling: list[Request]

    @property
    def requests(self) -> list[Request]:
        """All requests, in their order."""
        return [
            ("CreateModel", self.model),
            ("CreateEndpointConfig", self.config),
            *self.deregistration,
            self.endpoint_request,
            *self.scaling,
        ]

    @property
    def deregistration(self) -> list[Request]:
        """The request that removes the endpoint's scaling; none if it stays."""
        return [("DeregisterScalableTarget", scaling.target(self.endpoint))] if self.scaling_to_restore else []


def prepare(arguments: argparse.Namespace, clients: Clients) -> Plan:
    """Check what is asked for, upload the model if need be, and return the plan.

    Raises:
        UsageError: There is no such model or image, or the endpoint cannot be updated so.
    """
    endpoint_requests.check_flags(arguments)
    endpoint = arguments.endpoint_name
    name = endpoints.resource_name(endpoint)
    if not arguments.dry_run:
        session.check_image(arguments, clients, "serving")
        session.check_keys(arguments, clients)
    archive = models.archive_address(arguments, clients, name, arguments.kms_key)
    existing = endpoints.describe(clients, endpoint)
    config = _present_config(clients, existing)
    before = config.get("ProductionVariants", [{}])[0]
    _check_update(arguments, existing, config)
    present_scaling = scaling.present_registration_requests(clients, endpoint) if existing else []
    changes_type = before.get("InstanceType") != options.instance_type(arguments)
    scaling_to_restore = present_scaling if changes_type else []
    keeps_count = bool(present_scaling) and not changes_type and arguments.instance_count is None
    return Plan(
        endpoint=endpoint,
        name=name,
        archive=archive,
        is_update=existing is not None,
        modified=existing.get("LastModifiedTime") if existing else None,
        model=models.request(arguments, clients, name, archive, endpoint_requests.environment(arguments)),
        config=endpoint_requests.config_request(arguments, clients, name),
        endpoint_request=endpoint_requests.endpoint_request(arguments, name, existing is not None, keeps_count),
        scaling_to_restore=scaling_to_restore,
        scaling=scaling.changed(scaling_to_restore, endpoint_requests.scaling_requests(arguments)),
    )


def _present_config(clients: Clients, existing: dict[str, Any] | None) -> dict[str, Any]:
    """Return the configuration that an endpoint has; empty if there is no endpoint, or no configuration of it."""
    if existing is None:
        return {}
    describe, config = clients.sagemaker.describe_endpoint_config, existing["EndpointConfigName"]
    return aws_errors.describe_if_exists(describe, EndpointConfigName=config) or {}


def _check_update(arguments: argparse.Namespace, existing: dict[str, Any] | None, config: dict[str, Any]) -> None:
    """Check that an endpoint can be updated: it is in service, and stays of its kind."""
    endpoint = arguments.endpoint_name
    if existing and existing["EndpointStatus"] != "InService":
        raise UsageError(
            f"Endpoint {endpoint} is {existing['EndpointStatus']}, expected InService: "
            f"wait, or delete it with scripts/delete.py."
        )
    if not config:
        return
    kinds = (
        ("ServerlessConfig" in config["ProductionVariants"][0], arguments.serverless, "serverless", "of instances"),
        (bool(config.get("AsyncInferenceConfig")), arguments.asynchronous, "asynchronous", "one that answers at once"),
    )
    for was, is_to_be, this, other in kinds:
        if was == is_to_be:
            continue
        before, after = (this, other) if was else (other, this)
        raise UsageError(
            f"Endpoint {endpoint} is {before} and cannot become {after}: delete it with "
            f"scripts/delete.py, or give another --endpoint-name."
        )


def carry_out(clients: Clients, plan: Plan) -> None:
    """Send a plan's requests and wait for the endpoint; remove what it no longer uses, and make it scale.

    Raises:
        JobFailed: The endpoint does not become healthy: what was there before is there still. Or it serves, but cannot
            be made to scale.
    """
    _create_or_update(clients, plan)
    if plan.is_update:
        for resource in endpoint_resources.find(clients, plan.endpoint):
            is_replaced = endpoint_resources.is_of(resource.name, plan.endpoint) and resource.name != plan.name
            if resource.kind in (endpoint_resources.CONFIG, endpoint_resources.MODEL) and is_replaced:
                endpoint_resources.delete(clients, resource)
    try:
        scaling.send(clients, plan.scaling)
    except (ClientError, BotoCoreError) as error:
        sentence = aws_errors.explain(error)
        raise JobFailed(f"Endpoint {plan.endpoint} serves, but does not scale: {sentence}") from None


def _create_or_update(clients: Clients, plan: Plan) -> None:
    """Create all that a plan asks for, and wait for the endpoint; if it fails, remove what was created."""
    created = [
        EndpointResource(endpoint_resources.CONFIG, plan.name),
        EndpointResource(endpoint_resources.MODEL, plan.name),
    ]
    requested = False
    try:
        roles.call_once_assumable(clients, clients.sagemaker.create_model, plan.model)
        clients.sagemaker.create_endpoint_config(**plan.config)
        with interruption.held_back():
            scaling.send(clients, plan.deregistration)
            try:
                _, request = plan.endpoint_request
                if plan.is_update:
                    clients.sagemaker.update_endpoint(**request)
                else:
                    clients.sagemaker.create_endpoint(**request)
                    created = [EndpointResource(endpoint_resources.ENDPOINT, plan.endpoint), *created]
                requested = True
            except HTTPClientError:  # the request may have arrived
                requested = True
                raise
        print(f"{'Updating' if plan.is_update else 'Creating'} endpoint {plan.endpoint}", flush=True)
        endpoints.wait_until_in_service(clients, plan.endpoint, plan.name, plan.modified)
    except BaseException as error:
        if requested and not isinstance(error, JobFailed):  # the script is hindered, the endpoint is not
            _print_that_deployment_continues(clients, plan)
        else:
            with interruption.held_back():
                _remove(clients, created)
                _restore_scaling(clients, plan)
        raise


def _print_that_deployment_continues(clients: Clients, plan: Plan) -> None:
    sentence = f"Endpoint {plan.endpoint} goes on by itself{clients.where}"
    print(f"{sentence}: scripts/list.py shows it, scripts/delete.py removes it.", flush=True)
    if plan.scaling_to_restore:
        print("It does not scale any more, until it is deployed again with --autoscale.", flush=True)


def _remove(clients: Clients, created: list[EndpointResource]) -> None:
    for resource in created:
        if endpoint_resources.delete(clients, resource):
            print(f"Removed {resource.kind} {resource.name}", flush=True)


def _restore_scaling(clients: Clients, plan: Plan) -> None:
    try:
        scaling.send(clients, plan.scaling_to_restore)
    except (ClientError, BotoCoreError) as error:
        print(f"Endpoint {plan.endpoint} does not scale any more: {aws_errors.explain(error)}", flush=True)
