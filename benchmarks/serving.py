"""``make bench-serving``: our container, multi-model-server and a server that answers a constant, in one run.

The same exported model, the same load generator (wrk), the same machine; one after the other. Needs a Docker engine,
the images of ``make images``, and Debian's packages ``wrk`` and ``default-jre-headless``. Writes
``results-serving.json``, ``serving.png`` and the tables in ``README.md``.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import peer_environments
import psutil
import serving_report
import start_up
import training_job
from training_job import BENCHMARKS, ROOT

IMAGE = "mountain-car-serving:latest"
BASE_IMAGE = "debian:bookworm-slim"
PORT = 18_080
WORKERS = os.cpu_count() or 1
CONNECTIONS = (1, 16, 64)
OBSERVATION = [0.5, -0.5]
BODIES = {1: json.dumps(OBSERVATION), 64: json.dumps([OBSERVATION] * 64)}
SECONDS = 10
WARM_UP_SECONDS = 2
STARTS = 5
SECONDS_OF_ENDURANCE = 60
RESULTS = BENCHMARKS / "results-serving.json"


@dataclass(frozen=True)
class System:
    """Something that serves: ``start`` starts it for a model's folder, and yields the id of its first process."""

    name: str
    label: str
    start: Callable[[Path], "contextlib.AbstractContextManager[int]"]
    path: str = "/invocations"
    port: int = PORT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 s instead of 10 s each, no endurance")
    parser.add_argument("--model", type=Path, help="an unpacked model.tar.gz; by default one is trained, for seconds")
    arguments = parser.parse_args()
    for command in ("wrk", "docker", "java"):
        if not shutil.which(command):
            parser.error(f"There is no {command}: Debian's docker.io, wrk and default-jre-headless are needed.")
    if arguments.model and not (arguments.model / "policy.json").is_file():
        parser.error(f"--model is {str(arguments.model)!r}, expected the folder of an unpacked model.tar.gz.")
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or train_model(Path(folder))
        results = measure(model.resolve(), arguments.quick)
    print(serving_report.markdown(results))
    if not arguments.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        serving_report.write(results)


def train_model(ml: Path) -> Path:
    """Train the continuous preset for a moment: only the size of its network counts here."""
    training_job.write_inputs(ml, start_up.SHORT_JOB)
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(ml), "PYTHONPATH": str(ROOT / "container_src")}
    command = [sys.executable, "-m", "sagemaker_rl.training_container", "train"]
    subprocess.run(command, env=environment, cwd=ml, check=True, stdout=subprocess.DEVNULL)
    return ml / "model"


def measure(model: Path, quick: bool) -> dict[str, Any]:
    seconds = 2 if quick else SECONDS
    results: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": machine.git_revision(),
        "machine": machine.describe([peer_environments.MULTI_MODEL_SERVER, peer_environments.ASGI], {}),
        "workers": WORKERS,
        "image_mb": image_size(IMAGE) - image_size(BASE_IMAGE),
        "systems": {},
    }
    for system in SYSTEMS:
        print(system.label, flush=True)
        starts = [seconds_to_start(system, model) for _ in range(1 if quick else STARTS)]
        record: dict[str, Any] = {"label": system.label, "start_seconds": statistics.median(starts), "loads": []}
        with running(system, model) as pid:
            for rows, body in BODIES.items():
                for connections in CONNECTIONS:
                    load(system, body, connections, WARM_UP_SECONDS)
                    record["loads"].append(
                        {
                            "rows": rows,
                            "connections": connections,
                            **measure_load(system, pid, body, connections, seconds),
                        }
                    )
            if not quick:
                record["endurance"] = load(system, BODIES[1], 64, SECONDS_OF_ENDURANCE)
        results["systems"][system.name] = record
    return results


def measure_load(system: System, pid: int, body: str, connections: int, seconds: float) -> dict[str, Any]:
    """Put a system under load; return what wrk measured, and processor time and memory of the system's processes."""
    before = processor_seconds(pid)
    outcome = load(system, body, connections, seconds)
    processes = processes_of(pid)
    return {
        **outcome,
        "cpu_seconds_per_second": (processor_seconds(pid) - before) / outcome["seconds"],
        "memory_mb": [round(process.memory_full_info().pss / 1e6, 1) for process in processes],
    }


def load(
    system: System, body: str | Path, connections: int, seconds: float, media_type: str = "application/json"
) -> dict[str, Any]:
    """Put a system under load; return what wrk measured.

    Args:
        system: runs.
        body: of each request, or the file that holds it.
        connections: of wrk.
        seconds: whole ones.
        media_type: of the body and of the answers.
    """
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s", "--timeout=10s"]
    command += ["--latency", f"--script={BENCHMARKS / 'requests.lua'}", f"http://127.0.0.1:{system.port}{system.path}"]
    environment = {**os.environ, "BODY_FILE" if isinstance(body, Path) else "BODY": str(body), "MEDIA_TYPE": media_type}
    process = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    outcome: dict[str, Any] = json.loads(process.stdout.strip().splitlines()[-1])
    return {**outcome, "requests_per_second": outcome["requests"] / outcome["seconds"]}


def processes_of(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def processor_seconds(pid: int) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes_of(pid))


# --- Starting --------------------------------------------------------------------------------------------------------
def seconds_to_start(system: System, model: Path) -> float:
    """Return the seconds from the command that starts a system to its first 200 on /ping."""
    started = time.perf_counter()
    with running(system, model):
        return time.perf_counter() - started


@contextlib.contextmanager
def running(system: System, model: Path) -> Iterator[int]:
    with system.start(model) as pid:
        deadline = time.monotonic() + 60
        while not healthy(system.port):
            if time.monotonic() > deadline:
                sys.exit(f"Error: {system.label} is not healthy after a minute.")
            time.sleep(0.005)
        yield pid


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def our_container(model: Path) -> Iterator[int]:
    # The host's network, as the others have it: Docker's forwarding of ports would count against this one alone.
    command = ["docker", "run", "--detach", "--network=host", "--read-only", f"--env=SAGEMAKER_BIND_TO_PORT={PORT}"]
    command += [f"--volume={model}:/opt/ml/model:ro", IMAGE, "serve"]
    container = _output(command)
    try:
        yield int(_output(["docker", "inspect", "--format={{.State.Pid}}", container]))
    finally:
        subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)


@contextlib.contextmanager
def started(command: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """Run a command in a folder, yield the process's id, and end it with all that it has started."""
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        processes = processes_of(process.pid)
        for member in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(processes)
        process.wait()


@contextlib.contextmanager
def multi_model_server(model: Path) -> Iterator[int]:
    """Start it as sagemaker-inference does (model_server.py), with files in a folder of its own."""
    python = peer_environments.python_of(peer_environments.MULTI_MODEL_SERVER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configuration = {
            "inference_address": f"http://127.0.0.1:{PORT}",
            "management_address": f"http://127.0.0.1:{PORT}",
            "default_workers_per_model": WORKERS,
            "default_service_handler": f"{BENCHMARKS / 'peers' / 'mxnet_handler.py'}:handle",
            "vmargs": "-XX:-UseContainerSupport",
            "decode_input_request": "false",
            "preload_model": "false",
        }
        lines = "".join(f"{key}={value}\n" for key, value in configuration.items())
        (folder / "config.properties").write_text(lines, encoding="utf-8")
        command: list[str | Path] = [
            python.with_name("multi-model-server"),
            "--start",
            "--foreground",
            "--model-store",
            "/",
            "--models",
            f"model={model}",
            "--mms-config",
            folder / "config.properties",
        ]
        environment = {
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "LOG_LOCATION": name,
            "METRICS_LOCATION": name,
            "TEMP": name,
        }
        with started(command, folder, environment) as pid:
            yield pid


@contextlib.contextmanager
def constant_answer(model: Path) -> Iterator[int]:
    command = uvicorn("constant:app", PORT)
    with tempfile.TemporaryDirectory() as folder, started(command, Path(folder), {}) as pid:
        yield pid


def uvicorn(application: str, port: int) -> list[str | Path]:
    """Return the command that serves an application of ``peers/`` by as many workers as ours."""
    python = peer_environments.python_of(peer_environments.ASGI)
    command: list[str | Path] = [python, "-m", "uvicorn", application, f"--port={port}", f"--workers={WORKERS}"]
    command += ["--no-access-log", "--log-level=warning", "--loop=uvloop", "--http=httptools", "--lifespan=off"]
    return [*command, f"--app-dir={BENCHMARKS / 'peers'}"]


def image_size(name: str) -> float:
    """Return an image's size in MB, unpacked."""
    return int(_output(["docker", "image", "inspect", "--format={{.Size}}", name])) / 1e6


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


SYSTEMS = (
    System("ours", "our container", our_container),
    System("multi-model-server", "sagemaker-inference on multi-model-server", multi_model_server),
    System("ceiling", "a constant answer (uvicorn, ASGI)", constant_answer),
)


if __name__ == "__main__":
    main()
