"""This machine as local mode sees it: its jobs and endpoints, in runs of their own, and what still runs of them."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from jobs import SHORT_PPO
from launch.cli import errors
from launch.local import images
from local_aws import Aws, Script

NO_AWS = dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"), "(unset)")
FOREVER = {**SHORT_PPO, "improve_steps": "100000000"}


@dataclass
class Machine:
    """A way to run local mode, with results of its own."""

    engine: str
    runs: Path
    environment: dict[str, str]
    _script: Script

    def __call__(self, name: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self._script(name, *arguments, RL_LOCAL_ENGINE=self.engine, **{**NO_AWS, **options})

    def train(self, job: str, hyperparameters: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        return self("train.py", "--instance-type", "local", "--job-name", job, *flags(hyperparameters), *arguments)

    def record(self, job: str) -> dict[str, Any]:
        return dict(json.loads((self.runs / ".local/training-jobs" / job / "record.json").read_text()))

    def wait(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def log_of(self, job: str) -> str:
        logs = sorted((self.runs / ".local/training-jobs" / job / "logs").glob("*.log"))
        return "".join(file.read_text() for file in logs)

    def left_running(self) -> list[str]:
        """Return processes and containers of these runs."""
        found = []
        for process in psutil.process_iter():
            try:
                environment, command = process.environ(), process.cmdline()
            except psutil.Error:
                continue
            of_these = str(self.runs) in environment.get("RL_RUNS", "")
            if of_these and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(command))
        if self.engine == "docker":
            label = {"label": f"rl-mountain-car.runs={self.runs}"}
            found += [each.name for each in images.connect().containers.list(all=True, filters=label)]
            found += [each.name for each in images.connect().networks.list(filters=label)]
        return found


def flags(hyperparameters: dict[str, str]) -> list[str]:
    return [text for name, value in hyperparameters.items() for text in ("-p", f"{name}={value}")]


def a_machine(engine: str, script: Script, aws: Aws) -> Machine:
    environment = {key: value for key, value in aws.environment.items() if key not in NO_AWS}
    runs = Path(aws.environment["RL_RUNS"]).resolve()
    return Machine(engine, runs, {**environment, "RL_LOCAL_ENGINE": engine}, script)


def unpacked(archive: Path, folder: Path) -> Path:
    shutil.unpack_archive(archive, folder)
    return folder


@pytest.fixture(params=["process", "docker"])
def machine(request, script, aws) -> Machine:
    if request.param == "docker":
        request.getfixturevalue("built")
    return a_machine(request.param, script, aws)


@pytest.fixture
def this_machine(request, script, aws) -> Machine:
    """As a user has it: Docker where an engine answers."""
    try:
        images.connect()
    except errors.UsageError:
        return a_machine("process", script, aws)
    request.getfixturevalue("built")
    return a_machine("docker", script, aws)


@pytest.fixture
def docker_machine(script, aws, built) -> Machine:
    return a_machine("docker", script, aws)
