"""Automatic scaling of an endpoint's instances: Application Auto Scaling's requests.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

from typing import Any

from launch.aws import clients as aws

VARIANT = "AllTraffic"
Requests = list[tuple[str, dict[str, Any]]]


def target(endpoint: str) -> dict[str, Any]:
    """Return what stands for an endpoint's number of instances in each request."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{VARIANT}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def registration(endpoint: str, least: int, most: int, invocations: float) -> Requests:
    """Return the requests that have an endpoint scaled by its invocations per instance and minute."""
    policy = {
        "TargetValue": invocations,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    return [
        ("RegisterScalableTarget", {**target(endpoint), "MinCapacity": least, "MaxCapacity": most}),
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


def find_target(clients: aws.Clients, endpoint: str) -> dict[str, Any] | None:
    """Return what is registered of an endpoint; None if it does not scale."""
    wanted = target(endpoint)
    found = clients.autoscaling.describe_scalable_targets(
        ServiceNamespace=wanted["ServiceNamespace"],
        ResourceIds=[wanted["ResourceId"]],
        ScalableDimension=wanted["ScalableDimension"],
    )["ScalableTargets"]
    return dict(found[0]) if found else None


def registered(clients: aws.Clients, endpoint: str) -> Requests:
    """Return the requests that register again what is registered of an endpoint; none if it does not scale."""
    found = find_target(clients, endpoint)
    if found is None:
        return []
    wanted = target(endpoint)
    kept = ("MinCapacity", "MaxCapacity", "SuspendedState")
    requests = [("RegisterScalableTarget", {**wanted, **{key: found[key] for key in kept if key in found}})]
    more: dict[str, str] = {}
    while True:
        page = clients.autoscaling.describe_scaling_policies(**wanted, **more)
        for policy in page["ScalingPolicies"]:
            own = {key: value for key, value in policy.items() if key in ("PolicyName", "PolicyType")}
            own |= {key: value for key, value in policy.items() if key.endswith("ScalingPolicyConfiguration")}
            requests.append(("PutScalingPolicy", {**wanted, **own}))
        if not page.get("NextToken"):
            return requests
        more = {"NextToken": page["NextToken"]}


def send(clients: aws.Clients, requests: Requests) -> None:
    """Send requests in their order."""
    for operation, request in requests:
        if operation == "RegisterScalableTarget":
            clients.autoscaling.register_scalable_target(**request)
        elif operation == "PutScalingPolicy":
            clients.autoscaling.put_scaling_policy(**request)
        else:
            clients.autoscaling.deregister_scalable_target(**request)
