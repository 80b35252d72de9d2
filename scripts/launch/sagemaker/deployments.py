"""Deploying a model to an endpoint that is new or exists already: planning the requests, and carrying them out."""

import argparse
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from launch.aws import errors as aws_errors
from launch.aws import roles, scaling
from launch.aws.clients import Clients
from launch.cli import instance_types, interruption, options
from launch.cli.dry_run import Request
from launch.cli.errors import JobFailed, UsageError
from launch.sagemaker import (
    endpoint_requests,
    endpoint_resources,
    endpoints,
    model_packages,
    models,
    multi_model,
    preflight,
    request_files,
    rollouts,
    session,
)
from launch.sagemaker.endpoint_resources import EndpointResource


@dataclass(frozen=True)
class Plan:
    """What a deployment asks for.

    Attributes:
        endpoint: its name.
        name: of the new model and of the new configuration.
        source: the address of the model, or of the folder of a multi-model endpoint's models; the ARN of a package.
        is_update: whether the endpoint exists.
        modified: when it was modified last, if it exists.
        model: the CreateModel request.
        config: the CreateEndpointConfig request.
        alarms: the requests for the alarms that end the update.
        endpoint_request: the CreateEndpoint or the UpdateEndpoint request.
        scaling_to_restore: the requests that restore the endpoint's scaling, if the update has to remove it meanwhile:
            an instance type cannot change while Application Auto Scaling has the endpoint as a target.
        scaling: the requests that are to make the endpoint scale in the end.
    """

    endpoint: str
    name: str
    source: str
    is_update: bool
    modified: datetime | None
    model: dict[str, Any]
    config: dict[str, Any]
    alarms: list[Request]
    endpoint_request: Request
    scaling_to_restore: list[Request]
    scaling: list[Request]

    @property
    def requests(self) -> list[Request]:
        """All requests, in their order."""
        return [
            ("CreateModel", self.model),
            ("CreateEndpointConfig", self.config),
            *self.alarms,
            *self.deregistration,
            self.endpoint_request,
            *self.scaling,
        ]

    @property
    def deregistration(self) -> list[Request]:
        """The request that removes the endpoint's scaling; none if it stays."""
        return [("DeregisterScalableTarget", scaling.target(self.endpoint))] if self.scaling_to_restore else []


def check_flags(arguments: argparse.Namespace) -> None:
    """Check flags that depend on each other.

    Raises:
        UsageError: A flag makes no sense with another.
    """
    if not (arguments.model or arguments.package or arguments.multi_model):
        raise UsageError("There is no model, expected a training job's name, a model.tar.gz or --package.")
    for check in (endpoint_requests, model_packages, multi_model, rollouts):
        check.check_flags(arguments)


def prepare(arguments: argparse.Namespace, clients: Clients) -> Plan:
    """Check what is asked for, upload the model if need be, and return the plan.

    Raises:
        UsageError: There is no such model or image, or the endpoint cannot be updated so.
    """
    request_files.check(arguments.request, "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint")
    endpoint = arguments.endpoint_name
    name = endpoints.resource_name(endpoint)
    existing = endpoints.describe(clients, endpoint) if session.may_ask(arguments, clients) else None
    config = endpoints.present_config(clients, existing)
    folder = multi_model.folder_of(clients, config)
    before = config.get("ProductionVariants", [{}])[0]
    _check_update(arguments, existing, config, folder is not None)
    present_scaling = scaling.present_registration_requests(clients, endpoint) if existing else []
    changes_type = before.get("InstanceType") != options.instance_type(arguments)
    scaling_to_restore = present_scaling if changes_type else []
    keeps_count = bool(present_scaling) and not changes_type and arguments.instance_count is None
    rollouts.check_update(arguments, clients, existing, keeps_count)
    source = _source(arguments, clients, name, folder)
    operation, endpoint_request = endpoint_requests.endpoint_request(arguments, name, existing is not None, keeps_count)
    model, config_request, endpoint_request = request_files.merge_into_each(
        [
            ("CreateModel", models.request(arguments, clients, name, source, endpoint_requests.environment(arguments))),
            ("CreateEndpointConfig", endpoint_requests.config_request(arguments, clients, name)),
            (operation, endpoint_request),
        ],
        arguments.request,
    )
    plan = Plan(
        endpoint=endpoint,
        name=name,
        source=source,
        is_update=existing is not None,
        modified=existing.get("LastModifiedTime") if existing else None,
        model=model,
        config=config_request,
        alarms=rollouts.alarm_requests(arguments),
        endpoint_request=(operation, endpoint_request),
        scaling_to_restore=scaling_to_restore,
        scaling=scaling.changed(scaling_to_restore, endpoint_requests.scaling_requests(arguments)),
    )
    if (plan.scaling or keeps_count) and not instance_types.can_scale(options.instance_type(arguments)):
        raise UsageError(
            f"Endpoint {endpoint} is to scale, and --instance-type is {arguments.instance_type!r}, which cannot: "
            f"expected the like of {arguments.default_instance_type}."
        )
    if not arguments.dry_run:
        preflight.check(arguments, clients, plan.requests[:2])
        _upload(arguments, clients, source, folder)
    return plan


def _source(arguments: argparse.Namespace, clients: Clients, name: str, folder: str | None) -> str:
    """Return what the endpoint is to serve: see ``Plan.source``."""
    if arguments.package:
        return model_packages.deployable(clients, arguments.package)
    if arguments.multi_model:
        return folder or multi_model.new_folder(arguments, clients, name)
    return models.find_archive(arguments, clients, name)


def _upload(arguments: argparse.Namespace, clients: Clients, source: str, folder: str | None) -> None:
    """Put the model where it is to be served from, if it is not there."""
    if arguments.multi_model and folder is None:
        multi_model.put(arguments, clients, source)
    elif arguments.model and not arguments.multi_model:
        models.upload_archive(arguments, clients, source, arguments.kms_key)


def _check_update(
    arguments: argparse.Namespace, existing: dict[str, Any] | None, config: dict[str, Any], is_multi_model: bool
) -> None:
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
        ("ServerlessConfig" in config["ProductionVariants"][0], arguments.serverless, "serverless", "one of instances"),
        (bool(config.get("AsyncInferenceConfig")), arguments.asynchronous, "asynchronous", "one that answers at once"),
        (is_multi_model, arguments.multi_model, "a multi-model endpoint", "one of a single model"),
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
            for _, alarm in plan.alarms:
                clients.cloudwatch.put_metric_alarm(**alarm)
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
