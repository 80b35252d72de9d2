"""build_in_codebuild.py against a local AWS server: stack, build, log, mistakes."""

import json
import subprocess
import time
from typing import Any

import pytest
from image_stack import SOURCE, STACK, create_stack
from jobs import ROOT
from launch import project
from local_aws import ACCOUNT, REGION, Aws, requests_of
from moto.cloudformation.models import CloudFormationBackend, Stack, cloudformation_backends
from moto.codebuild.models import CodeBuildBackend

pytest_plugins = ("registry",)


URIS = {
    kind: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-{kind}@sha256:{'0' * 64}" for kind in project.KINDS
}


class CodeBuild:
    """Plays builds: moto's succeed as soon as they are looked at, and run nothing.

    Each look at a build goes one state further; a state is what BatchGetBuilds answers, and the log lines till then.
    """

    def __init__(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.states: list[tuple[dict[str, Any], list[str]]] = []
        self.started: list[str] = []
        role = f"arn:aws:iam::{ACCOUNT}:role/builds"
        aws.client("codebuild").create_project(  # moto's stacks have no projects
            name=STACK,
            source={"type": "GITHUB", "location": SOURCE},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_MEDIUM"},
            serviceRole=role,
        )
        start = CodeBuildBackend.start_build

        def start_build(backend: CodeBuildBackend, project: str, version: str | None = None, *rest: Any) -> Any:
            self.started.append(str(version))
            return start(backend, project, version, *rest)

        monkeypatch.setattr(CodeBuildBackend, "start_build", start_build)
        monkeypatch.setattr(CodeBuildBackend, "batch_get_builds", lambda backend, ids: [self.look(ids[0])])

    def look(self, identity: str) -> dict[str, Any]:
        state, lines = self.states.pop(0)
        if not self.states:
            self.states = [(state, [])]
        stream = {"logGroupName": f"/aws/codebuild/{STACK}", "logStreamName": "stream"}
        logs = self.aws.client("logs")
        if lines:
            if not logs.describe_log_streams(logGroupName=stream["logGroupName"])["logStreams"]:
                logs.create_log_stream(**stream)
            now = int(time.time() * 1000)
            logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": f"{line}\n"} for line in lines])
        where = {"groupName": stream["logGroupName"], "streamName": "stream"}
        return {"id": identity, "logs": where, **state}

    def succeeds(self) -> None:
        bucket = create_bucket_name(self.aws)
        self.states = [
            ({"buildStatus": "IN_PROGRESS", "phases": [{"phaseType": "QUEUED"}]}, []),
            ({"buildStatus": "IN_PROGRESS", "phases": [ended("QUEUED")]}, ["Step 1", "Step 2"]),
            (
                {
                    "buildStatus": "SUCCEEDED",
                    "phases": [ended("QUEUED"), ended("BUILD")],
                    "artifacts": {"location": f"arn:aws:s3:::{bucket}/1/images"},
                },
                ["Step 3"],
            ),
        ]
        self.aws.client("s3").put_object(Bucket=bucket, Key="1/images/images.json", Body=json.dumps(URIS))


def create_bucket_name(aws: Aws) -> str:
    aws.client("s3").create_bucket(Bucket="builds", CreateBucketConfiguration={"LocationConstraint": REGION})
    return "builds"


def ended(phase: str, status: str = "SUCCEEDED", message: str = "") -> dict[str, Any]:
    said = {"contexts": [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": message}]} if message else {}
    return {"phaseType": phase, "phaseStatus": status, "durationInSeconds": 7, **said}


@pytest.fixture
def codebuild(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> CodeBuild:
    return CodeBuild(aws, monkeypatch)


def test_a_build_from_nothing_and_again(script, aws, codebuild, tmp_path):
    codebuild.succeeds()
    done = script("build_in_codebuild.py", "--source", f"{SOURCE}.git", "--tag", "team=rl")
    assert done.returncode == 0, done.stderr
    revision = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    assert codebuild.started == [revision]
    lines = done.stdout.splitlines()
    assert lines[0] == f"Stack {STACK}: CREATE_COMPLETE"
    assert lines[2:] == [
        "  Step 1",
        "  Step 2",
        "QUEUED: SUCCEEDED after 7 s",
        "  Step 3",
        "BUILD: SUCCEEDED after 7 s",
        *(f"{kind}: {uri}" for kind, uri in URIS.items()),
    ]
    assert json.loads((tmp_path / "runs/images.json").read_text()) == {REGION: URIS}
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert stack["Tags"] == [{"Key": "team", "Value": "rl"}]
    assert parameters(stack)["SourceLocation"] == f"{SOURCE}.git"

    again = script("build_in_codebuild.py", "--revision", "some-branch")  # the stack knows its source
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"Stack {STACK} is up to date\n")
    assert codebuild.started[1:] == ["some-branch"]
    other = script("build_in_codebuild.py", "--source", "git@github.com:owner/trucks")
    assert other.stdout.startswith(f"Stack {STACK}: UPDATE_COMPLETE\n"), other.stderr
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert parameters(stack)["SourceLocation"] == "https://github.com/owner/trucks"
    assert parameters(stack)["CreateServingRepository"] == "true", "or the stack would let go of what it created"


def parameters(stack: dict[str, Any]) -> dict[str, str]:
    return {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}


def test_a_build_that_fails(script, codebuild, tmp_path):
    tests = "Error while executing command: make test. Reason: exit status 2"
    codebuild.states = [
        ({"buildStatus": "IN_PROGRESS"}, [f"line {number}" for number in range(30)]),
        ({"buildStatus": "FAILED", "phases": [ended("BUILD", "FAILED", tests)]}, ["1 failed"]),
    ]
    done = script("build_in_codebuild.py", "--source", SOURCE)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"Failed: Build {STACK}:")
    assert sentence.endswith(f" ends as FAILED in BUILD: {tests}.")
    shown = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    assert shown == [*(f"  line {number}" for number in range(30)), "  1 failed"]  # each line once
    assert not (tmp_path / "runs/images.json").exists()


def test_a_build_that_leaves_no_images(script, codebuild):
    codebuild.states = [({"buildStatus": "SUCCEEDED", "artifacts": {"location": "arn:aws:s3:::gone/1/images"}}, [])]
    done = script("build_in_codebuild.py", "--source", SOURCE)
    assert done.returncode == 1
    assert "left no images.json at s3://gone/1/images/images.json" in done.stderr


def test_a_dry_run_creates_nothing_and_starts_nothing(script, aws):
    aws.client("ecr").create_repository(repositoryName="mountain-car-serving")
    requests = requests_of(
        script("build_in_codebuild.py", "--source", SOURCE, "--revision", "v9", "--dry-run", "--stack-name", "mine")
    )
    assert list(requests) == ["CreateStack", "StartBuild"]
    given = parameters(requests["CreateStack"])
    assert (given["CreateTrainingRepository"], given["CreateServingRepository"]) == ("true", "false")
    assert (given["SourceType"], given["SourceLocation"], given["ProjectName"]) == ("GITHUB", SOURCE, "mine")
    assert requests["StartBuild"] == {"projectName": "mine", "sourceVersion": "v9"}
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []
    aws.client("cloudformation").create_stack(
        StackName="mine",
        **{key: value for key, value in requests["CreateStack"].items() if key in ("TemplateBody", "Parameters")},
    )
    names = {each["repositoryName"] for each in aws.client("ecr").describe_repositories()["repositories"]}
    assert names == {"mountain-car-training", "mountain-car-serving"}, "the one that was there is left alone"
    assert list(requests_of(script("build_in_codebuild.py", "--dry-run", "--stack-name", "mine"))) == [
        "UpdateStack",
        "StartBuild",
    ]


def test_a_stack_that_fails(script, monkeypatch):
    create = CloudFormationBackend.create_stack

    def create_stack(backend: CloudFormationBackend, *arguments: Any, **named: Any) -> Stack:
        stack = create(backend, *arguments, **named)
        for logical, status, reason in (
            ("Role", "CREATE_FAILED", "User is not authorized to perform iam:CreateRole."),
            ("Artifacts", "CREATE_FAILED", "Resource creation cancelled"),
        ):
            stack._add_stack_event(status, reason)
            stack.events[-1].logical_resource_id, stack.events[-1].resource_type = logical, f"AWS::{logical}"
        stack.status = "DELETE_COMPLETE"
        return stack

    monkeypatch.setattr(CloudFormationBackend, "create_stack", create_stack)
    done = script("build_in_codebuild.py", "--source", SOURCE)
    assert done.returncode == 1
    assert done.stderr == (
        f"Failed: Stack {STACK} ends as DELETE_COMPLETE: "
        "Role (AWS::Role): User is not authorized to perform iam:CreateRole.\n"
    )


def test_a_key_that_cannot_be_used(script, aws):
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    for given, sentence in (
        ("alias/none", f"--kms-key is 'alias/none', expected a KMS key that is there in region {REGION}."),
        (key, f"--kms-key is {key!r}, of region us-east-1, expected a KMS key of {REGION}."),
    ):
        done = script("build_in_codebuild.py", "--source", SOURCE, "--kms-key", given)
        assert (done.returncode, done.stderr) == (2, f"Error: {sentence}\n")
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_stack_that_somebody_else_is_changing(script, aws):
    create_stack(aws)
    for stack in cloudformation_backends[ACCOUNT][REGION].stacks.values():
        stack.status = "UPDATE_IN_PROGRESS"
    done = script("build_in_codebuild.py")
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: Stack {STACK} is UPDATE_IN_PROGRESS: ")


def test_a_stacks_repositories_keep_their_key(script, aws):
    create_stack(aws)
    done = script("build_in_codebuild.py", "--kms-key", "alias/mine")
    assert done.returncode == 2
    expected = f"Error: --kms-key is 'alias/mine', but stack {STACK} was made with no --kms-key, and ECR cannot change"
    assert done.stderr.startswith(expected)
    assert len(done.stderr.splitlines()) == 1
    assert script("build_in_codebuild.py", "--dry-run").returncode == 0


@pytest.mark.parametrize("source", ["https://example.com/cars", "../cars", "https://secret@gitlab.com/a/b"])
def test_a_source_that_codebuild_cannot_clone(script, source):
    done = script("build_in_codebuild.py", "--source", source)
    assert done.returncode == 2
    assert "expected https://github.com/OWNER/NAME" in done.stderr
    assert "secret" not in done.stderr


def test_a_token_in_the_remotes_address_stays_here(script):
    requests = requests_of(
        script("build_in_codebuild.py", "--dry-run", "--source", "https://me:secret@github.com/owner/cars")
    )
    assert parameters(requests["CreateStack"])["SourceLocation"] == SOURCE


def test_a_revision_that_is_not_on_the_remote(checkout):
    checkout.git("remote", "set-url", "origin", "git@github.com:owner/cars.git")
    for branch in checkout.git("branch", "--remotes", "--format=%(refname:short)").splitlines():
        if "/" in branch:
            checkout.git("branch", "--delete", "--force", "--remotes", branch)
    done = checkout.script("build_in_codebuild.py", "--dry-run")
    revision = checkout.git("rev-parse", "HEAD")
    assert done.returncode == 2
    assert done.stderr == f"Error: Revision {revision[:12]} is not on origin, which CodeBuild clones: push it first.\n"
    unknown = checkout.script("build_in_codebuild.py", "--dry-run", "--revision", "nothing")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("Error: --revision is 'nothing', expected a commit, a branch or a tag of ")
    checkout.git("update-ref", "refs/remotes/origin/main", "HEAD")
    requests = requests_of(checkout.script("build_in_codebuild.py", "--dry-run"))
    assert requests["StartBuild"]["sourceVersion"] == revision
    checkout.git("remote", "remove", "origin")
    done = checkout.script("build_in_codebuild.py", "--dry-run")
    assert (done.returncode, "give --source" in done.stderr) == (2, True)
