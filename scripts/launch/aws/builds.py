"""The CloudFormation stack that builds the images in CodeBuild, and following a build to its end.

https://docs.aws.amazon.com/codebuild/latest/userguide/welcome.html
"""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from launch import project
from launch.aws import clients as aws
from launch.aws import registry
from launch.aws.logs import Log
from launch.aws.storage import Storage, join
from launch.cli.errors import JobFailed, UsageError

TEMPLATE = project.ROOT / "infrastructure" / "images.yml"
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
"""What a stack can be updated from."""
CODECOMMIT = re.compile(r"git-codecommit\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
SSH = re.compile(r"(?:ssh://)?git@(?P<host>[\w.-]+)[:/](?P<path>[^:]+)")


def source_of(address: str) -> dict[str, str]:
    """Return the stack's parameters for a repository's address, as git knows it.

    Raises:
        UsageError: CodeBuild cannot clone from there.
    """
    if over_ssh := SSH.fullmatch(address):
        address = f"https://{over_ssh['host']}/{over_ssh['path']}"
    parts = urlsplit(address)
    host = parts.hostname or ""
    kinds = {"github.com": "GITHUB", "bitbucket.org": "BITBUCKET"}
    kind = "CODECOMMIT" if CODECOMMIT.fullmatch(host) else kinds.get(host)
    if kind is None or parts.scheme != "https" or not parts.path.strip("/"):
        known = "https://github.com/OWNER/NAME, one of bitbucket.org or of CodeCommit"
        raise UsageError(f"The source is {_without_login(address)!r}, expected {known}.")
    return {"SourceType": kind, "SourceLocation": f"https://{host}{parts.path}"}  # without a name and a token in it


def _without_login(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)


def origin() -> str | None:
    """Return the address of the checkout's remote ``origin``; None if there is none."""
    return _git("remote", "get-url", "origin")


def full_revision(given: str, location: str) -> str:
    """Return the full hash of a revision; if CodeBuild clones another repository, one that is not here as it is given.

    Args:
        given: a hash, a branch, a tag.
        location: what CodeBuild clones.

    Raises:
        UsageError: CodeBuild clones ``origin``, and the revision is unknown here or is not on ``origin``.
    """
    pushed = _is_origin(location)
    revision = _git("rev-parse", "--verify", "--quiet", f"{given}^{{commit}}")
    if revision is None:
        if pushed:
            raise UsageError(f"--revision is {given!r}, expected a commit, a branch or a tag of {project.ROOT}.")
        return given
    if pushed and not _git("branch", "--remotes", "--contains", revision, "--list", "origin/*"):
        raise UsageError(f"Revision {revision[:12]} is not on origin, which CodeBuild clones: push it first.")
    return revision


def _is_origin(location: str) -> bool:
    address = origin()
    try:
        own = source_of(address)["SourceLocation"] if address else ""
    except UsageError:
        return False
    return own.removesuffix(".git") == location.removesuffix(".git")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=project.ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Stack:
    """The stack of a name, whether it is there or not."""

    def __init__(self, clients: aws.Clients, name: str) -> None:
        self._clients = clients
        self.name = name
        self._before = self._find(name)

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self._clients.cloudformation.describe_stacks(StackName=name)["Stacks"][0])
        except ClientError as error:
            if aws.code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    @property
    def source(self) -> str | None:
        """What its project clones; None if the stack is not there."""
        given = {
            entry["ParameterKey"]: entry.get("ParameterValue") for entry in (self._before or {}).get("Parameters", [])
        }
        return given.get("SourceLocation")

    @property
    def project(self) -> str:
        """The name of its project: what it is, or is going to be."""
        return _outputs(self._before).get("Project", self.name)

    def request(
        self, source: dict[str, str], kms_key: str | None, tags: list[dict[str, str]]
    ) -> tuple[str, dict[str, Any]]:
        """Return the API request that creates the stack, or brings it up to date.

        Repositories that somebody has created before are left out of the stack: it could not create them.

        Raises:
            UsageError: The stack is in a state that nothing can be done from.
        """
        request: dict[str, Any] = {
            "StackName": self.name,
            "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
            "Capabilities": ["CAPABILITY_IAM"],
            **({"Tags": tags} if tags else {}),
        }
        given = {**source, **({"KmsKey": kms_key} if kms_key else {})}
        if self._before is None:
            given = {"KmsKey": "", "ProjectName": self.name, **given}
            for kind in project.KINDS:
                exists = registry.find_repository(self._clients, registry.repository_name(kind)) is not None
                given[f"Create{kind.title()}Repository"] = "false" if exists else "true"
            # Deleted if it cannot be created, so that it can be tried again.
            return "CreateStack", {**request, "Parameters": _parameters(given), "OnFailure": "DELETE"}
        if self._before["StackStatus"] not in SETTLED:
            raise UsageError(
                f"Stack {self.name} is {self._before['StackStatus']}: wait for its end, or delete it if that is an end."
            )
        parameters = {
            entry["ParameterKey"]: entry.get("ParameterValue") for entry in self._before.get("Parameters", [])
        }
        if kms_key and parameters.get("KmsKey") != kms_key:
            there = f"--kms-key {parameters['KmsKey']}" if parameters.get("KmsKey") else "no --kms-key"
            raise UsageError(
                f"--kms-key is {kms_key!r}, but stack {self.name} was made with {there}, and ECR cannot change a "
                f"repository's encryption."
            )
        kept = [entry["ParameterKey"] for entry in self._before.get("Parameters", [])]
        previous = [{"ParameterKey": key, "UsePreviousValue": True} for key in kept if key not in given]
        return "UpdateStack", {**request, "Parameters": [*_parameters(given), *previous]}

    def apply(self, operation: str, request: dict[str, Any]) -> None:
        """Send what ``request`` returned, and wait.

        Raises:
            JobFailed: The stack failed; the message has the first resource that did, and why.
        """
        cloudformation = self._clients.cloudformation
        newest = self._newest_event()
        try:
            send = cloudformation.create_stack if operation == "CreateStack" else cloudformation.update_stack
            identity = send(**request)["StackId"]
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            print(f"Stack {self.name} is up to date", flush=True)
            return
        while True:
            stack = self._find(identity) or {"StackStatus": "DELETE_COMPLETE"}  # a deleted one is found by its identity
            status = str(stack["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                break
            time.sleep(self._clients.seconds_between_looks)
        print(f"Stack {self.name}: {status}", flush=True)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise JobFailed(f"Stack {self.name} ends as {status}: {self._first_failure(identity, newest)}.")

    def _newest_event(self) -> str | None:
        if self._before is None:
            return None
        events = self._clients.cloudformation.describe_stack_events(StackName=self._before["StackId"])["StackEvents"]
        return str(events[0]["EventId"]) if events else None

    def _first_failure(self, identity: str, newest: str | None) -> str:
        """Return what failed first since an event; what follows is only its consequence."""
        first = "CloudFormation does not say why"
        pages = self._clients.cloudformation.get_paginator("describe_stack_events").paginate(StackName=identity)
        for event in (event for page in pages for event in page["StackEvents"]):  # the newest first
            if event["EventId"] == newest:
                break
            if event["ResourceStatus"].endswith("_FAILED"):
                reason = str(event.get("ResourceStatusReason", "no reason given")).rstrip(".")
                first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
        return first


def _parameters(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def _outputs(stack: dict[str, Any] | None) -> dict[str, str]:
    return {entry["OutputKey"]: entry["OutputValue"] for entry in (stack or {}).get("Outputs", [])}


class Build:
    """A build in CodeBuild that has been started."""

    def __init__(self, clients: aws.Clients, identity: str) -> None:
        self._clients = clients
        self.identity = identity
        self._log: Log | None = None
        self._shown_phases: set[str] = set()

    def follow(self) -> dict[str, Any]:
        """Print the build's log and the ends of its phases until it ends, and return what CodeBuild says about it.

        Raises:
            JobFailed: It did not succeed; the message ends with the log's last lines.
        """
        build = self._look()
        while build["buildStatus"] == "IN_PROGRESS":
            time.sleep(self._clients.seconds_between_looks)
            build = self._look()
        while self._print_log(build):  # its last lines may arrive after its end
            time.sleep(self._clients.seconds_between_looks)
        if build["buildStatus"] != "SUCCEEDED":
            lines = "".join(f"\n{line}" for line in (self._log.last if self._log else ()))
            raise JobFailed(f"Build {self.identity} ends as {build['buildStatus']}{_reason(build)}.{lines}")
        return build

    def _look(self) -> dict[str, Any]:
        build = dict(self._clients.codebuild.batch_get_builds(ids=[self.identity])["builds"][0])
        self._print_log(build)
        for phase in build.get("phases", []):
            if phase.get("phaseStatus") and phase["phaseType"] not in self._shown_phases:
                self._shown_phases.add(phase["phaseType"])
                seconds = phase.get("durationInSeconds", 0)
                print(f"{phase['phaseType']}: {phase['phaseStatus']} after {seconds} s", flush=True)
        return build

    def _print_log(self, build: dict[str, Any]) -> bool:
        """Print what is new in the log; tell whether there was something."""
        where = build.get("logs", {})
        if not where.get("streamName"):
            return False
        self._log = self._log or Log(self._clients, where["groupName"], where["streamName"])
        lines = self._log.read()
        for line in lines:
            print(f"  {line}", flush=True)
        return bool(lines)


def _reason(build: dict[str, Any]) -> str:
    for phase in build.get("phases", []):
        if phase.get("phaseStatus") not in (None, "SUCCEEDED"):
            said = " ".join(entry.get("message", "") for entry in phase.get("contexts", [])).strip().rstrip(".")
            return f" in {phase['phaseType']}" + (f": {said}" if said else "")
    return ""


def images_of(clients: aws.Clients, build: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the image URIs that a build exported as its artifact.

    Args:
        clients: whose S3 has it.
        build: what CodeBuild says about it.
        folder: for the downloaded file.

    Raises:
        JobFailed: There is no such artifact.
    """
    location = str(build.get("artifacts", {}).get("location", ""))  # arn:aws:s3:::bucket/build/images
    uri = join(f"s3://{location.rpartition(':::')[2]}", "images.json")
    try:
        Storage(clients).download(uri, folder / "images.json")
        uris = json.loads((folder / "images.json").read_text(encoding="utf-8"))
        return {kind: str(uris[kind]) for kind in project.KINDS}
    except (UsageError, ValueError, KeyError, TypeError) as error:
        raise JobFailed(f"Build {build['id']} left no images.json at {uri} ({error}).") from None
