"""logs.py --follow: jobs that are taken up again, of every kind, from the latest on; and no wait in silence."""

import re
import time
from typing import Any

import pytest
from launch.cli import progress
from local_aws import ACCOUNT, log_lines
from local_machine import NO_AWS
from timeline import NOT_FOUND, PASSED, after, given, refused, state

pytest_plugins = ("timeline",)

GIVEN = ("--image", "my-image:1", "--role", f"arn:aws:iam::{ACCOUNT}:role/r")
TUNING = "DescribeHyperParameterTuningJob"


@pytest.fixture
def jobs(script, aws):
    """Create training jobs of these names, one after the other."""

    def create(*names: str) -> None:
        for name in names:
            assert script("train.py", *GIVEN, "--job-name", name).returncode == 0

    return create


def now(status: str, **more: Any) -> Any:
    return state(TrainingJobStatus=status, SecondaryStatus=status, **more)


def test_the_latest_job_is_followed_from_its_last_lines_to_its_end(script, timeline, jobs, aws):
    jobs("rl-mountain-car-1", "other-rl-mountain-car", "rl-mountain-car-2")
    summaries = [
        {"TrainingJobName": name, "CreationTime": 0, "TrainingJobStatus": "InProgress"}
        for name in ("other-rl-mountain-car", "rl-mountain-car-2", "rl-mountain-car-1")
    ]
    timeline.answers("ListTrainingJobs", given(TrainingJobSummaries=summaries))
    log_lines(aws, "rl-mountain-car-2/algo-1", *(f"line {number}" for number in range(9)))
    late = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "rl-mountain-car-2/algo-1"}

    def print_more() -> None:
        moment = int(1000 * time.time()) + 99
        events = [{"timestamp": moment, "message": f"line {number}"} for number in (9, 10, 11)]
        aws.client("logs").put_log_events(**late, logEvents=events)

    timeline.answers("DescribeTrainingJob", now("InProgress"), now("InProgress"), after(print_more, now("Completed")))
    done = script("logs.py", "--follow", "--tail", "2")
    assert (done.returncode, done.stderr) == (0, "The latest training job is rl-mountain-car-2\n")
    shown = [line for line in done.stdout.splitlines() if line.startswith("line")]
    assert shown == [f"line {number}" for number in range(7, 12)]
    assert "Model:        s3://" in done.stdout  # as train.py --wait ends
    assert timeline.of("ListTrainingJobs")[0]["SortOrder"] == "Descending"
    for tail, expected in (("0", []), ("1", ["line 11"]), ("99", [f"line {number}" for number in range(12)])):
        assert script("logs.py", "rl-mountain-car-2", "--tail", tail).stdout.splitlines() == expected


@pytest.mark.parametrize(("status", "code"), [("Failed", 1), ("Stopped", 3), ("Completed", 0)])
def test_it_ends_as_the_job_does(script, timeline, jobs, status, code):
    jobs("mine")
    timeline.answers("DescribeTrainingJob", now("InProgress"), now("Stopping"), now(status, FailureReason="It is bad."))
    done = script("logs.py", "--follow", "mine")
    sentences = {
        "Failed": "Failed: It is bad.\n",
        "Stopped": "Stopped: Training job mine ended before its work was done (Stopped).\n",
        "Completed": "",
    }
    assert (done.returncode, done.stderr) == (code, sentences[status])
    timeline.answers("DescribeTrainingJob", now(status, FailureReason="It is bad."))
    assert script("fetch.py", "mine").returncode == (status == "Failed")  # what was stopped has left something, too


def test_other_kinds_are_followed(script, timeline, aws):
    """A tuning job by its training jobs, which it starts one after the other."""
    log_lines(aws, "tuned-001-a/algo-1", "one")
    summaries = [{"TrainingJobName": name} for name in ("tuned-001-a", "tuned-002-b")]
    listed = "ListTrainingJobsForHyperParameterTuningJob"
    timeline.answers(listed, given(TrainingJobSummaries=summaries[:1]))
    for _ in range(3):
        timeline.answers(listed, given(TrainingJobSummaries=summaries))
    going = [given(HyperParameterTuningJobStatus=status) for status in ("InProgress", "InProgress", "Completed")]
    for kind in ("Training", "Transform"):
        timeline.answers(f"Describe{kind}Job", NOT_FOUND)
    timeline.answers(TUNING, *going)
    done = script("logs.py", "--follow", "tuned")
    assert (done.returncode, done.stdout) == (0, "InProgress\n[001-a] one\nCompleted\n"), done.stderr

    timeline.answers("DescribeTrainingJob", NOT_FOUND)
    transform = [given(TransformJobStatus=status) for status in ("InProgress", "InProgress", "Stopped")]
    timeline.answers("DescribeTransformJob", *transform)
    done = script("logs.py", "--follow", "lines")
    assert (done.returncode, done.stdout) == (3, "InProgress\nStopped\n")

    endpoint = [given(EndpointStatus=status, CreationTime=0) for status in ("InService", "Creating", "Failed")]
    timeline.answers("DescribeEndpoint", *endpoint)
    done = script("logs.py", "--follow", "--endpoint-name", "cars")
    assert (done.returncode, done.stdout, done.stderr) == (1, "Creating\nFailed\n", "Failed: Endpoint cars failed.\n")

    for kind in ("Training", "Transform", "HyperParameterTuning"):
        timeline.answers(f"Describe{kind}Job", NOT_FOUND)
    done = script("logs.py", "--follow", "none")
    sentence = "Error: There is no training, transform or tuning job 'none' in region eu-west-1.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_only_later_lines_are_asked_for(script, timeline, aws):
    log_lines(aws, "mine/algo-1", "one")
    done = script("logs.py", "mine", "--since", "10m")
    assert (done.returncode, done.stdout) == (0, "one\n")
    (asked,) = {fields["startTime"] for fields in timeline.of("GetLogEvents")}
    assert 590 < time.time() - asked / 1000 < 660
    timeline.answers(TUNING, NOT_FOUND)
    done = script("logs.py", "mine", "--since", "2100-01-01T00:00+00:00")
    assert done.returncode == 2
    assert re.match(
        r"Error: There is no log of mine since 2(100-01-01|099-12-31) .* in region eu-west-1\.", done.stderr
    )
    done = script("logs.py", "mine", "--since", "soon")
    sentence = "Error: --since: 'soon' is no time as 90s, 10m, 1h, 2d or 2026-11-23T10:00; see --help.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_logs_of_this_machine_have_no_times(script, aws, tmp_path):
    logs = tmp_path / "runs/.local/training-jobs/mine/logs"
    logs.mkdir(parents=True)
    (logs / "algo-1.log").write_text("one\ntwo\n")
    assert script("logs.py", "--local", "mine", "--tail", "1", **NO_AWS).stdout == "two\n"
    done = script("logs.py", "--local", "mine", "--since", "1h", **NO_AWS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: Local mode refuses GetLogEvents: the lines of a log of this machine have no")
    done = script("logs.py", "--local", **NO_AWS)
    assert done.stderr == "Error: There is no training job whose name begins with rl-mountain-car on this machine.\n"


def test_no_wait_is_silent(script, timeline, jobs, aws, monkeypatch, tmp_path):
    """Of a job to follow, to fetch or of a batch transform, of an endpoint that begins, and of one that ends."""
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.05)
    jobs("mine")
    slow = after(lambda: time.sleep(0.2), now("InProgress"))
    timeline.answers("DescribeTrainingJob", PASSED, slow, PASSED)
    assert "Waiting for training job mine: 0 s\n" in script("logs.py", "--follow", "mine").stderr

    s3 = aws.client("s3")
    s3.put_object(Bucket="sagemaker-eu-west-1-123456789012", Key="model.tar.gz", Body=b"x")
    creating = after(lambda: time.sleep(0.2), state(EndpointStatus="Creating"))
    timeline.answers("DescribeEndpoint", NOT_FOUND, creating, PASSED)
    done = script("deploy.py", *GIVEN, "s3://sagemaker-eu-west-1-123456789012/model.tar.gz")
    assert done.returncode == 0, done.stderr
    assert "Waiting for endpoint rl-mountain-car: 0 s\n" in done.stderr

    slow = after(lambda: time.sleep(0.2))
    timeline.answers("DescribeTransformJob", slow)
    (tmp_path / "o.csv").write_text("0.5,-0.5\n")
    done = script("transform.py", *GIVEN, "s3://sagemaker-eu-west-1-123456789012/model.tar.gz", str(tmp_path / "o.csv"))
    assert "Waiting for transform job rl-mountain-car-transform-" in done.stderr
    timeline.answers("DescribeTrainingJob", now("InProgress"), after(lambda: time.sleep(0.2), now("InProgress")))
    assert "Waiting for training job mine: 0 s\n" in script("fetch.py", "mine").stderr

    timeline.answers("DeleteEndpoint", after(lambda: time.sleep(0.2), refused("InternalFailure", "x", 500)), PASSED)
    assert "Waiting for the deletion of endpoint rl-mountain-car: " in script("delete.py", "--yes").stderr
