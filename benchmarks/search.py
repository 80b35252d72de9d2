"""The search for the presets' values: trains with values from a space, on several seeds, two jobs at a time.

    python benchmarks/search.py continuous            # the preset, then with each other value of the space in turn
    python benchmarks/search.py discrete --random 20  # all values drawn at random, for 20 minutes
    python benchmarks/search.py continuous --change '{"gae_lambda": 0.998}' --seeds 11
    python benchmarks/search.py discrete --best 10    # trains nothing: the best so far, and the preset

Appends a line of JSON per trial to ``search-<name>.jsonl`` beside this file: what was changed in the preset, and for
every seed the mean return of each evaluation with the seconds since training began. A job keeps the policy of its best
evaluation, so a trial is as good as the best evaluation of its worst seed.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "container_src"
ALGORITHM = "rl.agent_params.algorithm"
NETWORK = "rl.agent_params.network_wrappers.main"
EXPLORATION = "rl.agent_params.exploration"
PRESETS = {"continuous": "preset-mountain-car-continuous-clipped-ppo", "discrete": "preset-mountain-car-dqn"}
WORKERS = 2
EVALUATION = re.compile(r"^Evaluation> Evaluation reward=([-\d.e+]+).*Seconds=([\d.]+)", re.MULTILINE)

SPACES: dict[str, dict[str, list[Any]]] = {
    "continuous": {
        "discount": [1.0, 0.9999, 0.999],
        "gae_lambda": [0.997, 0.99, 0.995, 0.998, 0.999],
        f"{ALGORITHM}.beta_entropy": [-5.0, 0.0, -1.0, -10.0],
        f"{ALGORITHM}.clip_likelihood_ratio_using_epsilon": [0.2, 0.1, 0.3],
        "training_learning_rate": [0.003, 0.001, 0.01],
        f"{NETWORK}.learning_rate_decay_rate": [0.9, 0.8, 1.0],
        "collection_steps": [131_072, 32_768],
        f"{NETWORK}.batch_size": [16_384, 4_096],
        f"{ALGORITHM}.optimization_epochs": [20, 10],
        "hidden": [[32, 32], [64, 64]],
        "clipping_decay": [None, [0.25, 655_360]],
        "reward_scale": [1.0, 0.02],
    },
    "discrete": {
        "discount": [0.99, 0.98, 0.995],
        "training_batch_size": [64, 32, 128],
        "training_learning_rate": [0.01, 0.003, 0.02],
        f"{NETWORK}.learning_rate_decay_rate": [0.9, 0.8, 1.0],
        "target_steps_and_rate": [[1, 0.02], [1, 0.005], [1, 0.05], [150, 1.0], [600, 1.0]],
        "gradient_steps_per_phase": [16, 8],
        "reward_scale": [0.03, 0.01, 0.1, 1.0],
        f"{EXPLORATION}.max_duration": [40, 1, 20, 60],
        "rl.heatup_steps": [5_120, 2_560, 10_240],
        "hidden": [[48, 48, 48], [64, 64], [256, 256]],
    },
}
"""Hyperparameters of a job, and some names of this script for several of them or for what none reaches: see ``train``.

The first value of each is the preset's own.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SPACES, help="which preset")
    parser.add_argument("--random", type=float, metavar="MINUTES", help="draw trials; none begins later than that")
    parser.add_argument("--change", type=json.loads, metavar="JSON", help="one trial, of the preset with these values")
    parser.add_argument("--seeds", type=int, default=4, help="training runs per trial (default: 4)")
    parser.add_argument("--best", type=int, metavar="N", help="only print the N best trials so far")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trial:
        train(arguments.name, json.loads(arguments.trial))
    elif arguments.best:
        show(arguments.name, arguments.best)
    else:
        if arguments.change is not None:
            trials = iter([arguments.change])
        elif arguments.random:
            trials = random_trials(arguments.name, arguments.random)
        else:
            trials = single_changes(arguments.name)
        search(arguments.name, trials, arguments.seeds)


def random_trials(name: str, minutes: float) -> Iterator[dict[str, Any]]:
    """Yield trials with every value of the space drawn, for so many minutes."""
    draw = random.Random()  # noqa: S311 - nothing secret
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline:
        yield {key: draw.choice(choices) for key, choices in SPACES[name].items()}


def single_changes(name: str) -> Iterator[dict[str, Any]]:
    """Yield the preset as it is, then with each value of the space in turn; not those that have been tried."""
    tried = [trial["values"] for trial in trials_of(name)]
    for values in ({}, *({key: choice} for key, choices in SPACES[name].items() for choice in choices[1:])):
        if values not in tried:
            yield values


def search(name: str, trials: Iterator[dict[str, Any]], seeds: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for values in trials:
            runs = list(pool.map(lambda seed, v=values: run(name, v, seed), range(seeds)))
            with results_of(name).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"values": values, "runs": runs}) + "\n")
            print(describe({"values": values, "runs": runs}), flush=True)


def run(name: str, values: dict[str, Any], seed: int) -> list[tuple[float, float]]:
    """Train in a process of its own; return seconds and mean return of each evaluation, none if the job failed."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(
            [sys.executable, __file__, name, "--trial", json.dumps({**values, "seed": seed})],
            env={**os.environ, "PYTHONPATH": str(SOURCE), "SAGEMAKER_BASE_DIR": folder},
            cwd=folder,
            capture_output=True,
            text=True,
        )
    if process.returncode:
        print(process.stdout[-500:] + process.stderr[-500:], file=sys.stderr)
    return [(float(seconds), float(reward)) for reward, seconds in EVALUATION.findall(process.stdout)]


def train(name: str, trial: dict[str, Any]) -> None:
    """Train the preset with a trial's changes, in this process."""
    from sagemaker_rl.job.ml_paths import MLPaths
    from sagemaker_rl.training import loop as training
    from sagemaker_rl.training.job_options import Options

    seed = trial.pop("seed")
    hidden, reward_scale = trial.pop("hidden", None), trial.pop("reward_scale", None)
    clipping_decay = trial.pop("clipping_decay", None)
    if collection := trial.pop("collection_steps", None):
        for path in (f"{ALGORITHM}.num_consecutive_playing_steps", "rl.steps_between_evaluation_periods"):
            trial[f"{path}:EnvironmentSteps"] = collection
        trial[f"{ALGORITHM}.num_steps_between_copying_online_weights_to_target:EnvironmentSteps"] = collection
        trial["improve_steps"] = 10 * collection
    if target := trial.pop("target_steps_and_rate", None):
        unit = "TrainingSteps" if target[0] == 1 else "EnvironmentSteps"
        trial[f"{ALGORITHM}.num_steps_between_copying_online_weights_to_target:{unit}"] = target[0]
        trial[f"{ALGORITHM}.rate_for_copying_weights_to_target"] = target[1]
    if gradient_steps := trial.pop("gradient_steps_per_phase", None):
        trial[f"{ALGORITHM}.num_consecutive_training_steps"] = gradient_steps
    launcher = runpy.run_path(str(SOURCE / "train-coach.py"))["MyLauncher"](
        {"RLCOACH_PRESET": PRESETS[name], **trial}, MLPaths.from_environment()
    )
    launcher.paths.create_outputs()
    graph_manager = launcher.load_preset()
    _set_without_hyperparameters(graph_manager, hidden, reward_scale, clipping_decay)
    _set_decay_steps(graph_manager)
    options = Options(seed=seed, save_model=False, early_stopping_patience=0)
    training.create(graph_manager, launcher.paths, launcher.changes, options)
    training.train(graph_manager, launcher.paths, PRESETS[name], {}, launcher.changes, options)


def _set_without_hyperparameters(
    graph_manager: Any, hidden: list[int] | None, reward_scale: float | None, clipping_decay: list[float] | None
) -> None:
    """Set what no hyperparameter reaches."""
    from rl_coach.architectures.layers import Dense
    from rl_coach.filters.filter import InputFilter
    from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
    from rl_coach.schedules import LinearSchedule

    agent = graph_manager.agent_params
    if hidden:
        first, *others = hidden
        network = agent.network_wrappers["main"]
        network.input_embedders_parameters["observation"].scheme = [Dense(first)]
        network.middleware_parameters.scheme = [Dense(size) for size in others]
    if reward_scale:
        agent.input_filter = InputFilter()
        agent.input_filter.add_reward_filter("rescale", RewardRescaleFilter(reward_scale))
    if clipping_decay:
        agent.algorithm.clipping_decay_schedule = LinearSchedule(1.0, *clipping_decay)
    agent.visualization.dump_gifs = graph_manager.visualization_parameters.dump_gifs = False


def _set_decay_steps(graph_manager: Any) -> None:
    """Let the learning rate decay 10 times (PPO) or 20 times (DQN), whatever the number of gradient steps."""
    algorithm = graph_manager.agent_params.algorithm
    network = graph_manager.agent_params.network_wrappers["main"]
    playing = algorithm.num_consecutive_playing_steps.num_steps
    phases = graph_manager.improve_steps.num_steps // playing
    if hasattr(algorithm, "optimization_epochs"):
        network.learning_rate_decay_steps = algorithm.optimization_epochs * (playing // network.batch_size)
    else:
        network.learning_rate_decay_steps = phases * algorithm.num_consecutive_training_steps // 20


def results_of(name: str) -> Path:
    return Path(__file__).with_name(f"search-{name}.jsonl")


def trials_of(name: str) -> list[dict[str, Any]]:
    file = results_of(name)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def best_of(trial: dict[str, Any]) -> list[float]:
    """Return the best evaluation of each run, the worst run first."""
    return sorted(max((reward for _, reward in run), default=-1e9) for run in trial["runs"])


def describe(trial: dict[str, Any]) -> str:
    best = " ".join(f"{reward:9.2f}" for reward in best_of(trial))
    seconds = statistics.fmean(run[-1][0] if run else 0 for run in trial["runs"])
    values = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in trial["values"].items())
    return f"{best}  {seconds:5.1f} s  {values or '(the preset)'}"


def show(name: str, count: int) -> None:
    """Print the best trials, and the preset's wherever it stands."""
    print("best evaluation of each seed, seconds of training with two jobs at a time, what was changed")
    ranked = sorted(trials_of(name), key=lambda trial: best_of(trial)[0], reverse=True)
    for trial in [*ranked[:count], *(trial for trial in ranked[count:] if not trial["values"])]:
        print(describe(trial))


if __name__ == "__main__":
    main()
