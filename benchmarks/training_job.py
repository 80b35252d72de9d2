"""Runs a training job of ours as ``scripts/launch`` does: the entry point as a process, on its own ``/opt/ml``."""

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import timed_process
from events import parse

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
CONTAINER_SRC = ROOT / "container_src"
EVALUATION = re.compile(r"^Evaluation> .*?Evaluation reward=(?P<reward>[-\d.e+]+).*?\bSteps=(?P<steps>\d+)")


@dataclass(frozen=True)
class Evaluation:
    """The mean return of one evaluation, and when its line was printed, in seconds since the process was started."""

    seconds: float
    steps: int
    mean_return: float


@dataclass(frozen=True)
class Job:
    """A training job that has ended."""

    seconds: float
    peak_memory_kib: int
    environment_steps: int
    evaluations: list[Evaluation]
    final_returns: list[float]


def run(hyperparameters: dict[str, str], log: Path, car: str = "") -> Job:
    """Run a job to its end; with ``car`` (continuous or discrete) also score the policy artifact that it leaves.

    Raises:
        timed_process.RunFailed: It failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        ml = Path(folder)
        write_inputs(ml, hyperparameters)
        environment = {"SAGEMAKER_BASE_DIR": str(ml), "PYTHONPATH": str(CONTAINER_SRC)}
        command: list[str | Path] = [sys.executable, "-m", "sagemaker_rl.training_container", "train"]
        process = timed_process.run(command, ml, log, environment)
        metadata = json.loads((ml / "output" / "intermediate" / "metadata.json").read_text(encoding="utf-8"))
        return Job(
            seconds=process.seconds,
            peak_memory_kib=process.peak_memory_kib,
            environment_steps=metadata["environment_steps"],
            evaluations=[
                Evaluation(seconds, int(match["steps"]), float(match["reward"]))
                for seconds, line in process.lines
                if (match := EVALUATION.match(line))
            ],
            final_returns=_score(ml / "model", car, log) if car else [],
        )


def write_inputs(ml: Path, hyperparameters: dict[str, str], host: str = "localhost") -> None:
    """Write what SageMaker puts below ``/opt/ml/input``, for a job on one host."""
    config = ml / "input" / "config"
    config.mkdir(parents=True)
    contents = {
        "hyperparameters.json": hyperparameters,
        "resourceconfig.json": {"current_host": host, "hosts": [host], "network_interface_name": "lo"},
        "inputdataconfig.json": {},
    }
    for name, content in contents.items():
        (config / name).write_text(json.dumps(content), encoding="utf-8")


def _score(model: Path, car: str, log: Path) -> list[float]:
    command: list[str | Path] = [sys.executable, BENCHMARKS / "unseen_starts.py", model, car]
    process = timed_process.run(command, model, log.with_suffix(".final.log"), {"PYTHONPATH": str(CONTAINER_SRC)})
    events = [parse(line) for _, line in process.lines]
    return next(event["returns"] for event in events if event)
