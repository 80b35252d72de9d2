"""Automatic scaling of an endpoint's instances: Application Auto Scaling's requests.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

from typing import Any

from launch.aws import paging
from launch.aws.clients import Clients
from launch.cli.dry_run import Request

VARIANT = "AllTraffic"
"""The name of the one production variant that an endpoint of this project has."""


def target(endpoint: str) -> dict[str, Any]:
    """Return the fields that identify an endpoint's number of instances in each request."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{VARIANT}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def registration_requests(endpoint: str, minimum: int, maximum: int, invocations: float) -> list[Request]:
    """Return the requests that make an endpoint scale.

    Args:
        endpoint: its name.
        minimum: the fewest instances.
        maximum: the most instances.
        invocations: per instance and minute, which the scaling aims at.
    """
    policy = {
        "TargetValue": invocations,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    return [
        ("RegisterScalableTarget", {**target(endpoint), "MinCapacity": minimum, "MaxCapacity": maximum}),
        (
            "PutScalingPolicy",
            {
                "PolicyName": f"{endpoint}-invocations",
                **target(endpoint),
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": policy,
            },
        ),
    ]


def find_target(clients: Clients, endpoint: str) -> dict[str, Any] | None:
    """Return the scalable target that is registered for an endpoint; None if it does not scale."""
    identity = target(endpoint)
    targets = paging.entries(
        clients.autoscaling.describe_scalable_targets,
        "ScalableTargets",
        ServiceNamespace=identity["ServiceNamespace"],
        ResourceIds=[identity["ResourceId"]],
        ScalableDimension=identity["ScalableDimension"],
    )
    return next(targets, None)


def present_registration_requests(clients: Clients, endpoint: str) -> list[Request]:
    """Return the requests that would restore an endpoint's present scaling; none if it does not scale."""
    present = find_target(clients, endpoint)
    if present is None:
        return []
    identity = target(endpoint)
    kept = ("MinCapacity", "MaxCapacity", "SuspendedState")
    requests = [("RegisterScalableTarget", {**identity, **{key: present[key] for key in kept if key in present}})]
    for policy in paging.entries(clients.autoscaling.describe_scaling_policies, "ScalingPolicies", **identity):
        names = {key: value for key, value in policy.items() if key in ("PolicyName", "PolicyType")}
        settings = {key: value for key, value in policy.items() if key.endswith("ScalingPolicyConfiguration")}
        requests.append(("PutScalingPolicy", {**identity, **names, **settings}))
    return requests


def changed(present: list[Request], new: list[Request]) -> list[Request]:
    """Return the requests that make an endpoint scale as ``new`` says, once ``present`` has been removed.

    What ``new`` does not speak of is as it was: a scaling that is suspended, other policies.
    """

    def subject(request: Request) -> tuple[str, str]:
        return request[0], request[1].get("PolicyName", "")

    merged = {subject(request): request[1] for request in present}
    for request in new:
        merged[subject(request)] = {**merged.get(subject(request), {}), **request[1]}
    return [(operation, fields) for (operation, _), fields in merged.items()]


def send(clients: Clients, requests: list[Request]) -> None:
    """Send requests in their order."""
    operations = {
        "RegisterScalableTarget": clients.autoscaling.register_scalable_target,
        "PutScalingPolicy": clients.autoscaling.put_scaling_policy,
        "DeregisterScalableTarget": clients.autoscaling.deregister_scalable_target,
    }
    for operation, request in requests:
        operations[operation](**request)
