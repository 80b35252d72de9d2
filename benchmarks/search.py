"""Random search for a preset's values: trains with values drawn from a space, on several seeds, two jobs at a time.

    python benchmarks/search.py continuous --minutes 20
    python benchmarks/search.py discrete --minutes 20

Appends a line of JSON per trial to ``search-<name>.jsonl`` beside this file: the values drawn, and for every seed the
mean return of each evaluation (20 unseen starts) with the seconds since the job began. ``--best`` prints the best.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "container_src"
ALGORITHM = "rl.agent_params.algorithm"
NETWORK = "rl.agent_params.network_wrappers.main"
PRESETS = {"continuous": "preset-mountain-car-continuous-clipped-ppo", "discrete": "preset-mountain-car-dqn"}
WORKERS = 2

SPACES: dict[str, dict[str, list[Any]]] = {
    "continuous": {
        "discount": [1.0],
        "gae_lambda": [0.99, 0.993, 0.995, 0.997],
        f"{ALGORITHM}.beta_entropy": [-0.1, -0.3, -1.0],
        f"{ALGORITHM}.clip_likelihood_ratio_using_epsilon": [0.1, 0.2, 0.3],
        "training_learning_rate": [0.001, 0.002, 0.003, 0.004],
        f"{NETWORK}.learning_rate_decay_rate": [0.7, 0.8, 0.85, 0.9],
        "training_freq_env_steps": [65_536, 131_072, 262_144],
        "parallel_environments": [32, 64, 128],
        "training_batch_size": [2_048, 4_096, 8_192],
        "training_epochs": [5, 7, 10, 15],
        "hidden": [32],
        "updates": [10],
    },
    "discrete": {
        "discount": [0.98, 0.99, 0.995],
        "training_batch_size": [64, 128, 256, 512],
        "training_learning_rate": [0.0005, 0.001, 0.002, 0.004],
        f"{NETWORK}.learning_rate_decay_rate": [0.3, 0.6, 1.0],
        f"{ALGORITHM}.num_steps_between_copying_online_weights_to_target:EnvironmentSteps": [300, 600, 1_200, 2_400],
        f"{ALGORITHM}.num_consecutive_playing_steps:EnvironmentSteps": [16, 32, 64],
        "gradient_steps_per_step": [0.25, 0.5],
        "memory": [20_000, 50_000, 150_000],
        "parallel_environments": [4, 8, 16],
        "epsilon": [0.05, 0.1],
        "hidden": [32, 64, 128],
        "improve_steps": [60_000, 100_000],
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SPACES, help="which preset")
    parser.add_argument("--minutes", type=float, default=20, help="no trial begins after them")
    parser.add_argument("--seeds", type=int, default=3, help="training runs per trial (default: 3)")
    parser.add_argument("--best", type=int, metavar="N", help="only print the N best trials so far")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trial:
        train(arguments.name, json.loads(arguments.trial))
    elif arguments.best:
        show(arguments.name, arguments.best)
    else:
        search(arguments.name, arguments.minutes, arguments.seeds)


def search(name: str, minutes: float, seeds: int) -> None:
    draw = random.Random()  # noqa: S311 - nothing secret
    until = time.monotonic() + 60 * minutes
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        while time.monotonic() < until:
            values = {key: draw.choice(choices) for key, choices in SPACES[name].items()}
            runs = list(pool.map(lambda seed, v=values: run(name, v, seed), range(seeds)))
            with results_of(name).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"values": values, "runs": runs}) + "\n")
            print(describe({"values": values, "runs": runs}), flush=True)


def run(name: str, values: dict[str, Any], seed: int) -> list[tuple[float, float]]:
    """Train in a process of its own; return seconds and mean return of each evaluation, none if the job failed."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, __file__, name, "--trial", json.dumps({**values, "seed": seed, "folder": folder})],
            env={**os.environ, "PYTHONPATH": str(SOURCE), "SAGEMAKER_BASE_DIR": folder, "OPENBLAS_NUM_THREADS": "1"},
            cwd=folder,
            capture_output=True,
            text=True,
        )
    pattern = r"^Evaluation> Evaluation reward=([-\d.e+]+).*Seconds=([\d.]+)"
    return [(float(seconds), float(reward)) for reward, seconds in re.findall(pattern, done.stdout, re.MULTILINE)]


def train(name: str, trial: dict[str, Any]) -> None:
    """Train one trial, in this process."""
    from rl_coach.architectures.layers import Dense  # after sagemaker_rl's repairs, were it not for the layers alone
    from rl_coach.core_types import EnvironmentSteps
    from rl_coach.memories.memory import MemoryGranularity
    from rl_coach.schedules import LinearSchedule
    from sagemaker_rl import training
    from sagemaker_rl.ml_paths import MLPaths

    hidden, environments, seed = trial.pop("hidden"), trial.pop("parallel_environments"), trial.pop("seed")
    extra = {
        key: trial.pop(key, None)
        for key in (
            "updates",
            "gradient_steps_per_step",
            "memory",
            "epsilon",
            "folder",
            "heatup",
            "start_epsilon",
            "decay_steps",
        )
    }
    playing = trial.get("training_freq_env_steps")
    if extra["updates"]:
        trial["improve_steps"] = extra["updates"] * playing
        per_update = trial["training_epochs"] * (playing // trial["training_batch_size"])
        trial[f"{NETWORK}.learning_rate_decay_steps"] = per_update
    else:
        playing = trial[f"{ALGORITHM}.num_consecutive_playing_steps:EnvironmentSteps"]
        gradient_steps = int(playing * extra["gradient_steps_per_step"])
        trial[f"{ALGORITHM}.num_consecutive_training_steps"] = gradient_steps
        trial[f"{NETWORK}.learning_rate_decay_steps"] = (
            int(trial["improve_steps"] * extra["gradient_steps_per_step"]) // 4
        )
        trial.setdefault("evaluation_freq_env_steps", 20_000)
    launcher = runpy.run_path(str(SOURCE / "train-coach.py"))["MyLauncher"](
        {"RLCOACH_PRESET": PRESETS[name], "evaluation_episodes": 20, **trial}, MLPaths.from_environment()
    )
    launcher.paths.create_outputs()
    graph_manager = launcher.load_preset()
    agent = graph_manager.agent_params
    network = agent.network_wrappers["main"]
    network.input_embedders_parameters["observation"].scheme = [Dense(hidden)]
    network.middleware_parameters.scheme = [Dense(hidden)]
    agent.visualization.dump_gifs = graph_manager.visualization_parameters.dump_gifs = False
    if extra["memory"]:
        agent.memory.max_size = (MemoryGranularity.Transitions, extra["memory"])
        agent.exploration.epsilon_schedule = LinearSchedule(extra["start_epsilon"] or 0.2, extra["epsilon"], 24_000)
    if extra["heatup"]:
        graph_manager.heatup_steps = EnvironmentSteps(extra["heatup"])
    options = training.Options(seed=seed, save_model=False, parallel_environments=environments)
    training.train(graph_manager, launcher.paths, PRESETS[name], {}, launcher.changes, options)


def results_of(name: str) -> Path:
    return Path(__file__).with_name(f"search-{name}.jsonl")


def best_of(trial: dict[str, Any]) -> list[float]:
    """Return the best evaluation of each run, the worst run first."""
    return sorted(max((reward for _, reward in run), default=-1e9) for run in trial["runs"])


def describe(trial: dict[str, Any]) -> str:
    best = " ".join(f"{reward:.2f}" for reward in best_of(trial))
    seconds = statistics.fmean(run[-1][0] if run else 0 for run in trial["runs"])
    values = " ".join(f"{key.rpartition('.')[2].partition(':')[0]}={value}" for key, value in trial["values"].items())
    return f"best evaluations {best}, {seconds:.1f} s: {values}"


def show(name: str, count: int) -> None:
    trials = [json.loads(line) for line in results_of(name).read_text(encoding="utf-8").splitlines()]
    for trial in sorted(trials, key=lambda trial: best_of(trial)[0], reverse=True)[:count]:
        print(describe(trial))


if __name__ == "__main__":
    main()
