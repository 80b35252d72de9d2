"""The CloudFormation stack that builds the images in CodeBuild, and following a build to its end.

https://docs.aws.amazon.com/codebuild/latest/userguide/welcome.html
"""

import json
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from launch import project
from launch.aws import consistency, image_uris, registry
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.logs import Log
from launch.aws.storage import Storage, join
from launch.cli.dry_run import Request
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for

DEFAULT_STACK = "mountain-car-images"
TEMPLATE = project.ROOT / "infrastructure" / "images.yml"
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
"""States from which a stack can be updated."""
CODECOMMIT = re.compile(r"git-codecommit\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
SOURCE_TYPES = {"github.com": "GITHUB", "bitbucket.org": "BITBUCKET"}
"""CodeBuild's names for the hosts of repositories; CodeCommit has a host in each region."""
SSH = re.compile(r"(?:ssh://)?git@(?P<host>[\w.-]+)[:/](?P<path>[^:]+)")


def source_parameters(address: str) -> dict[str, str]:
    """Return the stack's parameters for a repository's address, as git knows it.

    Raises:
        UsageError: CodeBuild cannot clone from there.
    """
    if over_ssh := SSH.fullmatch(address):
        address = f"https://{over_ssh['host']}/{over_ssh['path']}"
    parts = urlsplit(address)
    host = parts.hostname or ""
    source_type = "CODECOMMIT" if CODECOMMIT.fullmatch(host) else SOURCE_TYPES.get(host)
    if source_type is None or parts.scheme != "https" or not parts.path.strip("/"):
        known = "https://github.com/OWNER/NAME, one of bitbucket.org or of CodeCommit"
        raise UsageError(f"The source is {_without_login(address)!r}, expected {known}.")
    # The host alone: before it the address may have a name and a token.
    return {"SourceType": source_type, "SourceLocation": f"https://{host}{parts.path}"}


def _without_login(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)


def origin() -> str | None:
    """Return the address of the checkout's remote ``origin``; None if there is none."""
    return _git("remote", "get-url", "origin")


def full_revision(revision: str, location: str) -> str:
    """Return the full hash of a revision; one that is unknown here, but may be known to another repository, as it is.

    Args:
        revision: a hash, a branch or a tag.
        location: of the repository that CodeBuild clones.

    Raises:
        UsageError: CodeBuild clones ``origin``, and the revision is unknown here or is not on ``origin``.
    """
    clones_origin = _is_origin(location)
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if commit is None:
        if clones_origin:
            raise UsageError(f"--revision is {revision!r}, expected a commit, a branch or a tag of {project.ROOT}.")
        return revision
    if clones_origin and not _git("branch", "--remotes", "--contains", commit, "--list", "origin/*"):
        raise UsageError(f"Revision {commit[:12]} is not on origin, which CodeBuild clones: push it first.")
    return commit


def _is_origin(location: str) -> bool:
    address = origin()
    try:
        origins_location = source_parameters(address)["SourceLocation"] if address else ""
    except UsageError:
        return False
    return origins_location.removesuffix(".git") == location.removesuffix(".git")


def _git(*arguments: str) -> str | None:
    try:
        git = subprocess.run(["git", *arguments], cwd=project.ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return git.stdout.strip() if git.returncode == 0 else None


class Stack:
    """The stack of a name, whether it exists or not."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self.name = name
        self._description = self._find(name)  # of CloudFormation; None if there is no stack

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self._clients.cloudformation.describe_stacks(StackName=name)["Stacks"][0])
        except ClientError as error:
            if aws_errors.code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    @property
    def source(self) -> str | None:
        """The location of the repository that its project clones; None if the stack does not exist."""
        return self._parameters().get("SourceLocation")

    def _parameters(self) -> dict[str, str | None]:
        entries = (self._description or {}).get("Parameters", [])
        return {entry["ParameterKey"]: entry.get("ParameterValue") for entry in entries}

    @property
    def project(self) -> str:
        """The name of its CodeBuild project; the stack's own if the stack is yet to be created."""
        return _outputs(self._description).get("Project", self.name)

    @property
    def exists(self) -> bool:
        """Whether there is such a stack."""
        return self._description is not None

    @property
    def artifacts(self) -> str | None:
        """The bucket of its builds' results, which outlives it; None if there is none."""
        return _outputs(self._description).get("ArtifactsBucket")

    def delete(self) -> None:
        """Delete it, and wait until it is gone.

        Raises:
            JobFailed: It is not gone; the message names the first resource that is not, and why.
        """
        if self._description is None:
            return
        stack_id, newest = self._description["StackId"], self._newest_event()
        self._clients.cloudformation.delete_stack(StackName=self.name)
        while (stack := self._find(stack_id)) and stack["StackStatus"] != "DELETE_COMPLETE":
            if stack["StackStatus"].endswith("_FAILED"):
                reason = self._first_failure(stack_id, newest)
                raise JobFailed(f"Stack {self.name} ends as {stack['StackStatus']}: {reason}.")
            time.sleep(self._clients.seconds_between_polls)

    def request(self, source: dict[str, str], kms_key: str | None, tags: list[dict[str, str]]) -> Request:
        """Return the API request that creates the stack, or brings it up to date.

        Args:
            source: parameters from ``source_parameters``; empty for those that the stack has.
            kms_key: that encrypts new repositories.
            tags: of the stack.

        Raises:
            UsageError: The stack is in a state that cannot be updated, or was created with another key.
        """
        request: dict[str, Any] = {
            "StackName": self.name,
            "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
            "Capabilities": ["CAPABILITY_IAM"],
            **({"Tags": tags} if tags else {}),
        }
        values = {**source, **({"KmsKey": kms_key} if kms_key else {})}
        if self._description is None:
            # Deleted if it cannot be created, so that it can be tried again.
            parameters = _parameters({**self._first_parameters(), **values})
            return "CreateStack", {**request, "Parameters": parameters, "OnFailure": "DELETE"}
        self._check_update(self._description["StackStatus"], kms_key)
        previous = [{"ParameterKey": key, "UsePreviousValue": True} for key in self._parameters() if key not in values]
        return "UpdateStack", {**request, "Parameters": [*_parameters(values), *previous]}

    def _first_parameters(self) -> dict[str, str]:
        """Return the parameters of a new stack. It leaves out repositories that exist: it could not create them."""
        parameters = {"KmsKey": "", "ProjectName": self.name}
        for kind in project.KINDS:
            exists = registry.find_repository(self._clients, project.repository_name(kind)) is not None
            parameters[f"Create{kind.title()}Repository"] = "false" if exists else "true"
        return parameters

    def _check_update(self, status: str, kms_key: str | None) -> None:
        if status not in SETTLED:
            raise UsageError(f"Stack {self.name} is {status}: wait for its end, or delete it if that is an end.")
        present_key = self._parameters().get("KmsKey")
        if kms_key and present_key != kms_key:
            present = f"--kms-key {present_key}" if present_key else "no --kms-key"
            raise UsageError(
                f"--kms-key is {kms_key!r}, but stack {self.name} was made with {present}, and ECR cannot change a "
                f"repository's encryption."
            )

    def apply(self, operation: str, request: dict[str, Any]) -> None:
        """Send what ``request`` returned, and wait for the stack.

        Raises:
            JobFailed: The stack failed; the message names the first resource that did, and why.
        """
        cloudformation = self._clients.cloudformation
        newest = self._newest_event()
        try:
            operations = {"CreateStack": cloudformation.create_stack, "UpdateStack": cloudformation.update_stack}
            stack_id = operations[operation](**request)["StackId"]
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            print(f"Stack {self.name} is up to date", flush=True)
            return
        with waiting_for(f"stack {self.name}"):
            status = self._wait(stack_id)
        print(f"Stack {self.name}: {status}", flush=True)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise JobFailed(f"Stack {self.name} ends as {status}: {self._first_failure(stack_id, newest)}.")

    def _wait(self, stack_id: str) -> str:
        """Wait until nothing is in progress any more; return the stack's status then."""
        while True:
            # A deleted stack is found by its id only, and for 90 days.
            stack = consistency.once_found(self._clients, lambda: self._find(stack_id))
            status = str((stack or {"StackStatus": "DELETE_COMPLETE"})["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(self._clients.seconds_between_polls)

    def _newest_event(self) -> str | None:
        if self._description is None:
            return None
        stack_id = self._description["StackId"]
        events = self._clients.cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        return str(events[0]["EventId"]) if events else None

    def _first_failure(self, stack_id: str, newest: str | None) -> str:
        """Return the first failure since the event ``newest``; the later ones are its consequences."""
        first = "CloudFormation does not say why"
        pages = self._clients.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
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

    def __init__(self, clients: Clients, build_id: str) -> None:
        self._clients = clients
        self.build_id = build_id
        self._log: Log | None = None
        self._shown_phases: set[str] = set()

    def follow(self) -> dict[str, Any]:
        """Print the build's log and the ends of its phases until it ends; return CodeBuild's description of it.

        Raises:
            JobFailed: The build did not succeed; its log has been shown.
        """
        with waiting_for(f"build {self.build_id}"):
            build = self._show_news()
            while build["buildStatus"] == "IN_PROGRESS":
                time.sleep(self._clients.seconds_between_polls)
                build = self._show_news()
            self._print(self._log.read_rest() if self._log else ())
        if build["buildStatus"] != "SUCCEEDED":
            raise JobFailed(f"Build {self.build_id} ends as {build['buildStatus']}{_reason(build)}.")
        return build

    def _show_news(self) -> dict[str, Any]:
        """Print what is new of the build since the last call; return CodeBuild's description of it."""
        build = consistency.once_found(self._clients, self._find)
        if build is None:
            raise JobFailed(f"CodeBuild knows no build {self.build_id}.")
        self._print(self._read_log(build))
        for phase in build.get("phases", []):
            if phase.get("phaseStatus") and phase["phaseType"] not in self._shown_phases:
                self._shown_phases.add(phase["phaseType"])
                seconds = phase.get("durationInSeconds", 0)
                print(f"{phase['phaseType']}: {phase['phaseStatus']} after {seconds} s", flush=True)
        return build

    def _find(self) -> dict[str, Any] | None:
        builds = self._clients.codebuild.batch_get_builds(ids=[self.build_id])["builds"]
        return dict(builds[0]) if builds else None

    def _read_log(self, build: dict[str, Any]) -> list[str]:
        """Return the new lines of the log, which a build has once it runs."""
        location = build.get("logs", {})
        if not location.get("streamName"):
            return []
        self._log = self._log or Log(self._clients, location["groupName"], location["streamName"])
        return self._log.read()

    @staticmethod
    def _print(lines: Iterable[str]) -> None:
        for line in lines:
            print(f"  {line}", flush=True)


def _reason(build: dict[str, Any]) -> str:
    for phase in build.get("phases", []):
        if phase.get("phaseStatus") not in (None, "SUCCEEDED"):
            messages = " ".join(entry.get("message", "") for entry in phase.get("contexts", [])).strip().rstrip(".")
            return f" in {phase['phaseType']}" + (f": {messages}" if messages else "")
    return ""


def images_of(clients: Clients, build: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the image URIs that a build exported as its artifact.

    Args:
        clients: of the account that the build ran in.
        build: CodeBuild's description of the build.
        folder: for the downloaded file.

    Raises:
        JobFailed: There is no such artifact.
    """
    location = str(build.get("artifacts", {}).get("location", ""))  # arn:aws:s3:::bucket/build/images
    uri = join(f"s3://{location.rpartition(':::')[2]}", "images.json")
    try:
        Storage(clients).download(uri, folder / "images.json")
        content = json.loads((folder / "images.json").read_text(encoding="utf-8"))
        return image_uris.of_region(content, clients.region)
    except (UsageError, ValueError, KeyError, TypeError) as error:
        raise JobFailed(f"Build {build['id']} left no images.json at {uri} ({error}).") from None
