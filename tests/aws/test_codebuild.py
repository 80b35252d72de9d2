"""The CloudFormation template, buildspec.yml run as CodeBuild runs it, and build_in_codebuild.py."""

import ast
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from jobs import ROOT
from launch import project
from launch.aws import builds, registry
from launch.local import images
from local_aws import ACCOUNT, REGION, Aws, requests_of
from moto.cloudformation.models import CloudFormationBackend, Stack, cloudformation_backends
from moto.codebuild.models import CodeBuildBackend
from proxy import throttling
from registry import LOGIN

pytestmark = pytest.mark.xdist_group("images")  # one at a time: they move the same tags

pytest_plugins = ("registry", "proxy")

SOURCE = "https://github.com/owner/cars"
STACK = "mountain-car-images"
URIS = {
    kind: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mountain-car-{kind}@sha256:{'0' * 64}" for kind in project.KINDS
}


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms, ``!Ref Name``, as what is after them."""


def _content(loader: _Template, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    construct = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return construct(node, deep=True)


_Template.add_multi_constructor("!", _content)


# The template


def test_the_template_is_what_cloudformation_expects():
    program = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([program, builds.TEMPLATE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("kind", project.KINDS)
def test_the_stacks_repositories_are_those_that_push_images_creates(kind, script, aws):
    done = script("push_images.py", "--dry-run")
    created = {
        request["repositoryName"]: request
        for entry in json.loads(done.stdout)
        for operation, request in entry.items()
        if operation == "CreateRepository"
    }[f"mountain-car-{kind}"]
    resources = yaml.load(builds.TEMPLATE.read_text(), _Template)["Resources"]
    made = resources[f"{kind.title()}Repository"]["Properties"]
    assert made["RepositoryName"] == created["repositoryName"]
    assert made["ImageTagMutability"] == created["imageTagMutability"]
    wildcard = created["imageTagMutabilityExclusionFilters"][0]["filter"]
    assert made["ImageTagMutabilityExclusionFilters"][0]["ImageTagMutabilityExclusionFilterValue"] == wildcard
    assert made["ImageScanningConfiguration"]["ScanOnPush"] is created["imageScanningConfiguration"]["scanOnPush"]
    assert made["EncryptionConfiguration"][-1] == {
        "EncryptionType": created["encryptionConfiguration"]["encryptionType"]
    }
    assert json.loads(made["LifecyclePolicy"]["LifecyclePolicyText"]) == registry.LIFECYCLE_POLICY


def test_what_the_stack_creates(aws):
    outputs = create_stack(aws)
    repositories = aws.client("ecr").describe_repositories()["repositories"]
    assert {each["repositoryName"] for each in repositories} == {"mountain-car-training", "mountain-car-serving"}
    (group,) = aws.client("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (outputs["LogGroup"], 30)
    found = aws.client("s3").get_bucket_encryption(Bucket=outputs["ArtifactsBucket"])
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_what_the_local_aws_server_does_not_know_of_the_stack():
    resources = yaml.load(builds.TEMPLATE.read_text(), _Template)["Resources"]
    bucket = resources["Artifacts"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    project = resources["Project"]["Properties"]
    assert project["Environment"]["PrivilegedMode"] is True
    assert project["Artifacts"]["Location"] == "Artifacts"
    assert project["LogsConfig"]["CloudWatchLogs"] == {"Status": "ENABLED", "GroupName": "LogGroup"}
    for name in ("TrainingRepository", "ServingRepository", "Artifacts"):  # what they hold outlives the stack
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"


def test_a_build_may_do_only_what_it_needs(aws):
    outputs = create_stack(aws)
    iam = aws.client("iam")
    (role,) = iam.list_roles()["Roles"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "codebuild.amazonaws.com"}
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{outputs['Project']}"
    assert trust["Condition"] == {"ArnEquals": {"aws:SourceArn": arn}}
    assert iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"] == []
    (name,) = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
    policy = ast.literal_eval(document)  # which the local AWS server has in Python's form, if a stack creates it
    by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert by_sid.keys() == {"Logs", "Login", "Images", "Artifacts", "ArtifactsBucket"}
    assert "*" not in json.dumps([statement["Action"] for statement in by_sid.values()])
    everywhere = [statement["Action"] for statement in by_sid.values() if statement["Resource"] == "*"]
    assert everywhere == ["ecr:GetAuthorizationToken"]  # which IAM cannot bind to a repository
    assert by_sid["Artifacts"]["Resource"] == f"arn:aws:s3:::{outputs['ArtifactsBucket']}/*"
    assert outputs["LogGroup"] in by_sid["Logs"]["Resource"]
    # CloudFormation's stack and push_images.py put a policy where there is none
    assert {"ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy"} <= set(by_sid["Images"]["Action"])
    assert by_sid["Images"]["Resource"] == [
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/mountain-car-{kind}" for kind in project.KINDS
    ]


def create_stack(aws: Aws) -> dict[str, str]:
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=builds.TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": "SourceLocation", "ParameterValue": SOURCE}],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}


# buildspec.yml


def run_buildspec(checkout, **variables: str) -> tuple[int, str]:
    """Run the phases in order in one shell, as CodeBuild does; return 0 and the log, or the first failure's status.

    https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
    """
    spec = yaml.safe_load((checkout.folder / "buildspec.yml").read_text())
    assert spec["version"] == 0.2
    lines = ["status=0 failed=0"]
    for name, phase in spec["phases"].items():
        lines += [f'status=$failed; [ {name} = post_build ] && [ "$in_build" = 1 ] && status=0']
        for command in phase["commands"]:
            lines += ["if [ $status = 0 ]; then", f"echo {shlex.quote('$ ' + command)}", command, "status=$?; fi"]
        in_build = "in_build=1;" if name == "build" and phase.get("on-failure") != "ABORT" else ""
        lines += [f"if [ $failed = 0 ] && [ $status != 0 ]; then failed=$status; {in_build} fi"]
    kept = {key: value for key, value in checkout.environment.items() if key != "RL_RUNS"}
    done = subprocess.run(
        [spec["env"]["shell"], "-c", "\n".join([*lines, "exit $failed"])],
        cwd=checkout.folder,
        env={**spec["env"]["variables"], **kept, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    return done.returncode, done.stdout


@pytest.fixture
def sources(checkout):
    """The checkout with the environment that runs this test, which make finds to be up to date."""
    (checkout.folder / ".venv").symlink_to(ROOT / ".venv")
    (checkout.folder / ".git/info/exclude").write_text(".venv\n")  # .gitignore has the folder, and this is a link
    question = subprocess.run(["make", "--question", ".venv/tested"], cwd=checkout.folder, timeout=60)
    assert question.returncode == 0, "the environment is older than the lock files: run `make test`"
    return checkout


@pytest.mark.container
@pytest.mark.slow
def test_the_buildspec_builds_tests_and_pushes(sources, engine, stand_in_registry, kept_tags):
    revision = sources.git("rev-parse", "HEAD")
    given = {
        "REGISTRY": f"{stand_in_registry.address}/codebuild",
        "BASE_IMAGE": images.BASE_IMAGE,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": revision,
        "CONTAINER_TESTS": "tests/container/test_images.py -k labels",
    }
    failing = {**given, "CONTAINER_TESTS": "tests/container/test_images.py -k no_such_test"}
    status, log = run_buildspec(sources, **failing)
    assert status != 0
    assert "2 passed" not in log
    assert "--only push" not in log, "what failed its tests is not pushed"

    status, log = run_buildspec(sources, **given)
    assert status == 0, log
    assert "2 passed" in log
    artifact = json.loads((sources.folder / "runs/images.json").read_text())
    assert artifact.keys() == set(project.KINDS)
    for kind, uri in artifact.items():
        name = f"codebuild/mountain-car-{kind}"
        assert stand_in_registry.tags(name) == {revision[:12], "layer-cache", "layer-cache-build-stage"}
        pushed = engine.images.get_registry_data(
            uri, auth_config=dict(zip(("username", "password"), LOGIN, strict=True))
        )
        assert uri.endswith(pushed.id)

    # Another build has the layers that this one left, and what it builds of them is tested and pushed already.
    status, log = run_buildspec(sources, **given)
    assert status == 0, log
    assert "to take layers from" not in log
    assert f"mountain-car-serving:{revision[:12]} is pushed already" in log
    assert json.loads((sources.folder / "runs/images.json").read_text()) == artifact


def test_the_buildspec_builds_no_other_revision(sources):
    status, log = run_buildspec(sources, BASE_IMAGE=images.BASE_IMAGE, CODEBUILD_RESOLVED_SOURCE_VERSION="0" * 40)
    assert status == 1
    assert log.splitlines()[-1].startswith('$ test "$(git rev-parse HEAD)"')


# build_in_codebuild.py


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
    assert json.loads((tmp_path / "runs/images.json").read_text()) == URIS
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
    sentence, *lines = done.stderr.splitlines()
    assert sentence.startswith(f"Failed: Build {STACK}:")
    assert sentence.endswith(f" ends as FAILED in BUILD: {tests}.")
    assert lines == [*(f"line {number}" for number in range(16, 30)), "1 failed"]
    assert not (tmp_path / "runs/images.json").exists()


def test_throttling_is_waited_out(script, codebuild, between, tmp_path):
    """A refused look has been a look: moto has made the answer that the proxy keeps back."""
    codebuild.succeeds()
    codebuild.states = [codebuild.states[0]] * 2 + codebuild.states
    url, handler = between(throttling(2, "BatchGetBuilds"))
    done = script("build_in_codebuild.py", "--source", SOURCE, AWS_ENDPOINT_URL_CODEBUILD=url)
    assert done.returncode == 0, done.stderr
    assert handler.asked == 6  # StartBuild, two that were refused, three that were not
    assert json.loads((tmp_path / "runs/images.json").read_text()) == URIS


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
