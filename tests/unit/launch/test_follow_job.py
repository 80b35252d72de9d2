"""Following a training job: what is shown of its changes and results, and the question at Ctrl-C."""

import builtins
import contextlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from launch.cli import interruption
from launch.cli.errors import JobFailed, JobStopped
from launch.local.clients import LocalClients
from launch.sagemaker import following

HOME = "s3://b/p"


def change(status: str, message: str | None = None) -> dict[str, Any]:
    return {"Status": status, **({} if message is None else {"StatusMessage": message})}


def described(status: str, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    transitions = {"SecondaryStatusTransitions": list(changes)}
    return {"TrainingJobStatus": status, "OutputDataConfig": {"S3OutputPath": HOME}, **transitions, **more}


@pytest.fixture
def follow(monkeypatch, capsys):
    """Follow a job through these descriptions, without a log; return the lines that are shown."""
    monkeypatch.setattr(LocalClients, "seconds_between_polls", 0.0)

    def run(*descriptions: Any) -> list[str]:
        answers = iter(descriptions)

        def describe_training_job(TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
            assert TrainingJobName == "mine"
            answer = next(answers)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        clients = LocalClients()
        stopped = clients.__dict__["stopped"] = []
        clients.__dict__["sagemaker"] = SimpleNamespace(
            describe_training_job=describe_training_job, stop_training_job=lambda **names: stopped.append(names)
        )
        clients.__dict__["logs"] = SimpleNamespace(describe_log_streams=lambda **request: {"logStreams": []})
        run.stopped = stopped
        with contextlib.suppress(JobStopped):
            following.follow_own(clients, "mine")
        assert list(answers) == []
        return capsys.readouterr().out.splitlines()

    return run


def test_each_change_is_shown_once_and_the_last_again_with_a_new_message(follow):
    starting = change("Starting", "Launching")
    shown = follow(
        described("InProgress", starting),
        described("InProgress", starting),
        described("InProgress", change("Starting", "No capacity")),
        described("InProgress", change("Starting", "Launched"), change("Downloading", "Downloading")),
        described("InProgress", change("Starting", "Another word"), change("Downloading"), change("Training", "")),
        described("Completed", starting, change("Downloading"), change("Training"), change("Completed", "Done")),
    )
    assert shown[:-2] == [
        "Starting: Launching",
        "Starting: No capacity",
        "Starting: Launched",
        "Downloading",
        "Training",
        "Completed: Done",
        "Completed: Completed, ? s",
    ]


@pytest.mark.parametrize("status", ["Completed", "Stopped"])
def test_the_results_of_a_job(follow, status):
    metrics = [{"MetricName": "reward-testing", "Value": 95.123456}, {"MetricName": "steps", "Value": -3}]
    plain = follow(described(status))
    assert plain[-3:] == [
        f"{status}: {status}, ? s",
        "Model:        none",
        "Output:       s3://b/p/mine/output/output.tar.gz",
    ]
    shown = follow(
        described(
            status,
            SecondaryStatus="MaxRuntimeExceeded",
            TrainingTimeInSeconds=12,
            FinalMetricDataList=metrics,
            ModelArtifacts={"S3ModelArtifacts": "s3://b/model.tar.gz"},
            HyperParameters={"sagemaker_s3_output": HOME},
        )
    )
    assert shown == [
        f"{status}: MaxRuntimeExceeded, 12 s",
        f"  reward-testing      {95.1235:>14}",
        f"  steps               {'-3.0000':>14}",
        "Model:        s3://b/model.tar.gz",
        "Output:       s3://b/p/mine/output/output.tar.gz",
        "Intermediate: s3://b/p/mine/output/intermediate/",
    ]
    local = follow(described(status, OutputDataConfig={"S3OutputPath": "file:///home"}))
    assert local[-1] == "Intermediate: file:///home/mine/output/intermediate/"


def test_a_job_that_failed(follow):
    with pytest.raises(JobFailed, match=r"^It is bad\.$"):
        follow(described("Failed", FailureReason="It is bad."))
    with pytest.raises(JobFailed, match=r"^Training job mine failed\.$"):
        follow(described("Failed"))


@pytest.mark.parametrize(
    ("answer", "is_terminal", "stops"),
    [
        ("y", True, True),
        (" Yes ", True, True),
        ("YES", True, True),
        ("n", True, False),
        ("", True, False),
        ("yy", True, False),
        (EOFError(), True, False),
        (interruption.Interrupted(2), True, False),
        ("y", False, False),
    ],
)
def test_at_ctrl_c_a_terminal_is_asked_whether_the_job_stops(follow, monkeypatch, capsys, answer, is_terminal, stops):
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(builtins, "input", ask)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: is_terminal))
    with pytest.raises(interruption.Interrupted):
        follow(described("InProgress"), interruption.Interrupted(2))
    assert asked == (["\nStop training job mine too? [y/N] "] if is_terminal else [])
    assert follow.stopped == ([{"TrainingJobName": "mine"}] if stops else [])
    end = "is being stopped." if stops else "goes on. Follow it again: python scripts/logs.py --follow --local mine"
    assert capsys.readouterr().out == f"Training job mine {end}\n"
