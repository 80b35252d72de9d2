"""Where a local job runs: in the real images on a Docker engine, or, where there is none, as plain processes.

Both run the same entry points on the same ``/opt/ml`` tree.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container

import docker
from launch import project
from launch.cli.errors import JobFailed, UsageError
from launch.local import images

CONTAINER_SRC = project.ROOT / "container_src"
SECONDS_TO_STOP = 30
HOST_MACHINE = "host.docker.internal"
"""The name by which a container with a network reaches this machine."""


@dataclass(frozen=True)
class Place:
    """Where a training container stands.

    Attributes:
        host: its name; empty for the engine's own.
        network: the Docker network that it is in, ``none`` for none at all.
        addresses: of all hosts of the job by name, in a network of its own. A name that Docker resolves by itself is
            gone with its container, and sagemaker-training waits for every host's name before it begins.
        environment: variables that are set in it.
    """

    host: str = ""
    network: str = "none"
    addresses: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


ALONE = Place()
NOTHING: Mapping[str, str] = {}


class Running(Protocol):
    """Something started by an engine."""

    def lines(self) -> Iterator[str]:
        """Yield what it prints, until it ends."""

    def wait(self) -> int:
        """Return its exit status once it has ended."""

    def stop(self, seconds: int = SECONDS_TO_STOP) -> None:
        """End it, by force after so many seconds, and remove all that belongs to it; harmless if it has ended."""


class Engine(Protocol):
    """Runs the two entry points."""

    name: str
    host: str

    def train(self, ml: Path, name: str, place: "Place" = ALONE) -> Running:
        """Start a training job on the tree ``ml``."""

    def serve(self, ml: Path, name: str, environment: Mapping[str, str] = NOTHING) -> tuple[Running, str]:
        """Start an endpoint for the model in the tree ``ml``; return it and its URL."""


class ProcessEngine:
    """Runs jobs and endpoints as processes of this Python environment."""

    name = "process"
    host = "localhost"

    def train(self, ml: Path, name: str, place: Place = ALONE) -> Running:
        return _Process(["-m", "sagemaker_rl.training_container", "train"], ml, dict(place.environment))

    def serve(self, ml: Path, name: str, environment: Mapping[str, str] = NOTHING) -> tuple[Running, str]:
        command, settings, url = self.server(environment)
        return _Process(command, ml, settings), url

    @staticmethod
    def server(environment: Mapping[str, str]) -> tuple[list[str], dict[str, str], str]:
        """Return what Python runs for an endpoint, in what environment, and the URL that it will have."""
        port = _free_port()
        settings = {**environment, "SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_BIND_TO_HOST": "127.0.0.1"}
        return [str(CONTAINER_SRC / "deploy-mxnet-coach.py"), "serve"], settings, f"http://127.0.0.1:{port}"


def start_process(
    arguments: list[str], ml: Path, environment: Mapping[str, str], stdout: int | IO[str]
) -> subprocess.Popen[str]:
    """Start an image's entry point as a process on the tree ``ml``, with what the image sets in its environment."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "SAGEMAKER_BASE_DIR": str(ml),
            "PYTHONPATH": str(CONTAINER_SRC),
            "PYTHONUNBUFFERED": "1",
            "SDL_VIDEODRIVER": "dummy",
            "GIT_REVISION": project.git_revision(),
            **environment,
        },
        cwd=ml,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches the script, which then stops what it started
    )


class _Process:
    def __init__(self, arguments: list[str], ml: Path, environment: dict[str, str] | None = None) -> None:
        self._process = start_process(arguments, ml, environment or {}, subprocess.PIPE)
        self._undertaker = threading.Thread(target=self._end_children, daemon=True)
        self._undertaker.start()

    def _end_children(self) -> None:
        """As in a container, let nothing outlive the first process: it would also keep ``lines`` from ending."""
        self._process.wait()
        with contextlib.suppress(ProcessLookupError):  # there is nothing, as it should be
            os.killpg(self._process.pid, signal.SIGKILL)

    def lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.rstrip("\n")

    def wait(self) -> int:
        return self._process.wait()

    def stop(self, seconds: int = SECONDS_TO_STOP) -> None:
        self._process.terminate()  # it alone, as in a container: its helpers have to last until it has saved its work
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self._process.kill()
        self._undertaker.join()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class DockerEngine:
    """Runs jobs and endpoints in the two images.

    Raises:
        UsageError: No engine answers, or it has not got the images.
    """

    name = "docker"
    host = "algo-1"

    def __init__(self, training_image: str, serving_image: str, labels: Mapping[str, str] = NOTHING) -> None:
        self._labels = dict(labels)
        self._client = images.connect()
        self._training_image = training_image
        self._serving_image = serving_image
        for image in (training_image, serving_image):
            try:
                self._client.images.get(image)
            except ImageNotFound:
                raise UsageError(f"Image {image} is not on this Docker engine, build it with `make images`.") from None

    def train(self, ml: Path, name: str, place: Place = ALONE) -> Running:
        host = place.host or self.host
        if place.network == "none":
            network: dict[str, Any] = {"network_mode": "none", "extra_hosts": {host: "127.0.0.1"}}
        else:
            network = {
                "network": place.network,
                "extra_hosts": {HOST_MACHINE: "host-gateway", **place.addresses},
            }
            if host in place.addresses:
                settings = self._client.api.create_endpoint_config(ipv4_address=place.addresses[host])
                network["networking_config"] = {place.network: settings}
        return self._run(
            self._training_image,
            "train",
            name,
            volumes={str(ml): {"bind": "/opt/ml", "mode": "rw"}},
            hostname=host,
            environment=dict(place.environment),
            owned=ml,
            **network,
        )

    def serve(self, ml: Path, name: str, environment: Mapping[str, str] = NOTHING) -> tuple["_Container", str]:
        running = self._run(
            self._serving_image,
            "serve",
            name,
            volumes={str(ml / "model"): {"bind": "/opt/ml/model", "mode": "ro"}},
            ports={"8080/tcp": ("127.0.0.1", None)},
            environment=dict(environment),
        )
        try:
            running.container.reload()
        except BaseException:
            running.stop()
            raise
        bindings = running.container.ports.get("8080/tcp")
        if not bindings:  # it has ended already; its log says why
            return running, "http://127.0.0.1:0"
        return running, f"http://127.0.0.1:{bindings[0]['HostPort']}"

    def _run(self, image: str, command: str, name: str, owned: Path | None = None, **options: Any) -> "_Container":
        container = None
        try:
            container = self._client.containers.create(image, command, name=name, labels=self._labels, **options)
            container.start()
        except APIError as error:
            if container is not None:
                container.remove(force=True)
            raise JobFailed(f"Image {image} cannot be run: {error.explanation}.") from None
        return _Container(self._client, container, image, owned)


class _Container:
    def __init__(self, client: docker.DockerClient, container: Container, image: str, owned: Path | None) -> None:
        self._client = client
        self.container = container
        self._image = image
        self._owned = owned

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
                self._hand_over()
            finally:
                self.container.remove(force=True)
        except (DockerException, OSError) as error:  # OSError: the engine does not answer
            print(f"Container {self.container.name} may be left: docker rm -f {self.container.name} ({error})")

    def _hand_over(self) -> None:
        """Make what the container wrote, as root, the caller's own."""
        if self._owned is not None and os.getuid() != 0:
            self._client.containers.run(
                self._image,
                ["-R", f"{os.getuid()}:{os.getgid()}", "/opt/ml"],
                entrypoint="chown",
                volumes={str(self._owned): {"bind": "/opt/ml", "mode": "rw"}},
                network_mode="none",
                remove=True,
            )


def make_engine(name: str) -> Engine:
    """Return the engine called ``process`` or ``docker``."""
    if name == "docker":
        return DockerEngine(project.image_name("training"), project.image_name("serving"))
    return ProcessEngine()
