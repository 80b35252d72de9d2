"""Stopping a job of this machine in the moments when it has no runner: not yet, and no more."""

import os
import signal
import threading
import time

import psutil
import pytest
import stop
from botocore.exceptions import ClientError
from launch.cli.errors import UsageError
from launch.local.clients import LocalClients


@pytest.fixture
def sagemaker(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    monkeypatch.setenv("RL_LOCAL_ENGINE", "process")
    return LocalClients().sagemaker


@pytest.fixture
def runner_file(sagemaker, tmp_path):
    """Where the process is recorded that runs the job ``brief``, which has just been created."""
    sagemaker.create_training_job(
        TrainingJobName="brief",
        RoleArn="arn:aws:iam::000000000000:role/local",
        AlgorithmSpecification={"TrainingImage": "mountain-car-training:latest", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"file://{tmp_path}/output"},
        ResourceConfig={"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    return tmp_path / ".local/training-jobs/brief/runner"


def pid_of(runner_file) -> int:
    return int(runner_file.read_text().partition(":")[0])


def wait_for_end(sagemaker) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = sagemaker.describe_training_job(TrainingJobName="brief")["TrainingJobStatus"]
        if status not in ("InProgress", "Stopping"):
            return status
        time.sleep(0.1)
    raise AssertionError(status)


def test_a_job_is_stopped_as_soon_as_its_runner_is_recorded(sagemaker, runner_file):
    hidden = runner_file.rename(runner_file.with_name("hidden"))
    threading.Timer(0.5, lambda: hidden.rename(runner_file)).start()
    sagemaker.stop_training_job(TrainingJobName="brief")
    assert wait_for_end(sagemaker) == "Stopped"


def test_a_job_whose_runner_has_just_died_has_failed(sagemaker, runner_file):
    runner = psutil.Process(pid_of(runner_file))
    children = runner.children(recursive=True)
    os.kill(runner.pid, signal.SIGKILL)
    for process in children:
        process.kill()
    psutil.wait_procs([runner], timeout=10)
    with pytest.raises(UsageError, match=r"^Training job brief is Failed, expected InProgress\.$"):
        stop.main(["--local", "brief"])
    with pytest.raises(ClientError, match="brief is Failed, expected InProgress"):
        sagemaker.stop_training_job(TrainingJobName="brief")
    reason = sagemaker.describe_training_job(TrainingJobName="brief")["FailureReason"]
    assert reason == "InternalServerError: the process that ran this job was killed"


def test_a_job_without_a_runner_has_failed_after_a_while(sagemaker, runner_file, monkeypatch):
    """The script that created it was killed before it could start one."""
    sagemaker.stop_training_job(TrainingJobName="brief")
    assert wait_for_end(sagemaker) == "Stopped"
    record = runner_file.with_name("record.json")
    record.write_text(record.read_text().replace('"status": "Stopped"', '"status": "InProgress"', 1))
    runner_file.unlink()
    monkeypatch.setattr("launch.local.jobs_api.SECONDS_TO_RECORD_RUNNER", 0)
    with pytest.raises(UsageError, match="Training job brief is Failed"):
        stop.main(["--local", "brief"])
