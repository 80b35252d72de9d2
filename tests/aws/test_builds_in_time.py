"""build_in_codebuild.py while the stack and the build go from state to state, and their log lags."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from image_stack import SOURCE, STACK, create_stack
from launch import project
from launch.aws.clients import Clients
from launch.cli import progress
from local_aws import ACCOUNT, REGION
from moto.cloudformation.models import cloudformation_backends
from timeline import FAULT, PASSED, THROTTLED, TOO_MANY, after, given, refused

pytest_plugins = ("timeline",)

LOOK, STACKS = "BatchGetBuilds", "DescribeStacks"
GROUP = f"/aws/codebuild/{STACK}"
WHERE = {"logGroupName": GROUP, "logStreamName": "mine"}
URIS = {
    kind: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-{kind}@sha256:{'1' * 64}" for kind in project.KINDS
}
ABSENT = refused("ValidationError", "Stack with id x does not exist")


@pytest.fixture
def build(script, timeline, aws) -> Callable[..., Any]:
    """Run the script; CodeBuild takes its build on, and answers a look at it by each of these states in turn."""
    s3, logs = aws.client("s3"), aws.client("logs")
    s3.create_bucket(Bucket="builds", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="builds", Key="1/images/images.json", Body=json.dumps(URIS))

    def run(*looks: dict[str, Any] | Any) -> Any:
        timeline.answers("StartBuild", given(build={"id": f"{STACK}:1"}))
        for look in looks:
            if isinstance(look, dict):
                location = {"groupName": GROUP, "streamName": "mine"} if look.pop("has_log", True) else {}
                look = given(builds=[{"id": f"{STACK}:1", "logs": location, **look}])
            timeline.answers(LOOK, look)
        return script("build_in_codebuild.py", "--source", SOURCE)

    def prints(*lines: str) -> None:
        if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
            logs.create_log_group(logGroupName=GROUP)
        if not logs.describe_log_streams(logGroupName=GROUP)["logStreams"]:
            logs.create_log_stream(**WHERE)
        now = int(1000 * time.time())
        logs.put_log_events(**WHERE, logEvents=[{"timestamp": now, "message": f"{line}\n"} for line in lines])

    run.prints = prints
    return run


def phase(name: str, status: str | None, seconds: int | None = None, *messages: str) -> dict[str, Any]:
    fields = {"phaseType": name, "phaseStatus": status, "durationInSeconds": seconds}
    contexts = [{"statusCode": "X", "message": message} for message in messages]
    return {key: value for key, value in fields.items() if value is not None} | {"contexts": contexts}


DONE = {"buildStatus": "SUCCEEDED", "artifacts": {"location": "arn:aws:s3:::builds/1/images"}}


def test_a_build_is_followed_to_the_last_line_of_its_log(build, timeline):
    running = {"buildStatus": "IN_PROGRESS", "phases": [phase("QUEUED", "SUCCEEDED", 3), phase("BUILD", None)]}
    log = "DescribeLogStreams"
    timeline.answers(log, after(lambda: build.prints("one", "two")), PASSED, after(lambda: build.prints("three")))
    timeline.answers(log, THROTTLED, after(lambda: build.prints("late")), FAULT, after(lambda: build.prints("last")))
    done = build(
        given(builds=[], buildsNotFound=[f"{STACK}:1"]),  # of a build that is new
        {"buildStatus": "IN_PROGRESS", "has_log": False, "phases": [phase("QUEUED", None)]},
        THROTTLED,
        {**running},
        TOO_MANY,
        {**running},
        {**DONE, "phases": [phase("QUEUED", "SUCCEEDED", 3), phase("BUILD", "SUCCEEDED", 90)]},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].startswith(f"Build {STACK}:1 of ")
    assert lines[2:] == [
        "  one",
        "  two",
        "QUEUED: SUCCEEDED after 3 s",
        "  three",
        "BUILD: SUCCEEDED after 90 s",
        "  late",
        "  last",
        *(f"{kind}: {uri}" for kind, uri in URIS.items()),
    ]
    assert timeline.of(LOOK)[0] == {"ids": [f"{STACK}:1"]}


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "TIMED_OUT", "STOPPED"])
def test_a_build_that_does_not_succeed(build, timeline, tmp_path, status):
    messages = ("make test: exit status 2.", "and more")
    timeline.answers("DescribeLogStreams", after(lambda: build.prints("one")), after(lambda: build.prints("late")))
    done = build(
        {
            "buildStatus": status,
            "phases": [
                phase("QUEUED", "SUCCEEDED", 3),
                phase("BUILD", "FAILED", 4, *messages),
                phase("POST", "FAILED"),
            ],
        }
    )
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"Failed: Build {STACK}:1 ends as {status} in BUILD: make test: exit status 2")
    assert [line for line in done.stdout.splitlines() if line.startswith("  ")] == ["  one", "  late"]
    assert not (tmp_path / "runs/images.json").exists()


def test_a_build_that_is_never_found(build, timeline, monkeypatch):
    monkeypatch.setattr(Clients, "seconds_until_found", 0)
    done = build(given(builds=[]))
    assert (done.returncode, done.stderr) == (1, f"Failed: CodeBuild knows no build {STACK}:1.\n")


def status_becomes(status: str) -> Any:
    def change() -> None:
        for stack in cloudformation_backends[ACCOUNT][REGION].stacks.values():
            stack.status = status

    return after(change)


def test_a_new_stack_is_waited_for(build, timeline):
    timeline.answers(STACKS, PASSED, ABSENT, THROTTLED, ABSENT, status_becomes("CREATE_IN_PROGRESS"))
    timeline.answers(STACKS, status_becomes("CREATE_IN_PROGRESS"), FAULT, status_becomes("CREATE_COMPLETE"))
    done = build(DONE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"Stack {STACK}: CREATE_COMPLETE"
    assert timeline.operations.index("StartBuild") > max(
        number for number, each in enumerate(timeline.operations) if each == STACKS
    )
    (created,) = timeline.of("CreateStack")
    assert (created["OnFailure"], created["Capabilities.member.1"]) == ("DELETE", "CAPABILITY_IAM")


def test_neither_a_new_stack_nor_a_build_is_waited_for_in_silence(build, timeline, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.05)

    def pause() -> None:
        time.sleep(0.2)

    timeline.answers(STACKS, PASSED, after(pause))
    done = build(after(pause, given(builds=[{"id": f"{STACK}:1", "logs": {}, **DONE}])))
    assert done.returncode == 0, done.stderr
    assert f"Waiting for stack {STACK}: 0 s\n" in done.stderr
    assert f"Waiting for build {STACK}:1: 0 s\n" in done.stderr


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED", "gone"])
def test_a_new_stack_that_fails(build, timeline, monkeypatch, status):
    if status == "gone":
        monkeypatch.setattr(Clients, "seconds_until_found", 0)
    step = ABSENT if status == "gone" else status_becomes(status)
    timeline.answers(STACKS, PASSED, status_becomes("CREATE_IN_PROGRESS"), step)
    done = build(DONE)
    ends = "DELETE_COMPLETE" if status == "gone" else status
    sentence = f"Failed: Stack {STACK} ends as {ends}: CloudFormation does not say why.\n"
    assert (done.returncode, done.stderr) == (1, sentence)
    assert "StartBuild" not in timeline.operations


@pytest.mark.parametrize(
    ("status", "can_be_updated"),
    [
        ("CREATE_COMPLETE", True),
        ("UPDATE_COMPLETE", True),
        ("UPDATE_ROLLBACK_COMPLETE", True),
        ("IMPORT_COMPLETE", True),
        ("ROLLBACK_COMPLETE", False),
        ("UPDATE_ROLLBACK_FAILED", False),
        ("DELETE_IN_PROGRESS", False),
    ],
)
def test_the_states_from_which_a_stack_can_be_updated(script, aws, status, can_be_updated):
    create_stack(aws)
    for stack in cloudformation_backends[ACCOUNT][REGION].stacks.values():
        stack.status = status
    done = script("build_in_codebuild.py", "--dry-run")
    if can_be_updated:
        assert done.returncode == 0, done.stderr
    else:
        sentence = f"Stack {STACK} is {status}: wait for its end, or delete it if that is an end."
        assert (done.returncode, done.stderr) == (2, f"Error: {sentence}\n")


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"])
def test_an_update_of_a_stack_says_the_first_thing_that_failed_in_it(build, timeline, aws, status):
    create_stack(aws)
    (stack,) = cloudformation_backends[ACCOUNT][REGION].stacks.values()

    def event(logical: str, what: str, reason: str | None) -> None:
        stack._add_stack_event(what, reason)
        stack.events[-1].logical_resource_id, stack.events[-1].resource_type = logical, f"AWS::{logical}"

    event("Bucket", "CREATE_FAILED", "of the last update")

    def fail() -> None:
        event("Project", "UPDATE_IN_PROGRESS", None)
        event("Role", "UPDATE_FAILED", "It is not allowed.")
        event("Project", "UPDATE_FAILED", "Resource update cancelled")
        stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"

    timeline.answers(STACKS, PASSED, after(fail), status_becomes(status))
    answer = f"<UpdateStackResult><StackId>{stack.stack_id}</StackId></UpdateStackResult>"
    text = f"<UpdateStackResponse>{answer}</UpdateStackResponse>"
    timeline.answers("UpdateStack", lambda request, send: httpx.Response(200, text=text))
    done = build(DONE)
    if status == "UPDATE_COMPLETE":
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == f"Stack {STACK}: UPDATE_COMPLETE"
    else:
        sentence = f"Failed: Stack {STACK} ends as {status}: Role (AWS::Role): It is not allowed.\n"
        assert (done.returncode, done.stderr) == (1, sentence)
