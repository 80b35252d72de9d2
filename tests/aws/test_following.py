"""Following jobs to their ends while AWS's answers lag, change, come in pages and are refused in between."""

import time
from typing import Any

import pytest
from launch.aws.clients import Clients
from local_aws import ACCOUNT
from timeline import FAULT, NOT_FOUND, PASSED, THROTTLED, TOO_MANY, after, given, refused, state

pytest_plugins = ("timeline",)

GIVEN = ("--image", "my-image:1", "--role", f"arn:aws:iam::{ACCOUNT}:role/r")
GROUP = "/aws/sagemaker/TrainingJobs"
TRAINED = ("train.py", *GIVEN, "--job-name", "mine", "--wait")


class Printer:
    """Prints into streams of a log group, as containers do: each line at the time that is given, in seconds."""

    def __init__(self, aws, group: str = GROUP) -> None:
        self._logs, self._group = aws.client("logs"), group
        self._begin = int(1000 * time.time()) - 60_000
        self._streams: set[str] = set()
        self._logs.create_log_group(logGroupName=group)

    def __call__(self, stream: str, *lines: tuple[float, str]) -> None:
        where = {"logGroupName": self._group, "logStreamName": stream}
        if stream not in self._streams:
            self._logs.create_log_stream(**where)
            self._streams.add(stream)
        events = [{"timestamp": self._begin + int(1000 * moment), "message": line} for moment, line in lines]
        self._logs.put_log_events(**where, logEvents=events)


@pytest.fixture
def prints(aws) -> Printer:
    return Printer(aws)


def running(secondary: str = "Training", *changes: str) -> Any:
    transitions = [{"Status": each, "StartTime": 0, "StatusMessage": each} for each in (*changes, secondary)]
    return state(TrainingJobStatus="InProgress", SecondaryStatus=secondary, SecondaryStatusTransitions=transitions)


def test_no_line_of_a_job_is_lost_or_doubled(script, timeline, prints):
    """Lines come while it runs, at its last look, and when it has long been Completed; streams one after the other."""
    prints("mine-too/algo-1", (0, "of another job"))
    job = "DescribeTrainingJob"
    timeline.answers(
        job,
        running("Starting"),
        after(lambda: prints("mine/algo-1", (1, "one"), (2, "two")), running("Training", "Starting")),
        running("Training", "Starting"),
        after(lambda: prints("mine/algo-1", (3, "three")), running("Training", "Starting")),
    )
    late = iter([(4, "late"), (5, "later"), (6, "the last")])

    def one_more() -> None:
        if timeline.operations.count(job) == 5 and (line := next(late, None)):
            prints("mine/algo-1", line)

    timeline.answers("DescribeLogStreams", *[after(one_more)] * 20)
    done = script(*TRAINED)
    assert done.returncode == 0, done.stderr
    begun = done.stdout.splitlines().index("Created training job mine")
    shown = ["Starting", "Training", "one", "two", "three", "late", "later", "the last"]
    assert done.stdout.splitlines()[begun + 1 :][: len(shown)] == shown
    assert timeline.operations.count(job) == 5  # nobody looks at a job that has ended


def test_lines_of_several_hosts_come_in_the_order_of_time_whatever_the_pages(script, timeline, prints):
    timeline.lists_in_pages_of("DescribeLogStreams", 1)
    prints("mine/algo-2-1700", (2, "second"), (4, "fourth"), (5, "fifth"))
    prints("mine/algo-1-1700", (1, "first"), (3, "third"))
    prints("mine-2/algo-1-1700", (1, "of another job"))
    done = script(*TRAINED)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("[")] == [
        "[algo-1-1700] first",
        "[algo-2-1700] second",
        "[algo-1-1700] third",
        "[algo-2-1700] fourth",
        "[algo-2-1700] fifth",
    ]


def test_refusals_and_a_job_that_is_not_found_at_first_are_waited_out(script, timeline, prints):
    prints("mine/algo-1", (1, "one"))
    timeline.answers("CreateTrainingJob", THROTTLED, TOO_MANY)
    timeline.answers("DescribeTrainingJob", NOT_FOUND, NOT_FOUND, THROTTLED, running(), FAULT, TOO_MANY, running())
    timeline.answers("DescribeLogStreams", FAULT)
    timeline.answers("GetLogEvents", THROTTLED, FAULT)
    done = script(*TRAINED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines().count("one") == 1
    assert timeline.operations.count("CreateTrainingJob") == 3


def test_a_job_that_is_never_found(script, timeline, monkeypatch):
    monkeypatch.setattr(Clients, "seconds_until_found", 0)
    timeline.answers("DescribeTrainingJob", NOT_FOUND)
    done = script(*TRAINED)
    assert (done.returncode, done.stderr) == (
        1,
        "Failed: There is no training job mine in region eu-west-1 any more.\n",
    )


@pytest.mark.parametrize("status", ["Completed", "Stopped", "Failed"])
def test_a_job_that_is_stopping_has_not_ended(script, timeline, prints, status):
    timeline.answers(
        "DescribeTrainingJob",
        state(TrainingJobStatus="Stopping"),
        after(lambda: prints("mine/algo-1", (1, "while stopping")), state(TrainingJobStatus="Stopping")),
        state(
            TrainingJobStatus=status,
            SecondaryStatus="MaxRuntimeExceeded",
            FailureReason="It is bad.",
            TrainingTimeInSeconds=12,
        ),
    )
    timeline.answers(
        "DescribeLogStreams", *[after(lambda: None)] * 2, after(lambda: prints("mine/algo-2", (9, "last")))
    )
    done = script(*TRAINED)
    assert timeline.operations.count("DescribeTrainingJob") == 3
    assert "while stopping" in done.stdout.splitlines()
    if status == "Failed":
        assert (done.returncode, done.stderr) == (1, "Failed: It is bad.\n")
        assert [line for line in done.stdout.splitlines() if "last" in line] == ["[algo-2] last"]  # not twice
    else:
        assert f"{status}: MaxRuntimeExceeded, 12 s" in done.stdout.splitlines()
        ended = "Stopped: Training job mine ended before its work was done (MaxRuntimeExceeded).\n"
        assert (done.returncode, done.stderr) == ((3, ended) if status == "Stopped" else (0, ""))


def test_fetching_waits_for_the_job_and_for_the_last_lines_of_one_that_failed(script, timeline, prints):
    assert script(*TRAINED[:-1]).returncode == 0
    failed = state(TrainingJobStatus="Failed", FailureReason="It is bad.")
    timeline.answers("DescribeTrainingJob", running("Downloading"), running(), state(TrainingJobStatus="Stopping"))
    timeline.answers("DescribeTrainingJob", failed)
    prints("mine/algo-1", (1, "first"))
    timeline.answers("DescribeLogStreams", PASSED, after(lambda: prints("mine/algo-1", (2, "late"))))
    done = script("fetch.py", "mine")
    assert done.stdout.startswith("Waiting for mine, which is Downloading\n")
    assert (done.returncode, done.stderr) == (1, "Failed: It is bad.\nfirst\nlate\n")
    assert timeline.operations.count("DescribeTrainingJob") == 4


def test_a_running_job_is_fetched_without_waiting_if_asked(script, timeline):
    assert script(*TRAINED[:-1]).returncode == 0
    timeline.answers("DescribeTrainingJob", running())
    done = script("fetch.py", "--no-wait", "mine")
    assert (done.returncode, timeline.operations.count("DescribeTrainingJob")) == (0, 1)
    assert "InProgress: " in done.stdout
    assert done.stdout.endswith("nothing yet\n")


TRANSFORM = "DescribeTransformJob"


@pytest.fixture
def transform(script, aws, tmp_path):
    """Run transform.py on files in S3."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="b-1", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("model.tar.gz", "o.csv"):
        s3.put_object(Bucket="b-1", Key=key, Body=b"x")
    return lambda: script("transform.py", *GIVEN, "--bucket", "b-1", "s3://b-1/model.tar.gz", "s3://b-1/o.csv")


def test_a_transform_job_is_waited_for(transform, timeline):
    timeline.answers(TRANSFORM, NOT_FOUND, THROTTLED, *[state(TransformJobStatus="InProgress")] * 2)
    timeline.answers(TRANSFORM, state(TransformJobStatus="Stopping"), FAULT, state(TransformJobStatus="Completed"))
    done = transform()
    assert done.returncode == 0, done.stderr
    created, *statuses, answers = done.stdout.splitlines()
    name = created.removeprefix("Created transform job ")
    assert statuses == ["InProgress", "Stopping", "Completed"]
    assert answers == f"Answers: s3://b-1/{name}/output/o.csv.out"
    order = [each for each in timeline.operations if each.startswith(("Create", "Delete"))]
    assert order == ["CreateModel", "CreateTransformJob", "DeleteModel"]
    assert timeline.operations.index("DeleteModel") > timeline.operations.index(TRANSFORM)
    assert timeline.of("DeleteModel") == [{"ModelName": name}]


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_transform_job_that_does_not_complete(transform, timeline, aws, status):
    prints = Printer(aws, "/aws/sagemaker/TransformJobs")
    reason = {"FailureReason": "ClientError: see the log." if status == "Failed" else None}
    timeline.answers(TRANSFORM, state(TransformJobStatus="InProgress"), state(TransformJobStatus=status, **reason))

    def name() -> str:
        return timeline.of("CreateTransformJob")[0]["TransformJobName"]

    timeline.answers("DescribeLogStreams", after(lambda: prints(f"{name()}/i-1", (1, "bad line"))))
    timeline.answers("DescribeLogStreams", after(lambda: prints(f"{name()}/i-1", (2, "late line"))))
    done = transform()
    if status == "Failed":
        assert (done.returncode, done.stderr) == (1, f"Failed: {reason['FailureReason']}\nbad line\nlate line\n")
    else:
        sentence = f"Stopped: Transform job {name()} ended before its work was done (Stopped).\n"
        assert (done.returncode, done.stderr) == (3, sentence)
    assert "DeleteModel" in timeline.operations


def test_a_transform_job_that_cannot_be_created_leaves_no_model(transform, timeline):
    timeline.answers("CreateTransformJob", refused("ResourceLimitExceeded", "No more instances"))
    done = transform()
    assert done.returncode == 2
    assert "No more instances (ResourceLimitExceeded)" in done.stderr
    assert timeline.operations[-1] == "DeleteModel"


def test_stop_finds_out_what_kind_of_job_it_is(script, timeline):
    for kind in ("Training", "Transform"):
        missing = [NOT_FOUND] if kind == "Transform" else []
        timeline.answers("DescribeTrainingJob", *missing, given(TrainingJobStatus="InProgress"))
        timeline.answers("DescribeTransformJob", given(TransformJobStatus="InProgress"))
        timeline.answers(f"Stop{kind}Job", given())
        done = script("stop.py", "mine")
        assert (done.returncode, done.stdout) == (0, f"{kind} job mine is being stopped.\n")
        assert timeline.requests[-1] == (f"Stop{kind}Job", {f"{kind}JobName": "mine"})
        timeline._steps.clear()


@pytest.mark.parametrize("status", ["Stopping", "Stopped", "Completed", "Failed"])
def test_only_a_job_in_progress_is_stopped(script, timeline, status):
    timeline.answers("DescribeTrainingJob", given(TrainingJobStatus=status))
    done = script("stop.py", "mine")
    assert (done.returncode, done.stderr) == (2, f"Error: Training job mine is {status}, expected InProgress.\n")
    assert timeline.operations == ["DescribeTrainingJob"]
