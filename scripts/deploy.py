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

from launch import aws, endpoints, errors, interruption, models, options
from launch.command_line import at_least
from launch.errors import UsageError
from launch.storage import join
from launch.training_jobs import environment

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
    parser.add_argument("--instance-count", type=at_least(1), default=1, help="(%(default)s)")
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
    archive = models.archive_of(arguments, clients, name)
    existing = endpoints.describe(clients, arguments.endpoint_name)
    if existing and existing["EndpointStatus"] != "InService":
        raise UsageError(
            f"Endpoint {arguments.endpoint_name} is {existing['EndpointStatus']}, expected InService: "
            f"wait, or delete it with scripts/delete.py."
        )
    requests = [
        ("CreateModel", models.request(arguments, clients, name, archive, environment(arguments.environment))),
        ("CreateEndpointConfig", config_request(arguments, clients, name)),
        (
            "UpdateEndpoint" if existing else "CreateEndpoint",
            {
                "EndpointName": arguments.endpoint_name,
                "EndpointConfigName": name,
                **({"Tags": arguments.tags} if arguments.tags and not existing else {}),
            },
        ),
        *(scaling_requests(arguments, *scale) if scale else []),
    ]
    if arguments.dry_run:
        options.print_requests(requests)
        return
    deploy(clients, arguments.endpoint_name, name, dict(requests), existing)
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
    if arguments.serverless and (arguments.data_capture or arguments.autoscale):
        raise UsageError("--serverless goes with neither --data-capture nor --autoscale.")
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
    variant: dict[str, Any] = {"VariantName": endpoints.VARIANT, "ModelName": name}
    if arguments.serverless:
        variant["ServerlessConfig"] = {
            "MemorySizeInMB": arguments.memory_mb,
            "MaxConcurrency": arguments.max_concurrency,
        }
    else:
        variant |= {
            "InstanceType": options.instance_type(arguments),
            "InitialInstanceCount": arguments.instance_count,
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


def scaling_requests(arguments: argparse.Namespace, least: int, most: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the requests that have an endpoint scaled by its invocations per instance.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
    """
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": endpoints.scaling_resource(arguments.endpoint_name),
        "ScalableDimension": endpoints.DIMENSION,
    }
    policy = {
        "TargetValue": arguments.target_invocations,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    return [
        ("RegisterScalableTarget", {**target, "MinCapacity": least, "MaxCapacity": most}),
        (
            "PutScalingPolicy",
            {
                "PolicyName": f"{arguments.endpoint_name}-invocations",
                **target,
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": policy,
            },
        ),
    ]


def deploy(
    clients: aws.Clients,
    endpoint: str,
    name: str,
    requests: dict[str, dict[str, Any]],
    existing: dict[str, Any] | None,
) -> None:
    """Carry the requests out, wait for the endpoint, and remove what is no longer used, or all that failed.

    Raises:
        JobFailed: The endpoint does not become healthy; what was there before is there still.
    """
    sagemaker = clients.sagemaker
    made = [("endpoint configuration", name), ("model", name)]
    begun = False
    try:
        sagemaker.create_model(**requests["CreateModel"])
        sagemaker.create_endpoint_config(**requests["CreateEndpointConfig"])
        with interruption.held_back():
            if existing:
                sagemaker.update_endpoint(**requests["UpdateEndpoint"])
            else:
                sagemaker.create_endpoint(**requests["CreateEndpoint"])
                made = [("endpoint", endpoint), *made]
            begun = True
        print(f"{'Updating' if existing else 'Creating'} endpoint {endpoint}", flush=True)
        endpoints.wait_until_in_service(clients, endpoint, name)
    except BaseException as error:
        if begun and isinstance(error, interruption.Interrupted):
            left = f"Endpoint {endpoint} goes on by itself{clients.where}"
            print(f"{left}: scripts/list.py shows it, scripts/delete.py removes it.", flush=True)
        else:
            with interruption.held_back():
                remove(clients, made)
        raise
    if "RegisterScalableTarget" in requests:  # of an endpoint that is there
        clients.autoscaling.register_scalable_target(**requests["RegisterScalableTarget"])
        clients.autoscaling.put_scaling_policy(**requests["PutScalingPolicy"])
    if existing:
        for kind, old in endpoints.belongings(clients, endpoint):
            if kind in ("endpoint configuration", "model") and old != name and endpoints.is_of(old, endpoint):
                endpoints.delete(clients, kind, old)


def remove(clients: aws.Clients, made: list[tuple[str, str]]) -> None:
    """Remove what there is of what was to be made."""
    for kind, each in made:
        if endpoints.delete(clients, kind, each):
            print(f"Removed {kind} {each}", flush=True)


if __name__ == "__main__":
    errors.run(main)
