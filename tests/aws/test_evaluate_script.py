"""evaluate.py of jobs with a source of their own, against a local AWS server: what it takes over from the job."""

import io
import json
import tarfile

import pytest
from jobs import ROOT
from local_aws import ACCOUNT, REGION, assert_valid, requests_of
from timeline import state

pytest_plugins = ("timeline",)

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/given"
IMAGE = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/with-a-simulator:3"
"""The user's own, in another account's registry."""
CUSTOM = ROOT / "tests/resources/custom_environment"
IN_CHANNEL = "/opt/ml/input/data/code/sourcedir.tar.gz"


def packed(**files: str) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive.getvalue()


def channel(name: str, uri: str) -> dict:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


@pytest.fixture
def trained(aws):
    """Create a job that has ended with a checkpoint, as if by somebody's own program."""

    def create(hyperparameters: dict[str, str], **request: object) -> None:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        checkpoint = {"checkpoint/.coach_checkpoint": "x", "checkpoint/checkpoint.json": '{"preset": "preset-tank"}'}
        s3.put_object(Bucket=BUCKET, Key="trained/output/output.tar.gz", Body=packed(**checkpoint))
        aws.client("sagemaker").create_training_job(
            TrainingJobName="trained",
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            HyperParameters=hyperparameters,
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}"},
            ResourceConfig={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
            **request,
        )

    return create


@pytest.fixture
def of_an_estimator(aws, trained):
    """Have a job as RLEstimator creates it: values in JSON, the source at an address of S3."""

    def create(**files: str) -> str:
        address = f"s3://{BUCKET}/tank/source/sourcedir.tar.gz"
        hyperparameters = {
            "sagemaker_program": json.dumps("src/train-coach.py"),
            "sagemaker_submit_directory": json.dumps(address),
            "sagemaker_rl_package": json.dumps("source"),
            "RLCOACH_PRESET": json.dumps("preset-tank.py"),
            "gamma": "0.9",
        }
        data = channel("prices", "s3://elsewhere/prices")
        trained(hyperparameters, InputDataConfig=[data])
        if files:
            aws.client("s3").put_object(Bucket=BUCKET, Key="tank/source/sourcedir.tar.gz", Body=packed(**files))
        return address

    return create


def evaluation(script, *arguments: str) -> dict:
    done = script("evaluate.py", "--role", ROLE, "--dry-run", "--job-name", "judged", "trained", *arguments)
    (request,) = requests_of(done).values()
    assert_valid("CreateTrainingJob", request)
    return request


def addresses(request: dict) -> dict[str, str]:
    return {each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in request["InputDataConfig"]}


def test_what_is_the_trainings_alone_is_not_taken_over(script, trained, timeline):
    """A secret that a job's hosts share, and that somebody who has read its description knows."""
    variables = {"SAGEMAKER_RL_SSH_SECRET": "theirs", "SAGEMAKER_RL_TENSORBOARD": "1", "A": "1"}
    trained({"RLCOACH_PRESET": "preset-tank"})
    timeline.answers("DescribeTrainingJob", *[state(Environment=variables)] * 2)  # which this server forgets
    assert evaluation(script)["Environment"] == {"A": "1"}
    of_two_hosts = evaluation(script, "--instance-count", "2")["Environment"]
    assert len(of_two_hosts.pop("SAGEMAKER_RL_SSH_SECRET")) == 43
    assert of_two_hosts == {"A": "1"}


def test_an_estimators_job_is_evaluated_as_it_was_trained(script, of_an_estimator):
    address = of_an_estimator(**{"src/train-coach.py": "", "src/evaluate-coach.py": "", "evaluate-coach.py": ""})
    request = evaluation(script, "--episodes", "5")
    assert request["HyperParameters"] == {
        "sagemaker_program": "src/evaluate-coach.py",
        "sagemaker_submit_directory": address,
        "sagemaker_rl_package": "source",
        "RLCOACH_PRESET": "preset-tank",
        "evaluate_episodes": "5",
        "evaluate_steps": "1",
        "sagemaker_s3_output": f"s3://{BUCKET}",
    }
    assert addresses(request) == {
        "prices": "s3://elsewhere/prices",
        "checkpoint": f"s3://{BUCKET}/trained/checkpoint/",
    }
    assert request["AlgorithmSpecification"]["TrainingImage"] == IMAGE


def test_flags_win_over_what_the_job_says(script, of_an_estimator, tmp_path):
    of_an_estimator(**{"src/train-coach.py": "", "evaluate-coach.py": "", "./judge.py": ""})
    given = {"RLCOACH_PRESET": "preset-lake", "sagemaker_rl_package": "image"}
    (tmp_path / "given.json").write_text(json.dumps(given))
    options = ("--hyperparameters", str(tmp_path / "given.json"), "--image", "other:1", "--entry-point", "judge.py")
    request = evaluation(script, *options)
    assert request["AlgorithmSpecification"]["TrainingImage"] == "other:1"
    assert request["HyperParameters"]["sagemaker_program"] == "judge.py"
    assert given.items() <= request["HyperParameters"].items()
    request = evaluation(script, "--source-dir", str(CUSTOM))
    assert request["HyperParameters"]["sagemaker_program"] == "src/evaluate-coach.py"  # it has none: the image's
    assert request["HyperParameters"]["sagemaker_submit_directory"] == IN_CHANNEL
    assert addresses(request)["code"] == f"s3://{BUCKET}/judged/source"
    done = script("evaluate.py", "--role", ROLE, "trained", "--entry-point", "nowhere.py")
    address = f"s3://{BUCKET}/tank/source/sourcedir.tar.gz"
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: --entry-point is 'nowhere.py', which is not in {address}.\n",
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (None, b"", "is gone: there is nothing at {}; --source-dir gives another."),
        ("sourcedir.tar.gz", b"no archive", ", {}, cannot be unpacked: not a gzip file."),
    ],
)
def test_a_source_that_is_no_longer_what_it_was(script, aws, of_an_estimator, name, content, sentence):
    address = of_an_estimator()
    if name:
        aws.client("s3").put_object(Bucket=BUCKET, Key=f"tank/source/{name}", Body=content)
    done = script("evaluate.py", "--role", ROLE, "trained")
    expected = f"The source of training job trained{'' if sentence[0] == ',' else ' '}{sentence.format(address)}"
    assert (done.returncode, done.stderr) == (2, f"Error: {expected}\n")
    assert len(aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]) == 1


@pytest.mark.parametrize("file", ["", "/sourcedir.tar.gz"])
def test_a_source_in_a_channel_comes_by_the_same_channel(script, aws, trained, file):
    hyperparameters = {"sagemaker_program": "train-coach.py", "sagemaker_submit_directory": IN_CHANNEL}
    trained(hyperparameters, InputDataConfig=[channel("code", f"s3://{BUCKET}/trained/source{file}")])
    source = packed(**{"train-coach.py": "", "./evaluate-coach.py": ""})
    aws.client("s3").put_object(Bucket=BUCKET, Key="trained/source/sourcedir.tar.gz", Body=source)
    request = evaluation(script)
    assert request["HyperParameters"] == {
        "sagemaker_program": "evaluate-coach.py",
        "sagemaker_submit_directory": IN_CHANNEL,
        "RLCOACH_PRESET": "preset-tank",
        "sagemaker_s3_output": f"s3://{BUCKET}",
    }
    assert addresses(request)["code"] == f"s3://{BUCKET}/trained/source{file}"
