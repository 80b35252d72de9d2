"""The configuration of an image: its architecture, its labels, and when it was built.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
"""Media types of what SageMaker does not take in place of an image: an index of several manifests."""
MEDIA_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    *INDEXES,
)
ONE_MANIFEST = "docker buildx build --platform linux/{} --provenance=false --sbom=false"
"""Builds an image, for an architecture, that is not an index in a registry."""
SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class ImageConfig:
    """The configuration of an image; nothing is known of an index, in which there may be several.

    Attributes:
        architecture: ``amd64`` or ``arm64``.
        labels: of the image.
        built: when; None if the image does not say.
        is_index: whether it is an index, as BuildKit makes it of one image and its attestations.
    """

    architecture: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    built: datetime | None = None
    is_index: bool = False

    @classmethod
    def parse(cls, architecture: str, labels: Mapping[str, str] | None, built: str | None) -> "ImageConfig":
        """Return a configuration from the texts in an image."""
        try:
            time = datetime.fromisoformat(built) if built else None
        except ValueError:
            time = None
        return cls(architecture, labels or {}, time)

    @property
    def kind(self) -> str | None:
        """``training`` or ``serving`` if it is an image of this project."""
        kinds = {project.repository_name(kind): kind for kind in project.KINDS}
        return kinds.get(self.labels.get(TITLE, ""))

    def changed_files(self) -> list[str]:
        """Return the checkout's files of an image of this project that are not as they were when it was built."""
        if self.kind is None or self.built is None:
            return []
        return project.changed_since(self.labels.get(REVISION, "unknown"), self.kind, self.built)


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
        answer = ecr.batch_get_image(**where, imageIds=[identifier], acceptedMediaTypes=MEDIA_TYPES)
        manifest = json.loads(answer["images"][0]["imageManifest"])
        if "manifests" in manifest:
            return ImageConfig(is_index=True)
        layer = ecr.get_download_url_for_layer(**where, layerDigest=manifest["config"]["digest"])
        answer = requests.get(layer["downloadUrl"], timeout=SECONDS_TO_ANSWER)
        answer.raise_for_status()
        config = answer.json()
        labels = config.get("config", {}).get("Labels")
        return ImageConfig.parse(str(config["architecture"]), labels, config.get("created"))
    except (ClientError, BotoCoreError, requests.RequestException, ValueError, LookupError, TypeError):
        return None
