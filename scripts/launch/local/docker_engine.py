"""The engine that runs jobs and endpoints in the two images."""

import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container

import docker
from launch.cli.errors import JobFailed, UsageError
from launch.local import images
from launch.local.engines import (
    DEFAULT_SETTINGS,
    MULTI_MODEL,
    NO_VARIABLES,
    SECONDS_TO_STOP,
    ContainerSettings,
    Workload,
)

HOST_MACHINE = "host.docker.internal"
"""The name by which a container with a network reaches this machine."""


class DockerEngine:
    """Starts containers.

    Args:
        training_image: runs training jobs.
        serving_image: runs endpoints.
        labels: of all containers that it starts.

    Raises:
        UsageError: No Docker engine answers, or it has not got the images, or others than SageMaker takes, or it has
            another processor and does not emulate theirs.
    """

    name = "docker"
    host = "algo-1"

    def __init__(self, training_image: str, serving_image: str, labels: Mapping[str, str] = NO_VARIABLES) -> None:
        self._labels = dict(labels)
        self._client = images.connect()
        self._training_image = training_image
        self._serving_image = serving_image
        for image in (training_image, serving_image):
            try:
                images.check_platform(self._client.images.get(image), image)
            except ImageNotFound:
                raise UsageError(f"Image {image} is not on this Docker engine, build it with `make images`.") from None
        if not images.is_native(self._client):
            self._check_emulation()

    def _check_emulation(self) -> None:
        """Start a container that does nothing: no answer of the engine says whether it emulates another processor."""
        try:
            workload = self._run(self._training_image, "", "emulation", entrypoint="true", network_mode="none")
        except JobFailed as failed:
            said = str(failed)
        else:
            try:
                said = "\n".join(workload.lines())
            finally:
                workload.stop(0)
        if images.NO_EMULATION in said:
            raise UsageError(images.how_to_emulate(self._client))

    def train(self, ml: Path, name: str, settings: ContainerSettings = DEFAULT_SETTINGS) -> Workload:
        host = settings.host or self.host
        if settings.network == "none":
            network: dict[str, Any] = {"network_mode": "none", "extra_hosts": {host: "127.0.0.1"}}
        else:
            network = {
                "network": settings.network,
                "extra_hosts": {HOST_MACHINE: "host-gateway", **settings.addresses},
            }
            if host in settings.addresses:
                address = self._client.api.create_endpoint_config(ipv4_address=settings.addresses[host])
                network["networking_config"] = {settings.network: address}
        return self._run(
            self._training_image,
            "train",
            name,
            volumes={str(ml): {"bind": "/opt/ml", "mode": "rw"}},
            hostname=host,
            environment=dict(settings.environment),
            writable=ml,
            **network,
        )

    def serve(
        self, ml: Path, name: str, environment: Mapping[str, str] = NO_VARIABLES
    ) -> tuple["ContainerWorkload", str]:
        folder = "models" if environment.get(MULTI_MODEL) == "true" else "model"
        workload = self._run(
            self._serving_image,
            "serve",
            name,
            volumes={str(ml / folder): {"bind": f"/opt/ml/{folder}", "mode": "ro"}},
            ports={"8080/tcp": ("127.0.0.1", None)},
            environment=dict(environment),
        )
        try:
            workload.container.reload()
        except BaseException:
            workload.stop()
            raise
        bindings = workload.container.ports.get("8080/tcp")
        if not bindings:  # it has ended already, and its log says why
            return workload, "http://127.0.0.1:0"
        return workload, f"http://127.0.0.1:{bindings[0]['HostPort']}"

    def _run(
        self, image: str, command: str, name: str, writable: Path | None = None, **options: Any
    ) -> "ContainerWorkload":
        container = None
        unique = f"{name}-{uuid.uuid4().hex[:6]}"  # another checkout on this machine may have one of the same name
        options = {"labels": self._labels, "platform": images.PLATFORM, **options}
        try:
            container = self._client.containers.create(image, command, name=unique, **options)
            container.start()
        except APIError as error:
            if container is not None:
                container.remove(force=True)
            raise JobFailed(f"Image {image} cannot be run: {error.explanation}.") from None
        return ContainerWorkload(self._client, container, image, writable)


class ContainerWorkload:
    """A container, which is removed when it is stopped."""

    def __init__(self, client: docker.DockerClient, container: Container, image: str, writable: Path | None) -> None:
        self._client = client
        self.container = container
        self._image = image
        self._writable = writable

    def lines(self) -> Iterator[str]:
        pending = b""
        for chunk in self.container.logs(stream=True, follow=True):
            *whole, pending = (pending + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
        if pending:
            yield pending.decode("utf-8", "replace")

    def wait(self) -> int:
        return int(self.container.wait()["StatusCode"])

    def stop(self, seconds: int = SECONDS_TO_STOP) -> None:
        try:
            try:
                self.container.stop(timeout=seconds)
                self._change_owner()
            finally:
                self.container.remove(force=True)
        except (DockerException, OSError) as error:  # OSError: the engine does not answer
            print(f"Container {self.container.name} may be left: docker rm -f {self.container.name} ({error})")

    def _change_owner(self) -> None:
        """Make the caller the owner of the files that the container has written as root."""
        if self._writable is not None and os.getuid() != 0:
            self._client.containers.run(
                self._image,
                ["-R", f"{os.getuid()}:{os.getgid()}", "/opt/ml"],
                entrypoint="chown",
                volumes={str(self._writable): {"bind": "/opt/ml", "mode": "rw"}},
                network_mode="none",
                platform=images.PLATFORM,
                remove=True,
            )
