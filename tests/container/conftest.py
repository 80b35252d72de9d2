"""The two images, built once from this checkout, and containers of them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import HOST, start_train
from docker.models.containers import Container
from jobs import Job, write_inputs
from launch import errors, images

import docker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.container)


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    try:
        return images.connect()
    except errors.UsageError as error:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"REQUIRE_DOCKER is 1, but: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built(engine: docker.DockerClient) -> dict[str, images.BuiltImage]:
    """Both images, as ``make images`` builds them."""
    ca_bundle = images.find_ca_bundle(None)
    return {kind: images.build(engine, kind, ca_bundle=ca_bundle) for kind in images.KINDS}


@pytest.fixture
def run(engine: docker.DockerClient, built: dict[str, images.BuiltImage]) -> Iterator[Callable[..., Container]]:
    """Start a container of an image; it is removed after the test."""
    started: list[Container] = []

    def start(kind: str, command: str | list[str], **options: Any) -> Container:
        container = engine.containers.run(built[kind].name, command, detach=True, **options)
        started.append(container)
        return container

    yield start
    for container in started:
        container.remove(force=True)


@pytest.fixture
def train(run: Callable[..., Container]) -> Callable[..., Job]:
    """Run a training job to its end, without any network, as SageMaker starts it."""

    def train(ml: Path, hyperparameters: dict[str, str], **options: Any) -> Job:
        write_inputs(ml, hyperparameters, host=HOST)
        container = start_train(run, ml, **options)
        status = container.wait(timeout=600)["StatusCode"]
        return Job(ml, status, container.logs().decode())

    return train
