"""Automatic scaling of an endpoint that deploy.py updates, and serverless endpoints, which have none."""

import json
from datetime import UTC, datetime

import pytest
from launch.aws.scaling import target
from local_aws import assert_valid, refusing, requests_of
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from serving_resources import GIVEN, names

pytest_plugins = ("proxy", "serving_resources")
pytestmark = pytest.mark.usefixtures("pushed")


def test_an_update_keeps_the_instances_that_an_endpoint_has_scaled_to(script, aws, model):
    done = script("deploy.py", *GIVEN, model, "--autoscale", "2:4", "--target-invocations", "70")
    assert done.returncode == 0, done.stderr
    update = requests_of(script("deploy.py", *GIVEN, model, "--dry-run"))
    assert list(update) == ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint"]
    assert_valid("UpdateEndpoint", update["UpdateEndpoint"])
    assert update["UpdateEndpoint"]["RetainAllVariantProperties"] is True
    excluded = update["UpdateEndpoint"]["ExcludeRetainedVariantProperties"]
    assert excluded == [{"VariantPropertyType": "DataCaptureConfig"}]
    counted = requests_of(script("deploy.py", *GIVEN, model, "--dry-run", "--instance-count", "3"))
    assert "RetainAllVariantProperties" not in counted["UpdateEndpoint"]
    assert counted["CreateEndpointConfig"]["ProductionVariants"][0]["InitialInstanceCount"] == 3


def test_the_requests_of_another_instance_type_for_an_endpoint_that_scales(script, model):
    done = script("deploy.py", *GIVEN, model, "--autoscale", "2:4", "--target-invocations", "70")
    assert done.returncode == 0, done.stderr
    done = script("deploy.py", *GIVEN, model, "--instance-type", "ml.m5.large", "--dry-run")
    requests = [(each, fields) for entry in json.loads(done.stdout) for each, fields in entry.items()]
    assert [operation for operation, _ in requests[2:]] == [
        "DeregisterScalableTarget",
        "UpdateEndpoint",
        "RegisterScalableTarget",
        "PutScalingPolicy",
    ]
    assert "RetainAllVariantProperties" not in requests[3][1]
    assert (requests[4][1]["MinCapacity"], requests[4][1]["MaxCapacity"]) == (2, 4)
    assert requests[5][1]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70


def test_scheduled_actions_survive_another_instance_type(script, aws, model, monkeypatch):
    """Application Auto Scaling removes them together with their target; moto keeps them."""
    deregister = ApplicationAutoscalingBackend.deregister_scalable_target

    def deregister_with_actions(backend, namespace, r_id, dimension):
        deregister(backend, namespace, r_id, dimension)
        backend.scheduled_actions = [each for each in backend.scheduled_actions if each.resource_id != r_id]

    monkeypatch.setattr(ApplicationAutoscalingBackend, "deregister_scalable_target", deregister_with_actions)
    assert script("deploy.py", *GIVEN, model, "--autoscale", "1:4").returncode == 0
    scaling, endpoint = aws.client("application-autoscaling"), target("rl-mountain-car")
    night = {
        "Schedule": "cron(0 22 * * ? *)",
        "Timezone": "Europe/Berlin",
        "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2},
    }
    begun, comes = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    for name, times in {"night": {"StartTime": begun, "EndTime": comes}, "over": {"EndTime": begun}}.items():
        scaling.put_scheduled_action(ScheduledActionName=name, **endpoint, **night, **times)
    done = script("deploy.py", *GIVEN, model, "--instance-type", "ml.m5.large")
    assert done.returncode == 0, done.stderr
    (action,) = scaling.describe_scheduled_actions(**endpoint)["ScheduledActions"]
    assert {key: action[key] for key in night} == night
    assert (action["ScheduledActionName"], action["EndTime"], "StartTime" in action) == ("night", comes, False)


@pytest.mark.parametrize(("flags", "becomes"), [((), "serverless"), (("--serverless",), "one of instances")])
def test_an_endpoint_stays_of_instances_or_serverless(script, aws, model, flags, becomes):
    assert script("deploy.py", *GIVEN, model, *flags).returncode == 0
    done = script("deploy.py", *GIVEN, model, *([] if flags else ["--serverless"]))
    assert done.returncode == 2
    assert f"and cannot become {becomes}: delete it with scripts/delete.py" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_endpoint_that_does_not_scale_serves(script, aws, model, between):
    assert script("deploy.py", *GIVEN, model).returncode == 0
    url, _ = between(refusing("RegisterScalableTarget", "AccessDeniedException", "not you"))
    done = script("deploy.py", *GIVEN, model, "--autoscale", "1:2", AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING=url)
    reason = "AWS refuses RegisterScalableTarget: not you (AccessDeniedException)."
    sentence = f"Failed: Endpoint rl-mountain-car serves, but does not scale: {reason}\n"
    assert (done.returncode, done.stderr) == (1, sentence)
    serving = aws.client("sagemaker").describe_endpoint(EndpointName="rl-mountain-car")["EndpointConfigName"]
    assert names(aws) == ([serving], [serving])
