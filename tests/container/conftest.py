"""The two images, built once from this checkout, and containers of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import HOST, start_train
from docker.models.containers import Container
from jobs import Job, write_inputs
from launch.local import images

import docker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.container)


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
