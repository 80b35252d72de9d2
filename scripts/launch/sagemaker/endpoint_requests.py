"""The requests for an endpoint and its configuration that the flags of ``deploy.py`` make."""

import argparse
from typing import Any

from launch.aws import scaling
from launch.aws.clients import Clients
from launch.aws.storage import join
from launch.cli import options
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.sagemaker import fields, session

NOT_SERVERLESS = ("data_capture", "autoscale", "subnets", "security_groups", "network_isolation")
"""What AWS's serverless endpoints do not have, by the names of the flags."""


def check_flags(arguments: argparse.Namespace) -> None:
    """Check flags that depend on each other.

    Raises:
        UsageError: A flag makes no sense with another.
    """
    options.check_network(arguments)
    for name in NOT_SERVERLESS:
        if arguments.serverless and getattr(arguments, name):
            raise UsageError(f"--serverless does not go with --{name.replace('_', '-')}.")


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
        "DataCaptureConfig": _data_capture(arguments, clients) if arguments.data_capture else None,
        "KmsKeyId": arguments.kms_key,
        "Tags": arguments.tags,
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
        return "CreateEndpoint", {**request, **({"Tags": arguments.tags} if arguments.tags else {})}
    retained = {
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DataCaptureConfig"}],  # taken from the new one
    }
    return "UpdateEndpoint", {**request, **(retained if keeps_count else {})}
