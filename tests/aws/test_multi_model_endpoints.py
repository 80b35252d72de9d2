"""Multi-model endpoints against a local AWS server; those of this machine are in test_local_endpoints.py."""

from pathlib import Path

import pytest
from local_aws import assert_valid, requests_of
from serving_resources import BUCKET, GIVEN, IMAGE, names

pytest_plugins = ("serving_resources",)
pytestmark = pytest.mark.usefixtures("pushed")

NAME = "rl-mountain-car"


def test_models_are_added_to_an_endpoint_and_removed(script, aws, model):
    deploy, add = ("deploy.py", *GIVEN, "--multi-model"), ("deploy.py", "--multi-model")
    requests = requests_of(script(*deploy, model, "--target-model", "car", "--dry-run"))
    assert list(requests) == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    assert_valid("CreateModel", requests["CreateModel"])
    assert aws.client("s3").list_buckets()["Buckets"] == []

    done = script(*deploy, model, "--target-model", "car.tar.gz", "--data-capture", "5")
    assert done.returncode == 0, done.stderr
    assert f"predict.py --endpoint-name {NAME} --target-model car.tar.gz" in done.stdout
    (name,), _ = names(aws)
    folder = f"{name}/models/"
    container = aws.client("sagemaker").describe_model(ModelName=name)["PrimaryContainer"]
    assert container == {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": f"s3://{BUCKET}/{folder}"}

    dry = script(*add, model, "--target-model", "second", "--dry-run")
    assert requests_of(dry) == {"PutObject": {"Bucket": BUCKET, "Key": f"{folder}second.tar.gz"}}
    done = script(*add, model, "--target-model", "second")
    assert done.stdout.startswith("Endpoint rl-mountain-car has second.tar.gz\n"), done.stderr
    assert names(aws)[0] == [name]
    s3 = aws.client("s3")
    assert s3.get_object(Bucket=BUCKET, Key=f"{folder}second.tar.gz")["Body"].read() == Path(model).read_bytes()
    listed = script("list.py", "--endpoint-name", "rl-mountain-car").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["car.tar.gz", "second.tar.gz"]

    request = requests_of(script("predict.py", "--target-model", "second", "--dry-run", "0.5,-0.5"))["InvokeEndpoint"]
    assert request["TargetModel"] == "second.tar.gz"

    for command, sentence in (
        ((*add, model, "--target-model", "car"), "has a model car.tar.gz already"),
        ((*add, model, "--target-model", "new", "--instance-type", "ml.m5.large"), "--instance-type changes endp"),
        ((*add, model, "--target-model", "new", "--env", "A=1"), "--env changes endpoint rl-mountain-car"),
        ((*add, model, "--target-model", "new", "--max-payload", "0"), "--max-payload changes endpoint"),
        (("deploy.py", *GIVEN, model), "is a multi-model endpoint and cannot become one of a single model"),
        (("delete.py", "--target-model", "no", "--yes"), "has no model no.tar.gz, it has car.tar.gz, second.tar.gz."),
    ):
        done = script(*command)
        assert done.returncode == 2, (command, done.stdout)
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert len(s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == 2

    done = script(*deploy, "--instance-type", "ml.m5.large")  # an update, which keeps the models
    assert done.returncode == 0, done.stderr
    (second,), _ = names(aws)
    assert second != name
    container = aws.client("sagemaker").describe_model(ModelName=second)["PrimaryContainer"]
    assert container["ModelDataUrl"] == f"s3://{BUCKET}/{folder}"

    removal = ("delete.py", "--target-model", "car")
    assert requests_of(script(*removal, "--dry-run")) == {
        "DeleteObject": {"Bucket": BUCKET, "Key": f"{folder}car.tar.gz"}
    }
    assert script(*removal, input="n\n").stdout.endswith("Nothing was deleted.\n")
    assert "Deleted car.tar.gz" in script(*removal, "--yes").stdout
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == [f"{folder}second.tar.gz"]
    assert script("delete.py", "--yes").returncode == 0
    assert names(aws) == ([], [])


def test_mistakes_about_several_models(script, aws, model):
    assert script("deploy.py", *GIVEN, model, "--endpoint-name", "single").returncode == 0
    before = names(aws)
    for command, sentence in (
        (("deploy.py", *GIVEN, "--multi-model"), "There is no endpoint 'rl-mountain-car' in region eu-west-1, exp"),
        (("deploy.py", *GIVEN, model, "--multi-model"), "--target-model is missing, expected the name that"),
        (("deploy.py", *GIVEN, model, "--target-model", "x"), "--target-model is of a multi-model endpoint"),
        (("deploy.py", *GIVEN, "--multi-model", "--target-model", "x"), "--target-model names a model, which is miss"),
        (("deploy.py", *GIVEN, model, "--multi-model", "--target-model", "a/b"), "'a/b' is no name of 1 to 63"),
        (("deploy.py", *GIVEN, "nobody", "--multi-model"), "There is no training or tuning job 'nobody'"),
        (("deploy.py", *GIVEN, "nobody", "--multi-model", "--serverless"), "--multi-model does not go with --serverl"),
        (("deploy.py", *GIVEN, "nobody", "--multi-model", "--async"), "--multi-model does not go with --async."),
        (
            ("deploy.py", *GIVEN, model, "--multi-model", "--target-model", "x", "--endpoint-name", "single"),
            "Endpoint single serves a single model, expected one of deploy.py --multi-model.",
        ),
        (("list.py", "--endpoint-name", "single"), "Endpoint single serves a single model"),
        (("list.py", "--endpoint-name", "none"), "There is no endpoint 'none' in region eu-west-1."),
        (("delete.py", "--target-model", "x", "--yes"), "There is no endpoint 'rl-mountain-car' in region eu-west-1."),
        (("predict.py", "--async", "--target-model", "x", "1,2"), "--async does not go with --target-model."),
    ):
        done = script(*command)
        assert done.returncode == 2, (command, done.stdout)
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert names(aws) == before
