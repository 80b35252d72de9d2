"""The logs of this machine's jobs, as a client of CloudWatch Logs has them."""

import pytest
from launch.aws.logs import TRAINING_JOBS, TRANSFORM_JOBS, Log
from launch.local import records
from launch.local.clients import LocalClients
from launch.local.logs_client import LocalLogs


@pytest.fixture(autouse=True)
def runs(monkeypatch, tmp_path):
    """Logs of two kinds of jobs, of jobs whose names begin alike, and of several hosts."""
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    for kind, job, host, content in (
        (records.TRAINING_JOBS, "cars", "algo-1", "one\ntwo\n"),
        (records.TRAINING_JOBS, "cars", "algo-2", "three\nhalf a li"),
        (records.TRAINING_JOBS, "cars-2", "algo-1", "of cars-2\n"),
        (records.TRANSFORM_JOBS, "cars", "transform", "four\n"),
    ):
        folder = records.folder_of(kind, job) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{host}.log").write_text(content)
    (records.folder_of(records.TRAINING_JOBS, "cars") / "runner.log").write_text("not of a container\n")


def streams(group: str, prefix: str) -> list[str]:
    return [each["logStreamName"] for each in LocalLogs().describe_log_streams(group, prefix)["logStreams"]]


def messages(answer: dict) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_a_job_has_a_stream_for_each_host():
    assert streams(TRAINING_JOBS, "cars/") == ["cars/algo-1", "cars/algo-2"]
    assert streams(TRAINING_JOBS, "cars-2/") == ["cars-2/algo-1"]
    assert streams(TRANSFORM_JOBS, "cars/") == ["cars/transform"]
    assert streams(TRANSFORM_JOBS, "cars-2/") == []
    assert streams("/aws/sagemaker/Endpoints/cars", "") == []


def test_a_line_comes_once_and_whole(tmp_path):
    file = records.folder_of(records.TRAINING_JOBS, "cars") / "logs/algo-2.log"
    first = LocalLogs().get_log_events(TRAINING_JOBS, "cars/algo-2")
    assert (messages(first), first["nextForwardToken"]) == (["three"], "6")
    nothing = LocalLogs().get_log_events(TRAINING_JOBS, "cars/algo-2", nextToken="6")
    assert nothing == {"events": [], "nextForwardToken": "6"}
    file.write_bytes(b"three\nhalf a line \xff\xc3\xa4\nnext")
    second = LocalLogs().get_log_events(TRAINING_JOBS, "cars/algo-2", nextToken="6")
    assert messages(second) == ["half a line \ufffd\u00e4"]
    file.write_bytes(b"of another job of this name")
    assert LocalLogs().get_log_events(TRAINING_JOBS, "cars/algo-2", nextToken="6")["nextForwardToken"] == "6"


def test_the_log_of_several_hosts_is_followed():
    log = Log(LocalClients("eu-west-1"), TRAINING_JOBS, "cars/")
    assert sorted(log.read()) == ["[algo-1] one", "[algo-1] two", "[algo-2] three"]
    with (records.folder_of(records.TRAINING_JOBS, "cars") / "logs/algo-1.log").open("a") as file:
        file.write("five\n")
    assert log.read() == ["[algo-1] five"]
    assert log.read() == []
    assert Log(LocalClients("eu-west-1"), TRANSFORM_JOBS, "cars/").read() == ["four"]
