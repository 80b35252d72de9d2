"""Deploy a trained model, from a training job's name or a model.tar.gz, to an endpoint that is new or exists already.

An update is without downtime: SageMaker starts the new model beside the old one, and moves over when it is healthy.

Examples:
    python scripts/deploy.py --instance-type local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/deploy.py rl-mountain-car-2026-11-23-10-00-00-000000 --instance-type ml.t2.medium
    python scripts/deploy.py runs/latest/model.tar.gz --serverless --memory-mb 2048 --max-concurrency 10
    python scripts/deploy.py s3://my-bucket/model.tar.gz --instance-type ml.c5.large --autoscale 1:4
    python scripts/deploy.py --dry-run runs/latest/model.tar.gz
"""

import argparse
import re
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from launch.aws import clients as aws
from launch.aws import roles, scaling
from launch.aws.storage import join
from launch.cli import errors, interruption, options
from launch.cli.command_line import at_least
from launch.cli.errors import JobFailed, UsageError
from launch.sagemaker import endpoints, models
from launch.sagemaker.training_jobs import environment

SERVERLESS_MEMORY = (1024, 2048, 3072, 4096, 5120, 6144)


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument(
        "model", type=models.named, help="a training job's name, or the path or address of a model.tar.gz"
    )
    parser.add_argument(
        "--endpoint-name", type=endpoints.name, default=endpoints.DEFAULT_ENDPOINT, help="(%(default)s)"
    )
    options.add_image(parser)
    options.add_instance_type(parser, "ml.c5.large", "ProductionVariantInstanceType")
    parser.add_argument("--instance-count", type=at_least(1), help="(1; in an update, what it has scaled to)")
    parser.add_argument("--serverless", action="store_true", help="no instances: a serverless endpoint")
    parser.add_argument("--memory-mb", type=int, choices=SERVERLESS_MEMORY, default=2048, help="(%(default)s)")
    parser.add_argument("--max-concurrency", type=at_least(1), default=5, help="of a serverless endpoint (%(default)s)")
    parser.add_argument("--autoscale", metavar="MIN:MAX", help="instances, by invocations per instance")
    parser.add_argument(
        "--target-invocations", type=float, default=1000.0, help="per instance and minute, to scale by (%(default)s)"
    )
    parser.add_argument("--data-capture", type=int, metavar="PERCENT", help="of requests and answers, kept in S3")
    parser.add_argument("--env", dest="environment", metavar="NAME=VALUE", action="append", default=[])
    parser.add_argument("--subnets", nargs="+", metavar="ID", default=[], help="of your VPC")
    parser.add_argument("--security-groups", nargs="+", metavar="ID", default=[], help="of your VPC")
    parser.add_argument("--network-isolation", action="store_true", help="the container has no network")
    parser.add_argument("--kms-key", help="encrypts the instances' volumes")
    arguments = parser.parse_args(command_line)
    scale = _scale(arguments)
    clients = options.clients(arguments)
    name = endpoints.resource_name(arguments.endpoint_name)
    if not arguments.dry_run:
        options.require_image(arguments, clients, "serving")
    archive = models.archive_of(arguments, clients, name)
    existing = endpoints.describe(clients, arguments.endpoint_name)
    if existing and existing["EndpointStatus"] != "InService":
        raise UsageError(
            f"Endpoint {arguments.endpoint_name} is {existing['EndpointStatus']}, expected InService: "
            f"wait, or delete it with scripts/delete.py."
        )
    before = variant_of(clients, existing)
    if before and ("ServerlessConfig" in before) != arguments.serverless:
        kinds = ("serverless", "of instances") if arguments.serverless else ("of instances", "serverless")
        raise UsageError(
            f"Endpoint {arguments.endpoint_name} is {kinds[1]} and cannot become {kinds[0]}: delete it with "
            f"scripts/delete.py, or give another --endpoint-name."
        )
    scaled = scaling.registered(clients, arguments.endpoint_name) if existing else []
    new_type = before.get("InstanceType") != options.instance_type(arguments)
    wanted = scaling.registration(arguments.endpoint_name, *scale, arguments.target_invocations) if scale else []
    # A target of Application Auto Scaling keeps its type: what is registered has to go meanwhile, with its policies.
    paused = scaled if new_type else []
    kept = bool(scaled) and not new_type and arguments.instance_count is None
    requests = [
        ("CreateModel", models.request(arguments, clients, name, archive, environment(arguments.environment))),
        ("CreateEndpointConfig", config_request(arguments, clients, name)),
        *([("DeregisterScalableTarget", scaling.target(arguments.endpoint_name))] if paused else []),
        endpoint_request(arguments, name, existing is not None, kept),
        *(wanted or paused),
    ]
    if arguments.dry_run:
        options.print_requests(requests)
        return
    deploy(clients, arguments.endpoint_name, name, dict(requests), existing, paused)
    finish(clients, arguments.endpoint_name, name, wanted or paused, existing)
    flag = " --local" if options.is_local(arguments) else ""
    print(f"Endpoint {arguments.endpoint_name} serves {archive}")
    if page := clients.page_of(arguments.endpoint_name):
        print(f"Play with it: {page}")
    print(f"Ask it: python scripts/predict.py{flag} --endpoint-name {arguments.endpoint_name} '[0.5, -0.5]'")


def _scale(arguments: argparse.Namespace) -> tuple[int, int] | None:
    """Check the flags that exclude each other; return the least and the most instances."""
    if bool(arguments.subnets) != bool(arguments.security_groups):
        raise UsageError("--subnets and --security-groups belong together, expected both or none.")
    if arguments.data_capture is not None and not 0 < arguments.data_capture <= 100:
        raise UsageError(f"--data-capture is {arguments.data_capture}, expected 1 to 100 percent.")
    excluded = ("data_capture", "autoscale", "subnets", "security_groups", "network_isolation")
    for each in excluded:
        if arguments.serverless and getattr(arguments, each):
            raise UsageError(f"--serverless does not go with --{each.replace('_', '-')}.")
    if not arguments.autoscale:
        return None
    match = re.fullmatch(r"(\d+):(\d+)", arguments.autoscale)
    if not match or not 0 < int(match[1]) <= int(match[2]):
        raise UsageError(f"--autoscale is {arguments.autoscale!r}, expected MIN:MAX as in 1:4.")
    return int(match[1]), int(match[2])


def config_request(arguments: argparse.Namespace, clients: aws.Clients, name: str) -> dict[str, Any]:
    """Return the CreateEndpointConfig request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
    """
    variant: dict[str, Any] = {"VariantName": scaling.VARIANT, "ModelName": name}
    if arguments.serverless:
        variant["ServerlessConfig"] = {
            "MemorySizeInMB": arguments.memory_mb,
            "MaxConcurrency": arguments.max_concurrency,
        }
    else:
        variant |= {
            "InstanceType": options.instance_type(arguments),
            "InitialInstanceCount": arguments.instance_count or 1,
            "InitialVariantWeight": 1.0,
        }
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": arguments.data_capture,
        "DestinationS3Uri": join(options.home(arguments, clients), arguments.endpoint_name, "data-capture"),
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]},
    }
    whole = {
        "EndpointConfigName": name,
        "ProductionVariants": [variant],
        "DataCaptureConfig": capture if arguments.data_capture else None,
        "KmsKeyId": arguments.kms_key,
        "Tags": arguments.tags,
    }
    return dict(options.without_nothing(whole))


def variant_of(clients: aws.Clients, existing: dict[str, Any] | None) -> dict[str, Any]:
    """Return the variant that an endpoint serves by; empty if there is no endpoint, or no configuration of it."""
    if existing is None:
        return {}
    config = existing["EndpointConfigName"]
    described = aws.found(clients.sagemaker.describe_endpoint_config, EndpointConfigName=config)
    return dict(described["ProductionVariants"][0]) if described else {}


def endpoint_request(arguments: argparse.Namespace, name: str, exists: bool, kept: bool) -> tuple[str, dict[str, Any]]:
    """Return the CreateEndpoint or the UpdateEndpoint request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html

    Args:
        arguments: with the endpoint's name.
        name: of the configuration.
        exists: whether it is an update.
        kept: whether the endpoint keeps the number of instances that it has been scaled to.
    """
    request = {"EndpointName": arguments.endpoint_name, "EndpointConfigName": name}
    if not exists:
        return "CreateEndpoint", {**request, **({"Tags": arguments.tags} if arguments.tags else {})}
    retained = {
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DataCaptureConfig"}],  # is the new one's
    }
    return "UpdateEndpoint", {**request, **(retained if kept else {})}


def deploy(
    clients: aws.Clients,
    endpoint: str,
    name: str,
    requests: dict[str, dict[str, Any]],
    existing: dict[str, Any] | None,
    paused: scaling.Requests,
) -> None:
    """Carry the requests out and wait for the endpoint; if it fails, remove what was made.

    Args:
        clients: who asks.
        endpoint: its name.
        name: of the new model and configuration.
        requests: by their operations.
        existing: the endpoint that is there already, if it is.
        paused: what registers its scaling again, if that has to be taken away for the update.

    Raises:
        JobFailed: The endpoint does not become healthy; what was there before is there still.
    """
    sagemaker = clients.sagemaker
    made = [("endpoint configuration", name), ("model", name)]
    begun = False
    try:
        roles.once_assumable(clients, sagemaker.create_model, requests["CreateModel"])
        sagemaker.create_endpoint_config(**requests["CreateEndpointConfig"])
        with interruption.held_back():
            if paused:
                scaling.send(clients, [("DeregisterScalableTarget", requests["DeregisterScalableTarget"])])
            try:
                if existing:
                    sagemaker.update_endpoint(**requests["UpdateEndpoint"])
                else:
                    sagemaker.create_endpoint(**requests["CreateEndpoint"])
                    made = [("endpoint", endpoint), *made]
                begun = True
            except HTTPClientError:  # it may have arrived
                begun = True
                raise
        print(f"{'Updating' if existing else 'Creating'} endpoint {endpoint}", flush=True)
        endpoints.wait_until_in_service(clients, endpoint, name)
    except BaseException as error:
        if begun and not isinstance(error, JobFailed):  # whatever hinders this script does not hinder the endpoint
            left = f"Endpoint {endpoint} goes on by itself{clients.where}"
            print(f"{left}: scripts/list.py shows it, scripts/delete.py removes it.", flush=True)
            if paused:
                print("It does not scale any more, until it is deployed again with --autoscale.", flush=True)
        else:
            with interruption.held_back():
                remove(clients, made)
                _scale_again(clients, endpoint, paused)
        raise


def _scale_again(clients: aws.Clients, endpoint: str, paused: scaling.Requests) -> None:
    try:
        scaling.send(clients, paused)
    except (ClientError, BotoCoreError) as error:
        print(f"Endpoint {endpoint} does not scale any more: {aws.explain(error)}", flush=True)


def finish(
    clients: aws.Clients,
    endpoint: str,
    name: str,
    scaled: scaling.Requests,
    existing: dict[str, Any] | None,
) -> None:
    """Remove what an endpoint in service no longer uses, and have it scaled.

    Raises:
        JobFailed: It cannot be scaled.
    """
    if existing:
        for kind, old in endpoints.belongings(clients, endpoint):
            if kind in ("endpoint configuration", "model") and old != name and endpoints.is_of(old, endpoint):
                endpoints.delete(clients, kind, old)
    try:
        scaling.send(clients, scaled)
    except (ClientError, BotoCoreError) as error:
        raise JobFailed(f"Endpoint {endpoint} serves, but does not scale: {aws.explain(error)}") from None


def remove(clients: aws.Clients, made: list[tuple[str, str]]) -> None:
    """Remove what there is of what was to be made."""
    for kind, each in made:
        if endpoints.delete(clients, kind, each):
            print(f"Removed {kind} {each}", flush=True)


if __name__ == "__main__":
    errors.run(main)
