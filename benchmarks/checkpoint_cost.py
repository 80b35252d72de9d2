"""What checkpoints to go on from cost a training: jobs with ``/opt/ml/checkpoints`` beside the same jobs without it.

::

    python benchmarks/checkpoint_cost.py --repeats 3

The jobs alternate, so that a slow minute affects both kinds. What a job itself says it has spent on saving is set
against its seconds of training; the difference of the two kinds' medians holds the machine's noise, too.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import training_job

PPO = "preset-mountain-car-continuous-clipped-ppo"
DQN = "preset-mountain-car-dqn"
WHOLE = {"early_stopping_patience": "0"}
"""Of a job that trains its whole schedule."""
JOBS = {
    "continuous car, PPO": {"RLCOACH_PRESET": PPO, **WHOLE},
    "discrete car, DQN, replay of 66,560": {"RLCOACH_PRESET": DQN, **WHOLE},
    "the same, replay of 50,000": {
        "RLCOACH_PRESET": DQN,
        **WHOLE,
        "rl.agent_params.memory.max_size": "50000",
    },
}
SAVING = re.compile(r"^Checkpoints> Saved=(\d+), Seconds=([-\d.e+]+), Longest=([-\d.e+]+)$", re.MULTILINE)


@dataclass
class Cost:
    """A job that has ended: its seconds of training, and what it saved.

    Attributes:
        train_seconds: from the first step to the last evaluation, saving included.
        saves: how many checkpoints.
        saving_seconds: all of them together.
        longest: seconds of the one that took longest.
        size: bytes of the last one.
    """

    train_seconds: float
    saves: int
    saving_seconds: float
    longest: float
    size: int


def run(hyperparameters: dict[str, str], has_folder: bool) -> Cost:
    """Run a job to its end.

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        ml = Path(folder)
        training_job.write_inputs(ml, hyperparameters)
        if has_folder:
            (ml / "checkpoints").mkdir()
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": folder, "PYTHONPATH": str(training_job.CONTAINER_SRC)}
        command = [sys.executable, "-m", "sagemaker_rl.training_container", "train"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the job failed:\n{done.stdout}{done.stderr}")
        metadata = json.loads((ml / "output/intermediate/metadata.json").read_text(encoding="utf-8"))
        saves, seconds, longest = SAVING.findall(done.stdout)[0] if has_folder else (0, 0, 0)
        newest = max((ml / "checkpoints").iterdir(), default=None) if has_folder else None
        size = sum(file.stat().st_size for file in newest.iterdir()) if newest else 0
        return Cost(metadata["train_seconds"], int(saves), float(seconds), float(longest), size)


def main() -> None:
    """Run all jobs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="jobs of each kind (default: %(default)s)")
    options = parser.parse_args()
    print("| job | s without | s with | checkpoints | s of saving | of the training | longest, ms | MB of one |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, hyperparameters in JOBS.items():
        costs: dict[bool, list[Cost]] = {False: [], True: []}
        for seed in range(options.repeats):
            for has_folder, found in costs.items():
                found.append(run({**hyperparameters, "seed": str(seed)}, has_folder))
        without = statistics.median(cost.train_seconds for cost in costs[False])
        seconds = statistics.median(cost.train_seconds for cost in costs[True])
        largest = max(costs[True], key=lambda cost: cost.saving_seconds / cost.train_seconds)
        print(
            f"| {name} | {without:.1f} | {seconds:.1f} | {largest.saves} | {largest.saving_seconds:.2f} | "
            f"{largest.saving_seconds / largest.train_seconds:.1%} | "
            f"{1000 * max(cost.longest for cost in costs[True]):.0f} | {largest.size / 1e6:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
