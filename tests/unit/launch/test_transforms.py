"""Running a transform job: what is made and removed, whatever ends the wait for it; and where its answers go."""

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transform
from botocore.exceptions import ClientError
from launch.cli import interruption
from launch.cli.errors import JobFailed, JobStopped, UsageError
from launch.local.clients import LocalClients
from launch.sagemaker import transforms

MODEL = {"ModelName": "new"}
JOB = {
    "TransformJobName": "new",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://b/in/o.csv"}}},
    "TransformOutput": {"S3OutputPath": "s3://c/new/output"},
}


@pytest.fixture
def run(monkeypatch):
    """Run a job through these statuses; an exception is raised in the place of an answer. ``asked`` has the calls."""
    monkeypatch.setattr(LocalClients, "seconds_between_polls", 0.0)

    def run(*statuses: Any, **refused: Exception) -> str:
        answers = iter(statuses)
        run.asked = []

        class SageMaker:
            def __getattr__(self, operation: str) -> Any:
                def call(**request: Any) -> dict[str, Any]:
                    run.asked.append(operation)
                    assert request in (MODEL, JOB, {"TransformJobName": "new"})
                    if operation in refused:
                        raise refused[operation]
                    if operation != "describe_transform_job":
                        return {}
                    answer = next(answers)
                    if isinstance(answer, BaseException):
                        raise answer
                    return {"TransformJobStatus": answer}

                return call

        clients = LocalClients("eu-west-1")
        clients.__dict__["sagemaker"] = SageMaker()
        clients.__dict__["logs"] = SimpleNamespace(describe_log_streams=lambda **request: {"logStreams": []})
        address = transforms.run(clients, MODEL, JOB)
        assert list(answers) == []
        return address

    return run


BEGUN = ["create_model", "create_transform_job", "describe_transform_job"]


def test_a_job_is_waited_for_and_its_model_removed(run, capsys):
    assert run("InProgress", "InProgress", "Completed") == "s3://c/new/output/o.csv.out"
    assert run.asked == [*BEGUN, *["describe_transform_job"] * 2, "delete_model"]
    assert capsys.readouterr().out == "Created transform job new\nInProgress\nCompleted\n"


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_does_not_complete_leaves_no_model(run, status):
    sentences = {"Failed": "failed", "Stopped": r"ended before its work was done \(Stopped\)"}
    with pytest.raises((JobFailed, JobStopped), match=rf"^Transform job new {sentences[status]}\.$") as ended:
        run(status)
    assert ended.type.__name__ == f"Job{status}"
    assert run.asked == [*BEGUN, "delete_model"]


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Completed", None])
def test_an_interruption_stops_a_job_that_is_in_progress(run, capsys, status):
    """Not one that ends by itself, nor one that was never made."""
    missing = ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribeTransformJob")
    with pytest.raises(interruption.Interrupted):
        run("InProgress", interruption.Interrupted(2), missing if status is None else status)
    stopped = ["stop_transform_job"] if status == "InProgress" else []
    assert run.asked == [*BEGUN, *["describe_transform_job"] * 2, *stopped, "delete_model"]
    assert ("Transform job new is being stopped." in capsys.readouterr().out) == bool(stopped)


def test_a_job_that_cannot_be_made_leaves_no_model(run):
    with pytest.raises(UsageError, match="no more"):
        run(create_transform_job=UsageError("no more"))
    assert run.asked == [*BEGUN[:2], "delete_model"]
    with pytest.raises(UsageError, match="no more"):
        run(create_model=UsageError("no more"))
    assert run.asked == BEGUN[:1]


def test_where_the_answers_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("o.csv").touch()
    for source, output, dry_run, expected in (
        ("s3://b/o.csv", None, False, None),
        ("o.csv", None, False, "o.csv.out"),
        ("s3://b/o.csv", "new/x", False, "new/x"),
        ("o.csv", "later/x", True, "later/x"),
    ):
        given = argparse.Namespace(input=source, output=output and Path(output), dry_run=dry_run)
        assert transform._target(given) == (expected and Path(expected))
    assert Path("new").is_dir()
    assert not Path("later").exists()  # a dry run makes nothing
    with pytest.raises(
        UsageError, match=r"^--output is below/\.\./o\.csv, which is the input, expected another file\.$"
    ):
        transform._target(argparse.Namespace(input="o.csv", output=Path("below/../o.csv"), dry_run=True))
    with pytest.raises(
        UsageError, match=r"^There is no file gone\.csv, expected the path or address of the observations\.$"
    ):
        transform.check_input("gone.csv")
    assert [transform.check_input(text) for text in ("o.csv", "s3://b/gone")] == ["o.csv", "s3://b/gone"]
