"""Automatic scaling of an endpoint's instances: Application Auto Scaling's requests.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from launch.aws import paging
from launch.aws.clients import Clients
from launch.cli.dry_run import Request

VARIANT = "AllTraffic"
"""The name of the one production variant that an endpoint of this project has."""

INVOCATIONS_PER_SECOND_AND_VCPU = 4000
"""What scaling takes a vCPU to do of the car's policy: less than a quarter of what one worker answered on a core in
docs/benchmarks.md, one observation in JSON each, as a vCPU is half a core and the client took its share there."""
SAFETY_FACTOR = 0.5
"""https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-loadtest.html"""


def vcpus(instance_type: str) -> int:
    """Return how many vCPUs an instance type has by its size, or a few less: 4 for each ``xlarge``, 2 for a ``large``.

    https://aws.amazon.com/ec2/instance-types/
    """
    size = re.fullmatch(r"(?:(\d*)xlarge|(large)|.*)", instance_type.rpartition(".")[2])
    assert size, "anything matches"
    if size[1] is not None:
        return 4 * int(size[1] or 1)
    return 2 if size[2] else 1


def default_invocations(instance_type: str) -> float:
    """Return the invocations per instance and minute that scaling aims at if nobody says how many: AWS's formula."""
    return 60 * SAFETY_FACTOR * INVOCATIONS_PER_SECOND_AND_VCPU * vcpus(instance_type)


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


def backlog_requests(endpoint: str, minimum: int, maximum: int, backlog: float) -> list[Request]:
    """Return the requests that make an asynchronous endpoint scale, also to no instance and back.

    Target tracking cannot leave zero, where there is no instance to divide the backlog by: an alarm adds the first one.
    https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html

    Args:
        endpoint: its name.
        minimum: the fewest instances; may be 0.
        maximum: the most instances.
        backlog: waiting requests per instance, which the scaling aims at.
    """
    tracking = {
        "TargetValue": backlog,
        "CustomizedMetricSpecification": _metric("ApproximateBacklogSizePerInstance", endpoint),
        "ScaleInCooldown": 600,
        "ScaleOutCooldown": 300,
    }
    first_instance = {
        "AdjustmentType": "ChangeInCapacity",
        "MetricAggregationType": "Average",
        "Cooldown": 300,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    }
    requests: list[Request] = [
        ("RegisterScalableTarget", {**target(endpoint), "MinCapacity": minimum, "MaxCapacity": maximum}),
        (
            "PutScalingPolicy",
            {
                "PolicyName": f"{endpoint}-backlog",
                **target(endpoint),
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": tracking,
            },
        ),
    ]
    if minimum == 0:
        policy = {
            "PolicyName": first_instance_name(endpoint),
            **target(endpoint),
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": first_instance,
        }
        requests += [("PutScalingPolicy", policy), _alarm_request(endpoint)]
    return requests


def first_instance_name(endpoint: str) -> str:
    """Return the name of the policy that adds the first instance, and of the alarm that applies it."""
    return f"{endpoint}-first-instance"


def _alarm_request(endpoint: str) -> Request:
    """Return the request for the alarm; its action is the policy, whose ARN is known once that is there: ``send``."""
    name = first_instance_name(endpoint)
    return "PutMetricAlarm", {
        "AlarmName": name,
        **_metric("HasBacklogWithoutCapacity", endpoint),
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "Period": 60,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
        "AlarmActions": [name],
    }


def _metric(name: str, endpoint: str) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
        "Statistic": "Average",
    }


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
    for policy in _policies(clients, endpoint):
        names = {key: value for key, value in policy.items() if key in ("PolicyName", "PolicyType")}
        settings = {key: value for key, value in policy.items() if key.endswith("ScalingPolicyConfiguration")}
        requests.append(("PutScalingPolicy", {**identity, **names, **settings}))
        if policy["PolicyName"] == first_instance_name(endpoint):
            requests.append(_alarm_request(endpoint))  # for the new policy
    return requests + [
        ("PutScheduledAction", {**identity, **action}) for action in _scheduled_actions(clients, endpoint)
    ]


def has_alarm(clients: Clients, endpoint: str) -> bool:
    """Tell whether an alarm adds the first instance of an endpoint that scales."""
    return any(policy["PolicyName"] == first_instance_name(endpoint) for policy in _policies(clients, endpoint))


def _policies(clients: Clients, endpoint: str) -> Iterator[dict[str, Any]]:
    return paging.entries(clients.autoscaling.describe_scaling_policies, "ScalingPolicies", **target(endpoint))


def _scheduled_actions(clients: Clients, endpoint: str) -> Iterator[dict[str, Any]]:
    """Yield an endpoint's scheduled actions as PutScheduledAction takes them; a target takes them with it when it goes.

    One that has begun already begins at once again: Application Auto Scaling takes no time that is past.
    """
    kept = ("ScheduledActionName", "Schedule", "Timezone", "ScalableTargetAction")
    describe = clients.autoscaling.describe_scheduled_actions
    for action in paging.entries(describe, "ScheduledActions", **target(endpoint)):
        now = datetime.now(UTC)
        if action.get("EndTime", now) >= now:
            fields = {key: action[key] for key in kept if key in action}
            for key in ("StartTime", "EndTime"):
                if key in action and action[key] > now:
                    fields[key] = action[key].isoformat()
            yield fields


def changed(present: list[Request], new: list[Request]) -> list[Request]:
    """Return the requests that make an endpoint scale as ``new`` says, once ``present`` has been removed.

    What ``new`` does not speak of is as it was: a scaling that is suspended, other policies, scheduled actions.
    """

    def subject(request: Request) -> tuple[str, str]:
        return request[0], request[1].get("PolicyName") or request[1].get("ScheduledActionName", "")

    merged = {subject(request): request[1] for request in present}
    for request in new:
        merged[subject(request)] = {**merged.get(subject(request), {}), **request[1]}
    return [(operation, fields) for (operation, _), fields in merged.items()]


def send(clients: Clients, requests: list[Request]) -> None:
    """Send requests in their order."""
    operations = {
        "RegisterScalableTarget": clients.autoscaling.register_scalable_target,
        "PutScalingPolicy": clients.autoscaling.put_scaling_policy,
        "PutScheduledAction": lambda **request: clients.autoscaling.put_scheduled_action(**request),
        "DeregisterScalableTarget": clients.autoscaling.deregister_scalable_target,
        "PutMetricAlarm": lambda **request: clients.cloudwatch.put_metric_alarm(**request),
    }
    arns: dict[str, str] = {}
    for operation, request in requests:
        if operation == "PutMetricAlarm":
            request = {**request, "AlarmActions": [arns[policy] for policy in request["AlarmActions"]]}
        answer = operations[operation](**request)
        if operation == "PutScalingPolicy":
            arns[request["PolicyName"]] = answer.get("PolicyARN", "")
