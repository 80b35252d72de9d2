"""The records of local mode: read as they were written, and damaged if of another form."""

import json
import os
import subprocess
import sys

import pytest
from launch.local import records
from launch.local.process_id import ProcessId
from launch.local.records import (
    ENDPOINTS,
    JOB_KINDS,
    MODELS,
    TRAINING_JOBS,
    Deployment,
    EndpointRecord,
    FailedDeployment,
    JobRecord,
    Resource,
)


@pytest.fixture(autouse=True)
def runs(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", str(tmp_path))


def a_job() -> JobRecord:
    job = JobRecord({"TrainingJobName": "job"}, "arn", records.now(), "process", failure="why", seconds=3)
    job.add_transition("Starting")
    return job


def an_endpoint() -> EndpointRecord:
    this = ProcessId.of(os.getpid())
    serving = Deployment("config", 1, records.now(), this, "AllTraffic", "http://127.0.0.1:1", process=this, log="log")
    return EndpointRecord({}, "arn", records.now(), "InService", serving, Deployment("config", 2, records.now(), this))


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        (TRAINING_JOBS, a_job()),
        (MODELS, Resource({"ModelName": "model"}, "arn", records.now())),
        (ENDPOINTS, an_endpoint()),
        (ENDPOINTS, EndpointRecord({}, "arn", records.now(), "Failed", failed=FailedDeployment(1, ["line"]))),
    ],
)
def test_a_record_is_read_as_it_was_written(kind, record):
    assert records.create(kind, "name", record)
    assert not records.create(kind, "name", record)
    assert records.read(kind, "name") == record
    assert list(records.names(kind)) == ["name"]
    assert records.remove(kind, "name")
    assert records.read(kind, "name") is None


OLD_ENDPOINT = {
    "request": {},
    "arn": "arn",
    "created": "2026-11-23T10:00:00+00:00",
    "status": "InService",
    "serving": {"config": "c", "version": 1, "started": "", "starter": "1:2", "process": "1:2", "url": "", "log": ""},
}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (TRAINING_JOBS, {"request": {}, "arn": "", "created": "", "status": "InProgress"}),
        (TRAINING_JOBS, {**vars(a_job()), "transitions": [{"Status": "Starting"}]}),
        (TRAINING_JOBS, [1]),
        (MODELS, {"request": {}}),
        (ENDPOINTS, OLD_ENDPOINT),
        (ENDPOINTS, {**OLD_ENDPOINT, "serving": "x"}),
        (ENDPOINTS, "text"),
    ],
)
def test_a_record_of_another_form_is_damaged(kind, content):
    folder = records.folder_of(kind, "name")
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(content))
    with pytest.raises(records.Damaged, match=r"What is remembered of name is damaged: .*record\.json\."):
        records.read(kind, "name")


def test_each_kind_of_job_can_be_run():
    from launch.local.run_job import JOBS

    assert JOBS.keys() == JOB_KINDS.keys()


def test_a_process_is_not_another_of_its_number():
    this = ProcessId.of(os.getpid())
    assert this.is_alive
    assert ProcessId.parse(str(this)) == this
    assert not ProcessId(this.pid, this.start_time + 1).is_alive
    assert not ProcessId.of(2**22 + 1).is_alive


def test_a_process_that_nobody_has_waited_for_has_ended(tmp_path):
    """Its number is still its own; and its name, which stands before the start time, may be anything."""
    program = tmp_path / "a) Z 1 2 3"
    program.symlink_to(sys.executable)
    process = subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE)
    alive = ProcessId.of(process.pid)
    assert alive.is_alive
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert ProcessId.of(process.pid) == ProcessId(process.pid, 0)
    assert not alive.is_alive
    assert not ProcessId.of(process.pid).is_alive
    process.wait()
    for text in ("", "12", "12:", ":3", "12:x"):
        with pytest.raises(ValueError, match="invalid literal"):
            ProcessId.parse(text)
