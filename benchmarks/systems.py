"""What is compared: our training jobs and the peers' runs, and how one run of each is measured."""

import json
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peer_environments
import timed_process
import training_job
from events import parse
from training_job import BENCHMARKS, CONTAINER_SRC

THRESHOLDS = {"continuous": 90.0, "discrete": -110.0}
"""Mean return of an evaluation at which a car counts as having learnt to climb."""
PPO = "preset-mountain-car-continuous-clipped-ppo"
DQN = "preset-mountain-car-dqn"
NOTEBOOK: dict[str, str] = json.loads((BENCHMARKS / "notebook-hyperparameters.json").read_text(encoding="utf-8"))
"""The hyperparameters of AWS's example notebook "Mountain Car with Amazon SageMaker RL"."""
NOTEBOOK_STEPS = 150_000
NOTEBOOK_TRAINING_STEPS = 75_000
STOCK_COACH = BENCHMARKS / "peers" / "stock_coach.py"
STABLE_BASELINES3 = BENCHMARKS / "peers" / "stable_baselines.py"
JAX_PPO = BENCHMARKS / "peers" / "jax_ppo.py"


@dataclass(frozen=True)
class System:
    """A way to train a car: our job with the hyperparameters ``job``, or ``command`` in the environment of ``peer``."""

    name: str
    label: str
    car: str
    seeds: int = 5
    job: dict[str, str] = field(default_factory=dict)
    peer: str = ""
    command: tuple[str | Path, ...] = ()
    subtract_evaluations: bool = False
    """Whether the seconds of evaluations are not counted; they are where evaluations belong to the job compared."""
    quick_command: tuple[str, ...] = ()
    reduced: str = ""
    """How a quick run is shortened, in words; its final policy is then not scored."""
    in_quick: bool = True

    def code(self) -> list[Path]:
        """Return the files that a run's result depends on."""
        if self.job:
            return our_code()
        requirements = peer_environments.requirements_of(self.peer)
        return [Path(self.command[0]), BENCHMARKS / "unseen_starts.py", *requirements, *self._shared_code()]

    def _shared_code(self) -> list[Path]:
        if self.peer != peer_environments.STOCK_COACH:
            return []
        library = CONTAINER_SRC / "sagemaker_rl"
        repairs = sorted((library / "coach").rglob("*.py"))
        others = [library / "gifs.py", library / "job" / "traces.py"]  # what the preset and the repairs import
        return [CONTAINER_SRC / f"{PPO}.py", CONTAINER_SRC / "patient_envs.py", *repairs, *others]

    def settings(self, quick: bool) -> dict[str, Any]:
        """Return the hyperparameters of our job, or the arguments of the peer's runner."""
        if self.job:
            return dict(self.job)
        arguments = [*map(str, self.command[1:]), *(self.quick_command if quick else ())]
        return {"runner": Path(self.command[0]).name, "arguments": arguments}


SYSTEMS = {
    system.name: system
    for system in (
        System("ours-continuous", "ours: clipped PPO", "continuous", seeds=10, job={"RLCOACH_PRESET": PPO}),
        System(
            "jax-ppo",
            "JAX: one fused program of the same sizes",
            "continuous",
            peer=peer_environments.JAX,
            command=(JAX_PPO,),
            subtract_evaluations=True,
        ),
        System("ours-notebook", "ours: the notebook's clipped PPO", "continuous", seeds=10, job=NOTEBOOK),
        System(
            "stock-coach",
            "stock Coach: the notebook's clipped PPO",
            "continuous",
            peer=peer_environments.STOCK_COACH,
            command=(STOCK_COACH,),
            quick_command=("--improve-steps=12000", "--training-steps=5000", "--evaluation-episodes=0", "--no-final"),
            reduced="12,000 steps, one training, no evaluation",
        ),
        System(
            "sb3-ppo",
            "Stable-Baselines3 PPO (rl-zoo)",
            "continuous",
            peer=peer_environments.STABLE_BASELINES3,
            command=(STABLE_BASELINES3, "ppo"),
            subtract_evaluations=True,
        ),
        System(
            "sb3-sac",
            "Stable-Baselines3 SAC (rl-zoo)",
            "continuous",
            seeds=2,
            peer=peer_environments.STABLE_BASELINES3,
            command=(STABLE_BASELINES3, "sac"),
            subtract_evaluations=True,
            in_quick=False,
        ),
        System(
            "ours-discrete",
            "ours: DQN",
            "discrete",
            seeds=10,
            job={"RLCOACH_PRESET": DQN},
        ),
        System(
            "sb3-dqn",
            "Stable-Baselines3 DQN (rl-zoo)",
            "discrete",
            peer=peer_environments.STABLE_BASELINES3,
            command=(STABLE_BASELINES3, "dqn"),
            subtract_evaluations=True,
            quick_command=("--steps=20000", "--evaluate-every=10000", "--no-final"),
            reduced="20,000 of 120,000 steps",
        ),
    )
}


def our_code() -> list[Path]:
    """Return the files that the result of a job of ours depends on: all of the container but its serving."""
    lock = peer_environments.TRAINING_REQUIREMENTS
    serving = CONTAINER_SRC / "sagemaker_rl" / "serving"
    files = [file for file in sorted(CONTAINER_SRC.rglob("*.py")) if not file.is_relative_to(serving)]
    return [*files, lock, BENCHMARKS / "unseen_starts.py"]


def measure(system: System, seed: int, quick: bool, log: Path) -> dict[str, Any]:
    """Run a system once; return what is recorded of it.

    Raises:
        timed_process.RunFailed: It failed.
    """
    reduced = quick and bool(system.reduced)
    record = _measure_job(system, seed, quick, log) if system.job else _measure_peer(system, seed, quick, log)
    record["steps_per_second"] = record["environment_steps"] / record["wall_seconds"]
    record["seconds_to_threshold"] = next(
        (point["seconds"] for point in record["curve"] if point["mean_return"] >= THRESHOLDS[system.car]), None
    )
    record["final_mean"] = statistics.fmean(record["final_returns"]) if record["final_returns"] else None
    return {"system": system.name, "seed": seed, "reduced": system.reduced if reduced else "", **record}


def _measure_job(system: System, seed: int, quick: bool, log: Path) -> dict[str, Any]:
    car = "" if quick and system.reduced else system.car
    job = training_job.run({**system.settings(quick), "seed": str(seed)}, log, car)
    return {
        "environment_steps": job.environment_steps,
        "wall_seconds": job.seconds,
        "evaluation_seconds_subtracted": 0.0,
        "peak_memory_kib": job.peak_memory_kib,
        "curve": [vars(evaluation) for evaluation in job.evaluations],
        "final_returns": job.final_returns,
    }


def _measure_peer(system: System, seed: int, quick: bool, log: Path) -> dict[str, Any]:
    python = peer_environments.python_of(system.peer)
    environment = {"PYTHONPATH": f"{BENCHMARKS}:{CONTAINER_SRC}"}
    arguments = [*system.settings(quick)["arguments"], f"--seed={seed}"]
    with tempfile.TemporaryDirectory() as folder:
        process = timed_process.run([python, system.command[0], *arguments], Path(folder), log, environment)
    events = [(seconds, event) for seconds, line in process.lines if (event := parse(line))]
    (start_up_seconds, _), *_ = events
    by_name = {event["event"]: (seconds, event) for seconds, event in events}
    seconds, trained = by_name["trained"]

    def counted_seconds(seconds: float, event: dict[str, Any]) -> float:
        return seconds - event["spent"] if system.subtract_evaluations else seconds

    record = {
        "environment_steps": trained["steps"],
        "wall_seconds": counted_seconds(seconds, trained),
        "evaluation_seconds_subtracted": trained["spent"] if system.subtract_evaluations else 0.0,
        "peak_memory_kib": trained["peak_memory_kib"],
        "curve": [
            {"seconds": counted_seconds(at, event), "steps": event["steps"], "mean_return": event["mean_return"]}
            for at, event in events
            if event["event"] == "evaluation"
        ],
        "final_returns": by_name["final"][1]["returns"] if "final" in by_name else [],
    }
    if system.peer == peer_environments.STOCK_COACH and quick:
        record["extrapolated_wall_seconds"] = _extrapolate_notebook_job(
            start_up_seconds, record["wall_seconds"], trained
        )
    return record


def _extrapolate_notebook_job(start_up: float, seconds: float, trained: dict[str, Any]) -> float:
    """Return the seconds that the notebook's whole job would take stock Coach, from a run with a single training.

    It is a lower bound: the run has no evaluation.
    """
    acting = (seconds - start_up - trained["learning_seconds"]) / trained["steps"]
    learning = trained["learning_seconds"] / (trained["trainings"] * trained["training_steps"])
    return start_up + acting * NOTEBOOK_STEPS + learning * NOTEBOOK_TRAINING_STEPS
