"""What is said of a job of this machine by its record, its runner, and the time; and the runner itself."""

import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from launch.aws.storage import Storage
from launch.local import jobs_api, records, run_job
from launch.local.clients import LocalClients, LocalSageMaker
from launch.local.process_id import ProcessId
from launch.local.records import MODELS, TRAINING_JOBS, TRANSFORM_JOBS, JobRecord, Resource

THIS = ProcessId.of(os.getpid())
DEAD = ProcessId(THIS.pid, THIS.start_time + 1)


@pytest.fixture
def sagemaker(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RL_LOCAL_ENGINE", "process")
    return LocalSageMaker(Storage(LocalClients("eu-west-1")))


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("status", "runner", "age", "killed"),
    [
        ("InProgress", THIS, 1000, False),
        ("Stopping", THIS, 1000, False),
        ("InProgress", DEAD, 0, True),
        ("Stopping", DEAD, 0, True),
        ("InProgress", None, 0, False),
        ("InProgress", None, 6, True),
        ("Completed", DEAD, 1000, False),
        ("Stopped", None, 1000, False),
        ("Failed", DEAD, 1000, False),
    ],
)
def test_a_job_whose_runner_is_gone_has_failed(sagemaker, status, runner, age, killed):
    record = JobRecord({"TrainingJobName": "brief"}, "arn", ago(age), "process", status)
    record.add_transition("Training")
    records.create(TRAINING_JOBS, "brief", record)
    if runner:
        jobs_api._write_runner(TRAINING_JOBS, "brief", runner)
    described = sagemaker.describe_training_job(TrainingJobName="brief")
    reason = "InternalServerError: the process that ran this job was killed" if killed else None
    assert described["TrainingJobStatus"] == ("Failed" if killed else status)
    assert described.get("FailureReason") == reason
    changes = [change["Status"] for change in described["SecondaryStatusTransitions"]]
    assert changes == (["Training", "Failed"] if killed else ["Training"])
    assert described["SecondaryStatus"] == changes[-1]
    read = records.read(TRAINING_JOBS, "brief")
    assert (read.status, read.failure) == (described["TrainingJobStatus"], reason)
    if read.status != "InProgress":
        with pytest.raises(ClientError, match=f"brief is {read.status}, expected InProgress"):
            sagemaker.stop_training_job(TrainingJobName="brief")


@pytest.mark.parametrize("kind", [TRAINING_JOBS, TRANSFORM_JOBS])
def test_a_job_is_stopped_by_a_signal_to_its_runner(sagemaker, monkeypatch, kind):
    """Of two jobs of one name; a runner that has ended in the meantime has written down how."""
    sent: list[tuple[int, int]] = []
    for number, each in enumerate((TRAINING_JOBS, TRANSFORM_JOBS)):
        records.create(each, "brief", JobRecord({f"{each.api_name}Name": "brief"}, "arn", records.now(), "process"))
        jobs_api._write_runner(each, "brief", ProcessId(number, 0) if each is not kind else THIS)

    def kill(pid: int, number: int) -> None:
        sent.append((pid, number))
        if len(sent) == 1:
            record = records.read(kind, "brief")
            record.status = "Completed"
            records.write(kind, "brief", record)
            raise ProcessLookupError

    monkeypatch.setattr(os, "kill", kill)
    stop = sagemaker.stop_training_job if kind is TRAINING_JOBS else sagemaker.stop_transform_job
    with pytest.raises(ClientError, match="brief is Completed, expected InProgress") as caught:
        stop(**{f"{kind.api_name}Name": "brief"})
    assert caught.value.operation_name == f"Stop{kind.api_name}"
    assert sent == [(THIS.pid, signal.SIGTERM)]
    record = records.read(kind, "brief")
    record.status = "InProgress"
    records.write(kind, "brief", record)
    assert stop(**{f"{kind.api_name}Name": "brief"}) == {}
    assert sent == [(THIS.pid, signal.SIGTERM)] * 2


def test_a_job_is_described_by_its_record(sagemaker):
    made = records.now()
    metrics = [{"MetricName": "m", "Value": 1.5, "Timestamp": made}]
    request = {"TrainingJobName": "brief", "HyperParameters": {"seed": "4"}}
    record = JobRecord(request, "arn:1", made, "process", "Completed", seconds=0, model="s3://b/m", metrics=metrics)
    record.add_transition("Downloading", "Downloading the input data")
    record.add_transition("Completed")
    records.create(TRAINING_JOBS, "brief", record)
    described = sagemaker.describe_training_job(TrainingJobName="brief")
    transitions = described.pop("SecondaryStatusTransitions")
    assert [(each["Status"], each["StatusMessage"]) for each in transitions] == [
        ("Downloading", "Downloading the input data"),
        ("Completed", "Completed"),
    ]
    moment = datetime.fromisoformat(made)
    assert all(each["StartTime"] >= moment for each in transitions)
    assert described == {
        **request,
        "TrainingJobArn": "arn:1",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": moment,
        "FinalMetricDataList": [{"MetricName": "m", "Value": 1.5, "Timestamp": moment}],
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"},
        "TrainingTimeInSeconds": 0,
    }
    failed = JobRecord({"TransformJobName": "brief"}, "arn:2", made, "process", "Failed", failure="")
    records.create(TRANSFORM_JOBS, "brief", failed)
    assert sagemaker.describe_transform_job(TransformJobName="brief") == {
        "TransformJobName": "brief",
        "TransformJobArn": "arn:2",
        "TransformJobStatus": "Failed",
        "CreationTime": moment,
        "FailureReason": "",
    }
    for describe in (sagemaker.describe_training_job, sagemaker.describe_transform_job):
        with pytest.raises(ClientError, match="there is no 'brie' on this machine"):
            describe("brie")


def training_request(tmp_path, **changes) -> dict:
    return {
        "TrainingJobName": "brief",
        "RoleArn": "arn:aws:iam::000000000000:role/local",
        "AlgorithmSpecification": {"TrainingImage": "mountain-car-training:latest", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}/output"},
        "ResourceConfig": {"InstanceType": "local", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def test_what_processes_cannot_do_is_refused(sagemaker, tmp_path):
    several = {"InstanceType": "local", "InstanceCount": 2, "VolumeSizeInGB": 1}
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{tmp_path}/gone"}}
    for changes, sentence in (
        ({"ResourceConfig": several}, "InstanceCount 2 needs a Docker engine"),
        ({"EnableNetworkIsolation": True}, "EnableNetworkIsolation needs a Docker engine"),
        (
            {"InputDataConfig": [{"ChannelName": "a", "DataSource": source}]},
            f"There is nothing at file://{tmp_path}/gone",
        ),
    ):
        with pytest.raises(Exception, match=sentence):
            sagemaker.create_training_job(**training_request(tmp_path, **changes))
    assert list(records.names(TRAINING_JOBS)) == []


@pytest.mark.parametrize("missing", ["model", "input"])
def test_a_transform_job_needs_its_model_and_its_input(sagemaker, tmp_path, missing):
    if missing == "input":
        container = {"PrimaryContainer": {"Image": "mountain-car-serving:latest"}}
        records.create(MODELS, "m", Resource(container, "arn", records.now()))
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{tmp_path}/o.csv"}}
    request = {
        "TransformJobName": "brief",
        "ModelName": "m",
        "TransformInput": {"DataSource": source},
        "TransformOutput": {"S3OutputPath": f"file://{tmp_path}/output"},
        "TransformResources": {"InstanceType": "local", "InstanceCount": 1},
    }
    sentence = (
        "there is no 'm' on this machine" if missing == "model" else f"There is nothing at file://{tmp_path}/o.csv"
    )
    with pytest.raises(Exception, match=sentence):
        sagemaker.create_transform_job(**request)
    assert list(records.names(TRANSFORM_JOBS)) == []


def test_the_runner_runs_the_job_of_its_kind_and_name(sagemaker, tmp_path, monkeypatch, capsys):
    """Of two kinds with jobs of one name; this one has an input that is gone meanwhile."""
    handler, mask = signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{tmp_path}/gone"}}
    request = training_request(tmp_path, InputDataConfig=[{"ChannelName": "a", "DataSource": source}])
    for kind in (TRAINING_JOBS, TRANSFORM_JOBS):
        record = JobRecord(request, "arn", records.now(), "process")
        record.add_transition("Starting")
        records.create(kind, "brief", record)
    monkeypatch.setattr(sys, "argv", ["run_job", "training-jobs", "brief"])
    try:
        run_job.main()
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    record = records.read(TRAINING_JOBS, "brief")
    assert (record.status, record.failure) == ("Failed", f"There is nothing at file://{tmp_path}/gone.")
    assert '"status": "Failed"' in capsys.readouterr().out
    assert records.read(TRANSFORM_JOBS, "brief").status == "InProgress"


def wait_for_end(sagemaker) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = sagemaker.describe_training_job(TrainingJobName="brief")["TrainingJobStatus"]
        if status not in ("InProgress", "Stopping"):
            return status
        time.sleep(0.1)
    raise AssertionError(status)


def test_a_job_is_stopped_as_soon_as_its_runner_is_recorded(sagemaker, tmp_path):
    """By a runner that is a process of its own."""
    sagemaker.create_training_job(**training_request(tmp_path))
    runner_file = records.folder_of(TRAINING_JOBS, "brief") / "runner"
    hidden = runner_file.rename(runner_file.with_name("hidden"))
    threading.Timer(0.5, lambda: hidden.rename(runner_file)).start()
    sagemaker.stop_training_job(TrainingJobName="brief")
    assert wait_for_end(sagemaker) == "Stopped"
