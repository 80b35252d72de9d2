"""The requests for an endpoint and its configuration that the flags of ``deploy.py`` make."""

import argparse
import re
from typing import Any, NamedTuple

from launch.aws import scaling
from launch.aws.clients import Clients
from launch.aws.storage import join
from launch.cli import options
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.sagemaker import fields, session

NOT_SERVERLESS = ("data_capture", "autoscale", "subnets", "security_groups", "network_isolation")
"""What AWS's serverless endpoints do not have, by the names of the flags."""


class InstanceRange(NamedTuple):
    """How many instances an endpoint scales between."""

    minimum: int
    maximum: int


def check_flags(arguments: argparse.Namespace) -> InstanceRange | None:
    """Check flags that depend on each other; return what ``--autoscale`` asks for.

    Raises:
        UsageError: A flag makes no sense by itself, or with another.
    """
    options.check_network(arguments)
    if arguments.data_capture is not None and not 0 < arguments.data_capture <= 100:
        raise UsageError(f"--data-capture is {arguments.data_capture}, expected 1 to 100 percent.")
    for name in NOT_SERVERLESS:
        if arguments.serverless and getattr(arguments, name):
            raise UsageError(f"--serverless does not go with --{name.replace('_', '-')}.")
    if not arguments.autoscale:
        return None
    match = re.fullmatch(r"(\d+):(\d+)", arguments.autoscale)
    if not match or not 0 < int(match[1]) <= int(match[2]):
        raise UsageError(f"--autoscale is {arguments.autoscale!r}, expected MIN:MAX as in 1:4.")
    return InstanceRange(int(match[1]), int(match[2]))


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
