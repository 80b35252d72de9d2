"""Training jobs of local mode in their runner, on an engine whose containers are functions of their tree."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launch.local import records, training_job
from launch.local.records import TRAINING_JOBS, JobRecord
from launch.local.training_job import TrainingJob

Container = Callable[[Path, Any], int]
"""What a container does, with its tree and a function that prints a line; returns its exit status."""


class Running:
    """A container: prints and writes in a thread of its own, as ``Workload`` wants it."""

    def __init__(self, container: Container, ml: Path, settings: Any) -> None:
        self.settings, self.stopped = settings, threading.Event()
        self.seconds: int | None = None
        self._lines: list[str] = []
        self._status = 0
        self._thread = threading.Thread(target=self._run, args=(container, ml))
        self._thread.start()

    def _run(self, container: Container, ml: Path) -> None:
        self._status = container(ml, self)

    def say(self, line: str) -> None:
        self._lines.append(line)

    def lines(self):
        self._thread.join()
        yield from self._lines

    def wait(self) -> int:
        self._thread.join()
        return self._status

    def stop(self, seconds: int) -> None:
        self.seconds = seconds
        self.stopped.set()
        self._thread.join()


class Engine:
    """Starts the container of each host, one for all or by host."""

    def __init__(self, container: Container | dict[str, Container]) -> None:
        self._container = container
        self.started: dict[str, Running] = {}
        self.image = ""

    def train(self, ml: Path, name: str, settings: Any) -> Running:
        container = self._container[settings.host] if isinstance(self._container, dict) else self._container
        self.started[name] = Running(container, ml, settings)
        return self.started[name]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a job to its end, whatever that is; return its record."""
    monkeypatch.setenv("RL_RUNS", str(tmp_path / "runs"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(training_job, "SECONDS_BETWEEN_COPIES", 0.01)
    monkeypatch.setattr(training_job, "SECONDS_TO_FIRST_LINE", 0.01)
    handler, mask = signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, set())

    def run(container: Any, name: str = "brief", during: Callable[[Any], None] = lambda job: None, **changes: Any):
        request = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": "my-image:1", **changes.pop("algorithm", {})},
            "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}/home"},
            "ResourceConfig": {"InstanceType": "local", "InstanceCount": changes.pop("count", 1)},
            **changes,
        }
        record = JobRecord(request, f"arn:{name}", records.now(), run.engine_name)
        records.create(TRAINING_JOBS, name, record)
        job = TrainingJob(name, record)
        run.job, run.engine = job, Engine(container)

        def make_engine(image: str) -> Engine:
            run.engine.image = image
            return run.engine

        job.make_engine = make_engine
        during(job)
        job.run()
        read = records.read(TRAINING_JOBS, name)
        assert read == job.record
        return read

    run.engine_name, run.home = "process", tmp_path / "home"
    yield run
    signal.signal(signal.SIGTERM, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
