"""Build the two images through the Docker engine's API."""

import contextlib
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image

import docker
from launch.aws.image_configs import ImageConfig
from launch.cli import interruption
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for
from launch.project import KINDS, PLATFORM, ROOT, git_revision, image_name, repository_name

BASE_IMAGE = "debian:bookworm-slim"
CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
LAST_LINES = 15
"""Of a build's log, in the message of an error."""
STEP = re.compile(r"(\[\d+/\d+\] )?step \d", re.IGNORECASE)
"""What a step's line begins with: ``Step 1/9 : FROM`` of Docker, ``[1/2] STEP 1/3: FROM`` of Podman."""
NO_EMULATION = "exec format error"
"""In what a kernel says that is to run a program for another processor."""


@dataclass(frozen=True)
class BuiltImage:
    """An image and its unpacked size over the base image, in bytes."""

    name: str
    size_over_base: int


def connect() -> docker.DockerClient:
    """Return a client of the Docker engine that the command ``docker`` asks: DOCKER_HOST's, else its context's.

    Raises:
        UsageError: No engine answers, or there is no such context.
    """
    where = _address()
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except (DockerException, requests.RequestException):
        raise UsageError(f"No Docker engine answers at {where}, expected one that is running.") from None
    return client


def _address() -> str:
    """Return where ``docker.from_env`` looks for the engine.

    https://docs.docker.com/engine/manage-resources/contexts/
    """
    if host := os.environ.get("DOCKER_HOST"):
        return host
    chosen = os.environ.get("DOCKER_CONTEXT")
    try:
        context = ContextAPI.get_context(chosen)
    except Exception as error:  # of no class of its own if the context's file is broken
        raise UsageError(f"The Docker context cannot be read: {error}.") from None
    if context is None:
        name = f"context {chosen} of DOCKER_CONTEXT" if chosen else "current Docker context"
        raise UsageError(f"The {name} is not there, expected one that `docker context ls` shows.")
    return str(context.Host) + ("" if context.Name == "default" else f", of Docker's context {context.Name}")


def platform_of(image: Image) -> str:
    """Return what an image of the engine runs on, as ``linux/amd64``."""
    return f"{image.attrs.get('Os') or 'linux'}/{image.attrs.get('Architecture') or 'unknown'}"


def config_of(image: Image) -> ImageConfig:
    """Return what an image of the engine says of itself."""
    found = image.attrs
    return ImageConfig.parse(found["Architecture"], found["Config"].get("Labels"), found.get("Created"))


def check_platform(image: Image, name: str) -> Image:
    """Return an image of the engine if SageMaker could run it.

    Raises:
        UsageError: It is for another processor or system.
    """
    if platform_of(image) != PLATFORM:
        is_ours = any(name.startswith(f"{repository_name(kind)}:") for kind in KINDS)
        remedy = "make images" if is_ours else f"docker build --platform {PLATFORM}"
        raise UsageError(f"Image {name} is for {platform_of(image)}, expected {PLATFORM}: build it with `{remedy}`.")
    return image


def is_native(client: docker.DockerClient) -> bool:
    """Return whether the engine's own processor runs the images, without emulation."""
    return f"linux/{client.version().get('Arch')}" == PLATFORM


def how_to_emulate(client: docker.DockerClient) -> str:
    """Return the sentence for an engine that runs no program for the images' processor."""
    return (
        f"This Docker engine, on {client.version().get('Arch')}, runs no image for {PLATFORM}: have it emulate that by "
        "`docker run --privileged --rm tonistiigi/binfmt --install amd64`, or in Docker Desktop by Rosetta "
        "(Settings, General)."
    )


def find_ca_bundle(flag: Path | None) -> Path | None:
    """Return the certificate bundle to trust while building: that of the flag, else the first that a variable names.

    Raises:
        UsageError: The flag's is no file.
    """
    if flag is not None:
        if not flag.is_file():
            raise UsageError(f"--ca-bundle is {flag}, expected a file of certificates in PEM form.")
        return flag
    named = (Path(os.environ[variable]) for variable in CA_VARIABLES if os.environ.get(variable))
    return next((path for path in named if path.is_file()), None)


def ensure_base_image(client: docker.DockerClient, base_image: str, say: Callable[[str], None]) -> int:
    """Pull the base image if the engine lacks it; if it cannot be pulled, build it; return its size in bytes.

    Raises:
        JobFailed: It can be neither pulled nor made.
    """
    with contextlib.suppress(ImageNotFound):
        found = client.images.get(base_image)
        if platform_of(found) == PLATFORM:
            return int(found.attrs["Size"])
    try:
        say(f"Pulling {base_image}")
        with waiting_for(f"the pull of {base_image}"):
            return int(client.images.pull(base_image, platform=PLATFORM).attrs["Size"])
    except APIError as error:
        if base_image != BASE_IMAGE:
            raise JobFailed(f"Base image {base_image} cannot be pulled: {error.explanation}.") from None
        say(
            f"{base_image} cannot be pulled ({error.explanation}): "
            "making it from Debian's packages (docker/base/build_base.sh)"
        )
    try:
        # Killed, it would leave a folder with mounts in it. Ctrl-C reaches it too, and it then ends by itself.
        with interruption.held_back(), waiting_for(base_image):
            subprocess.run([ROOT / "docker/base/build_base.sh", base_image], check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise JobFailed(f"docker/base/build_base.sh {base_image} failed ({error}): does it run as root?") from None
    return int(client.images.get(base_image).attrs["Size"])


def build(
    client: docker.DockerClient,
    kind: str,
    base_image: str = BASE_IMAGE,
    ca_bundle: Path | None = None,
    say: Callable[[str], None] = print,
    cache_from: Sequence[str] = (),
) -> BuiltImage:
    """Build one image and tag it ``latest`` and with the git revision.

    Args:
        client: of the engine.
        kind: ``training`` or ``serving``.
        base_image: that both stages start from.
        ca_bundle: certificates to trust in the build stage.
        say: shows a line of progress.
        cache_from: images of the engine whose layers to use; none for the engine's own cache.

    Raises:
        JobFailed: The build failed; the message ends with its last lines.
    """
    base_size = ensure_base_image(client, base_image, say)
    revision = git_revision()
    arguments = {"BASE_IMAGE": base_image, "GIT_REVISION": revision}
    _build(client, kind, image_name(kind), arguments, ca_bundle, say, cache_from)
    image = check_platform(client.images.get(image_name(kind)), image_name(kind))
    image.tag(repository_name(kind), tag=revision)
    return BuiltImage(image_name(kind), int(image.attrs["Size"]) - base_size)


def build_stage(
    client: docker.DockerClient,
    kind: str,
    base_image: str = BASE_IMAGE,
    ca_bundle: Path | None = None,
    say: Callable[[str], None] = print,
    cache_from: Sequence[str] = (),
) -> str:
    """Build the stage that installs an image's packages, whose layers are not in the image, and return its name.

    Raises:
        JobFailed: The build failed; the message ends with its last lines.
    """
    ensure_base_image(client, base_image, say)
    name = image_name(kind, "build-stage")
    _build(client, kind, name, {"BASE_IMAGE": base_image}, ca_bundle, say, cache_from, target="build")
    return name


def _build(
    client: docker.DockerClient,
    kind: str,
    name: str,
    arguments: dict[str, str],
    ca_bundle: Path | None,
    say: Callable[[str], None],
    cache_from: Sequence[str],
    target: str = "",
) -> None:
    log: list[str] = []
    try:
        with waiting_for(f"the build of the {kind} image"):
            for event in client.api.build(
                fileobj=_context(ca_bundle),
                custom_context=True,
                encoding="gzip",
                dockerfile=f"docker/{kind}/Dockerfile",
                tag=name,
                buildargs=arguments,
                cache_from=list(cache_from),
                target=target,
                platform=PLATFORM,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=None,  # between two lines: pip prints nothing while it downloads
            ):
                error = event.get("error", event.get("message"))  # a message alone: the engine has not begun to build
                for line in event.get("stream", error or "").splitlines():
                    log.append(line)
                    if STEP.match(line) or error:
                        say(f"[{kind}] {line}")
                if error:
                    raise JobFailed(_build_failure(client, kind, error, log))
    except APIError as error:
        raise JobFailed(_build_failure(client, kind, str(error.explanation), log)) from None


def _build_failure(client: docker.DockerClient, kind: str, error: str, log: list[str]) -> str:
    if NO_EMULATION in "\n".join([error, *log]):
        return f"The {kind} image cannot be built. {how_to_emulate(client)}"
    return f"The {kind} image cannot be built: {error}\n" + "\n".join(log[-LAST_LINES:])


def _context(ca_bundle: Path | None) -> io.BytesIO:
    """Return the build context as a compressed tar: sources and Dockerfiles, and the certificates if there are any.

    Without file times and owners, so that the engine's layer cache takes an unchanged tree for an unchanged context.
    """
    buffer = io.BytesIO()

    def reproducible(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if "__pycache__" in member.name:
            return None
        member.mtime = 0
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for folder in ("container_src", "docker"):
            tar.add(ROOT / folder, folder, filter=reproducible)
        if ca_bundle is not None:
            tar.add(ca_bundle.resolve(), "docker/ca-bundle.pem", filter=reproducible)
    buffer.seek(0)
    return buffer
