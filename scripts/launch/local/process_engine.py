"""The engine that runs jobs and endpoints as processes of this Python environment."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from launch import project
from launch.local.engines import DEFAULT_SETTINGS, NO_VARIABLES, SECONDS_TO_STOP, ContainerSettings, Workload

CONTAINER_SRC = project.ROOT / "container_src"
TRAINING_LOCK = project.ROOT / "docker" / "training" / "requirements.txt"
LOCKED = re.compile(r"^[A-Za-z0-9][^ ;\\]*", re.MULTILINE)
"""A package and its version in a lock file."""


class ProcessEngine:
    """Starts the entry points with the running Python."""

    name = "process"
    host = "localhost"

    def train(self, ml: Path, name: str, settings: ContainerSettings = DEFAULT_SETTINGS) -> Workload:
        return ProcessWorkload(["-m", "sagemaker_rl.training_container", "train"], ml, dict(settings.environment))

    def serve(self, ml: Path, name: str, environment: Mapping[str, str] = NO_VARIABLES) -> tuple[Workload, str]:
        command, variables, url = self.server_command(environment)
        return ProcessWorkload(command, ml, variables), url

    @staticmethod
    def server_command(environment: Mapping[str, str]) -> tuple[list[str], dict[str, str], str]:
        """Return Python's arguments for a server, its environment variables, and the URL that it will have."""
        port = _free_port()
        variables = {**environment, "SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_BIND_TO_HOST": "127.0.0.1"}
        return [str(CONTAINER_SRC / "deploy-mxnet-coach.py"), "serve"], variables, f"http://127.0.0.1:{port}"


def start_process(
    arguments: list[str], ml: Path, environment: Mapping[str, str], stdout: int | IO[str]
) -> subprocess.Popen[str]:
    """Start an image's entry point as a process on the tree ``ml``, with what the image sets in its environment."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={
            "PIP_CONSTRAINT": str(_constraints(ml)),
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


def _constraints(ml: Path) -> Path:
    """Write what a user's requirements.txt must fit, as in the image: pip installs into this Python environment."""
    path = ml / ".constraints.txt"
    path.write_text("\n".join(LOCKED.findall(TRAINING_LOCK.read_text(encoding="utf-8"))) + "\n", encoding="utf-8")
    return path


class ProcessWorkload:
    """A process that is the first of its session, as a container's first process is."""

    def __init__(self, arguments: list[str], ml: Path, environment: dict[str, str] | None = None) -> None:
        self._process = start_process(arguments, ml, environment or {}, subprocess.PIPE)
        self._child_killer = threading.Thread(target=self._kill_children_at_end, daemon=True)
        self._child_killer.start()

    def _kill_children_at_end(self) -> None:
        """As in a container, no child outlives the first process: it would also keep ``lines`` from ending."""
        self._process.wait()
        with contextlib.suppress(ProcessLookupError):  # no child is left
            os.killpg(self._process.pid, signal.SIGKILL)

    def lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.rstrip("\n")

    def wait(self) -> int:
        return self._process.wait()

    def stop(self, seconds: int = SECONDS_TO_STOP) -> None:
        self._process.terminate()  # not its children, as in a container: it needs them until it has saved its work
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self._process.kill()
        self._child_killer.join()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
