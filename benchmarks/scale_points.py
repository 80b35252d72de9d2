"""Measures the points of the scale: rollouts in processes and in ranks, whole jobs in ranks and in containers."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import timed_process
import training_job
from events import parse
from training_job import BENCHMARKS, CONTAINER_SRC, ROOT

Point = dict[str, Any]
"""What was measured, by ``workers`` (processes, ranks or containers) and ``number``; see the functions."""

SCALE = BENCHMARKS / "scale"
MILLISECONDS = (0.0, 0.2, 1.0, 5.0)
NUMBERS = (1, 2, 4, 8, 16)
COPIES = 64
"""PPO's default where a phase has 32,768 steps or more: 16 workers step four each."""
FEW_COPIES = 16
"""One for each of 16 workers: what is not shared out weighs four times as much."""
POLICY_COPIES = (16, 64, 256, 1_024)
"""As many as the simulation goes to."""
GRADIENT_ROWS = (512, 4_096, 16_384)
"""The first two are one block, which each rank computes; the last is four, which ranks share."""
MESSAGE_BYTES = (2_048, 1_048_576)
"""The first is about a step of 64 copies."""
EVALUATION = {"kind": "evaluation", "milliseconds": 1.0, "episodes": 4}
JOB_MILLISECONDS = 5.0
JOB_SEED = 1
JOB_RANKS = (1, 2, 4)
RETURN_TO_REACH = -80.0
"""Of the slow environment, by the job of JOB_SEED in its fourth evaluation; the best policy's is about -57."""
EVALUATION_SECONDS = re.compile(r"^(?:\[algo-1\] )?Evaluation> .*\bSeconds=(?P<seconds>[\d.]+)")
IMAGE = "mountain-car-training:latest"


def of_processes() -> Iterator[Point]:
    """Yield ``steps_per_second`` of rollouts whose copies one process steps, or several of its children."""
    for number in NUMBERS:
        asked = [point | {"processes": number} for point in rollouts(number)]
        for point in run_program(asked, ranks=1, name=f"scale-processes-{number}"):
            yield {"workers": "processes", "number": number, **point}


def of_ranks() -> Iterator[Point]:
    """Yield ``steps_per_second`` of rollouts, and ``seconds`` of gradient steps and evaluations, of MPI ranks."""
    for number in NUMBERS:
        asked = rollouts(number)
        asked += [point | {"copies": FEW_COPIES} for point in asked if point["milliseconds"] in (0.0, 5.0)]
        asked += [{"kind": "gradient", "rows": rows} for rows in GRADIENT_ROWS]
        if number == 1:
            asked += [{"kind": "policy", "copies": copies} for copies in POLICY_COPIES]
        else:
            asked += [{"kind": "message", "bytes": size} for size in MESSAGE_BYTES]
        for point in run_program([*asked, EVALUATION], number, f"scale-ranks-{number}"):
            yield {"workers": "ranks", "number": number, **point}


def rollouts(number: int) -> list[Point]:
    """Return the rollouts to measure with so many workers: where steps burn, no more workers than cores."""
    kinds = ["sleeping", "burning"] if number <= (os.cpu_count() or 1) else ["sleeping"]
    return [
        {"kind": kind, "milliseconds": milliseconds, "copies": COPIES}
        for kind in kinds
        for milliseconds in MILLISECONDS
        if milliseconds or kind == kinds[-1]  # a step of 0 ms neither burns nor sleeps
    ]


def run_program(asked: list[Point], ranks: int, name: str) -> list[Point]:
    """Have scale/rollout.py measure, in one start of so many ranks.

    Raises:
        timed_process.RunFailed: It failed.
    """
    environment = {"PYTHONPATH": os.pathsep.join(map(str, (BENCHMARKS, CONTAINER_SRC, SCALE)))}
    command = [*launcher(ranks), SCALE / "rollout.py", json.dumps(asked)]
    with tempfile.TemporaryDirectory() as folder:
        ended = timed_process.run(command, Path(folder), BENCHMARKS / "logs" / f"{name}.log", environment)
    events = [event for _, line in ended.lines if (event := parse(line))]
    return [
        {key: _rounded(value) for key, value in event.items() if key not in ("event", "ranks", "processes")}
        for event in events
    ]


def launcher(ranks: int) -> list[str | Path]:
    """Return the command that runs a Python program in so many ranks of this host, as job/mpi_program.py does."""
    if ranks == 1:
        return [sys.executable, "-W", "ignore"]
    command: list[str | Path] = ["mpirun", "--allow-run-as-root", "--bind-to", "none", "--host", f"localhost:{ranks}"]
    command += ["-mca", "pml", "ob1", "-mca", "btl", "^openib", "-mca", "mpi_yield_when_idle", "1"]
    return [*command, "-np", str(ranks), sys.executable, "-W", "ignore", "-m", "mpi4py"]


# --- Whole jobs ------------------------------------------------------------------------------------------------------


def of_learning() -> Iterator[Point]:
    """Yield whole jobs of ranks on this host; see ``_job_point``."""
    for number in JOB_RANKS:
        hyperparameters = _hyperparameters()
        with tempfile.TemporaryDirectory() as folder:
            training_job.write_inputs(Path(folder), hyperparameters)
            ended = timed_process.run(
                [*launcher(number), SCALE / "train.py"],
                SCALE,
                BENCHMARKS / "logs" / f"scale-learning-{number}.log",
                {"SAGEMAKER_BASE_DIR": folder, "PYTHONPATH": str(CONTAINER_SRC)},
            )
        yield {"workers": "ranks", "number": number, **_job_point(ended)}


def of_containers(numbers: tuple[int, ...]) -> Iterator[Point]:
    """Yield whole jobs of containers with one rank each, by the local mode of scripts/train.py; see ``_job_point``."""
    for number in numbers:
        options = {"--source-dir": str(SCALE), "--entry-point": "train.py", "--instance-count": str(number)}
        hyperparameters = _hyperparameters()
        command: list[str | Path] = [sys.executable, ROOT / "scripts" / "train.py", "--local", "--wait"]
        command += [*(part for option in options.items() for part in option)]
        command += [part for name, value in hyperparameters.items() for part in ("-p", f"{name}={value}")]
        log = BENCHMARKS / "logs" / f"scale-containers-{number}.log"
        yield {"workers": "containers", "number": number, **_job_point(timed_process.run(command, ROOT, log, {}))}


def _hyperparameters() -> dict[str, str]:
    # In one process each: else a container would step its copies in as many processes as there are cores here.
    names = ("seed", "parallel_environments", "environment_processes", "milliseconds")
    return dict(zip(names, map(str, (JOB_SEED, COPIES, 1, JOB_MILLISECONDS)), strict=True))


def _job_point(ended: timed_process.TimedProcess) -> Point:
    """Return what the log of a job says.

    Returns:
        ``steps_per_second`` from the first evaluation to the last, trainings and evaluations included;
        ``seconds_to_return`` from the start of the process to RETURN_TO_REACH, None if it was not reached, and
        ``training_seconds_to_return`` without the start-up; ``returns``, of all evaluations; ``seconds``, the job's.
    """
    evaluations = []
    for printed, line in ended.lines:
        line = line.removeprefix("[algo-1] ")
        found, seconds = training_job.EVALUATION.match(line), EVALUATION_SECONDS.match(line)
        if found and seconds:
            evaluations.append((int(found["steps"]), float(seconds["seconds"]), float(found["reward"]), printed))
    (first_steps, first_seconds, *_), (steps, seconds_, *_) = evaluations[0], evaluations[-1]
    reached = next((each for each in evaluations if each[2] >= RETURN_TO_REACH), None)
    return {
        "kind": "job",
        "milliseconds": JOB_MILLISECONDS,
        "copies": COPIES,
        "steps_per_second": _rounded((steps - first_steps) / (seconds_ - first_seconds)),
        "seconds_to_return": _rounded(reached[3]) if reached else None,
        "training_seconds_to_return": reached[1] if reached else None,
        "returns": [each[2] for each in evaluations],
        "seconds": _rounded(ended.seconds),
    }


def _rounded(value: Any) -> Any:
    """Return a number with the five digits that are worth writing down."""
    return float(f"{value:.5g}") if isinstance(value, float) else value
