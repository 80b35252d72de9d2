"""Labels of containers and networks: they tell what owns each, and so which can be removed."""

import contextlib
import os
import sys

from docker.errors import APIError

from launch.cli.errors import UsageError
from launch.local import images
from launch.local.process_id import ProcessId
from launch.project import runs_folder

RUNS = "rl-mountain-car.runs"
"""The folder of the results, and of the records, that it belongs to."""
OWNER = "rl-mountain-car.owner"
"""The process that removes it in the end: a job's runner."""
ENDPOINT = "rl-mountain-car.endpoint"
"""The endpoint that it serves, which has no process of its own."""


def of_job() -> dict[str, str]:
    """Return the labels of what this process, a job's runner, starts."""
    return {RUNS: str(runs_folder()), OWNER: str(ProcessId.of(os.getpid()))}


def of_endpoint(name: str) -> dict[str, str]:
    """Return the labels of an endpoint's container."""
    return {RUNS: str(runs_folder()), ENDPOINT: name}


def filter_of_endpoint(name: str) -> dict[str, str | list[str] | bool]:
    """Return Docker's filter for the containers of an endpoint."""
    return {"label": [f"{label}={value}" for label, value in of_endpoint(name).items()]}


def remove_leftovers() -> None:
    """Remove the containers and networks of jobs whose runner was killed before it could remove them itself."""
    try:
        client = images.connect()
    except UsageError:
        return
    of_these_runs: dict[str, str | list[str] | bool] = {"label": f"{RUNS}={runs_folder()}"}
    for container in client.containers.list(all=True, filters=of_these_runs):
        if _has_lost_its_owner(container.labels):
            with contextlib.suppress(APIError):  # another command is removing it too
                container.remove(force=True)
                print(f"Removed container {container.name}, which a killed process had left", file=sys.stderr)
    for network in client.networks.list(filters=of_these_runs):
        if _has_lost_its_owner(network.attrs.get("Labels") or {}):
            with contextlib.suppress(APIError):
                network.remove()


def _has_lost_its_owner(labels: dict[str, str]) -> bool:
    return OWNER in labels and not ProcessId.parse(labels[OWNER]).is_alive
