"""The requests that the flags make, field by field, without AWS: jobs, transforms, endpoints, models."""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from launch.cli import options
from launch.cli.errors import UsageError
from launch.local.clients import LocalClients
from launch.project import TAG
from launch.sagemaker import endpoint_requests, evaluations, fields, inputs, models, training_requests, transforms

ROLE = "arn:aws:iam::123456789012:role/mine"
CLIENTS = SimpleNamespace(default_role=None, default_home="s3://sagemaker-eu-west-1-123456789012")


def training_flags(*texts: str) -> argparse.Namespace:
    parser = options.parser("x")
    options.add_training_job(parser)
    return parser.parse_args(["--role", ROLE, "--image", "mine:1", *texts])


def training(*texts: str, clients: Any = CLIENTS, **extra: Any) -> dict[str, Any]:
    flags = training_flags(*texts)
    vars(flags).update(extra)
    return training_requests.request(flags, clients, "brief", {}, {})


def test_a_training_job_of_no_flags():
    request = training()
    metrics = request["AlgorithmSpecification"].pop("MetricDefinitions")
    assert [each["Name"] for each in metrics] == list(training_requests.METRICS)
    assert request == {
        "TrainingJobName": "brief",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "mine:1", "TrainingInputMode": "File"},
        "HyperParameters": {"sagemaker_s3_output": CLIENTS.default_home},
        "OutputDataConfig": {"S3OutputPath": CLIENTS.default_home},
        "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "Tags": [TAG],
    }


def test_a_training_job_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    request = training("--local", clients=LocalClients("eu-west-1"))
    assert request["OutputDataConfig"] == {"S3OutputPath": f"file://{tmp_path}/.local/output"}
    assert request["ResourceConfig"]["InstanceType"] == "local"
    assert "HyperParameters" not in request  # nothing is uploaded
    assert "CheckpointConfig" not in request
    checkpoint = tmp_path / "c"
    for text in (str(checkpoint), f"file://{checkpoint}"):
        request = training("--local", clients=LocalClients("eu-west-1"), checkpoint_uri=text)
        assert request["CheckpointConfig"] == {"S3Uri": f"file://{checkpoint}"}
    with pytest.raises(UsageError, match=r"^--checkpoint-uri is 'c', expected s3://bucket/prefix\.$"):
        training(checkpoint_uri="c")


@pytest.mark.parametrize(
    ("extra", "stopping", "checkpoints"),
    [
        ({"spot": True}, {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}, "s3://b/p/brief/checkpoints"),
        (
            {"spot": True, "max_wait": 60},
            {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
            "s3://b/p/brief/checkpoints",
        ),
        (
            {"spot": True, "max_wait": 61},
            {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 61},
            "s3://b/p/brief/checkpoints",
        ),
        (
            {"spot": True, "checkpoint_uri": "s3://c/x"},
            {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
            "s3://c/x",
        ),
        ({"checkpoint_uri": "s3://c/x"}, {"MaxRuntimeInSeconds": 60}, "s3://c/x"),
        ({}, {"MaxRuntimeInSeconds": 60}, None),
    ],
)
def test_a_spot_job_has_a_time_to_wait_and_checkpoints(extra, stopping, checkpoints):
    request = training("--max-runtime", "60", "--bucket", "b", "--prefix", "p", **extra)
    assert request["StoppingCondition"] == stopping
    assert request.get("CheckpointConfig") == ({"S3Uri": checkpoints} if checkpoints else None)
    assert request.get("EnableManagedSpotTraining") == extra.get("spot")


@pytest.mark.parametrize("extra", [{"max_wait": 60}, {"spot": True, "max_wait": 59}])
def test_a_time_to_wait_that_makes_no_sense(extra):
    with pytest.raises(
        UsageError, match=r"^--max-wait is \d+, expected with --spot, and no less than --max-runtime 60\.$"
    ):
        training("--max-runtime", "60", **extra)


def test_ones_own_source(tmp_path):
    (tmp_path / "run.py").touch()
    source = ("--source-dir", str(tmp_path), "--bucket", "b")
    request = training(*source, "--entry-point", "run.py")
    assert request["HyperParameters"] == {
        "sagemaker_program": "run.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/code/sourcedir.tar.gz",
        "sagemaker_s3_output": "s3://b",
    }
    (channel,) = request["InputDataConfig"]
    assert channel == inputs.channel("code", "s3://b/brief/source")
    assert training("--entry-point", "own.py")["HyperParameters"]["sagemaker_program"] == "own.py"
    flags = training_flags(*source)
    programs = training_requests.request(flags, CLIENTS, "brief", {"sagemaker_program": "x.py"}, {})["HyperParameters"]
    assert programs["sagemaker_program"] == "x.py"
    assert "sagemaker_submit_directory" in programs
    for texts, sentence in (
        (source, "--source-dir needs --entry-point"),
        ((*source, "--entry-point", "no.py"), f"--entry-point is 'no.py', which is not in {tmp_path}."),
        (("--source-dir", f"{tmp_path}/run.py"), f"--source-dir is {tmp_path}/run.py, expected a folder."),
    ):
        with pytest.raises(UsageError) as caught:
            training(*texts)
        assert str(caught.value).startswith(sentence)


def test_what_the_script_sets_wins_over_the_users_and_the_source_over_both():
    flags = training_flags("-p", "a=1", "-p", "sagemaker_program=theirs.py", "--entry-point", "mine.py")
    given = training_requests.request(flags, CLIENTS, "brief", {"a": "2", "sagemaker_program": "its.py"}, {})
    assert given["HyperParameters"]["a"] == "2"
    assert given["HyperParameters"]["sagemaker_program"] == "mine.py"
    given = training_flags("--job-name", "mine")
    assert training_requests.job_name(given, "-evaluation") == "mine"
    assert training_requests.job_name(training_flags(), "-evaluation").startswith("rl-mountain-car-evaluation-20")


def test_fields_that_nobody_asked_for_are_left_out():
    assert fields.without_empty(
        {"a": None, "b": [], "c": {"d": None, "e": {}}, "f": 0, "g": "", "h": [{"i": None}]}
    ) == {
        "f": 0,
        "g": "",
        "h": [{"i": None}],
    }


# --- Endpoints -------------------------------------------------------------------------------------------------------
def deploy_flags(*texts: str) -> argparse.Namespace:
    import deploy

    return deploy._parser().parse_args(["--role", ROLE, "--image", "mine:1", "job-1", *texts])


def test_the_configuration_of_an_endpoint():
    config = endpoint_requests.config_request(deploy_flags("--tag", "a=b"), CLIENTS, "new")
    variant = {"VariantName": "AllTraffic", "ModelName": "new"}
    instances = {"InstanceType": "ml.c5.large", "InitialInstanceCount": 1, "InitialVariantWeight": 1.0}
    assert config == {
        "EndpointConfigName": "new",
        "ProductionVariants": [variant | instances],
        "Tags": [TAG, {"Key": "a", "Value": "b"}],
    }
    serverless = endpoint_requests.config_request(deploy_flags("--serverless"), CLIENTS, "new")
    memory = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
    assert serverless["ProductionVariants"] == [variant | memory]
    captured = endpoint_requests.config_request(
        deploy_flags("--data-capture", "7", "--bucket", "b", "--endpoint-name", "cars"), CLIENTS, "new"
    )
    assert captured["DataCaptureConfig"] == {
        "EnableCapture": True,
        "InitialSamplingPercentage": 7,
        "DestinationS3Uri": "s3://b/cars/data-capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]},
    }


@pytest.mark.parametrize(("is_update", "keeps"), [(False, False), (False, True), (True, False), (True, True)])
def test_the_request_for_an_endpoint(is_update, keeps):
    flags = deploy_flags("--tag", "a=b", "--endpoint-name", "cars")
    operation, request = endpoint_requests.endpoint_request(flags, "new", is_update, keeps)
    expected: dict[str, Any] = {"EndpointName": "cars", "EndpointConfigName": "new"}
    if not is_update:
        expected["Tags"] = [TAG, {"Key": "a", "Value": "b"}]
    elif keeps:
        expected["RetainAllVariantProperties"] = True
        expected["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": "DataCaptureConfig"}]
    assert (operation, request) == ("UpdateEndpoint" if is_update else "CreateEndpoint", expected)
    bare = endpoint_requests.endpoint_request(deploy_flags(), "new", False, keeps)[1]
    assert bare == {"EndpointName": "rl-mountain-car", "EndpointConfigName": "new", "Tags": [TAG]}
    local = endpoint_requests.endpoint_request(deploy_flags("--local"), "new", False, keeps)[1]
    assert local == {"EndpointName": "rl-mountain-car", "EndpointConfigName": "new"}


def test_the_request_for_a_model():
    request = models.request(deploy_flags("--network-isolation"), CLIENTS, "new", "s3://b/m.tar.gz", {"A": "1"})
    assert request == {
        "ModelName": "new",
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": "mine:1", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"A": "1"}},
        "EnableNetworkIsolation": True,
        "Tags": [TAG],
    }
    assert "EnableNetworkIsolation" not in models.request(deploy_flags(), CLIENTS, "new", "x", {})


# --- Transforms ------------------------------------------------------------------------------------------------------
def test_the_request_of_a_transform_job():
    import transform

    flags = transform._parser().parse_args(
        ["--bucket", "b", "--heads", "--instance-count", "3", "job-1", "s3://b/o.csv"]
    )
    request = transforms.request(flags, CLIENTS, "new", "s3://b/o.csv", "text/csv")
    assert request == {
        "TransformJobName": "new",
        "ModelName": "new",
        "BatchStrategy": "MultiRecord",
        "Environment": {"SAGEMAKER_RL_OUTPUT": "heads"},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/o.csv"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": "s3://b/new/output", "Accept": "text/csv", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 3},
        "Tags": [TAG],
    }
    flags = transform._parser().parse_args(
        [
            *(
                "job-1",
                "s3://b/o.csv",
                "--bucket",
                "b",
                "--max-concurrent",
                "4",
                "--max-payload",
                "25",
                "--split",
                "Line",
            ),
            *("--strategy", "SingleRecord", "--input-filter", "$[1:]", "--join", "--output-filter", "$[0,-1]"),
            *("--volume-kms-key", "k", "--env", "A=1", "--env", "SAGEMAKER_RL_OUTPUT=heads", "--tag", "a=b"),
        ]
    )
    transforms.check_flags(flags)
    full = transforms.request(flags, CLIENTS, "new", "s3://b/o.csv", "text/csv")
    assert (full["MaxConcurrentTransforms"], full["MaxPayloadInMB"], full["BatchStrategy"]) == (4, 25, "SingleRecord")
    assert full["DataProcessing"] == {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    assert full["TransformResources"]["VolumeKmsKeyId"] == "k"
    assert full["Environment"] == {"A": "1", "SAGEMAKER_RL_OUTPUT": "heads"}
    assert full["Tags"] == [TAG, {"Key": "a", "Value": "b"}]
    whole = transform._parser().parse_args(["job-1", "s3://b/o.csv", "--bucket", "b", "--split", "None"])
    transforms.check_flags(whole)
    request = transforms.request(whole, CLIENTS, "new", "s3://b/o.csv", "text/csv")
    assert request["BatchStrategy"] == "SingleRecord"
    assert (request["TransformInput"]["SplitType"], request["TransformOutput"]["AssembleWith"]) == ("None", "None")
    assert transforms.choose_media_type("x.txt", "text/csv") == "text/csv"
    for name, media_type in (("a.csv", "text/csv"), ("b.jsonl", "application/jsonlines")):
        assert transforms.choose_media_type(f"s3://b/{name}", None) == media_type
        assert transforms.choose_media_type(name, "application/json") == "application/json"


# --- Evaluations -----------------------------------------------------------------------------------------------------
def evaluation_flags(*texts: str) -> argparse.Namespace:
    parser = options.parser("x")
    options.add_training_job(parser)
    return parser.parse_args(texts)


def test_what_an_evaluation_takes_over():
    job = {
        "TrainingJobName": "trained",
        "HyperParameters": {"RLCOACH_PRESET": json.dumps("preset-b"), "sagemaker_program": "train.py", "seed": "4"},
        "AlgorithmSpecification": {"TrainingImage": "theirs:1"},
        "Environment": {"A": "job", "B": "job"},
        "InputDataConfig": [{"ChannelName": "prices", "x": 1}],
    }
    flags = evaluation_flags("--env", "B=mine")
    hyperparameters, channels = evaluations.take_over(flags, CLIENTS, job, "preset-a")
    assert hyperparameters == {"sagemaker_program": "evaluate-coach.py", "RLCOACH_PRESET": "preset-a"}
    assert channels == {"prices": {"ChannelName": "prices", "x": 1}}
    assert (flags.image, flags.environment) == ("theirs:1", ["A=job", "B=job", "B=mine"])
    hyperparameters, _ = evaluations.take_over(evaluation_flags(), CLIENTS, job, None)
    assert hyperparameters["RLCOACH_PRESET"] == "preset-b"
    flags = evaluation_flags("--image", "mine:1", "-p", "RLCOACH_PRESET=preset-c", "--entry-point", "judge.py")
    hyperparameters, _ = evaluations.take_over(flags, CLIENTS, job, "preset-a")
    assert hyperparameters == {"sagemaker_program": "judge.py"}
    assert flags.image == "mine:1"
    assert evaluations.take_over(evaluation_flags(), CLIENTS, {}, None) == (
        {"sagemaker_program": "evaluate-coach.py"},
        {},
    )


@pytest.mark.parametrize(
    ("trained_by", "files", "expected"),
    [
        ("train.py", set(), "evaluate-coach.py"),
        ("src/train.py", set(), "src/evaluate-coach.py"),
        ("src/train.py", {"evaluate-coach.py"}, "evaluate-coach.py"),
        ("src/train.py", {"src/evaluate-coach.py", "evaluate-coach.py"}, "src/evaluate-coach.py"),
    ],
)
def test_where_the_evaluation_script_is(trained_by, files, expected):
    assert evaluations._script(trained_by, files.__contains__) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("s3://b/x.tar.gz", "s3://b/x.tar.gz"),
        ("/opt/ml/code", None),
        ("/opt/ml/input/data", None),
        ("/opt/ml/input/data/none/x.tar.gz", None),
        ("/opt/ml/input/data/code/deep/x.tar.gz", "file://FOLDER/in/deep/x.tar.gz"),
        ("/opt/ml/input/data/one/x.tar.gz", "file://FOLDER/one.tar.gz"),
    ],
)
def test_where_a_jobs_source_is(tmp_path, source, expected):
    from launch.aws.storage import Storage

    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/x.tar.gz").touch()
    (tmp_path / "one.tar.gz").touch()
    job = {
        "InputDataConfig": [
            {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": f"file://{tmp_path}/{place}"}}}
            for name, place in (("code", "in"), ("one", "one.tar.gz"))
        ]
    }
    address = evaluations._address(Storage(LocalClients("eu-west-1")), job, source)
    assert address == (expected and expected.replace("FOLDER", str(tmp_path)))
