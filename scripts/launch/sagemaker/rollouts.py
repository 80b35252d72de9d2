"""A canary: an update that sends a part of the traffic to the new model first, and goes back if an alarm goes off.

https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green-canary.html
"""

import argparse
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from launch.aws import errors as aws_errors
from launch.aws import scaling
from launch.aws.clients import Clients
from launch.cli import options
from launch.cli.dry_run import Request
from launch.cli.errors import UsageError
from launch.sagemaker import fields

DEFAULT_MINUTES = 10
SECONDS_FOR_THE_REST = 3600
"""Of an update: what it may take beside the waiting, for instances to start and to end."""
MOST_ALARMS = 10
LEAST_INSTANCES = 2
"""The canary has at most half of them: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TrafficRoutingConfig.html."""


def check_flags(arguments: argparse.Namespace) -> None:
    """Check the flags of a canary.

    Raises:
        UsageError: One is given without ``--canary``, or with what has none.
    """
    if not arguments.canary:
        for name in ("canary_minutes", "rollback_latency", "rollback_alarms"):
            if getattr(arguments, name):
                flag = name.removesuffix("s") if name == "rollback_alarms" else name
                raise UsageError(f"--{flag.replace('_', '-')} is of a canary, expected with --canary.")
        return
    if arguments.serverless:
        raise UsageError("--canary does not go with --serverless.")
    if options.is_local(arguments):
        raise UsageError("--canary does not go with --local: one server of this machine has all the traffic.")


def check_update(
    arguments: argparse.Namespace, clients: Clients, existing: Mapping[str, Any] | None, keeps_count: bool
) -> None:
    """Check that an update can begin with a canary: there are instances to divide, and no alarm is on.

    Args:
        arguments: the flags of ``deploy.py``.
        clients: of the account and the region.
        existing: the description of the endpoint; None if there is none.
        keeps_count: whether the update keeps the number of instances that the endpoint has scaled to.

    Raises:
        UsageError: It cannot.
    """
    if not arguments.canary:
        return
    endpoint = arguments.endpoint_name
    if existing is None:
        raise UsageError(f"There is no endpoint {endpoint!r}{clients.where}: --canary is of an update.")
    count = arguments.instance_count or 1
    if keeps_count:
        count = existing["ProductionVariants"][0].get("DesiredInstanceCount", 1)
    if count < LEAST_INSTANCES:
        raise UsageError(
            f"--canary divides the instances of endpoint {endpoint}, which is to have {count}, "
            f"expected at least {LEAST_INSTANCES}: --instance-count {LEAST_INSTANCES}."
        )
    names = _alarm_names(arguments)
    if len(names) > MOST_ALARMS:
        raise UsageError(f"There are {len(names)} alarms with those of --canary, expected at most {MOST_ALARMS}.")
    states = _alarm_states(clients, names)
    for name in arguments.rollback_alarms:
        if name not in states:
            raise UsageError(f"--rollback-alarm is {name!r}, which CloudWatch does not have{clients.where}.")
    for name, state in states.items():
        if state == "ALARM":
            raise UsageError(f"Alarm {name} is on, and would end the update: expected OK.")


def deployment_config(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return DeploymentConfig of UpdateEndpoint.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeploymentConfig.html
    """
    seconds = 60 * (arguments.canary_minutes or DEFAULT_MINUTES)
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": arguments.canary},
                "WaitIntervalInSeconds": seconds,
            },
            "MaximumExecutionTimeoutInSeconds": seconds + SECONDS_FOR_THE_REST,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in _alarm_names(arguments)]},
    }


# --- Alarms ----------------------------------------------------------------------------------------------------------
def errors_alarm(endpoint: str) -> str:
    """Return the name of the alarm for answers of 500 and above."""
    return f"{endpoint}-canary-errors"


def latency_alarm(endpoint: str) -> str:
    """Return the name of the alarm for slow answers."""
    return f"{endpoint}-canary-latency"


def alarm_requests(arguments: argparse.Namespace) -> list[Request]:
    """Return the PutMetricAlarm requests for the alarms of a canary; none without one.

    https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html has the metrics.
    """
    if not arguments.canary:
        return []
    endpoint = arguments.endpoint_name
    common = {
        "Namespace": "AWS/SageMaker",
        "Dimensions": [
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": scaling.VARIANT},
        ],
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",  # nobody asks
        "Tags": arguments.tags,
    }
    errors = {"AlarmName": errors_alarm(endpoint), "MetricName": "Invocation5XXErrors", "Statistic": "Sum"}
    requests = [{**errors, **common, "Threshold": 1}]
    if arguments.rollback_latency:
        latency = {"AlarmName": latency_alarm(endpoint), "MetricName": "ModelLatency", "ExtendedStatistic": "p99"}
        requests.append({**latency, **common, "Threshold": 1000 * arguments.rollback_latency})  # in microseconds
    return [("PutMetricAlarm", dict(fields.without_empty(request))) for request in requests]


def _alarm_names(arguments: argparse.Namespace) -> list[str]:
    made = [request["AlarmName"] for _, request in alarm_requests(arguments)]
    return list(dict.fromkeys([*made, *arguments.rollback_alarms]))


def find_alarms(clients: Clients, endpoint: str) -> list[str]:
    """Return the names of the alarms that canaries have made for an endpoint."""
    try:
        return list(_alarm_states(clients, [errors_alarm(endpoint), latency_alarm(endpoint)]))
    except ClientError as error:
        if "AccessDenied" in aws_errors.code_of(error):  # who may not look has made none
            return []
        raise


def _alarm_states(clients: Clients, names: list[str]) -> dict[str, str]:
    """Return the state of each of these alarms that there is."""
    kinds = ("MetricAlarm", "CompositeAlarm")
    answer = clients.cloudwatch.describe_alarms(AlarmNames=names, AlarmTypes=kinds)
    return {alarm["AlarmName"]: alarm["StateValue"] for kind in kinds for alarm in answer.get(f"{kind}s", [])}
