"""Podman in the place of Docker, by its Docker socket: it builds, runs and pushes the images."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs import SHORT_DEMO
from launch import project
from launch.aws.clients import Clients
from launch.aws.registry import Registry
from launch.local import images
from registry import LOGIN
from run_script import run_script

import docker

pytest_plugins = ("registry",)
pytestmark = pytest.mark.container

DOCKERFILE = f"""
FROM {images.BASE_IMAGE} AS build
RUN echo built > /built
FROM {images.BASE_IMAGE}
COPY --from=build /built /built
COPY container_src/greeting /greeting
ARG GIT_REVISION=unknown
LABEL org.opencontainers.image.revision=${{GIT_REVISION}}
CMD ["cat", "/built", "/greeting"]
"""


@pytest.fixture(scope="module")
def podman(engine, built, stand_in_registry) -> Iterator[str]:
    """The address of Podman's service, which has the two images and their base."""
    program = shutil.which("podman")
    if program is None or sys.platform != "linux":  # elsewhere it runs in a virtual machine, and has no service here
        message = "There is no podman: apt-get install podman"
        (pytest.fail if os.environ.get("REQUIRE_DOCKER") == "1" else pytest.skip)(message)
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # pytest's folders have longer names than Podman takes
    (folder / "containers.conf").write_text("[containers]\ndefault_ulimits = []\n")  # more than a container may have
    location = (
        f'location = "{stand_in_registry.address}"\ninsecure = true\n'  # plain HTTP, as Docker takes the loopback's
    )
    (folder / "registries.conf").write_text(f"[[registry]]\n{location}")
    stored = [program, "--root", folder / "root", "--runroot", folder / "run"]
    address = f"unix://{folder}/podman.sock"
    settings = {
        f"CONTAINERS_{name}": str(folder / file)
        for name, file in {"CONF": "containers.conf", "REGISTRIES_CONF": "registries.conf"}.items()
    }
    with (folder / "log").open("w") as log:
        service = subprocess.Popen(
            [*stored, "system", "service", "--time=0", address], stdout=log, stderr=log, env=os.environ | settings
        )
        try:
            client = _connect(address, folder / "log")
            for name in (images.BASE_IMAGE, *map(project.image_name, project.KINDS)):
                client.images.load(engine.images.get(name).save(named=name))
            yield address
        finally:
            service.terminate()
            service.wait(timeout=30)
            subprocess.run(["umount", folder / "root/overlay"], capture_output=True)
            shutil.rmtree(folder, ignore_errors=True)


def _connect(address: str, log: Path) -> docker.DockerClient:
    for _ in range(100):
        with contextlib.suppress(docker.errors.DockerException):
            return docker.DockerClient(address, timeout=600)
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_the_demo(podman, tmp_path):
    flags = ["--engine", "docker", "--runs", str(tmp_path), *SHORT_DEMO]
    done = run_script("demo.py", *flags, environment={**os.environ, "DOCKER_HOST": podman})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the car reached the flag" in done.stdout
    assert "Building" not in done.stdout
    for name in ("report.html", "reward.png", "episode.gif", "model.tar.gz"):
        assert (tmp_path / "latest" / name).stat().st_size > 1000
    assert docker.DockerClient(podman).containers.list(all=True) == []


def test_a_build_is_pushed_as_one_manifest_that_docker_runs(
    podman, aws, engine, stand_in_registry, monkeypatch, tmp_path
):
    """Of a small image in the project's place."""
    (tmp_path / "container_src").mkdir()
    (tmp_path / "container_src/greeting").write_text("hello\n")
    (tmp_path / "docker/serving").mkdir(parents=True)
    (tmp_path / "docker/serving/Dockerfile").write_text(DOCKERFILE)
    for name, value in {**aws.environment, "DOCKER_HOST": podman}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    client = images.connect()
    lines: list[str] = []
    monkeypatch.setattr(images, "image_name", lambda kind: f"small-{kind}:latest")
    monkeypatch.setattr(images, "repository_name", lambda kind: f"small-{kind}")
    images.build(client, "serving", say=lines.append)
    assert any("COPY container_src/greeting" in line for line in lines)
    target = Registry(client, Clients(), f"{stand_in_registry.address}/podman")
    assert target.digest("serving", "1") is None
    digest = target.push("small-serving:latest", "serving", "1")
    assert target.digest("serving", "1") == digest
    repository = "podman/mountain-car-serving"
    manifest = stand_in_registry.get(f"{repository}/manifests/{digest}")
    assert manifest["config"]["digest"].startswith("sha256:")
    config = stand_in_registry.get(f"{repository}/blobs/{manifest['config']['digest']}")
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"]["Labels"]["org.opencontainers.image.revision"] == project.git_revision()
    name = f"{stand_in_registry.address}/{repository}"
    login = dict(zip(("username", "password"), LOGIN, strict=True))
    pulled = engine.images.pull(f"{name}@{digest}", auth_config=login)
    try:
        assert engine.containers.run(pulled, remove=True) == b"built\nhello\n"
    finally:
        engine.images.remove(f"{name}@{digest}")
