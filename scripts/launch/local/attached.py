"""Training jobs and endpoints attached to the script that runs them: they end with it, and leave no record.

``demo.py`` uses them; the jobs and endpoints of ``launch.local.clients`` outlive their script.
"""

import collections
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from docker.errors import ImageNotFound

from launch.cli import interruption
from launch.cli.errors import JobFailed
from launch.local import images
from launch.local.docker_engine import DockerEngine
from launch.local.engines import ContainerSettings, Engine, Workload
from launch.local.ml_tree import pack, unpack, write_config
from launch.local.process_engine import ProcessEngine
from launch.project import KINDS, image_name

SECONDS_TO_START = 60
SECONDS_TO_READ = 5
LINES_OF_LOG = 15
"""Of an endpoint's log, in the message of an error."""


def make_engine(name: str) -> Engine:
    """Return the engine called ``process`` or ``docker``; images that it lacks, or has of older files, are built.

    Raises:
        JobFailed: An image cannot be built.
        UsageError: No Docker engine answers.
    """
    return ENGINES[name]()


def _make_docker_engine() -> Engine:
    client = images.connect()
    for kind in KINDS:
        try:
            changed = images.config_of(client.images.get(image_name(kind))).changed_files()
            reason = f"as {changed[0]} is not as it was" if changed else ""
        except ImageNotFound:
            reason = "once: this takes some minutes"
        if reason:
            print(f"Building {image_name(kind)}, {reason}", flush=True)
            images.build(client, kind, ca_bundle=images.find_ca_bundle(None))
    return DockerEngine(image_name("training"), image_name("serving"))


ENGINES: dict[str, Callable[[], Engine]] = {"process": ProcessEngine, "docker": _make_docker_engine}


def run_training_job(
    engine: Engine, request: dict[str, Any], job_folder: Path, on_line: Callable[[str], None] = print
) -> None:
    """Run a training job to its end.

    Args:
        engine: where it runs.
        request: of CreateTrainingJob
            (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html):
            TrainingJobName, HyperParameters (strings) and InputDataConfig with ``file://`` channels.
        job_folder: receives ``model.tar.gz``, ``output/`` and ``job.log``.
        on_line: called with every line that the job prints.

    Raises:
        JobFailed: The job failed; the message is its FailureReason.
    """
    with _started(engine, request, job_folder) as workload, interruption.let_through():
        status = _follow(workload, job_folder / "job.log", on_line)
    _check_status(status, job_folder)


@contextlib.contextmanager
def training_job_beside(engine: Engine, request: dict[str, Any], job_folder: Path) -> Iterator[None]:
    """Run a training job while the context is open, and to its end; the arguments are those of ``run_training_job``.

    Raises:
        JobFailed: The job failed, which is told at the context's end. A context that ends with an error stops the job.
    """
    with _started(engine, request, job_folder) as workload:
        reader = ThreadPoolExecutor(1)
        status = reader.submit(_follow, workload, job_folder / "job.log", lambda line: None)
        reader.shutdown(wait=False)  # it ends with the job
        with interruption.let_through():
            yield
            status.result()
    _check_status(status.result(), job_folder)


@contextlib.contextmanager
def _started(engine: Engine, request: dict[str, Any], job_folder: Path) -> Iterator[Workload]:
    """Start a training job; at the context's end, however it ends, stop it and collect what it has left."""
    job_folder.mkdir(parents=True, exist_ok=True)
    ml = job_folder / ".ml"
    with interruption.held_back():
        try:
            _write_inputs(ml, request, engine.host)
            name = request["TrainingJobName"]
            settings = ContainerSettings(environment={"TRAINING_JOB_NAME": name})
            workload = engine.train(ml.resolve(), name, settings)
            try:
                yield workload
            finally:
                workload.stop()
                _collect_outputs(ml, job_folder)
        finally:
            shutil.rmtree(ml, ignore_errors=True)


def _check_status(status: int, job_folder: Path) -> None:
    """Raise JobFailed with a job's failure reason, if it has failed."""
    if status:
        failure = job_folder / "output" / "failure"
        reason = failure.read_text(encoding="utf-8") if failure.is_file() else f"exit status {status}"
        raise JobFailed(f"{reason} (the log is {job_folder / 'job.log'})")


def _follow(workload: Workload, log_file: Path, on_line: Callable[[str], None]) -> int:
    """Write a job's lines to its log and pass them to ``on_line``; return its exit status."""
    with log_file.open("w", encoding="utf-8") as log:
        for line in workload.lines():
            log.write(line + "\n")
            log.flush()
            on_line(line)
    return workload.wait()


def _write_inputs(ml: Path, request: dict[str, Any], host: str) -> None:
    write_config(ml, request, host, [host], "lo")
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("file://")
        shutil.copytree(source, ml / "input" / "data" / channel["ChannelName"])


def _collect_outputs(ml: Path, job_folder: Path) -> None:
    pack([ml / "model"], job_folder / "model.tar.gz")
    if (ml / "output").is_dir():
        shutil.rmtree(job_folder / "output", ignore_errors=True)
        shutil.move(ml / "output", job_folder / "output")


@contextlib.contextmanager
def serve_endpoint(engine: Engine, model_archive: Path, name: str) -> Iterator[str]:
    """Serve a ``model.tar.gz`` while the context is open; yield the endpoint's URL once ``/ping`` is healthy.

    Args:
        engine: where it runs.
        model_archive: what it serves.
        name: its name.

    Raises:
        JobFailed: The endpoint ended, or did not become healthy, or the context ended with this error; the message ends
            with the endpoint's last lines.
    """
    log: collections.deque[str] = collections.deque(maxlen=LINES_OF_LOG)
    # Beside the model: an engine in a virtual machine, as on macOS, may see no folder but those below the home folder.
    with interruption.held_back(), tempfile.TemporaryDirectory(prefix=".ml-", dir=model_archive.parent) as folder:
        ml = Path(folder).resolve()
        unpack(model_archive, ml / "model")
        workload, url = engine.serve(ml, name)
        reader = threading.Thread(target=lambda: log.extend(workload.lines()), daemon=True)
        try:
            reader.start()
            try:
                with interruption.let_through():
                    _wait_until_healthy(url, reader.is_alive)
                    yield url
            except JobFailed as error:
                workload.stop()
                reader.join(SECONDS_TO_READ)
                raise JobFailed("\n".join([str(error), *log])) from None
        finally:
            workload.stop()


def _wait_until_healthy(url: str, is_running: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    # A proxy that the environment names is not for an endpoint on this machine.
    with httpx.Client(trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if client.get(f"{url}/ping").status_code == 200:
                    return
            if not is_running():
                raise JobFailed("The endpoint ended before it was healthy.")
            time.sleep(0.1)
    raise JobFailed(f"The endpoint was not healthy within {SECONDS_TO_START} s.")
