"""The requests for an endpoint and its configuration that the flags of ``deploy.py`` make."""

import argparse
from typing import Any

from launch.aws import scaling
from launch.aws.clients import Clients
from launch.aws.storage import join
from launch.cli import options, values
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.sagemaker import async_inference, fields, rollouts, session

NOT_SERVERLESS = (
    "instance_type",
    "instance_count",
    "data_capture",
    "autoscale",
    "subnets",
    "security_groups",
    "network_isolation",
)
"""What AWS's serverless endpoints do not have, by the names of the flags."""
LARGEST_PAYLOAD_IN_MB = 25
"""Of a request to an endpoint that answers at once:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html."""
DEFAULT_BACKLOG = 5.0
"""Requests that wait per instance: what the scaling of an asynchronous endpoint aims at."""


def check_flags(arguments: argparse.Namespace) -> None:
    """Check flags that depend on each other.

    Raises:
        UsageError: A flag makes no sense with another.
    """
    options.check_network(arguments)
    for name in NOT_SERVERLESS:
        if arguments.serverless and getattr(arguments, name) and getattr(arguments, name) != options.LOCAL:
            raise UsageError(f"--serverless does not go with --{name.replace('_', '-')}.")
    async_inference.check_flags(arguments)
    if arguments.asynchronous:
        if arguments.serverless:
            raise UsageError("--serverless does not go with --async.")
        if options.is_local(arguments):
            raise UsageError("--async does not go with --local: there is no queue before an endpoint of this machine.")
        if arguments.target_invocations is not None:
            raise UsageError("--target-invocations does not go with --async, expected --target-backlog.")
        return
    if arguments.autoscale and arguments.autoscale[0] == 0:
        raise UsageError("--autoscale begins with 0 instances, expected at least 1, or --async.")
    payload = arguments.max_payload or 0
    if payload > LARGEST_PAYLOAD_IN_MB and not options.is_local(arguments):
        raise UsageError(f"--max-payload is {payload}, expected at most {LARGEST_PAYLOAD_IN_MB}, or --async.")


def environment(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the variables of the container: those that follow from the flags, and before them the user's own."""
    payload = {} if arguments.max_payload is None else {"SAGEMAKER_MAX_PAYLOAD_IN_MB": str(arguments.max_payload)}
    waiting = async_inference.ENVIRONMENT if arguments.asynchronous else {}
    return {**waiting, **payload, **values.environment(arguments.environment)}


def scaling_requests(arguments: argparse.Namespace) -> list[Request]:
    """Return the requests that make the endpoint scale as the flags say; none without ``--autoscale``."""
    if not arguments.autoscale:
        return []
    name, (least, most) = arguments.endpoint_name, arguments.autoscale
    if arguments.asynchronous:
        return scaling.backlog_requests(name, least, most, arguments.target_backlog or DEFAULT_BACKLOG)
    invocations = arguments.target_invocations or scaling.default_invocations(options.instance_type(arguments))
    return scaling.registration_requests(name, least, most, invocations)


def scaling_sentence(arguments: argparse.Namespace) -> str | None:
    """Return what scaling aims at, if the flags leave that to the instance type; else None."""
    if not arguments.autoscale or arguments.asynchronous or arguments.target_invocations or options.is_local(arguments):
        return None
    instance_type = options.instance_type(arguments)
    invocations, vcpus = scaling.default_invocations(instance_type), scaling.vcpus(instance_type)
    return (
        f"It scales at {invocations:,.0f} invocations per instance and minute, for the {vcpus} vCPU of "
        f"{instance_type} and a policy as small as the car's: --target-invocations sets another number"
    )


def config_request(arguments: argparse.Namespace, clients: Clients, name: str) -> dict[str, Any]:
    """Return the CreateEndpointConfig request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html

    Args:
        arguments: the flags of ``deploy.py``.
        clients: give the account.
        name: of the configuration and of its model.
    """
    complete = {
        "EndpointConfigName": name,
        "ProductionVariants": [_variant(arguments, name)],
        "AsyncInferenceConfig": async_inference.config(arguments, clients) if arguments.asynchronous else None,
        "DataCaptureConfig": _data_capture(arguments, clients) if arguments.data_capture else None,
        "KmsKeyId": arguments.kms_key,
        "Tags": session.tags(arguments),
    }
    return dict(fields.without_empty(complete))


def _variant(arguments: argparse.Namespace, model: str) -> dict[str, Any]:
    variant: dict[str, Any] = {"VariantName": scaling.VARIANT, "ModelName": model}
    if arguments.serverless:
        serverless = {"MemorySizeInMB": arguments.memory_mb, "MaxConcurrency": arguments.max_concurrency}
        return variant | {"ServerlessConfig": serverless}
    return variant | {
        "InstanceType": options.instance_type(arguments),
        "InitialInstanceCount": arguments.instance_count or 1,
        "InitialVariantWeight": 1.0,
    }


def _data_capture(arguments: argparse.Namespace, clients: Clients) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": arguments.data_capture,
        "DestinationS3Uri": join(session.home_address(arguments, clients), arguments.endpoint_name, "data-capture"),
        "KmsKeyId": arguments.kms_key,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]},
    }


def endpoint_request(arguments: argparse.Namespace, config: str, is_update: bool, keeps_count: bool) -> Request:
    """Return the CreateEndpoint or the UpdateEndpoint request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html

    Args:
        arguments: the flags of ``deploy.py``.
        config: the name of the configuration.
        is_update: whether the endpoint exists.
        keeps_count: whether an update keeps the number of instances that the endpoint has scaled to.
    """
    request = {"EndpointName": arguments.endpoint_name, "EndpointConfigName": config}
    if not is_update:
        return "CreateEndpoint", dict(fields.without_empty({**request, "Tags": session.tags(arguments)}))
    retained = {
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DataCaptureConfig"}],  # taken from the new one
    }
    canary = {"DeploymentConfig": rollouts.deployment_config(arguments)} if arguments.canary else {}
    return "UpdateEndpoint", {**request, **(retained if keeps_count else {}), **canary}
