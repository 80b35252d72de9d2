"""The serving container as its clients meet it: in its image where a Docker engine answers, else as a process.

Both are started as SageMaker does, the container without a writable root, capabilities or a user of its own.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from docker.models.containers import Container
from jobs import Job, free_port, start_server, wait_until_healthy
from launch.cli import errors
from launch.local import images

import docker


@dataclass
class Server:
    """A server under test.

    Attributes:
        url: where it answers.
        pid: of its first process, as this machine counts.
        folder: where it sees its model, or on a multi-model endpoint all of them.
    """

    url: str
    pid: int
    folder: str
    _log: Callable[[], str]
    _wait: Callable[[float], int]
    clients: list[httpx.Client] = field(default_factory=list)

    def invoke(self, body: bytes | str, content_type: str = "application/json", **headers: str) -> httpx.Response:
        """Post to /invocations; underscores in the names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body.encode() if isinstance(body, str) else body
        return self.client().post("/invocations", content=content, headers={"Content-Type": content_type, **named})

    def client(self) -> httpx.Client:
        if not self.clients:
            self.clients.append(httpx.Client(base_url=self.url, timeout=60, trust_env=False))
        return self.clients[0]

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()]

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def log(self) -> str:
        """Return what it has printed so far; of a process, what it printed until its end."""
        return self._log()

    def error(self) -> str:
        """Return the one line that says why it ended; the engine mixes it with the lines of the other stream."""
        (line,) = [line for line in self.log().splitlines() if line.startswith("Error: ")]
        return line

    def wait(self, seconds: float = 20) -> int:
        """Return its exit status."""
        return self._wait(seconds)


Start = Callable[..., AbstractContextManager[Server]]
HARDENED: dict[str, Any] = {
    "read_only": True,
    "user": "12345:12345",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "mem_limit": "1g",
}


@contextlib.contextmanager
def start_process(model: Path, folder: Path, healthy: bool = True, **environment: str) -> Iterator[Server]:
    """Serve a model's folder, or with SAGEMAKER_MULTI_MODEL the folders in it, by a process."""
    base = folder / f"ml-{free_port()}"
    base.mkdir()
    seen = base / ("models" if environment.get("SAGEMAKER_MULTI_MODEL") == "true" else "model")
    seen.symlink_to(model)
    port = free_port()
    with (base / "log").open("w", encoding="utf-8") as log:
        process = start_server(base, port, stdout=log, environment=environment)
        try:
            server = Server(
                f"http://127.0.0.1:{port}",
                process.pid,
                str(seen),
                lambda: (base / "log").read_text(encoding="utf-8"),
                lambda seconds: process.wait(seconds),
            )
            if healthy:
                wait_until_healthy(server.url, lambda: process.poll() is None)
            yield server
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


@contextlib.contextmanager
def start_container(
    client: docker.DockerClient, image: str, model: Path, healthy: bool = True, **environment: str
) -> Iterator[Server]:
    """Serve the same by a container of the serving image."""
    where = "/opt/ml/models" if environment.get("SAGEMAKER_MULTI_MODEL") == "true" else "/opt/ml/model"
    container: Container = client.containers.run(
        image,
        "serve",
        detach=True,
        volumes={str(model): {"bind": where, "mode": "ro"}},
        environment=environment,
        **HARDENED,
    )
    try:
        container.reload()
        # By its own address: Docker's proxy before a published port accepts connections for a server that is gone.
        address = container.attrs["NetworkSettings"]["IPAddress"] or "127.0.0.1"
        server = Server(
            f"http://{address}:8080",
            container.attrs["State"]["Pid"],
            where,
            lambda: container.logs().decode(),
            lambda seconds: int(container.wait(timeout=seconds)["StatusCode"]),
        )
        if healthy:
            wait_until_healthy(server.url, lambda: container.reload() or container.status == "running")
        yield server
    finally:
        container.remove(force=True)


@pytest.fixture(scope="session")
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Return what starts a server: ``with start(model_folder, NAME=value) as server``."""
    try:
        images.connect()
    except errors.UsageError:
        if os.environ.get("REQUIRE_DOCKER") != "1":
            folder = tmp_path_factory.mktemp("serving")
            return lambda model, **options: start_process(model, folder, **options)
    built = request.getfixturevalue("built")
    engine = request.getfixturevalue("engine")
    return lambda model, **options: start_container(engine, built["serving"].name, model, **options)


@pytest.fixture(scope="session")
def ppo_model(ppo_job: Job) -> Path:
    return ppo_job.ml / "model"


@pytest.fixture(scope="session")
def dqn_model(dqn_job: Job) -> Path:
    return dqn_job.ml / "model"


@pytest.fixture(scope="session")
def server(start: Start, ppo_model: Path) -> Iterator[Server]:
    with start(ppo_model) as running:
        yield running


@pytest.fixture(scope="session")
def dqn_server(start: Start, dqn_model: Path) -> Iterator[Server]:
    with start(dqn_model) as running:
        yield running
