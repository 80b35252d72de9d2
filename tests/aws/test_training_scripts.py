"""train.py and evaluate.py against a local AWS server."""

import io
import json
import tarfile

import pytest
from jobs import ROOT
from launch.project import TAG
from local_aws import ACCOUNT, REGION, assert_valid, log_lines, put_images, requests_of

pytest_plugins = ("proxy",)

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-training:1"
BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
CUSTOM = ROOT / "tests/resources/custom_environment"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/given"
GIVEN = ("--image", IMAGE, "--role", ROLE)


@pytest.fixture(autouse=True)
def pushed(aws):
    put_images(aws)


def test_every_flag_sets_its_field(script, tmp_path):
    file = tmp_path / "hyperparameters.json"
    file.write_text(json.dumps({"discount": 0.995, "save_model": 1, "seed": 3}))
    done = script(
        "train.py",
        *GIVEN,
        *("--dry-run", "--job-name", "my-job", "--bucket", "b-1", "--prefix", "/cars/"),
        *("--instance-type", "ml.m5.2xlarge", "--instance-count", "2", "--volume-gb", "20", "--max-runtime", "600"),
        *("--processes-per-host", "3"),
        *("--hyperparameters", str(file), "-p", "seed=4", "-p", "rl.agent_params.algorithm.beta_entropy=-1"),
        *("--spot", "--max-wait", "1200", "--subnets", "subnet-1", "subnet-2", "--security-groups", "sg-1"),
        *("--kms-key", "key-1", "--volume-kms-key", "key-2", "--encrypt-traffic", "--env", "A=b=c"),
        *("--tag", "team=rl", "--tag", "empty="),
        *("--source-dir", str(CUSTOM), "--entry-point", "train-coach.py"),
    )
    (request,) = requests_of(done).values()
    assert_valid("CreateTrainingJob", request)
    metrics = request["AlgorithmSpecification"].pop("MetricDefinitions")
    assert {"Name": "reward-training", "Regex": r"^Training> .*Total reward=([-\d.]+)"} in metrics
    assert len(request["Environment"].pop("SAGEMAKER_RL_SSH_SECRET")) >= 43
    assert request == {
        "TrainingJobName": "my-job",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": {
            "discount": "0.995",
            "save_model": "1",
            "seed": "4",
            "rl.agent_params.algorithm.beta_entropy": "-1",
            "sagemaker_mpi_enabled": "true",
            "sagemaker_mpi_num_of_processes_per_host": "3",
            "sagemaker_program": "train-coach.py",
            "sagemaker_submit_directory": "/opt/ml/input/data/code/sourcedir.tar.gz",
            "sagemaker_s3_output": "s3://b-1/cars",
        },
        "InputDataConfig": [
            {
                "ChannelName": "code",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": "s3://b-1/cars/my-job/source",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://b-1/cars", "KmsKeyId": "key-1"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.2xlarge",
            "InstanceCount": 2,
            "VolumeSizeInGB": 20,
            "VolumeKmsKeyId": "key-2",
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200},
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
        "EnableInterContainerTrafficEncryption": True,
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": "s3://b-1/cars/my-job/checkpoints"},
        "Environment": {"A": "b=c"},
        "Tags": [TAG, {"Key": "team", "Value": "rl"}, {"Key": "empty", "Value": ""}],
    }


def test_a_dry_run_changes_nothing(script, aws):
    (request,) = requests_of(script("train.py", *GIVEN, "--dry-run", "--network-isolation")).values()
    assert_valid("CreateTrainingJob", request)
    assert request["EnableNetworkIsolation"] is True
    assert "sagemaker_s3_output" not in request.get("HyperParameters", {})  # nothing to upload through
    assert request["OutputDataConfig"] == {"S3OutputPath": f"s3://{BUCKET}"}
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


def test_a_job_with_ones_own_source(script, aws):
    script("create_role.py")
    options = ("--image", IMAGE, "--job-name", "own", "--tag", "a=b")
    done = script("train.py", *options, "--source-dir", str(CUSTOM), "--entry-point", "train-coach.py")
    assert done.returncode == 0, done.stderr
    assert "Created training job own" in done.stdout
    job = aws.client("sagemaker").describe_training_job(TrainingJobName="own")
    assert job["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/rl-mountain-car-{REGION}"
    packed = aws.client("s3").get_object(Bucket=BUCKET, Key="own/source/sourcedir.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {"corridor.py", "preset-corridor.py", "train-coach.py"} <= set(tar.getnames())
    access = aws.client("s3").get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert all(access.values())


def test_an_image_that_is_not_in_ecr(script, aws):
    done = script("train.py", "--image", IMAGE.replace(":1", ":2"), "--role", ROLE)
    assert (done.returncode, "mountain-car-training:2: push one with scripts/push_images.py" in done.stderr) == (
        2,
        True,
    )
    assert aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.parametrize("name", ["train.py", "deploy.py"])
def test_a_role_that_is_new_is_waited_for(script, aws, monkeypatch, tmp_path, name):
    from moto.sagemaker import exceptions, models

    operation = "create_training_job" if name == "train.py" else "create_model"
    original = getattr(models.SageMakerModelBackend, operation)
    refused = []

    def not_yet(backend, *arguments, **options):
        if not refused:
            refused.append(1)
            raise exceptions.ValidationError(
                message=f"Could not assume role {ROLE}. Please ensure that the role exists"
            )
        return original(backend, *arguments, **options)

    monkeypatch.setattr(models.SageMakerModelBackend, operation, not_yet)
    aws.client("s3").create_bucket(Bucket="b-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.client("s3").put_object(Bucket="b-1", Key="model.tar.gz", Body=b"x")
    image = IMAGE if name == "train.py" else IMAGE.replace("training", "serving")
    model = () if name == "train.py" else ("s3://b-1/model.tar.gz",)
    done = script(name, "--image", image, "--role", ROLE, *model)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SageMaker cannot take on the role, which may be new: waiting up to 60 s") == 1


def test_only_the_default_bucket_has_to_be_the_accounts_own(script, aws, between):
    owners = {}

    def note(handler, answer):
        owners.setdefault(handler.path.split("/")[1].partition("?")[0], set()).add(
            handler.headers.get("x-amz-expected-bucket-owner")
        )
        handler.answer(answer.status_code, answer.headers, answer.content)

    url, _ = between(note)
    source = ("--source-dir", str(CUSTOM), "--entry-point", "train-coach.py")
    assert script("train.py", *GIVEN, *source).returncode == 0  # makes the bucket
    for given in ((), ("--bucket", "sagemaker-mine")):
        done = script("train.py", *GIVEN, *source, *given, AWS_ENDPOINT_URL_S3=url)
        assert done.returncode == 0, done.stderr
    assert owners == {BUCKET: {ACCOUNT}, "sagemaker-mine": {None}}


def test_a_status_says_what_happens_in_it(script, aws, monkeypatch):
    from moto.sagemaker import models

    original = models.SageMakerModelBackend.describe_training_job
    messages = ["Launching", "Insufficient capacity error, retrying"]

    def goes_on(backend, name):
        described = {**original(backend, name), "TrainingJobStatus": "InProgress"}
        if not messages:
            return original(backend, name)
        now = described["CreationTime"]
        changes = [{"Status": "Starting", "StartTime": now, "StatusMessage": messages.pop(0)}]
        return {**described, "SecondaryStatusTransitions": changes}

    monkeypatch.setattr(models.SageMakerModelBackend, "describe_training_job", goes_on)
    done = script("train.py", *GIVEN, "--job-name", "mine", "--wait")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("Starting")]
    assert lines[:2] == ["Starting: Launching", "Starting: Insufficient capacity error, retrying"]


def test_without_a_network_there_is_nothing_intermediate(script):
    done = script("train.py", *GIVEN, "--wait", "--network-isolation")
    assert done.returncode == 0, done.stderr
    assert "Intermediate: " not in done.stdout
    assert done.stdout.count("Without a network it uploads no intermediate files") == 1


def test_names_are_unique(script):
    names = {
        requests_of(script("train.py", *GIVEN, "--dry-run"))["CreateTrainingJob"]["TrainingJobName"] for _ in range(2)
    }
    assert len(names) == 2
    assert all(name.startswith("rl-mountain-car-2") and len(name) <= 63 for name in names)


def test_waiting_shows_log_metrics_and_where_the_files_are(script, aws):
    log_lines(aws, "mine/algo-1-123", "Training> Episode=1, Total reward=5", "done")
    log_lines_of_others = ("mine-2/algo-1-1", "not mine")
    logs = aws.client("logs")
    logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=log_lines_of_others[0])
    done = script("train.py", *GIVEN, "--job-name", "mine", "--wait")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "Training> Episode=1, Total reward=5" in lines
    assert any(line.startswith("Completed") for line in lines)
    assert f"Model:        s3://{BUCKET}/mine/output/model.tar.gz" in lines
    assert f"Intermediate: s3://{BUCKET}/mine/output/intermediate/" in lines


def test_a_failed_job_ends_with_its_reason_and_log(script, aws, monkeypatch):
    """The server runs in this process: what AWS would decide about a job, the test decides."""
    from moto.sagemaker import models

    original = models.FakeTrainingJob.__init__

    def fails(job, *arguments, **options):
        original(job, *arguments, **options)
        job.training_job_status = job.secondary_status = "Failed"
        job.failure_reason = "AlgorithmError: Hyperparameter seed is 'x', exit code: 1"

    monkeypatch.setattr(models.FakeTrainingJob, "__init__", fails)
    log_lines(aws, "bad/algo-1-1", *(f"line {number}" for number in range(40)))
    done = script("train.py", *GIVEN, "--job-name", "bad", "--wait")
    assert done.returncode == 1
    assert done.stderr == "Failed: AlgorithmError: Hyperparameter seed is 'x', exit code: 1\n"
    shown = [line for line in done.stdout.splitlines() if line.startswith("line ")]
    assert shown == [f"line {number}" for number in range(40)]


def test_an_evaluation_of_a_jobs_checkpoint(script, aws):
    s3 = aws.client("s3")
    assert (
        script("train.py", *GIVEN, "--job-name", "trained", "-p", "RLCOACH_PRESET=preset-mountain-car-dqn").returncode
        == 0
    )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in (".coach_checkpoint", "0_Step-1.ckpt.main_level.agent.main.online"):
            member = tarfile.TarInfo(f"checkpoint/{name}")
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))
    s3.put_object(Bucket=BUCKET, Key="trained/output/output.tar.gz", Body=archive.getvalue())
    done = script("evaluate.py", *GIVEN, "trained", "--episodes", "7", "--job-name", "judged")
    assert done.returncode == 0, done.stderr
    job = aws.client("sagemaker").describe_training_job(TrainingJobName="judged")
    assert job["HyperParameters"]["sagemaker_program"] == "evaluate-coach.py"
    assert job["HyperParameters"]["RLCOACH_PRESET"] == "preset-mountain-car-dqn"
    assert job["HyperParameters"]["evaluate_episodes"] == "7"
    (channel,) = job["InputDataConfig"]
    assert channel["ChannelName"] == "checkpoint"
    uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
    assert uri == f"s3://{BUCKET}/trained/checkpoint/"
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="trained/checkpoint/")["Contents"]]
    assert keys == [
        "trained/checkpoint/.coach_checkpoint",
        "trained/checkpoint/0_Step-1.ckpt.main_level.agent.main.online",
    ]


@pytest.mark.parametrize("status", ["InProgress", "Failed"])
def test_an_evaluation_of_a_job_without_a_checkpoint(script, aws, status):
    from moto.sagemaker.models import sagemaker_backends

    assert script("train.py", *GIVEN, "--job-name", "trained").returncode == 0
    sagemaker_backends[ACCOUNT][REGION].training_jobs["trained"].training_job_status = status
    done = script("evaluate.py", *GIVEN, "trained")
    sentence = f"Error: Training job trained is {status} and has no checkpoint, expected one that has.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_an_evaluation_of_a_local_folder(script, aws, tmp_path):
    (tmp_path / "c").mkdir()
    done = script("evaluate.py", *GIVEN, str(tmp_path / "c"))
    assert done.returncode == 2
    assert "expected a folder with Coach's .coach_checkpoint in it" in done.stderr
    (tmp_path / "c" / ".coach_checkpoint").write_text("x")
    assert script("evaluate.py", *GIVEN, str(tmp_path / "c"), "--job-name", "e").returncode == 0
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="e/checkpoint/.coach_checkpoint")["Body"].read() == b"x"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "There is no training image of region eu-west-1 in "),
        (("--image", "x"), "There is no execution role: make one with scripts/create_role.py, or give --role."),
        ((*GIVEN, "--instance-type", "ml.m5.lage"), "--instance-type is 'ml.m5.lage', which SageMaker does not have"),
        ((*GIVEN, "-p", "seed"), "-p is 'seed', expected NAME=VALUE."),
        ((*GIVEN, "-p", f"x={'y' * 2501}"), "Hyperparameter x is too long"),
        (
            (*GIVEN, "--hyperparameters", "no/where"),
            "--hyperparameters is no/where, which cannot be read: No such file",
        ),
        (("--role", "a b"), "--role is 'a b', expected arn:aws:iam::ACCOUNT:role/NAME, or a role's name."),
        (
            (*GIVEN, "--profile", "nobody"),
            "--profile is 'nobody', but there are no profiles: `aws configure` makes one.",
        ),
        (
            (*GIVEN, "--local", "--instance-type", "ml.c5.xlarge"),
            "--instance-type is 'ml.c5.xlarge', expected local, or",
        ),
        ((*GIVEN, "--nonsense"), "Error: Unrecognized arguments: --nonsense; see --help."),
        ((*GIVEN, "--env", "1=2"), "--env is '1=***', expected NAME=VALUE."),
        ((*GIVEN, "--subnets", "s"), "--subnets and --security-groups belong together"),
        ((*GIVEN, "--max-wait", "5"), "--max-wait is 5, expected with --spot"),
        ((*GIVEN, "--spot", "--max-wait", "5"), "no less than --max-runtime 3600"),
        (
            ("--role", ROLE, "--entry-point", "x.py"),
            "--entry-point is 'x.py', which the image does not have: --source-d",
        ),
        ((*GIVEN, "--bucket", "s3://mine"), "--bucket is 's3://mine', expected a bucket's name, without s3://; --pre"),
        ((*GIVEN, "--source-dir", "."), "--source-dir needs --entry-point"),
        ((*GIVEN, "--source-dir", "nowhere", "--entry-point", "x.py"), "--source-dir is nowhere, expected a folder."),
        ((*GIVEN, "--source-dir", ".", "--entry-point", "x.py"), "--entry-point is 'x.py', which is not in ."),
        ((*GIVEN, "--job-name", "a_b"), "'a_b' is no name of 1 to 63 letters, digits and hyphens"),
        ((*GIVEN, "--tag", "x"), "'x' is no KEY=VALUE"),
        (
            (*GIVEN, "--instance-count", "0"),
            "Error: --instance-count: '0' is no whole number of at least 1; see --help.",
        ),
        ((*GIVEN, "--checkpoint-uri", "http://x"), "The address is 'http://x', expected s3://bucket/prefix"),
    ],
)
def test_a_mistake_is_one_sentence(script, arguments, sentence):
    done = script("train.py", *(arguments if arguments else ("--role", ROLE)))
    assert done.returncode == 2, done.stdout
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"seed": null}', "where seed is null, expected a plain value."),
        ("[1]", "expected an object of names and plain values."),
        ("{", "which cannot be read as JSON: "),
    ],
)
def test_a_file_of_no_hyperparameters(script, tmp_path, content, sentence):
    (tmp_path / "h.json").write_text(content)
    done = script("train.py", *GIVEN, "--hyperparameters", str(tmp_path / "h.json"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: --hyperparameters is {tmp_path / 'h.json'}, {sentence}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--instance-type", "m5.large"), "--instance-type is 'm5.large', which SageMaker does not have, expected one"),
        (("-p", "seed"), "-p is 'seed', expected NAME=VALUE."),
        (("--env", "1=2"), "--env is '1=***', expected NAME=VALUE."),
        (("--subnets", "s"), "--subnets and --security-groups belong together"),
    ],
)
def test_what_needs_no_aws_is_checked_before_it_is_asked(script, arguments, sentence):
    unset = dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "(unset)")
    done = script("train.py", *arguments, **unset)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "[" not in done.stderr


@pytest.mark.parametrize("count", ["0", "-5"])
def test_an_evaluation_has_episodes(script, count):
    done = script("evaluate.py", *GIVEN, "x", "--episodes", count)
    sentence = f"Error: --episodes: '{count}' is no whole number of at least 1; see --help.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_a_bucket_of_somebody_else(script, aws, monkeypatch):
    from moto.s3 import responses

    monkeypatch.setattr(responses.S3Response, "head_bucket", lambda self: (403, {}, ""))
    done = script("train.py", *GIVEN, "--bucket", "theirs")
    assert done.returncode == 2
    assert "Bucket theirs belongs to somebody else, or is not yours to use." in done.stderr


@pytest.mark.parametrize("name", ["nothing", "no/where", "s3://no-bucket/x"])
def test_a_checkpoint_that_is_not_there(script, name):
    done = script("evaluate.py", *GIVEN, name)
    assert done.returncode == 2
    assert "There is no " in done.stderr
    assert "Traceback" not in done.stderr
