"""The servers of this machine's endpoints, containers or processes: starting one, looking at it, ending it.

Which parameters of a model they honour stands in ``launch.local.honoured_parameters``.
"""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import httpx
from docker.errors import NotFound

from launch.aws.storage import Storage
from launch.cli.errors import UsageError
from launch.local import engine_choice, engines, images, labels, records
from launch.local.docker_engine import DockerEngine
from launch.local.engines import MULTI_MODEL
from launch.local.ml_tree import unpack
from launch.local.process_engine import ProcessEngine, start_process
from launch.local.process_id import ProcessId
from launch.local.records import ENDPOINTS, Deployment

SECONDS_TO_START = 60
SECONDS_TO_KILL = 5


def new(config: str, version: int) -> Deployment:
    """Return a deployment that this process is going to start."""
    return Deployment(config, version, records.now(), ProcessId.of(os.getpid()))


def start(endpoint: str, deployment: Deployment, container: dict[str, Any], storage: Storage) -> None:
    """Start the container or the process of a deployment, and set the fields that say what it is.

    Args:
        endpoint: its name.
        deployment: to start.
        container: PrimaryContainer of the model.
        storage: where the model is.

    Raises:
        UsageError: The model or the image is not there.
    """
    folder = records.folder_of(ENDPOINTS, endpoint) / str(deployment.version)
    shutil.rmtree(folder, ignore_errors=True)  # an earlier update's, which could not be started
    ml = folder / "ml"
    if container.get("Mode") == "MultiModel":  # launch.local.target_models loads them
        (ml / "models").mkdir(parents=True)
        deployment.models = container["ModelDataUrl"]
        environment = {**container.get("Environment", {}), MULTI_MODEL: "true"}
    else:
        fetch_model(storage, container["ModelDataUrl"], ml / "model")
        environment = {"SAGEMAKER_RL_PAGE": "1", **container.get("Environment", {})}
    image = container["Image"]
    if engine_choice.choose_engine(image) == "docker":
        engine = DockerEngine(image, image, labels.of_endpoint(endpoint))
        workload, url = engine.serve(ml, f"{endpoint}-{deployment.version}", environment)
        deployment.container = str(workload.container.name)
    else:
        command, variables, url = ProcessEngine.server_command(environment)
        with (folder / "log").open("w", encoding="utf-8") as log:
            process = start_process(command, ml, variables, log)
        deployment.process, deployment.log = ProcessId.of(process.pid), str(folder / "log")
    deployment.url = url


def fetch_model(storage: Storage, uri: str, folder: Path) -> None:
    """Unpack a ``model.tar.gz`` into a folder.

    Raises:
        UsageError: There is nothing at the address, or it is damaged.
    """
    archive = folder.parent / "model.tar.gz"
    storage.download(uri, archive)
    unpack(archive, folder, uri)
    archive.unlink()


def is_running(deployment: Deployment) -> bool:
    """Tell whether a deployment that was started has not ended."""
    if deployment.process:
        return deployment.process.is_alive
    container = _find_container(deployment.container)
    return container is not None and container.status == "running"


def is_healthy(deployment: Deployment) -> bool:
    """Tell whether a deployment that was started answers ``GET /ping`` by 200."""
    try:
        return httpx.get(f"{deployment.url}/ping", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def age(deployment: Deployment) -> float:
    """Return the seconds since a deployment was begun."""
    return time.time() - records.time_of(deployment.started).timestamp()


def log_lines(deployment: Deployment) -> list[str]:
    """Return what a deployment has printed so far; nothing before it was started, or once its container is gone."""
    if deployment.log:
        return Path(deployment.log).read_text(encoding="utf-8", errors="replace").splitlines()
    container = _find_container(deployment.container)
    return container.logs().decode("utf-8", "replace").splitlines() if container is not None else []


def end(deployment: Deployment) -> None:
    """End a deployment's container or process, which first answers what it has accepted."""
    if deployment.process:
        _end_process(deployment.process)
    elif deployment.container:
        _end_container(deployment.container)


def end_others(endpoint: str, kept: Deployment | None) -> None:
    """End all containers and processes of an endpoint, recorded or not, except those of the deployment ``kept``."""
    for process in _processes_of(endpoint):
        if kept is None or process != kept.process:
            _end_process(process)
    for container in _containers_of(endpoint):
        if kept is None or container != kept.container:
            _end_container(container)


def _processes_of(endpoint: str) -> list[ProcessId]:
    """Return the servers' first processes; their workers end with them."""
    variable = f"\0SAGEMAKER_BASE_DIR={records.folder_of(ENDPOINTS, endpoint)}/".encode()
    processes = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # the process has ended, or is another user's
            pid = int(environ.parent.name)
            if variable in b"\0" + environ.read_bytes() and os.getsid(pid) == pid:
                processes.append(ProcessId.of(pid))
    return [process for process in processes if process.is_alive]


def _containers_of(endpoint: str) -> list[str]:
    try:
        client = images.connect()
    except UsageError:
        return []
    containers = client.containers.list(all=True, filters=labels.filter_of_endpoint(endpoint))
    return [str(container.name) for container in containers]


def _end_process(process: ProcessId) -> None:
    for number, seconds in ((signal.SIGTERM, engines.SECONDS_TO_STOP), (signal.SIGKILL, SECONDS_TO_KILL)):
        deadline = time.monotonic() + seconds
        if process.is_alive:
            os.kill(process.pid, number)
        while process.is_alive and time.monotonic() < deadline:
            time.sleep(0.05)


def _end_container(name: str) -> None:
    container = _find_container(name)
    if container is not None:
        container.stop(timeout=engines.SECONDS_TO_STOP)
        container.remove(force=True)


def _find_container(name: str | None) -> Any:
    if name is None:
        return None
    try:
        return images.connect().containers.get(name)
    except NotFound:
        return None
