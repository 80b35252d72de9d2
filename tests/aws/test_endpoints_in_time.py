"""Endpoints while AWS's answers lag, change, come in pages and are refused in between: deploy, predict, delete."""

from typing import Any

import pytest
from launch.aws.clients import Clients
from launch.sagemaker import endpoint_resources
from serving_resources import GIVEN, IMAGE, RESOURCE, names
from timeline import FAULT, NOT_FOUND, PASSED, THROTTLED, TOO_MANY, after, given, refused, state

pytest_plugins = ("serving_resources", "timeline")
pytestmark = pytest.mark.usefixtures("pushed")

LOOK = "DescribeEndpoint"
NAME = "rl-mountain-car"


@pytest.fixture
def deploy(script, model):
    return lambda *arguments: script("deploy.py", *GIVEN, model, *arguments)


@pytest.fixture
def deployed(aws, timeline):
    """An endpoint that serves, as deploy.py leaves it."""
    name = f"{NAME}-2026-11-01-10-00-00-000000"
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=GIVEN[3], PrimaryContainer={"Image": IMAGE})
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1}
    variants = [{**variant, "InstanceType": "ml.c5.large"}]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName=NAME, EndpointConfigName=name)


def changes(timeline) -> list[str]:
    """Return the operations that change something, in their order."""
    return [
        each for each in timeline.operations if not each.startswith(("Describe", "List", "Get", "BatchGet", "Simulate"))
    ]


def test_an_endpoint_is_waited_for(deploy, timeline):
    creating = state(EndpointStatus="Creating")
    timeline.answers(LOOK, PASSED, NOT_FOUND, NOT_FOUND, creating, THROTTLED, creating, TOO_MANY, FAULT, creating)
    done = deploy("--autoscale", "1:2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    begin = lines.index(f"Creating endpoint {NAME}")
    assert lines[begin + 1 : begin + 3] == ["Creating", "InService"]
    assert lines[begin + 3].startswith(f"Endpoint {NAME} serves s3://")
    assert timeline.operations.count(LOOK) == 10
    assert changes(timeline) == [
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "RegisterScalableTarget",
        "PutScalingPolicy",
    ]
    assert timeline.operations[::-1].index(LOOK) == 2  # it serves before it is made to scale


def test_an_endpoint_that_is_never_found(deploy, timeline, aws, monkeypatch):
    monkeypatch.setattr(Clients, "seconds_until_found", 0)
    timeline.answers(LOOK, *[NOT_FOUND] * 3)
    done = deploy()
    assert (done.returncode, done.stderr) == (1, f"Failed: Endpoint {NAME} was deleted while it was waited for.\n")
    assert names(aws) == ([], [])


def test_an_update_is_not_taken_for_what_was_there_before(deploy, deployed, timeline, aws):
    """Right after UpdateEndpoint the old state was taken for a failure, and the new model was removed."""
    timeline.lags(LOOK, behind="UpdateEndpoint", calls=3)
    timeline.answers(LOOK, PASSED)
    (before,), _ = names(aws)
    done = deploy()
    assert done.returncode == 0, done.stderr
    serving = aws.client("sagemaker").describe_endpoint(EndpointName=NAME)["EndpointConfigName"]
    assert serving != before
    assert names(aws) == ([serving], [serving])
    order = changes(timeline)
    assert order == ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    assert timeline.operations.count(LOOK) >= 5


@pytest.mark.parametrize("last", ["InService", "Failed", "UpdateRollbackFailed", "OutOfService"])
def test_an_update_that_is_rolled_back_leaves_what_served(deploy, deployed, timeline, aws, last):
    before = names(aws)
    old = {"EndpointConfigName": before[1][0], "LastModifiedTime": 4e9}
    timeline.answers(LOOK, PASSED, *(state(EndpointStatus=each, **old) for each in ("Updating", "RollingBack")))
    timeline.answers(LOOK, state(EndpointStatus=last, FailureReason="The new one is not healthy.", **old))
    done = deploy()
    assert (done.returncode, done.stderr) == (1, "Failed: The new one is not healthy.\n")
    assert names(aws) == before
    begin = done.stdout.splitlines().index(f"Updating endpoint {NAME}")
    assert done.stdout.splitlines()[begin + 1 : begin + 4] == ["Updating", "RollingBack", last]


def test_an_endpoint_that_is_not_in_service_is_not_updated(deploy, deployed, timeline):
    for status in ("Updating", "SystemUpdating", "RollingBack", "Creating", "Failed", "Deleting"):
        timeline.answers(LOOK, state(EndpointStatus=status))
        done = deploy("--dry-run")
        sentence = f"Endpoint {NAME} is {status}, expected InService: wait, or delete it with scripts/delete.py."
        assert (done.returncode, done.stderr) == (2, f"Error: {sentence}\n")


def test_an_endpoint_answers_while_it_is_updated(script, deployed, timeline):
    for status in ("InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed"):
        timeline.answers(LOOK, state(EndpointStatus=status))
        done = script("predict.py", "0.5,-0.5")
        assert done.stderr.startswith("Failed: The endpoint answered ")  # what it answers here is no JSON
    for status in ("Creating", "OutOfService", "Deleting", "Failed"):
        timeline.answers(LOOK, state(EndpointStatus=status))
        done = script("predict.py", "0.5,-0.5")
        assert (done.returncode, done.stderr) == (2, f"Error: Endpoint {NAME} is {status}, expected InService.\n")


# --- Scaling ---------------------------------------------------------------------------------------------------------
SUSPENDED = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True, "ScheduledScalingSuspended": False}
IDENTITY = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": RESOURCE,
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


def tracking(value: float) -> dict[str, Any]:
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    return {"TargetValue": value, "PredefinedMetricSpecification": metric}


@pytest.fixture
def scaled(aws, deployed):
    """The endpoint scales by two policies between 2 and 4 instances, as soon as somebody resumes it."""
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**IDENTITY, MinCapacity=2, MaxCapacity=4, SuspendedState=SUSPENDED)
    for name, value in ((f"{NAME}-invocations", 70.0), ("by-night", 30.0)):
        scaling.put_scaling_policy(
            **IDENTITY,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=tracking(value),
        )
    return scaling


@pytest.mark.parametrize(
    ("fails", "flags", "bounds", "target"),
    [
        ("", (), (2, 4), 70.0),
        ("", ("--autoscale", "1:9", "--target-invocations", "7"), (1, 9), 7.0),
        ("update", ("--autoscale", "1:9"), (2, 4), 70.0),
        ("request", (), (2, 4), 70.0),
        ("config", (), (2, 4), 70.0),
    ],
)
def test_suspended_scaling_stays_suspended(deploy, scaled, timeline, aws, fails, flags, bounds, target):
    """Also if the update fails, or is not even begun; and policies of other names stay."""
    timeline.lists_in_pages_of("DescribeScalingPolicies", 1)
    timeline.lists_in_pages_of("DescribeScalableTargets", 1)
    before = names(aws)
    if fails == "update":
        old = {"EndpointConfigName": before[1][0], "LastModifiedTime": 4e9}
        timeline.answers(LOOK, PASSED, state(EndpointStatus="Updating", **old))
        timeline.answers(LOOK, state(FailureReason="It is not healthy.", **old))
    elif fails:
        timeline.answers(
            {"request": "UpdateEndpoint", "config": "CreateEndpointConfig"}[fails], refused("ResourceLimitExceeded")
        )
    done = deploy("--instance-type", "ml.m5.large", *flags)
    assert done.returncode == {"": 0, "update": 1}.get(fails, 2), done.stderr
    (present,) = scaled.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (present["MinCapacity"], present["MaxCapacity"]) == bounds
    assert present["SuspendedState"] == SUSPENDED
    policies = scaled.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    values = {each["PolicyName"]: each["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for each in policies}
    assert values == {f"{NAME}-invocations": target, "by-night": 30.0}
    order = changes(timeline)
    if not fails:
        assert order[2:4] == ["DeregisterScalableTarget", "UpdateEndpoint"]
        assert order.index("RegisterScalableTarget") > order.index("DeleteModel")
    else:
        assert names(aws) == before
        assert order[-3:] == ["RegisterScalableTarget", "PutScalingPolicy", "PutScalingPolicy"]


def test_scaling_that_cannot_be_restored_is_said(deploy, scaled, timeline):
    timeline.answers("UpdateEndpoint", refused("ResourceLimitExceeded", "No more instances"))
    timeline.answers("RegisterScalableTarget", refused("AccessDeniedException", "not you"))
    done = deploy("--instance-type", "ml.m5.large")
    assert done.returncode == 2
    sentence = "does not scale any more: AWS refuses RegisterScalableTarget: not you (AccessDeniedException)."
    assert f"Endpoint {NAME} {sentence}" in done.stdout
    assert "No more instances" in done.stderr


# --- Deleting --------------------------------------------------------------------------------------------------------
def test_all_of_an_endpoint_is_found_on_all_pages_and_deleted_in_order(script, deployed, timeline, aws):
    sagemaker = aws.client("sagemaker")
    (mine,), _ = names(aws)
    older, others = f"{NAME}-2025-01-01-00-00-00-000000", [f"{NAME}-2-{mine[-26:]}", f"{NAME}-theirs"]
    for name in (older, *others):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=GIVEN[3], PrimaryContainer={"Image": "i"})
        variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.c5.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    for operation in ("ListModels", "ListEndpointConfigs"):
        timeline.lists_in_pages_of(operation, 1)
    timeline.answers(LOOK, PASSED, state(EndpointStatus="Updating"), *[state(EndpointStatus="Updating")] * 2)
    in_progress = refused("ValidationException", "Cannot update in-progress endpoint")
    timeline.answers("DeleteEndpoint", in_progress, in_progress, THROTTLED)
    timeline.lags(LOOK, behind="DeleteEndpoint", calls=3)
    done = script("delete.py", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("can be deleted after that: waiting") == 1
    order = changes(timeline)
    assert order == [
        *["DeleteEndpoint"] * 4,
        *["DeleteEndpointConfig"] * 2,
        *["DeleteModel"] * 2,
    ]
    begin = max(index for index, each in enumerate(timeline.operations) if each == "DeleteEndpoint")
    assert timeline.operations[begin + 1 : begin + 6] == [LOOK] * 4 + ["DeleteEndpointConfig"]  # gone first
    assert [sorted(each) for each in names(aws)] == [sorted(others), sorted(others)]


def test_an_endpoint_that_does_not_go(script, deployed, timeline, monkeypatch):
    monkeypatch.setattr(endpoint_resources, "SECONDS_TO_DELETE", 0)
    timeline.answers(LOOK, PASSED, PASSED, state(EndpointStatus="Deleting"), state(EndpointStatus="Deleting"))
    timeline.answers("DeleteEndpoint", given())
    done = script("delete.py", "--yes")
    assert (done.returncode, done.stderr) == (
        1,
        f"Failed: Endpoint {NAME} is still there after 0 s, as Deleting.\n",
    )
    assert changes(timeline) == ["DeleteEndpoint"]


def test_what_is_gone_meanwhile_is_no_mistake(script, deployed, timeline):
    timeline.answers("DeleteEndpointConfig", NOT_FOUND)
    timeline.answers("DeleteEndpoint", refused("ValidationException", "Could not find endpoint"))
    timeline.answers("DeleteModel", refused("AccessDeniedException", "not you"))
    done = script("delete.py", "--yes")
    assert f"There is no endpoint {NAME} any more" in done.stdout
    assert f"There is no endpoint configuration {NAME}-2" in done.stdout
    assert "Deleted" not in done.stdout
    assert (done.returncode, done.stderr) == (2, "Error: AWS refuses DeleteModel: not you (AccessDeniedException).\n")


def test_an_endpoint_that_is_being_deleted_is_not_deleted_again(script, deployed, timeline, aws):
    timeline.answers(LOOK, PASSED, *[state(EndpointStatus="Deleting")] * 3)
    timeline.answers(LOOK, after(lambda: aws.client("sagemaker").delete_endpoint(EndpointName=NAME)))
    done = script("delete.py", "--yes")
    assert done.returncode == 0, done.stderr
    assert changes(timeline) == ["DeleteEndpointConfig", "DeleteModel"]
