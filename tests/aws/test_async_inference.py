"""Asynchronous endpoints against a local AWS server: deploy.py's requests and scaling, predict.py's questions."""

import json
import re

import httpx
import pytest
from local_aws import ACCOUNT, REGION, assert_valid, requests_of
from serving_resources import BUCKET, GIVEN, RESOURCE, names

pytest_plugins = ("proxy", "serving_resources")
pytestmark = pytest.mark.usefixtures("pushed")

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:cars"
NAME = "rl-mountain-car"
FIRST = f"{NAME}-first-instance"


def test_the_requests_of_an_asynchronous_endpoint(script, model):
    requests = requests_of(script("deploy.py", *GIVEN, "--dry-run", model, "--async"))
    assert list(requests) == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    assert_valid("CreateEndpointConfig", requests["CreateEndpointConfig"])
    assert requests["CreateEndpointConfig"]["AsyncInferenceConfig"] == {
        "OutputConfig": {
            "S3OutputPath": f"s3://{BUCKET}/{NAME}/async-output",
            "S3FailurePath": f"s3://{BUCKET}/{NAME}/async-failures",
        }
    }
    environment = requests["CreateModel"]["PrimaryContainer"]["Environment"]
    assert environment == {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1024",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "900",
        "SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS": "300",
    }
    flags = (
        *("--async", "--async-output", "s3://mine/out", "--async-failures", "s3://mine/bad", "--async-kms-key", "k"),
        *("--success-topic", TOPIC, "--error-topic", f"{TOPIC}-2", "--max-concurrent", "4", "--max-payload", "200"),
        *("--env", "SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS=60"),
    )
    requests = requests_of(script("deploy.py", *GIVEN, "--dry-run", model, *flags))
    assert_valid("CreateEndpointConfig", requests["CreateEndpointConfig"])
    assert requests["CreateEndpointConfig"]["AsyncInferenceConfig"] == {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
        "OutputConfig": {
            "S3OutputPath": "s3://mine/out",
            "S3FailurePath": "s3://mine/bad",
            "KmsKeyId": "k",
            "NotificationConfig": {"SuccessTopic": TOPIC, "ErrorTopic": f"{TOPIC}-2"},
        },
    }
    environment = requests["CreateModel"]["PrimaryContainer"]["Environment"]
    assert environment["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "200"
    assert environment["SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS"] == "60"


def test_the_payload_of_an_endpoint_that_answers_at_once(script, model):
    for flags, expected in (((), None), (("--max-payload", "25"), "25"), (("--max-payload", "0"), "0")):
        container = requests_of(script("deploy.py", *GIVEN, "--dry-run", model, *flags))["CreateModel"][
            "PrimaryContainer"
        ]
        assert container.get("Environment", {}).get("SAGEMAKER_MAX_PAYLOAD_IN_MB") == expected
    local = requests_of(script("deploy.py", "--local", "--dry-run", model, "--max-payload", "200"))
    assert local["CreateModel"]["PrimaryContainer"]["Environment"] == {"SAGEMAKER_MAX_PAYLOAD_IN_MB": "200"}


def scaling_of(aws) -> tuple[dict, dict, list]:
    """Return the target, the policies by name, and the alarms of this project's."""
    scaling = aws.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return targets, {policy["PolicyName"]: policy for policy in policies}, alarms


def test_an_endpoint_scales_to_no_instance_and_back(script, aws, model):
    """It is made, updated to another type of instance, which removes its scaling meanwhile, and deleted."""
    done = script("deploy.py", *GIVEN, model, "--async", "--autoscale", "0:3", "--target-backlog", "7")
    assert done.returncode == 0, done.stderr
    assert "Ask it: python scripts/predict.py --async --endpoint-name rl-mountain-car" in done.stdout
    (config,) = names(aws)[1]
    kept = aws.client("sagemaker").describe_endpoint_config(EndpointConfigName=config)["AsyncInferenceConfig"]
    assert kept["OutputConfig"]["S3OutputPath"] == f"s3://{BUCKET}/{NAME}/async-output"
    done = script("deploy.py", *GIVEN, "--dry-run", model, "--async", "--instance-type", "ml.m5.large")
    restored = [operation for entry in json.loads(done.stdout) for operation in entry]
    assert restored[2:] == [
        *("DeregisterScalableTarget", "UpdateEndpoint", "RegisterScalableTarget"),
        *("PutScalingPolicy", "PutScalingPolicy", "PutMetricAlarm"),
    ]
    dimensions = [{"Name": "EndpointName", "Value": NAME}]
    for type_ in ("ml.c5.large", "ml.m5.large"):
        done = script("deploy.py", *GIVEN, model, "--async", "--instance-type", type_)
        assert done.returncode == 0, done.stderr
        (target,), policies, (alarm,) = scaling_of(aws)
        assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (RESOURCE, 0, 3)
        assert policies.keys() == {f"{NAME}-backlog", FIRST}
        tracking = policies[f"{NAME}-backlog"]["TargetTrackingScalingPolicyConfiguration"]
        assert tracking["TargetValue"] == 7
        metric = tracking["CustomizedMetricSpecification"]
        assert (metric["MetricName"], metric["Dimensions"]) == ("ApproximateBacklogSizePerInstance", dimensions)
        step = policies[FIRST]["StepScalingPolicyConfiguration"]
        assert step["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
        assert (alarm["AlarmName"], alarm["MetricName"]) == (FIRST, "HasBacklogWithoutCapacity")
        assert (alarm["Namespace"], alarm["Dimensions"]) == ("AWS/SageMaker", dimensions)
        assert alarm["AlarmActions"] == [policies[FIRST]["PolicyARN"]]
        assert (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) == (1, 60, 2)
    listed = requests_of(script("delete.py", "--dry-run"))
    assert list(listed)[:2] == ["DeleteAlarms", "DeregisterScalableTarget"]
    assert listed["DeleteAlarms"] == {"AlarmNames": [FIRST]}
    done = script("delete.py", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"Deleted alarm {FIRST}" in done.stdout
    targets, _, alarms = scaling_of(aws)  # this server leaves the policies, AWS removes them with the target
    assert (targets, alarms) == ([], [])
    assert names(aws) == ([], [])


def test_an_endpoint_that_keeps_an_instance_needs_no_alarm(script, model):
    done = script("deploy.py", *GIVEN, "--dry-run", model, "--async", "--autoscale", "1:2")
    operations = [operation for entry in json.loads(done.stdout) for operation in entry]
    assert operations[-2:] == ["RegisterScalableTarget", "PutScalingPolicy"]


@pytest.mark.parametrize(("before", "after"), [((), ("--async",)), (("--async",), ())], ids=["to", "from"])
def test_an_endpoint_stays_asynchronous_or_not(script, aws, model, before, after):
    assert script("deploy.py", *GIVEN, model, *before).returncode == 0
    done = script("deploy.py", *GIVEN, model, *after)
    kinds = ("asynchronous", "one that answers at once")
    was, becomes = kinds if before else kinds[::-1]
    assert f"Endpoint {NAME} is {was} and cannot become {becomes}: delete it" in done.stderr
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--async-output", "s3://b/x"), "--async-output is of an asynchronous endpoint, expected with --async."),
        (("--max-concurrent", "2"), "--max-concurrent is of an asynchronous endpoint, expected with --async."),
        (("--success-topic", TOPIC), "--success-topic is of an asynchronous endpoint, expected with --async."),
        (("--target-backlog", "2"), "--target-backlog is of an asynchronous endpoint, expected with --async."),
        (("--async", "--async-output", "file:///x"), "--async-output is 'file:///x', expected s3://bucket/prefix."),
        (("--async", "--async-failures", "x"), "The address is 'x', expected s3://bucket/prefix or file:///folder."),
        (("--async", "--error-topic", "cars"), "--error-topic: 'cars' is no arn:aws:sns:REGION:ACCOUNT:TOPIC"),
        (("--async", "--serverless"), "--serverless does not go with --async."),
        (("--async", "--local"), "--async does not go with --local: there is no queue"),
        (("--async", "--target-invocations", "5"), "--target-invocations does not go with --async"),
        (("--autoscale", "0:2"), "--autoscale begins with 0 instances, expected at least 1, or --async."),
        (("--async", "--autoscale", "0:0"), "--autoscale is '0:0', expected MIN:MAX as in 1:4."),
        (("--max-payload", "26"), "--max-payload is 26, expected at most 25, or --async."),
        (("--async", "--max-payload", "1025"), "--max-payload: '1025' is no whole number from 0 to 1024"),
    ],
)
def test_mistakes(script, aws, model, flags, sentence):
    done = script("deploy.py", *GIVEN, model, *flags)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert sentence in done.stderr
    assert names(aws) == ([], [])


# --- Asking ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def answers(aws, script, model):
    """An asynchronous endpoint, and what sets its next answers: data, and whether it is a failure."""
    assert script("deploy.py", *GIVEN, model, "--async").returncode == 0

    def set_answers(*results: tuple[str, bool]) -> None:
        each = [{"data": data, "is_failure": is_failure} for data, is_failure in results]
        data = {"account_id": ACCOUNT, "region": REGION, "results": each}
        httpx.post(f"{aws.url}/moto-api/static/sagemaker/async-endpoint-results", json=data, trust_env=False)

    return set_answers


def test_a_question_goes_to_s3_and_its_answer_comes_from_there(script, aws, answers):
    answers(("[[1.5]]", False), ("[[2.5]]", False))
    done = script("predict.py", "--async", "--actions", "[0.5, -0.5]", "-0.5,0.5")
    assert (done.returncode, done.stdout) == (0, "[[1.5]]\n"), done.stderr
    assert re.fullmatch(r"The answer will be at s3://\S+\n", done.stderr)
    s3 = aws.client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{NAME}/async-input/")["Contents"]]
    (key,) = keys
    assert json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == [[0.5, -0.5], [-0.5, 0.5]]
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    done = script("predict.py", "--async", "[0, 0]", "--kms-key", key)
    assert done.stdout == "[[2.5]]\n", done.stderr  # another file of its own
    (other,) = {
        each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{NAME}/async-input/")["Contents"]
    } - {*keys}
    assert s3.head_object(Bucket=BUCKET, Key=other)["SSEKMSKeyId"] == key


def test_the_request_of_a_question(script):
    done = script("predict.py", "--dry-run", "--async", "--actions", "--bucket", "b", "--prefix", "p", "[0.5, -0.5]")
    request = requests_of(done)["InvokeEndpointAsync"]
    assert re.fullmatch(rf"s3://b/p/{NAME}/async-input/request-[\d-]+\.json", request.pop("InputLocation"))
    assert request == {
        "EndpointName": NAME,
        "ContentType": "application/json",
        "Accept": "application/json",
        "CustomAttributes": "output=actions",
    }


def test_a_failure_is_told_by_its_reason(script, answers):
    answers(('Received client error (400) from primary with message "{}".\n', True))
    done = script("predict.py", "--async", "[1, 2, 3]")
    reason = 'Received client error (400) from primary with message "{}".'
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [f"Failed: The endpoint could not answer: {reason}"]


def test_an_answer_that_does_not_come(script, answers, monkeypatch):
    from launch.aws.storage import Storage
    from launch.sagemaker import async_inference

    looked = []
    find = Storage.find
    monkeypatch.setattr(async_inference, "SECONDS_TO_ANSWER", 0)
    monkeypatch.setattr(Storage, "find", lambda self, uri: looked.append(uri) or find(self, uri)[:0])
    done = script("predict.py", "--async", "[1, 2]")
    assert done.returncode == 1
    assert re.search(r"Failed: There is no answer at s3://\S+ after 0 s; it may still come\.", done.stderr)
    assert len({*looked}) == 2  # of the answer and of the failure


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--async", "--episode"), "--async does not go with --episode."),
        (("--async", "--local", "1,2"), "--async does not go with --local."),
        (("--kms-key", "k", "1,2"), "--kms-key is 'k', of what is uploaded, expected with --async."),
    ],
)
def test_mistakes_of_a_question(script, flags, sentence):
    done = script("predict.py", *flags)
    assert (done.returncode, done.stderr) == (2, f"Error: {sentence}\n")
