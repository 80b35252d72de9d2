"""The configuration of an image: its architecture, its labels, and when it was built.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from launch import project

ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
TITLE, REVISION = "org.opencontainers.image.title", "org.opencontainers.image.revision"
MEDIA_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
"""Of manifests: of one image, and of an index of several."""
SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class ImageConfig:
    """The configuration of an image, or of each image in an index.

    Attributes:
        architectures: ``amd64``, ``arm64``: those that there are.
        labels: of the image; of an index those of its first image.
        built: when; None if the image does not say.
    """

    architectures: tuple[str, ...]
    labels: Mapping[str, str]
    built: datetime | None

    @classmethod
    def parse(
        cls, architectures: tuple[str, ...], labels: Mapping[str, str] | None, built: str | None
    ) -> "ImageConfig":
        """Return a configuration from the texts in an image."""
        try:
            time = datetime.fromisoformat(built) if built else None
        except ValueError:
            time = None
        return cls(architectures, labels or {}, time)

    @property
    def kind(self) -> str | None:
        """``training`` or ``serving`` if it is an image of this project."""
        kinds = {project.repository_name(kind): kind for kind in project.KINDS}
        return kinds.get(self.labels.get(TITLE, ""))


def read_from_ecr(ecr: Any, uri: str) -> ImageConfig | None:
    """Return the configuration of an image in Amazon ECR; None if it is not there, or the caller may not look.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
    """
    image = ECR_IMAGE.fullmatch(uri)
    if image is None:
        return None
    where = {"registryId": image["account"], "repositoryName": image["repository"]}
    identifier = {"imageDigest": image["digest"]} if image["digest"] else {"imageTag": image["tag"] or "latest"}
    try:
        manifest = _manifest(ecr, where, identifier)
        # An attestation of the builder's is in an index too, as an image of an unknown architecture.
        members = [
            (entry["platform"]["architecture"], entry["digest"])
            for entry in manifest.get("manifests", [])
            if entry.get("platform", {}).get("os") == "linux"
        ]
        if members:
            manifest = _manifest(ecr, where, {"imageDigest": members[0][1]})
        layer = ecr.get_download_url_for_layer(**where, layerDigest=manifest["config"]["digest"])
        answer = requests.get(layer["downloadUrl"], timeout=SECONDS_TO_ANSWER)
        answer.raise_for_status()
        config = answer.json()
        architectures = tuple(name for name, _ in members) or (str(config["architecture"]),)
        return ImageConfig.parse(architectures, config.get("config", {}).get("Labels"), config.get("created"))
    except (ClientError, BotoCoreError, requests.RequestException, ValueError, LookupError, TypeError):
        return None


def _manifest(ecr: Any, where: Mapping[str, str], identifier: Mapping[str, str]) -> dict[str, Any]:
    answer = ecr.batch_get_image(**where, imageIds=[identifier], acceptedMediaTypes=MEDIA_TYPES)
    return dict(json.loads(answer["images"][0]["imageManifest"]))
