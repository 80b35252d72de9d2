"""The repositories of the two images in Amazon ECR, and pushing to them through the Docker engine.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/docker-push-ecr-image.html
"""

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from docker.errors import APIError, NotFound
from docker.utils import version_gte
from tqdm import tqdm

import docker
from launch import project
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.image_configs import INDEXES, MEDIA_TYPES, ONE_MANIFEST, SECONDS_TO_ANSWER
from launch.cli.dry_run import Request
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for

ADDRESS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*(:\d{1,5})?(/[a-z0-9][a-z0-9._-]*)*")
LOOPBACK = ("127.0.0.1", "localhost")
LAYER_CACHE = "layer-cache"
"""What the tags begin with that move to a newer image with each build; all other tags stay with their image."""
UNTAGGED_DAYS = 14
LIFECYCLE_POLICY = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Images without a tag expire",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
    ]
}


def find_repository(clients: Clients, name: str) -> dict[str, Any] | None:
    """Return ECR's description of a repository; None if there is none of that name."""
    answer = aws_errors.describe_if_exists(clients.ecr.describe_repositories, repositoryNames=[name])
    return dict(answer["repositories"][0]) if answer else None


def repository_requests(clients: Clients, tags: list[dict[str, str]], kms_key: str | None) -> list[Request]:
    """Return the API requests that create the missing repositories and lifecycle policies; none if all are there.

    Tags are immutable, except those of the layer cache. An existing lifecycle policy is kept.

    Raises:
        UsageError: A KMS key is given, and an existing repository is not encrypted with KMS.
    """
    requests: list[Request] = []
    for name in map(project.repository_name, project.KINDS):
        existing = find_repository(clients, name)
        if existing is None:
            encryption = {"encryptionType": "KMS", "kmsKey": kms_key} if kms_key else {"encryptionType": "AES256"}
            create = {
                "repositoryName": name,
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": f"{LAYER_CACHE}*"}],
                "imageScanningConfiguration": {"scanOnPush": True},
                "encryptionConfiguration": encryption,
                **({"tags": tags} if tags else {}),
            }
            requests.append(("CreateRepository", create))
        elif kms_key and not existing.get("encryptionConfiguration", {}).get("encryptionType", "").startswith("KMS"):
            raise UsageError(
                f"Repository {name} is there, without --kms-key, and ECR cannot change a repository's encryption."
            )
        if existing is None or not _has_lifecycle_policy(clients, name):
            policy = {"repositoryName": name, "lifecyclePolicyText": json.dumps(LIFECYCLE_POLICY)}
            requests.append(("PutLifecyclePolicy", policy))
    return requests


def _has_lifecycle_policy(clients: Clients, name: str) -> bool:
    return aws_errors.describe_if_exists(clients.ecr.get_lifecycle_policy, repositoryName=name) is not None


def create_repositories(clients: Clients, missing: list[Request]) -> None:
    """Send what ``repository_requests`` returned."""
    operations = {
        "CreateRepository": clients.ecr.create_repository,
        "PutLifecyclePolicy": clients.ecr.put_lifecycle_policy,
    }
    for operation, request in missing:
        operations[operation](**request)
        if operation == "CreateRepository":
            print(f"Created repository {request['repositoryName']}", flush=True)


class Registry:
    """Pushes to the account's ECR, logged in by a token that is valid for 12 hours.

    The token is not written to Docker's own configuration, where ``docker login`` would leave it readable.

    Args:
        engine: the Docker engine that has the images.
        clients: give the token, and the ECR to push to.
        address: ``HOST:PORT/PATH`` of a proxy or mirror to push to in place of ECR's own; None for ECR's own.

    Raises:
        UsageError: The address is not of that form.
    """

    def __init__(self, engine: docker.DockerClient, clients: Clients, address: str | None = None) -> None:
        if address is not None and not ADDRESS.fullmatch(address):
            raise UsageError(f"--registry is {address!r}, expected HOST, HOST:PORT or HOST:PORT/PATH.")
        self._engine = engine
        login = clients.ecr.get_authorization_token()["authorizationData"][0]
        name, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
        self._login = {"username": name, "password": password}
        self._ecr = urlsplit(login["proxyEndpoint"]).netloc
        self.address = address or self._ecr

    def repository(self, kind: str) -> str:
        """Return ``ACCOUNT.dkr.ecr.REGION.amazonaws.com/mountain-car-training`` and the like, to push to."""
        return f"{self.address}/{project.repository_name(kind)}"

    def ecr_repository(self, kind: str) -> str:
        """Return the same in ECR itself, from where SageMaker pulls, whatever the image is pushed through."""
        return f"{self._ecr}/{project.repository_name(kind)}"

    def digest(self, kind: str, tag: str) -> str | None:
        """Return the digest of the image that has this tag in the registry; None if there is none.

        Raises:
            JobFailed: The registry does not answer, or refuses the login.
            UsageError: It is an index of several manifests.
        """
        name = f"{self.repository(kind)}:{tag}"
        try:
            with waiting_for(f"an answer of {self.address}"):
                descriptor = self._descriptor(kind, tag)
        except (APIError, requests.RequestException) as error:
            raise JobFailed(f"{self.address} cannot be asked about {name}: {_reason(error)}.") from None
        if descriptor.get("mediaType") in INDEXES:
            raise UsageError(
                f"{name} is an index of manifests, but SageMaker takes a single one: delete it from the repository, "
                f"build it with `make images` or `{ONE_MANIFEST.format('amd64')}`, and push it again."
            )
        return descriptor.get("digest")

    def _descriptor(self, kind: str, tag: str) -> dict[str, str]:
        """Return the media type and the digest of what has a tag, empty if nothing has.

        Docker asks for us, with its own proxies and certificates. Podman's API has no such request.
        """
        try:
            name = f"{self.repository(kind)}:{tag}"
            data = self._engine.images.get_registry_data(name, auth_config=self._login)
            return dict(data.attrs["Descriptor"])
        except NotFound as error:
            if error.response is not None and "json" in error.response.headers.get("Content-Type", ""):
                return {}
        host, _, name = self.repository(kind).partition("/")
        scheme = "http" if host.partition(":")[0] in LOOPBACK else "https"
        answer = requests.head(
            f"{scheme}://{host}/v2/{name}/manifests/{tag}",
            headers={"Accept": ", ".join(MEDIA_TYPES)},
            auth=(self._login["username"], self._login["password"]),
            timeout=SECONDS_TO_ANSWER,
        )
        if answer.status_code == requests.codes.not_found:
            return {}
        answer.raise_for_status()
        return {"mediaType": answer.headers["Content-Type"], "digest": answer.headers["Docker-Content-Digest"]}

    def push(self, image: str, kind: str, tag: str) -> str:
        """Push an image of the engine under a tag and return its digest; a terminal shows a progress bar.

        Raises:
            JobFailed: It cannot be pushed.
            UsageError: What the registry has got is an index of several manifests.
        """
        repository = self.repository(kind)
        try:
            self._engine.images.get(image).tag(repository, tag=tag)
            with _single_manifests(self._engine.api):
                events = self._engine.api.push(repository, tag=tag, stream=True, decode=True, auth_config=self._login)
            name = f"{project.repository_name(kind)}:{tag}"
            with waiting_for(f"the push of {name}"):
                for event in _with_progress_bar(events, name):
                    if "error" in event:
                        raise JobFailed(f"{repository}:{tag} cannot be pushed: {event['error'].strip().rstrip('.')}.")
        except (APIError, requests.RequestException) as error:
            raise JobFailed(f"{repository}:{tag} cannot be pushed: {_reason(error)}.") from None
        digest = self.digest(kind, tag)  # Docker's last event says it, Podman's do not
        if digest is None:
            raise JobFailed(f"{repository}:{tag} is not in the registry, although it was pushed.")
        return digest

    def pull(self, kind: str, tag: str) -> str | None:
        """Pull an image and return its name on the engine; print why and return None if it cannot be pulled."""
        name = f"{self.repository(kind)}:{tag}"
        try:
            with waiting_for(f"the pull of {name}"):
                self._engine.images.pull(self.repository(kind), tag=tag, auth_config=self._login)
        except (APIError, requests.RequestException) as error:
            print(f"No {name} to take layers from: {_reason(error)}", flush=True)
            return None
        return name


@contextlib.contextmanager
def _single_manifests(api: docker.APIClient) -> Iterator[None]:
    """Have an engine push the image alone of what BuildKit has made an index of, with attestations.

    docker-py has no name for this parameter of ImagePush (https://docs.docker.com/reference/api/engine/, from 1.46).
    """
    if version_gte(api.api_version, "1.46"):
        system, architecture = project.PLATFORM.split("/")
        api.params = {"platform": json.dumps({"os": system, "architecture": architecture})}
    try:
        yield
    finally:
        api.params = {}


def _reason(error: Exception) -> str:
    text = str(getattr(error, "explanation", None) or error)
    return " ".join(text.split()).rstrip(".")


def _with_progress_bar(events: Iterable[dict[str, Any]], name: str) -> Iterable[dict[str, Any]]:
    """Yield a push's events; on a terminal show a bar over the bytes of all layers."""
    totals: dict[str, int] = {}
    pushed: dict[str, int] = {}
    with tqdm(unit="B", unit_scale=True, unit_divisor=1024, desc=name, leave=False, disable=None) as bar:
        for event in events:
            layer, detail = event.get("id", ""), event.get("progressDetail") or {}
            if "total" in detail:  # none for a layer that the registry has already
                totals[layer] = detail["total"]
                pushed[layer] = min(detail.get("current", 0), detail["total"])  # the image store of containerd: no 0
            elif event.get("status") == "Pushed":
                pushed[layer] = totals.get(layer, 0)
            bar.total = sum(totals.values())
            bar.update(sum(pushed.values()) - bar.n)
            yield event
