"""What may be secret is in no file that others may read, and on no screen."""

import os
import pty
import subprocess
import sys

import pytest
from jobs import ROOT
from local_aws import ACCOUNT, REGION, put_images, requests_of
from local_machine import a_machine

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-training:1"
GIVEN = ("--image", IMAGE, "--role", f"arn:aws:iam::{ACCOUNT}:role/given", "--job-name", "mine")
SECRETS = ("--env", "LOGIN=open-sesame", "-p", "api_key=open-barley")
SOURCE = ("--source-dir", str(ROOT / "tests/resources/custom_environment"), "--entry-point", "train-coach.py")


@pytest.fixture(autouse=True)
def pushed(aws):
    put_images(aws)


@pytest.fixture
def with_environment(monkeypatch):
    """Have moto tell the environment of a job, which it keeps nowhere."""
    from moto.sagemaker.models import SageMakerModelBackend

    original = SageMakerModelBackend.describe_training_job

    def describe_training_job(backend, name):
        return {**original(backend, name), "Environment": {"LOGIN": "open-sesame"}}

    monkeypatch.setattr(SageMakerModelBackend, "describe_training_job", describe_training_job)


def test_a_fetched_job(script, aws, tmp_path, with_environment):
    printed = []
    for command in (("train.py", *GIVEN, *SECRETS, *SOURCE, "--wait"), ("fetch.py", "mine"), ("list.py",)):
        done = script(*command)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout + done.stderr)
    job = aws.client("sagemaker").describe_training_job(TrainingJobName="mine")
    assert job["HyperParameters"]["api_key"] == "open-barley"
    files = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    assert {"description.json", "report.html"} <= {file.name for file in files}
    for text in (*printed, *(file.read_text() for file in files)):
        assert "open-sesame" not in text and "open-barley" not in text
    description = tmp_path / "runs/mine/description.json"
    assert '"LOGIN": "***"' in description.read_text()
    assert description.stat().st_mode & 0o777 == 0o600


def test_a_job_of_this_machine(script, aws, tmp_path):
    """Its variables are kept, for the process that runs it."""
    machine = a_machine("process", script, aws)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/own.py").write_text("import os; assert os.environ['LOGIN'] == 'open-sesame'")
    source = ("--source-dir", str(tmp_path / "source"), "--entry-point", "own.py")
    done = machine("train.py", "--local", "--job-name", "mine", "--env", "LOGIN=open-sesame", *source, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    with_it = [file for file in machine.runs.rglob("*") if file.is_file() and b"open-sesame" in file.read_bytes()]
    assert "record.json" in {file.name for file in with_it}
    assert {file.stat().st_mode & 0o777 for file in with_it} == {0o600}
    assert "open-sesame" not in done.stdout + done.stderr


def test_a_dry_run_is_whole_in_a_pipe_and_masked_on_a_terminal(script, aws):
    dry = ("train.py", *GIVEN, *SECRETS, "--dry-run")
    (request,) = requests_of(script(*dry)).values()
    assert request["Environment"] == {"LOGIN": "open-sesame"}
    assert request["HyperParameters"]["api_key"] == "open-barley"
    shown = on_a_terminal(aws, *dry)
    assert b'"LOGIN": "***"' in shown
    assert b'"api_key": "***"' in shown
    assert b"open-" not in shown
    aws.client("s3").create_bucket(Bucket="b-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.client("s3").put_object(Bucket="b-1", Key="model.tar.gz", Body=b"x")
    several = ("deploy.py", *GIVEN[:4], "--env", "LOGIN=open-sesame", "s3://b-1/model.tar.gz", "--dry-run")
    shown = on_a_terminal(aws, *several)
    assert (b'"LOGIN": "***"' in shown, b"open-" in shown) == (True, False)


def on_a_terminal(aws, script: str, *arguments: str) -> bytes:
    terminal, its_end = pty.openpty()
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    shown = b""
    with subprocess.Popen(command, stdout=its_end, env=aws.environment) as process:
        os.close(its_end)
        while chunk := read(terminal):
            shown += chunk
    os.close(terminal)
    assert process.returncode == 0
    return shown


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # there is no more of a terminal whose other end is closed
        return b""
