"""The rest of the training request, --request of every script that has it, and dry runs without credentials."""

import json

import pytest
from launch import project
from launch.sagemaker import request_files
from local_aws import ACCOUNT, REGION, assert_valid, requests_of
from local_machine import NO_AWS

pytest_plugins = ("timeline",)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-training:1"
GIVEN = ("--image", "my-image:1", "--role", ROLE)
NAMED = ("--image", IMAGE, "--role", ROLE, "--bucket", "b-1", "--region", REGION)
MLFLOW = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-tracking-server/mine"
MADE = ("CreateTrainingJob", "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "CreateTransformJob")


def channel(name: str, uri: str, **more: str) -> dict:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


@pytest.fixture
def bucket(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="b-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("model.tar.gz", "o.csv", "data/a.csv"):
        s3.put_object(Bucket="b-1", Key=key, Body=b"x")
    return s3


@pytest.fixture
def request_file(tmp_path):
    """Write a file for ``--request``; return the flag with it."""

    def write(content) -> tuple[str, str]:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "request.json").write_text(text)
        return "--request", str(tmp_path / "request.json")

    return write


def test_each_flag_sets_its_field_in_what_is_sent(script, timeline, bucket):
    flags = {
        ("--keep-alive", "600"): {"ResourceConfig": {"KeepAlivePeriodInSeconds": 600}},
        ("--retries", "3"): {"RetryStrategy": {"MaximumRetryAttempts": 3}},
        ("--max-pending", "7200"): {"StoppingCondition": {"MaxPendingTimeInSeconds": 7200}},
        ("--profiler", "off"): {"ProfilerConfig": {"DisableProfiler": True}},
        ("--experiment", "e", "--run", "r"): {"ExperimentConfig": {"ExperimentName": "e", "RunName": "r"}},
        ("--tensorboard",): {
            "TensorBoardOutputConfig": {"LocalPath": "/opt/ml/output/tensorboard", "S3OutputPath": "s3://b-1"},
            "Environment": {"SAGEMAKER_RL_TENSORBOARD": "1"},
        },
    }
    plain = requests_of(script("train.py", *NAMED, "--job-name", "mine", "--dry-run"))["CreateTrainingJob"]
    expected = plain
    for fields in flags.values():
        expected = request_files.merge(expected, fields)
    expected["InputDataConfig"] = [
        channel("a", "s3://b-1/data"),
        channel("b.1", "s3://b-1/da,ta/x,y", ContentType="text/csv", InputMode="FastFile"),
        channel("c", "s3://b-1/o.csv", InputMode="Pipe"),
    ]
    bucket.put_object(Bucket="b-1", Key="da,ta/x,y1", Body=b"x")  # a prefix, as SageMaker has it
    inputs = ("a=s3://b-1/data", "b.1=s3://b-1/da,ta/x,y,text/csv,FastFile", "c=s3://b-1/o.csv,Pipe")
    given = (*(text for flag in flags for text in flag), *(text for each in inputs for text in ("--input", each)))
    ours = ("--image", "my-image:1", "--role", ROLE, "--bucket", "b-1")
    done = script("train.py", *ours, "--job-name", "mine", *given)
    assert done.returncode == 0, done.stderr
    (sent,) = timeline.of("CreateTrainingJob")
    (experiment,) = timeline.of("CreateExperiment")  # SageMaker refuses a job of one that is not there
    assert experiment == {"ExperimentName": "e", "Tags": [project.TAG]}
    assert timeline.operations.index("CreateExperiment") < timeline.operations.index("CreateTrainingJob")
    assert script("train.py", *ours, "--job-name", "next", "--experiment", "e").returncode == 0
    assert timeline.operations.count("CreateExperiment") == 1  # it is there now
    expected["AlgorithmSpecification"]["TrainingImage"] = "my-image:1"
    assert sent == expected
    assert_valid("CreateTrainingJob", sent)
    mlflow = ("--mlflow", MLFLOW, "--experiment", "e", "--run", "r", "--dry-run")
    request = requests_of(script("train.py", *ours, *mlflow))["CreateTrainingJob"]
    names = {"MlflowResourceArn": MLFLOW, "MlflowExperimentName": "e", "MlflowRunName": "r"}
    assert (request["MlflowConfig"], "ExperimentConfig" in request) == (names, False)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--keep-alive", "60", "--spot"), "--keep-alive is 60, expected without --spot: Spot has no warm pools."),
        (("--run", "r"), "--run is 'r', a run of an experiment, expected with --experiment."),
        (("--mlflow", "x"), "--mlflow: 'x' is no arn:aws:sagemaker:REGION:ACCOUNT:mlflow-…/NAME; see --help."),
        (("--input", "x"), "--input is 'x', expected NAME=S3URI[,CONTENT-TYPE][,FastFile|Pipe|File]."),
        (("--input", "x=,Pipe"), "--input is 'x=,Pipe', expected NAME=S3URI[,CONTENT-TYPE][,FastFile|Pipe|File]."),
        (
            ("--input", "x=/tmp"),
            "--input is 'x=/tmp', expected x=s3://bucket/prefix: SageMaker reads from S3.",
        ),
        (
            ("--input", "code=s3://b-1/data"),
            "--input is 'code=s3://b-1/data', but there is a channel code already, expected another name.",
        ),
        (("--input", "x=s3://b-1/nothing"), "--input x: there is nothing at s3://b-1/nothing."),
        (
            ("--input", "x=s3://no-bucket/a"),
            "There is no bucket no-bucket, which InputDataConfig.DataSource.S3DataSource.S3Uri names.",
        ),
    ],
)
def test_a_mistake_in_a_flag_is_one_sentence_and_makes_nothing(script, timeline, bucket, flags, sentence):
    done = script("train.py", *GIVEN, *flags)
    assert (done.returncode, done.stderr) == (2, f"Error: {sentence}\n")
    assert not set(MADE) & set(timeline.operations)
    assert [each["Name"] for each in bucket.list_buckets()["Buckets"]] == ["b-1"]


def test_a_file_is_merged_over_a_training_request(script, timeline, bucket, request_file):
    change = {
        "RemoteDebugConfig": {"EnableRemoteDebug": True},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "HyperParameters": {"seed": None},
        "AlgorithmSpecification": {"MetricDefinitions": [{"Name": "n", "Regex": "r"}]},
    }
    flags = (*GIVEN, "--job-name", "mine", "-p", "seed=1", "-p", "x=2", *request_file(change))
    dry = requests_of(script("train.py", *flags, "--dry-run"))["CreateTrainingJob"]
    assert script("train.py", *flags).returncode == 0
    (sent,) = timeline.of("CreateTrainingJob")
    assert sent == dry
    assert sent["RemoteDebugConfig"] == {"EnableRemoteDebug": True}
    assert sent["StoppingCondition"] == {"MaxRuntimeInSeconds": 60}
    assert ("seed" in sent["HyperParameters"], sent["HyperParameters"]["x"]) == (False, "2")
    assert sent["AlgorithmSpecification"]["MetricDefinitions"] == [{"Name": "n", "Regex": "r"}]
    assert sent["AlgorithmSpecification"]["TrainingImage"] == "my-image:1"
    # What a dry run has printed can be given back.
    again = script("train.py", *GIVEN, "--job-name", "mine", "--dry-run", *request_file(dry))
    assert requests_of(again)["CreateTrainingJob"] == dry


def test_a_file_has_a_part_for_each_of_several_requests(script, timeline, bucket, request_file):
    change = {
        "CreateModel": {"PrimaryContainer": {"Environment": {"A": "b"}}},
        "CreateEndpointConfig": {"ProductionVariants": None},
    }
    deploy = ("deploy.py", *GIVEN, "--bucket", "b-1", "s3://b-1/model.tar.gz")
    done = script(*deploy, *request_file(change))
    assert done.returncode == 2
    assert 'Missing required parameter in input: "ProductionVariants"' in done.stderr  # of what results
    assert not set(MADE) & set(timeline.operations)
    variant = {"VariantName": "AllTraffic", "ModelName": "m", "ContainerStartupHealthCheckTimeoutInSeconds": 900}
    change = {"CreateModel": change["CreateModel"], "CreateEndpointConfig": {"ProductionVariants": [variant]}}
    requests = requests_of(script(*deploy, *request_file(change), "--dry-run"))
    assert requests["CreateEndpointConfig"]["ProductionVariants"] == [variant]
    assert requests["CreateModel"]["PrimaryContainer"]["Environment"] == {"A": "b"}

    change = {"CreateTransformJob": {"ModelClientConfig": {"InvocationsMaxRetries": 3}}}
    flags = ("--bucket", "b-1", "s3://b-1/model.tar.gz", "s3://b-1/o.csv", *request_file(change))
    assert script("transform.py", *GIVEN, *flags).returncode == 0
    (sent,) = timeline.of("CreateTransformJob")
    assert sent["ModelClientConfig"] == {"InvocationsMaxRetries": 3}


@pytest.mark.parametrize(
    ("script_name", "content", "sentence"),
    [
        ("train.py", "{", "which cannot be read as JSON: "),
        ("train.py", "[1]", "expected a JSON object."),
        (
            "train.py",
            {"TrainingJobName": "x"},
            "which sets TrainingJobName of CreateTrainingJob, expected a flag",
        ),
        (
            "train.py",
            {"Stopping": {}},
            'CreateTrainingJob is not valid: Unknown parameter in input: "Stopping"',
        ),
        ("train.py", {"RetryStrategy": {"MaximumRetryAttempts": "3"}}, "Invalid type for parameter RetryStrategy."),
        (
            "evaluate.py",
            {"Stopping": {}},
            'CreateTrainingJob is not valid: Unknown parameter in input: "Stopping"',
        ),
        (
            "deploy.py",
            {"CreateJob": {}},
            "which has CreateJob: {}, expected an object for CreateModel, ",
        ),
        ("deploy.py", {"CreateModel": 1}, "which has CreateModel: 1, expected an object for CreateModel, "),
        ("deploy.py", {"UpdateEndpoint": {}}, "which changes UpdateEndpoint, but this asks for CreateModel, "),
        (
            "transform.py",
            {"CreateModel": {"Model": 1}},
            'CreateModel is not valid: Unknown parameter in input: "Model"',
        ),
    ],
)
def test_a_file_that_does_not_fit_makes_nothing(
    script, timeline, bucket, request_file, tmp_path, script_name, content, sentence
):
    for name in (".coach_checkpoint", "o.csv"):
        (tmp_path / name).write_text("1,2\n")
    arguments = {
        "train.py": (),
        "evaluate.py": (str(tmp_path),),
        "deploy.py": ("s3://b-1/model.tar.gz",),
        "transform.py": ("s3://b-1/model.tar.gz", str(tmp_path / "o.csv")),
    }
    done = script(script_name, *GIVEN, *arguments[script_name], *request_file(content))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("Error: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not set(MADE) & set(timeline.operations)
    assert [each["Name"] for each in bucket.list_buckets()["Buckets"]] == ["b-1"]  # nothing was uploaded


def test_a_source_needs_its_channel(script, timeline, bucket, request_file, tmp_path):
    (tmp_path / "run.py").touch()
    source = ("--source-dir", str(tmp_path), "--entry-point", "run.py")
    done = script("train.py", *GIVEN, *source, *request_file({"InputDataConfig": [channel("a", "s3://b-1/data")]}))
    sentence = "--request leaves out the channel code, expected it in InputDataConfig: --source-dir."
    assert (done.returncode, done.stderr) == (2, f"Error: {sentence}\n")
    assert [each["Name"] for each in bucket.list_buckets()["Buckets"]] == ["b-1"]


def test_a_dry_run_needs_no_credentials_where_all_is_named(script, tmp_path):
    """No server either: nobody is asked."""
    offline = {**NO_AWS, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    (tmp_path / ".coach_checkpoint").touch()
    (tmp_path / "o.csv").write_text("1,2\n")
    for name, arguments in (
        ("train.py", ("--tensorboard", "--input", "a=s3://x/y")),
        ("evaluate.py", ("s3://b-1/checkpoint",)),
        ("evaluate.py", (str(tmp_path),)),
        ("deploy.py", ("s3://b-1/model.tar.gz", "--autoscale", "1:2")),
        ("transform.py", ("s3://b-1/model.tar.gz", "s3://b-1/o.csv")),
        ("transform.py", ("s3://b-1/model.tar.gz", str(tmp_path / "o.csv"))),
    ):
        requests = requests_of(script(name, *NAMED, *arguments, "--dry-run", **offline))
        for operation, request in requests.items():
            if operation in MADE:
                assert_valid(operation, request)
    printed = json.loads(script("train.py", *NAMED, "--dry-run", **offline).stdout)
    assert printed["RoleArn"] == ROLE  # the request alone: what `aws ... --cli-input-json` takes
    done = script("train.py", *NAMED[:-4], "--region", REGION, "--dry-run", **offline)
    assert (done.returncode, done.stderr.startswith("Error: There are no AWS credentials: ")) == (2, True)


def test_local_mode_takes_files_of_this_machine_and_refuses_a_pipe(script, tmp_path):
    (tmp_path / "a.csv").write_text("1\n")
    local = ("--local", "--job-name", "mine", "--input", f"data={tmp_path}/a.csv,text/csv")
    printed = json.loads(script("train.py", *local, "--dry-run", **NO_AWS).stdout)
    assert printed["InputDataConfig"] == [channel("data", f"file://{tmp_path}/a.csv", ContentType="text/csv")]
    for mode in ("Pipe", "FastFile"):
        done = script("train.py", *local[:-1], f"data={tmp_path},{mode}", **NO_AWS)
        assert done.returncode == 2
        assert f"InputDataConfig.InputMode is '{mode}', expected 'File'" in done.stderr.splitlines()[-1]
