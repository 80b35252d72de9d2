"""deploy.py against a local AWS server: requests, creation, update, failure, Ctrl-C, mistakes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import ROOT
from launch.aws import scaling
from local_aws import ACCOUNT, assert_valid, refusing, requests_of
from proxy import Holding, operation_of
from serving_resources import BUCKET, GIVEN, IMAGE, RESOURCE, names, put_logs

pytest_plugins = ("proxy", "serving_resources")
pytestmark = pytest.mark.usefixtures("pushed")


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


@pytest.mark.parametrize(
    ("instance_type", "vcpus"),
    [("ml.t2.medium", 1), ("ml.c5.large", 2), ("ml.c5.xlarge", 4), ("ml.m5.4xlarge", 16), ("ml.c5.18xlarge", 72)],
)
def test_an_endpoint_scales_by_what_its_instances_can_do(instance_type, vcpus):
    assert scaling.default_invocations(instance_type) == 120_000 * vcpus
    measured = json.loads((ROOT / "benchmarks/results-serving.json").read_text())
    (busy,) = (each for each in measured["systems"]["ours"]["loads"] if (each["rows"], each["connections"]) == (1, 16))
    of_a_worker = busy["requests_per_second"] / measured["workers"]
    assert of_a_worker / 8 < scaling.INVOCATIONS_PER_SECOND_AND_VCPU < of_a_worker / 4


def test_the_requests_of_a_serverless_endpoint(script, model):
    options = ("--serverless", "--memory-mb", "3072", "--max-concurrency", "7")
    requests = requests_of(script("deploy.py", *GIVEN, "--dry-run", model, *options))
    assert_valid("CreateEndpointConfig", requests["CreateEndpointConfig"])
    (variant,) = requests["CreateEndpointConfig"]["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 7}
    assert "InstanceType" not in variant


def test_an_endpoint_is_made_updated_and_deleted(script, aws, model):
    done = script("deploy.py", *GIVEN, model, "--autoscale", "1:2")
    assert done.returncode == 0, done.stderr
    assert "It scales at 240,000 invocations per instance and minute, for the 2 vCPU of ml.c5.large" in done.stdout
    sagemaker, autoscaling = aws.client("sagemaker"), aws.client("application-autoscaling")
    first = sagemaker.describe_endpoint(EndpointName="rl-mountain-car")["EndpointConfigName"]
    assert names(aws) == ([first], [first])
    assert (
        aws.client("s3").get_object(Bucket=BUCKET, Key=f"{first}/model.tar.gz")["Body"].read()
        == Path(model).read_bytes()
    )
    (target,) = autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
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
    assert autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    again = script("delete.py", "--yes")
    assert (again.returncode, again.stdout) == (0, "There is nothing left of rl-mountain-car in region eu-west-1\n")


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
        (("job-1",), "There is no training or tuning job 'job-1' in region eu-west-1."),
        (("MODEL", "--instance-type", "ml.x"), "--instance-type is 'ml.x', which SageMaker does not have"),
        (("MODEL", "--autoscale", "4:1"), "--autoscale is '4:1', expected MIN:MAX as in 1:4."),
        (("MODEL", "--serverless", "--instance-type", "ml.c5.large"), "--serverless does not go with --instance-type."),
        (("MODEL", "--serverless", "--autoscale", "1:2"), "--serverless does not go with --autoscale."),
        (("MODEL", "--serverless", "--data-capture", "5"), "--serverless does not go with --data-capture."),
        (("MODEL", "--serverless", "--network-isolation"), "--serverless does not go with --network-isolation."),
        (
            ("MODEL", "--serverless", "--subnets", "a", "--security-groups", "b"),
            "--serverless does not go with --subnets.",
        ),
        (("MODEL", "--data-capture", "101"), "--data-capture: '101' is no whole number from 1 to 100"),
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
