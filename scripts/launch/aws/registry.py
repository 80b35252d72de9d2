"""The repositories of the two images in Amazon ECR, and pushing to them through the Docker engine.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/docker-push-ecr-image.html
"""

import base64
import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from botocore.exceptions import ClientError
from docker.errors import APIError, NotFound
from tqdm import tqdm

import docker
from launch import project
from launch.aws import clients as aws
from launch.cli.errors import JobFailed, UsageError

ADDRESS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*(:\d{1,5})?(/[a-z0-9][a-z0-9._-]*)*")
LAYER_CACHE = "layer-cache"
"""What the tags begin with that move with each build; all others stay with their image."""
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
Requests = list[tuple[str, dict[str, Any]]]


def repository_name(kind: str) -> str:
    """Return ``mountain-car-training`` or ``mountain-car-serving``."""
    return project.image_name(kind).partition(":")[0]


def find_repository(clients: aws.Clients, name: str) -> dict[str, Any] | None:
    """Return what ECR knows about a repository; None if there is none of that name."""
    try:
        return dict(clients.ecr.describe_repositories(repositoryNames=[name])["repositories"][0])
    except ClientError as error:
        if aws.is_not_found(error):
            return None
        raise


def repository_requests(clients: aws.Clients, tags: list[dict[str, str]], kms_key: str | None) -> Requests:
    """Return the API requests that create what is missing of the repositories; none if all is there.

    Tags of images cannot be moved, but for those of the layer cache. A lifecycle policy that is there stays as it is.

    Raises:
        UsageError: A repository that is there is encrypted in another way than with the KMS key that is given.
    """
    found: Requests = []
    for name in map(repository_name, project.KINDS):
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
            found.append(("CreateRepository", create))
        elif kms_key and not existing.get("encryptionConfiguration", {}).get("encryptionType", "").startswith("KMS"):
            raise UsageError(
                f"Repository {name} is there, without --kms-key, and ECR cannot change a repository's encryption."
            )
        if existing is None or not _has_lifecycle_policy(clients, name):
            policy = {"repositoryName": name, "lifecyclePolicyText": json.dumps(LIFECYCLE_POLICY)}
            found.append(("PutLifecyclePolicy", policy))
    return found


def _has_lifecycle_policy(clients: aws.Clients, name: str) -> bool:
    try:
        clients.ecr.get_lifecycle_policy(repositoryName=name)
    except ClientError as error:
        if aws.is_not_found(error):
            return False
        raise
    return True


def create_repositories(clients: aws.Clients, wanted: Requests) -> None:
    """Send what ``repository_requests`` returned."""
    for operation, request in wanted:
        if operation == "CreateRepository":
            clients.ecr.create_repository(**request)
            print(f"Created repository {request['repositoryName']}", flush=True)
        else:
            clients.ecr.put_lifecycle_policy(**request)


class Registry:
    """Pushes to the account's ECR, logged in for the 12 hours that its token is good for.

    Nothing is written to Docker's own configuration: ``docker login`` would leave the token there, readable.

    Args:
        engine: the Docker engine that has the images.
        clients: whose ECR gives the token, and is pushed to.
        address: ``HOST:PORT/PATH`` of a proxy or mirror to push to in place of ECR's own; None for ECR's own.

    Raises:
        UsageError: The address is not of that form.
    """

    def __init__(self, engine: docker.DockerClient, clients: aws.Clients, address: str | None = None) -> None:
        if address is not None and not ADDRESS.fullmatch(address):
            raise UsageError(f"--registry is {address!r}, expected HOST, HOST:PORT or HOST:PORT/PATH.")
        self._engine = engine
        login = clients.ecr.get_authorization_token()["authorizationData"][0]
        name, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
        self._login = {"username": name, "password": password}
        self.address = address or urlsplit(login["proxyEndpoint"]).netloc

    def repository(self, kind: str) -> str:
        """Return ``ACCOUNT.dkr.ecr.REGION.amazonaws.com/mountain-car-training`` and the like."""
        return f"{self.address}/{repository_name(kind)}"

    def digest(self, kind: str, tag: str) -> str | None:
        """Return the digest of the image that has this tag in the registry; None if there is none.

        Raises:
            JobFailed: The registry does not answer, or does not let us in.
        """
        name = f"{self.repository(kind)}:{tag}"
        try:
            return str(self._engine.images.get_registry_data(name, auth_config=self._login).id)
        except NotFound:
            return None
        except (APIError, requests.RequestException) as error:
            raise JobFailed(f"{self.address} cannot be asked about {name}: {_reason(error)}.") from None

    def push(self, image: str, kind: str, tag: str) -> str:
        """Push an image of the engine under a tag and return its digest; a bar of all bytes on a terminal.

        Raises:
            JobFailed: It cannot be pushed.
        """
        repository = self.repository(kind)
        digest = ""
        try:
            self._engine.images.get(image).tag(repository, tag=tag)
            events = self._engine.api.push(repository, tag=tag, stream=True, decode=True, auth_config=self._login)
            for event in _shown(events, f"{repository_name(kind)}:{tag}"):
                if "error" in event:
                    raise JobFailed(f"{repository}:{tag} cannot be pushed: {event['error'].strip().rstrip('.')}.")
                digest = event.get("aux", {}).get("Digest", digest)
        except (APIError, requests.RequestException) as error:
            raise JobFailed(f"{repository}:{tag} cannot be pushed: {_reason(error)}.") from None
        return digest

    def pull(self, kind: str, tag: str) -> str | None:
        """Pull an image and return its name on the engine; None, and a line that says why, if that cannot be."""
        name = f"{self.repository(kind)}:{tag}"
        try:
            self._engine.images.pull(self.repository(kind), tag=tag, auth_config=self._login)
        except (APIError, requests.RequestException) as error:
            print(f"No {name} to take layers from: {_reason(error)}", flush=True)
            return None
        return name


def _reason(error: Exception) -> str:
    text = str(getattr(error, "explanation", None) or error)
    return " ".join(text.split()).rstrip(".")


def _shown(events: Iterable[dict[str, Any]], name: str) -> Iterable[dict[str, Any]]:
    """Pass a push's events on, and show them as a bar over the bytes of all layers where there is a terminal."""
    totals: dict[str, int] = {}
    done: dict[str, int] = {}
    with tqdm(unit="B", unit_scale=True, unit_divisor=1024, desc=name, leave=False, disable=None) as bar:
        for event in events:
            layer, detail = event.get("id", ""), event.get("progressDetail") or {}
            if "total" in detail:  # a layer that the registry has sends none
                totals[layer] = detail["total"]
                done[layer] = min(detail["current"], detail["total"])
            elif event.get("status") == "Pushed":
                done[layer] = totals.get(layer, 0)
            bar.total = sum(totals.values())
            bar.update(sum(done.values()) - bar.n)
            yield event


def write_images_file(path: Path, uris: dict[str, str]) -> None:
    """Leave the images' URIs for the other scripts; they find the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(uris, file, indent=2)
            file.write("\n")
        Path(staged).chmod(0o644)
        os.replace(staged, path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise
