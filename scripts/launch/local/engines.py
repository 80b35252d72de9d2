"""Where a local job or endpoint runs: in the real images on a Docker engine, or, where there is none, as processes.

Both run the same entry points on the same ``/opt/ml`` tree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

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
