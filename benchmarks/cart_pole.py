"""CartPole-v1: seconds until an evaluation holds the pole for 475 of 500 steps, on the fast path and by stock Coach.

Both run the same preset of ``benchmarks/cartpole/`` through our entry point; ``accelerate`` alone differs. So both have
the same start-up, evaluations, CSV and checkpoints. A run ends as soon as the mean is reached.
"""

import math
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timed_process
import training_job
from training_job import BENCHMARKS, CONTAINER_SRC, EVALUATION

SOURCE = BENCHMARKS / "cartpole"
AGENTS = {"ppo": "clipped PPO", "dqn": "DQN"}
PATHS = {"ours": "1", "stock": "0"}
"""The two sides, and the hyperparameter ``accelerate``."""
SEEDS = 5
MEAN_RETURN = 475.0
MOST_SECONDS, MOST_SECONDS_QUICK = 600.0, 180.0
"""After which a run that has not reached the mean is ended."""
WANTED_RATIO = 5.0
HEAD = ("agent", "path", "seeds", f"s to {MEAN_RETURN:g}: median", "worst seed", "environment steps")


@dataclass(frozen=True)
class CartPoleRun:
    """One run: the agent, the side and the seed."""

    agent: str
    path: str
    seed: int

    @property
    def key(self) -> str:
        """Its name among the recorded runs."""
        return f"cartpole-{self.agent}-{self.path}/{self.seed}"

    def hyperparameters(self) -> dict[str, str]:
        """Return those of the job."""
        preset = f"preset-cartpole-{self.agent}"
        return {"RLCOACH_PRESET": preset, "accelerate": PATHS[self.path], "seed": str(self.seed), "save_model": "0"}


def runs(seeds: int) -> list[CartPoleRun]:
    """Return the runs: of each seed all agents, both sides one after the other."""
    return [CartPoleRun(agent, path, seed) for seed in range(seeds) for agent in AGENTS for path in PATHS]


def measure(run: CartPoleRun, quick: bool, log: Path) -> dict[str, Any]:
    """Run a job until an evaluation has the mean return; return what is recorded of it.

    Raises:
        timed_process.RunFailed: It failed.
    """
    most = MOST_SECONDS_QUICK if quick else MOST_SECONDS
    curve: list[dict[str, float]] = []

    def reached(seconds: float, line: str) -> bool:
        if match := EVALUATION.match(line):
            curve.append({"seconds": seconds, "steps": int(match["steps"]), "mean_return": float(match["reward"])})
        return seconds > most or bool(match and curve[-1]["mean_return"] >= MEAN_RETURN)

    with tempfile.TemporaryDirectory() as folder:
        ml = Path(folder)
        training_job.write_inputs(ml, run.hyperparameters())
        shutil.copytree(SOURCE, ml / "code")
        environment = {"SAGEMAKER_BASE_DIR": str(ml), "PYTHONPATH": str(CONTAINER_SRC)}
        command: list[str | Path] = [sys.executable, "-m", "sagemaker_rl.training_container", "train"]
        process = timed_process.run(command, ml, log, environment, until=reached)
    last = curve[-1] if curve else {"seconds": process.seconds, "steps": 0, "mean_return": -math.inf}
    return {
        "system": run.key.partition("/")[0],
        "seed": run.seed,
        "wall_seconds": process.seconds,
        "environment_steps": last["steps"],
        "seconds_to_threshold": last["seconds"] if last["mean_return"] >= MEAN_RETURN else None,
        "curve": curve,
    }


# --- Report ----------------------------------------------------------------------------------------------------------
def rows(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the table whose head is HEAD, one for each agent and side that has runs."""
    cells: list[tuple[str, ...]] = []
    for agent, label in AGENTS.items():
        for path, side in (("ours", "fast path"), ("stock", "stock Coach")):
            recorded = _recorded(results, agent, path)
            if recorded:
                seconds = [_seconds(run) for run in recorded.values()]
                steps = statistics.median(run["environment_steps"] for run in recorded.values())
                times = (_time(statistics.median_high(seconds)), _time(max(seconds)))
                cells.append((label, side, str(len(recorded)), *times, f"{steps:,.0f}"))
    return cells


def ratio(results: dict[str, Any], agent: str) -> tuple[float, str] | None:
    """Return stock Coach's median of the seconds over ours, and how it came about; None without runs of both."""
    ours, stock = (_recorded(results, agent, path) for path in PATHS)
    if not ours or not stock:
        return None
    our_seconds = statistics.median(_seconds(run) for run in ours.values())
    # A run that was ended has taken at least so long.
    bounded = [min(_seconds(run), run["wall_seconds"]) for run in stock.values()]
    stock_seconds = statistics.median(bounded)
    never = sum(_seconds(run) == math.inf for run in stock.values())
    note = f"; stock Coach was never there on {never} of {len(stock)} seeds, which count as ended" if never else ""
    value = stock_seconds / our_seconds
    return value, f"{value:.1f} ({stock_seconds:.1f} s / {our_seconds:.1f} s, medians{note})"


def _recorded(results: dict[str, Any], agent: str, path: str) -> dict[str, dict[str, Any]]:
    return {key: run for key, run in results["runs"].items() if run["system"] == f"cartpole-{agent}-{path}"}


def _seconds(run: dict[str, Any]) -> float:
    return math.inf if run["seconds_to_threshold"] is None else float(run["seconds_to_threshold"])


def _time(seconds: float) -> str:
    return f"{seconds:.1f}" if math.isfinite(seconds) else "never"


def code() -> list[Path]:
    """Return the files of ours that a run's result depends on, besides the container's."""
    return [Path(__file__), *sorted(SOURCE.glob("*.py"))]
