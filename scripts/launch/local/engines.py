"""Where a local job or endpoint runs: in the real images on a Docker engine, or, where there is none, as processes.

Both run the same entry points on the same ``/opt/ml`` tree.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from launch import project
from launch.cli.errors import UsageError
from launch.local import images

ENGINE_NAMES = ("docker", "process")
SECONDS_TO_STOP = 30
"""Between SIGTERM and SIGKILL, where nothing else is said."""

MULTI_MODEL = "SAGEMAKER_MULTI_MODEL"
"""The variable that is ``true`` in a container of several models, whose folder is ``/opt/ml/models``."""


@dataclass(frozen=True)
class ContainerSettings:
    """The network and the environment of a training container.

    Attributes:
        host: its name; empty for the engine's default.
        network: the Docker network that it is in; ``none`` for no network.
        addresses: of all hosts of the job by name, in a network of the job's own. A name that Docker resolves is gone
            with its container, but sagemaker-training waits for every host's name before it begins.
        environment: variables that are set in it.
    """

    host: str = ""
    network: str = "none"
    addresses: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


DEFAULT_SETTINGS = ContainerSettings()
NO_VARIABLES: Mapping[str, str] = {}


class Workload(Protocol):
    """A container or a process that an engine has started."""

    def lines(self) -> Iterator[str]:
        """Yield the lines that it prints, until it ends."""

    def wait(self) -> int:
        """Wait for its end, and return its exit status."""

    def stop(self, seconds: int = SECONDS_TO_STOP) -> None:
        """End it, by SIGKILL after so many seconds, and remove all that belongs to it; harmless if it has ended."""


class Engine(Protocol):
    """Runs the two entry points. ``name`` is one of ``ENGINE_NAMES``, ``host`` the name that a job's only host has."""

    name: str
    host: str

    def train(self, ml: Path, name: str, settings: ContainerSettings = DEFAULT_SETTINGS) -> Workload:
        """Start a training job on the tree ``ml``."""

    def serve(self, ml: Path, name: str, environment: Mapping[str, str] = NO_VARIABLES) -> tuple[Workload, str]:
        """Start an endpoint for the model in the tree ``ml``; return it and its URL."""


def choose_engine(image: str) -> str:
    """Return the name of the engine that can run an image's entry point: that of RL_LOCAL_ENGINE, if it is set.

    Raises:
        UsageError: No Docker engine answers, or it has not got the image, and the image is none of this project's.
    """
    setting = os.environ.get("RL_LOCAL_ENGINE", "")
    if setting not in ("", *ENGINE_NAMES):
        raise UsageError(f"RL_LOCAL_ENGINE is {setting!r}, expected docker or process.")
    is_ours = image in [project.image_name(kind) for kind in project.KINDS]
    if setting == "process":
        return "process"
    try:
        client = images.connect()
    except UsageError:
        if setting == "docker" or not is_ours:
            raise
        print(f"No Docker engine answers: instead of {image}, its entry point runs as a process", file=sys.stderr)
        return "process"
    if not client.images.list(image):
        remedy = "build it with `make images`" if is_ours else f"docker pull {image}"
        raise UsageError(f"Image {image} is not on this Docker engine: {remedy}.")
    return "docker"
