"""deploy.py, predict.py, delete.py and transform.py against a local AWS server."""

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import httpx
import pytest
from jobs import ROOT
from local_aws import ACCOUNT, REGION, assert_valid, put_images, refusing, requests_of
from proxy import Holding, operation_of

pytest_plugins = ("proxy",)

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-serving:1"
GIVEN = ("--image", IMAGE, "--role", f"arn:aws:iam::{ACCOUNT}:role/r")
RESOURCE = "endpoint/rl-mountain-car/variant/AllTraffic"


@pytest.fixture(autouse=True)
def pushed(aws):
    put_images(aws)


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "model.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        member = tarfile.TarInfo("policy.json")
        member.size = 100_000
        tar.addfile(member, io.BytesIO(os.urandom(member.size)))
    return str(file)


def test_the_requests_of_an_endpoint_with_instances(script, model):
    done = script(
        "deploy.py",
        *GIVEN,
        *("--dry-run", model, "--instance-type", "ml.c5.xlarge", "--instance-count", "2", "--autoscale", "1:4"),
        *("--target-invocations", "500", "--data-capture", "20", "--kms-key", "k", "--tag", "a=b"),
        *("--env", "SAGEMAKER_MODEL_SERVER_WORKERS=2", "--subnets", "s-1", "--security-groups", "g-1"),
    )
    requests = requests_of(done)
    operations = ["CreateModel", "CreateEndpointConfig", "CreateEndpoint", "RegisterScalableTarget", "PutScalingPolicy"]
    assert list(requests) == operations
    for operation in operations[:3]:
        assert_valid(operation, requests[operation])
    name = requests["CreateModel"]["ModelName"]
    assert requests["CreateModel"]["PrimaryContainer"] == {
        "Image": IMAGE,
        "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz",
        "Environment": {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"},
    }
    assert requests["CreateModel"]["VpcConfig"] == {"SecurityGroupIds": ["g-1"], "Subnets": ["s-1"]}
    (variant,) = requests["CreateEndpointConfig"]["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.c5.xlarge", 2)
    assert requests["CreateEndpointConfig"]["DataCaptureConfig"]["InitialSamplingPercentage"] == 20
    assert requests["CreateEndpointConfig"]["KmsKeyId"] == "k"
    assert requests["CreateEndpoint"]["EndpointConfigName"] == name
    assert requests["RegisterScalableTarget"]["ResourceId"] == RESOURCE
    assert (requests["RegisterScalableTarget"]["MinCapacity"], requests["RegisterScalableTarget"]["MaxCapacity"]) == (
        1,
        4,
    )
    tracking = requests["PutScalingPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 500
    metric = tracking["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric == "SageMakerVariantInvocationsPerInstance"


def test_the_requests_of_a_serverless_endpoint(script, model):
    options = ("--serverless", "--memory-mb", "3072", "--max-concurrency", "7")
    requests = requests_of(script("deploy.py", *GIVEN, "--dry-run", model, *options))
    assert_valid("CreateEndpointConfig", requests["CreateEndpointConfig"])
    (variant,) = requests["CreateEndpointConfig"]["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 7}
    assert "InstanceType" not in variant


def names(aws) -> tuple[list[str], list[str]]:
    sagemaker = aws.client("sagemaker")
    models = [each["ModelName"] for each in sagemaker.list_models()["Models"]]
    configs = [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    return models, configs


def test_an_endpoint_is_made_updated_and_deleted(script, aws, model):
    done = script("deploy.py", *GIVEN, model, "--autoscale", "1:2")
    assert done.returncode == 0, done.stderr
    sagemaker, scaling = aws.client("sagemaker"), aws.client("application-autoscaling")
    first = sagemaker.describe_endpoint(EndpointName="rl-mountain-car")["EndpointConfigName"]
    assert names(aws) == ([first], [first])
    assert (
        aws.client("s3").get_object(Bucket=BUCKET, Key=f"{first}/model.tar.gz")["Body"].read()
        == Path(model).read_bytes()
    )
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["ResourceId"], target["MaxCapacity"]) == (RESOURCE, 2)
    # another model, and something of somebody else's with a like name
    sagemaker.create_model(
        ModelName="rl-mountain-car-theirs", ExecutionRoleArn=GIVEN[3], PrimaryContainer={"Image": IMAGE}
    )
    done = script("deploy.py", *GIVEN, model)
    assert done.returncode == 0, done.stderr
    assert "Updating endpoint rl-mountain-car" in done.stdout
    second = sagemaker.describe_endpoint(EndpointName="rl-mountain-car")["EndpointConfigName"]
    assert second != first
    models, configs = names(aws)
    assert (sorted(models), configs) == (sorted([second, "rl-mountain-car-theirs"]), [second])  # the first is gone
    listed = requests_of(script("delete.py", "--dry-run"))
    dimension = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    assert listed["DeregisterScalableTarget"] == {"ResourceId": RESOURCE, **dimension}
    assert list(listed) == ["DeregisterScalableTarget", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    nobody = script("delete.py")
    assert nobody.returncode == 2
    assert "expected a terminal or --yes" in nobody.stderr
    done = script("delete.py", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"Deleted model {second}" in done.stdout
    assert names(aws) == (["rl-mountain-car-theirs"], [])
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    again = script("delete.py", "--yes")
    assert (again.returncode, again.stdout) == (0, "There is nothing left of rl-mountain-car in region eu-west-1\n")


def scaling_of(aws) -> tuple[list, list]:
    scaling = aws.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    invocations = [each["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for each in policies]
    return [(each["MinCapacity"], each["MaxCapacity"]) for each in targets], invocations


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


@pytest.mark.parametrize(
    ("fails", "arguments", "scaled"),
    [
        (False, (), ([(2, 4)], [70])),
        (False, ("--autoscale", "1:9"), ([(1, 9)], [1000])),
        (True, ("--autoscale", "1:9"), ([(2, 4)], [70])),
    ],
)
def test_another_instance_type_of_an_endpoint_that_scales(script, aws, model, monkeypatch, fails, arguments, scaled):
    done = script("deploy.py", *GIVEN, model, "--autoscale", "2:4", "--target-invocations", "70")
    assert done.returncode == 0, done.stderr
    changed = (*GIVEN, model, "--instance-type", "ml.m5.large", *arguments)
    operations = [each for entry in json.loads(script("deploy.py", *changed, "--dry-run").stdout) for each in entry]
    assert operations[2:] == [
        "DeregisterScalableTarget",
        "UpdateEndpoint",
        "RegisterScalableTarget",
        "PutScalingPolicy",
    ]
    if fails:
        from moto.core.responses import ActionResult
        from moto.sagemaker.responses import SageMakerResponse

        def roll_back(response):
            endpoint = response.sagemaker_backend.endpoints["rl-mountain-car"]
            endpoint.failure_reason = "It is not healthy."
            return ActionResult({"EndpointArn": endpoint.arn})

        monkeypatch.setattr(SageMakerResponse, "update_endpoint", roll_back)
    done = script("deploy.py", *changed)
    expected = (1, "Failed: It is not healthy.\n") if fails else (0, "")
    assert (done.returncode, done.stderr) == expected
    assert scaling_of(aws) == scaled
    assert [len(each) for each in names(aws)] == [1, 1]


@pytest.mark.parametrize(("flags", "becomes"), [((), "serverless"), (("--serverless",), "of instances")])
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


def test_an_endpoint_goes_on_when_its_script_may_look_no_longer(script, aws, model, between):
    looks = []

    def expire(handler, answer):
        looks.extend([1] if operation_of(handler) == "DescribeEndpoint" else [])
        body = b'{"__type": "ExpiredTokenException", "message": "The security token is expired"}'
        if len(looks) > 1:
            handler.answer(400, {"Content-Type": "application/x-amz-json-1.1"}, body)
        else:
            handler.answer(answer.status_code, answer.headers, answer.content)

    url, _ = between(expire)
    done = script("deploy.py", *GIVEN, model, AWS_ENDPOINT_URL_SAGEMAKER=url)
    assert done.returncode == 2
    assert "Endpoint rl-mountain-car goes on by itself in region eu-west-1: scripts/list.py shows it" in done.stdout
    assert "(ExpiredTokenException)" in done.stderr
    assert [len(each) for each in names(aws)] == [1, 1]
    assert len(aws.client("sagemaker").list_endpoints()["Endpoints"]) == 1


def test_delete_waits_for_what_an_endpoint_is_doing_and_until_it_is_gone(script, aws, model, monkeypatch):
    from moto.sagemaker import exceptions, models

    assert script("deploy.py", *GIVEN, model).returncode == 0
    looks, steps = [], ["Updating", "Updating", "RollingBack", "InService"]
    describe, delete = models.SageMakerModelBackend.describe_endpoint, models.SageMakerModelBackend.delete_endpoint

    def looked_at(backend, endpoint_name):
        endpoint = backend.endpoints.get(endpoint_name)
        if endpoint and endpoint.endpoint_status == "Deleting":
            looks.append(names(aws))
            delete(backend, endpoint_name) if len(looks) == 2 else None
        elif endpoint:
            endpoint.endpoint_status = steps.pop(0)
        return describe(backend, endpoint_name)

    def refused_or_begun(backend, endpoint_name):
        endpoint = backend.endpoints[endpoint_name]
        if endpoint.endpoint_status != "InService":
            raise exceptions.ValidationError(message="Cannot update in-progress endpoint")
        endpoint.endpoint_status = "Deleting"

    monkeypatch.setattr(models.SageMakerModelBackend, "describe_endpoint", looked_at)
    monkeypatch.setattr(models.SageMakerModelBackend, "delete_endpoint", refused_or_begun)
    done = script("delete.py", "--yes")
    assert done.returncode == 0, done.stderr
    said = "Endpoint rl-mountain-car is Updating, and can be deleted after that: waiting"
    assert done.stdout.count("can be deleted after that") == done.stdout.count(said) == 1
    assert [len(each) for each in looks[0]] == [1, 1]  # what it serves by goes after it
    assert names(aws) == ([], [])
    again = script("delete.py", "--yes")
    assert (again.returncode, again.stdout) == (0, "There is nothing left of rl-mountain-car in region eu-west-1\n")


@pytest.mark.parametrize(("answer", "deleted"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_delete_asks(script, aws, model, answer, deleted):
    assert script("deploy.py", *GIVEN, model).returncode == 0
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/delete.py")],
        stdin=terminal,
        stdout=subprocess.PIPE,
        env=aws.environment,
        text=True,
    )

    os.write(controller, answer.encode())
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "endpoint rl-mountain-car" in out
    assert (names(aws) == ([], [])) == deleted


def put_logs(aws, stream: str, *lines: str) -> None:
    logs = aws.client("logs")
    group = "/aws/sagemaker/Endpoints/rl-mountain-car"
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int(1000 * time.time()), "message": line} for line in lines]
    if events:
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_an_endpoint_that_fails_is_removed_and_its_reason_said(script, aws, model, monkeypatch):
    """The server runs in this process: what AWS would decide about an endpoint, the test decides."""
    from moto.sagemaker import models

    original = models.FakeEndpoint.__init__

    def fails(endpoint, *arguments, **options):
        original(endpoint, *arguments, **options)
        endpoint.endpoint_status = "Failed"
        endpoint.failure_reason = "The primary container did not pass the ping health check."

        put_logs(aws, "AllTraffic/i-1", "Error: There is no policy.json in /opt/ml/model")

    monkeypatch.setattr(models.FakeEndpoint, "__init__", fails)
    for number in range(60):  # of an endpoint of the same name, which is gone: more than a page of them
        put_logs(aws, f"AllTraffic/h-{number}", *(["last week's"] if number == 59 else []))
    done = script("deploy.py", *GIVEN, model)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Failed: The primary container did not pass the ping health check.",
        "Error: There is no policy.json in /opt/ml/model",
    ]
    assert names(aws) == ([], [])
    assert aws.client("sagemaker").list_endpoints()["Endpoints"] == []


@pytest.mark.parametrize(
    ("held", "left"),
    [(Holding("CreateEndpointConfig"), 0), (Holding("DescribeEndpoint", 2), 1)],
    ids=["before", "after"],
)
def test_ctrl_c_leaves_nothing_that_it_does_not_speak_of(aws, model, between, held, left):
    """Before the endpoint is asked for, nothing; after that, the endpoint, which goes on."""
    url, _ = between(held)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/deploy.py"), *GIVEN, model],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**aws.environment, "AWS_ENDPOINT_URL_SAGEMAKER": url},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert held.reached.wait(60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    held.let_go.set()
    assert (process.returncode, err) == (130, "Interrupted.\n")
    assert [len(each) for each in names(aws)] == [left, left]
    assert len(aws.client("sagemaker").list_endpoints()["Endpoints"]) == left
    goes_on = "goes on by itself in region eu-west-1: scripts/list.py shows it, scripts/delete.py removes it."
    assert (goes_on in out) == bool(left)
    assert ("Removed endpoint configuration" in out) == (not left)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nothing.tar.gz",), "There is no file nothing.tar.gz."),
        (("s3://no-bucket/m.tar.gz",), "There is no bucket no-bucket, which s3://no-bucket/m.tar.gz names."),
        (("a_b",), "There is no file a_b."),
        (("job-1",), "There is no training job 'job-1' in region eu-west-1."),
        (("MODEL", "--instance-type", "ml.x"), "--instance-type is 'ml.x', which SageMaker does not have"),
        (("MODEL", "--autoscale", "4:1"), "--autoscale is '4:1', expected MIN:MAX as in 1:4."),
        (("MODEL", "--serverless", "--autoscale", "1:2"), "--serverless does not go with --autoscale."),
        (("MODEL", "--serverless", "--data-capture", "5"), "--serverless does not go with --data-capture."),
        (("MODEL", "--serverless", "--network-isolation"), "--serverless does not go with --network-isolation."),
        (
            ("MODEL", "--serverless", "--subnets", "a", "--security-groups", "b"),
            "--serverless does not go with --subnets.",
        ),
        (("MODEL", "--data-capture", "101"), "--data-capture is 101, expected 1 to 100 percent."),
        (("MODEL", "--memory-mb", "1000"), "invalid choice: 1000"),
        (("MODEL", "--endpoint-name", "x" * 37), "is longer than 36 characters"),
        (("MODEL", "--subnets", "a"), "--subnets and --security-groups belong together"),
    ],
)
def test_a_mistake_is_one_sentence(script, model, arguments, sentence):
    done = script("deploy.py", *GIVEN, *(model if each == "MODEL" else each for each in arguments))
    assert done.returncode == 2, done.stdout
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


UNSET = dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "(unset)")


@pytest.mark.parametrize("name", ["deploy.py", "transform.py"])
@pytest.mark.parametrize("mode", [(), ("--local",)], ids=["aws", "local"])
def test_what_is_no_model_is_noticed_before_anything_is_made(script, model, tmp_path, name, mode):
    observations = tmp_path / "obs.csv"
    observations.write_text("0.5,-0.5\n")
    whole = Path(model).read_bytes()
    damaged, cut = tmp_path / "damaged.tar.gz", tmp_path / "cut.tar.gz"
    damaged.write_bytes(whole[:50_000] + bytes(byte ^ 0xFF for byte in whole[50_000:50_010]) + whole[50_010:])
    cut.write_bytes(whole[:-20])
    for file, sentence in (
        (observations, "obs.csv cannot be unpacked: it is damaged, or no tar.gz (Not a gzipped file"),
        (damaged, "damaged.tar.gz cannot be unpacked: it is damaged, or no tar.gz (CRC check failed"),
        (cut, "cut.tar.gz cannot be unpacked: it is damaged"),
        (tmp_path, "which is a folder, expected a model.tar.gz or a training job's name."),
    ):
        rest = (str(observations),) if name == "transform.py" else ()
        done = script(name, *mode, str(file), *rest, **UNSET)
        assert done.returncode == 2, done.stdout
        assert sentence in done.stderr
        assert str(file) in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def answers(aws_server: str, *bodies: str) -> None:
    """Have the server answer invocations by these."""
    results = [{"Body": body, "ContentType": "application/json"} for body in bodies]
    data = {"account_id": ACCOUNT, "region": REGION, "results": results}
    httpx.post(f"{aws_server}/moto-api/static/sagemaker/endpoint-results", json=data, trust_env=False)


def test_predictions_from_arguments_a_file_and_standard_input(script, aws, model, tmp_path):
    assert script("deploy.py", *GIVEN, model).returncode == 0
    answers(aws.url, "[[1.0]]", "[[2.0]]", "[[3.0]]")
    done = script("predict.py", "[0.5, -0.5]")
    assert done.stdout == "[[1.0]]\n", done.stderr
    file = tmp_path / "observations.jsonl"
    file.write_text("[0.5, -0.5]\n-0.5,0.5\n")
    assert script("predict.py", "--file", str(file)).stdout == "[[2.0]]\n"
    assert script("predict.py", input="0.25,0").stdout == "[[3.0]]\n"


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("0.5,-0.5",), "[0.5, -0.5]"),
        (("-0.5,0.5",), "[-0.5, 0.5]"),
        (("-.5,0.5", "--local", "-1,-2"), "[[-0.5, 0.5], [-1.0, -2.0]]"),
        (("[0.5, -0.5]", "[1, 2]"), "[[0.5, -0.5], [1, 2]]"),
        (("[[0.5, -0.5], [1, 2]]", "3,4"), "[[0.5, -0.5], [1, 2], [3.0, 4.0]]"),
    ],
)
def test_the_request_of_a_prediction(script, arguments, body):
    request = requests_of(script("predict.py", "--dry-run", "--actions", *arguments))["InvokeEndpoint"]
    assert request["Body"] == body
    assert request["CustomAttributes"] == "output=actions"


def test_the_request_of_an_episode_asks_for_actions(script):
    request = requests_of(script("predict.py", "--dry-run", "--episode"))["InvokeEndpoint"]
    assert request["CustomAttributes"] == "output=actions"


def test_a_spreadsheets_mark_is_no_observation(script, tmp_path):
    file = tmp_path / "o.csv"
    file.write_bytes(b"\xef\xbb\xbf-0.5,0.5\r\n")
    for given in (("--file", str(file)), ()):
        done = script("predict.py", "--dry-run", *given, input="\ufeff-0.5,0.5\n")
        assert requests_of(done)["InvokeEndpoint"]["Body"] == "[-0.5, 0.5]"


def test_mistakes_of_a_prediction(script, tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for arguments, sentence in (
        (("--file", str(tmp_path / "bytes")), "bytes is no text in UTF-8, expected an observation in each line."),
        (("--episode", "--seed", "-1"), "--seed: '-1' is no whole number of at least 0"),
        (("--episode", "1,2"), "--episode goes with no observations"),
        (("--episode", "--file", "x"), "--episode goes with no observations"),
        (("--episode", "--gif", str(tmp_path)), f"--gif is {tmp_path}, which is a folder, expected a file."),
        (("--episode", "--gif", f"{tmp_path}/bytes/x.gif"), f"--gif is {tmp_path}/bytes/x.gif, expected a file in a"),
        (("--gif", "x.gif", "1,2"), "--gif is of an episode, expected with --episode."),
        (("--seed", "1", "1,2"), "--seed is of an episode, expected with --episode."),
        (("0.5,-0.5",), "There is no endpoint 'rl-mountain-car' in region eu-west-1."),
        (("a,b",), "The observation is 'a,b', expected numbers as in [0.5, -0.5]."),
        (("[0.5",), "The observation is '[0.5', expected numbers"),
        ((), "There is no observation"),
        (("--file", "no/where"), "no/where: No such file or directory."),
    ):
        done = script("predict.py", *arguments)
        assert done.returncode == 2, done.stdout
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_batch_transform(script, aws, model, tmp_path):
    file = tmp_path / "observations.csv"
    file.write_text("0.5,-0.5\n")
    requests = requests_of(script("transform.py", *GIVEN, "--dry-run", model, str(file)))
    job = requests["CreateTransformJob"]
    assert_valid("CreateTransformJob", job)
    name = job["TransformJobName"]
    source = job["TransformInput"]
    assert source["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/{name}/input/observations.csv"
    assert (source["ContentType"], source["SplitType"]) == ("text/csv", "Line")
    assert job["TransformOutput"]["Accept"] == "text/csv"
    assert job["Environment"] == {"SAGEMAKER_RL_OUTPUT": "actions"}
    # the server computes nothing: the answers are put where the job would have put them
    key = "arn:aws:kms:eu-west-1:123456789012:key/0"
    done = script("transform.py", *GIVEN, "--kms-key", key, model, str(file))
    assert "Completed" in done.stdout
    assert (done.returncode, "There is nothing at s3://" in done.stderr) == (2, True)
    (made,) = aws.client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    uploaded = aws.client("s3").get_object(Bucket=BUCKET, Key=f"{made['TransformJobName']}/input/observations.csv")
    assert uploaded["Body"].read() == b"0.5,-0.5\n"
    assert uploaded["SSEKMSKeyId"] == key
    described = aws.client("sagemaker").describe_transform_job(TransformJobName=made["TransformJobName"])
    assert described["TransformOutput"]["KmsKeyId"] == key
    assert names(aws) == ([], [])


def test_mistakes_of_a_transform(script, model, tmp_path):
    file, other = tmp_path / "o.csv", tmp_path / "x.txt"
    file.write_text("0.5,-0.5\n")
    other.touch()
    for arguments, sentence in (
        ((model, str(other)), f"The input is '{other}', expected a name with .csv, .jsonl, .jsonlines."),
        ((model, "x.csv"), "There is no file x.csv."),
        ((model, "s3://no-bucket/x.csv"), "There is no bucket no-bucket"),
        ((model, str(file), "--output", f"{tmp_path}/./o.csv"), "which is the input, expected another file."),
        ((model, str(file), "--output", str(tmp_path)), "which is a folder, expected a file."),
        ((model, str(file), "--output", f"{file}/x"), f"--output is {file}/x, expected a file in a folder that can"),
    ):
        done = script("transform.py", *GIVEN, *arguments)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert file.read_text() == "0.5,-0.5\n"


@pytest.mark.parametrize("name", ["deploy.py", "transform.py"])
def test_an_image_that_is_not_in_ecr(script, aws, model, tmp_path, between, name):
    (tmp_path / "o.csv").write_text("0.5,-0.5\n")
    rest = (str(tmp_path / "o.csv"),) if name == "transform.py" else ()
    repository = IMAGE.rpartition(":")[0]
    for image in (f"{repository}:2", f"{repository}@sha256:{'0' * 64}", repository.replace("serving", "other") + ":1"):
        done = script(name, "--image", image, *GIVEN[2:], model, *rest)
        sentence = f"Error: There is no image {image}: push one with scripts/push_images.py.\n"
        assert (done.returncode, done.stderr) == (2, sentence)
    assert names(aws) == ([], [])
    url, _ = between(refusing("DescribeImages", "AccessDeniedException", "not you"))
    done = script(name, "--image", f"{repository}:2", *GIVEN[2:], model, *rest, AWS_ENDPOINT_URL_ECR=url)
    assert "Creating endpoint" in done.stdout or "Created transform job" in done.stdout
    others = IMAGE.replace(ACCOUNT, "999999999999")
    done = script(name, "--image", others, *GIVEN[2:], model, *rest)
    assert "There is no image" not in done.stderr


def test_an_endpoints_log_is_not_of_one_before_it(script, aws, model):
    put_logs(aws, "AllTraffic/old", "last week's")
    time.sleep(1)
    assert script("deploy.py", *GIVEN, model).returncode == 0
    put_logs(aws, "AllTraffic/i-2", "first")
    put_logs(aws, "AllTraffic/i-1", "second")
    done = script("logs.py", "--endpoint-name", "rl-mountain-car")
    assert done.stdout == "[i-2] first\n[i-1] second\n"


def test_a_transform_makes_the_folder_of_its_output(script, model, tmp_path):
    file, output = tmp_path / "o.csv", tmp_path / "new/folder/answers.csv"
    file.write_text("0.5,-0.5\n")
    assert "Completed" in script("transform.py", *GIVEN, model, str(file), "--output", str(output)).stdout
    assert output.parent.is_dir()
