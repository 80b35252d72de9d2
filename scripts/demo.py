"""The whole way on this machine: train, evaluate, export, serve, predict, and drive a car through the endpoint.

Examples:
    python scripts/demo.py
    python scripts/demo.py --preset preset-mountain-car-dqn --seed 1
    python scripts/demo.py --engine docker -p improve_steps=40000
"""

import argparse
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import httpx
from launch import project
from launch.cli import errors
from launch.cli.progress import EvaluationProgress, TrainingProgress
from launch.local import engines
from launch.local import foreground as local
from launch.sagemaker import episode, results

NOTEBOOK_SAMPLES = [[0.5, -0.5], [-0.5, 0.5]]
"""The observations (position, velocity) that the original notebook sends."""
EVALUATION_EPISODES = 20
EPISODE_SEED = 1
"""Of the start state of the car driven through the endpoint. Any would do: a trained car climbs from all of them."""
SECONDS_TO_ANSWER = 30
ASKED_FOR_OTHERWISE = {
    "RLCOACH_PRESET": "use --preset",
    "seed": "use --seed",
    "save_model": "the demo always saves the model",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="preset-mountain-car-continuous-clipped-ppo", help="(%(default)s)")
    parser.add_argument("--engine", choices=("process", "docker"), default="process", help="(%(default)s)")
    parser.add_argument("--seed", default="0", help="of the training run (%(default)s)")
    parser.add_argument("--runs", type=Path, default=project.ROOT / "runs", help="where results go (runs/)")
    parser.add_argument(
        "-p", dest="hyperparameters", metavar="NAME=VALUE", action="append", default=[], help="a hyperparameter"
    )
    arguments = parser.parse_args()
    hyperparameters = {
        **dict(parse_hyperparameter(text) for text in arguments.hyperparameters),
        "RLCOACH_PRESET": arguments.preset,
        "seed": arguments.seed,
        "save_model": "1",
    }
    engine = engines.make_engine(arguments.engine)
    job = project.unique_name("rl-mountain-car")
    folder = arguments.runs / job

    print(f"[1/5] Training {arguments.preset} (engine: {engine.name}, job: {job})", flush=True)
    with TrainingProgress() as progress:
        local.run_training_job(engine, training_request(job, hyperparameters), folder, progress)
    link_latest(folder)
    intermediate = folder / "output" / "intermediate"
    metadata = json.loads((intermediate / "metadata.json").read_text(encoding="utf-8"))
    results.plot_rewards(results.read_rewards(intermediate), arguments.preset, folder / "reward.png")
    shutil.copyfile(results.latest_gif(intermediate), folder / "episode.gif")
    report = folder / "output" / "data" / "report.html"
    if report.is_file():
        shutil.copyfile(report, folder / "report.html")

    print("[2/5] Evaluating the last checkpoint over unseen start states", flush=True)
    evaluation = evaluate(engine, job, arguments.preset, folder)
    print(
        f"  mean return {evaluation['mean_return']:.2f}, standard deviation {evaluation['std_return']:.2f}, "
        f"{evaluation['episodes']} episodes",
        flush=True,
    )

    print(f"[3/5] Serving {folder / 'model.tar.gz'}", flush=True)
    policy = read_policy(folder / "model.tar.gz")
    continuous = policy["action_space"]["type"] == "box"
    with (
        local.endpoint(engine, folder / "model.tar.gz", f"{job}-endpoint") as url,
        # A proxy that the environment names is not for an endpoint on this machine.
        httpx.Client(trust_env=False, timeout=SECONDS_TO_ANSWER) as client,
    ):
        print(f"[4/5] Predicting at {url}/invocations", flush=True)
        predictions = [predict(client, url, sample) for sample in NOTEBOOK_SAMPLES]
        print("[5/5] Driving a car through the endpoint", flush=True)
        driven = episode.drive(client, url, continuous, EPISODE_SEED)
    if not driven.reached_flag:
        raise errors.JobFailed(f"The car did not reach the flag within {driven.steps} steps.")
    print(f"  the car reached the flag after {driven.steps} steps, return {driven.episode_return:.2f}", flush=True)

    summary = {
        "preset": arguments.preset,
        "environment_steps": metadata["environment_steps"],
        "train_seconds": round(metadata["train_seconds"], 1),
        "mean_return": evaluation["mean_return"],
        "std_return": evaluation["std_return"],
        "episodes": evaluation["episodes"],
        "predictions": predictions,
        "endpoint_episode_return": driven.episode_return,
        "engine": engine.name,
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(
        f"Done: {folder} has model.tar.gz, output/, evaluation/, report.html, reward.png, episode.gif and summary.json"
    )


def parse_hyperparameter(text: str) -> tuple[str, str]:
    """Split ``NAME=VALUE``.

    Raises:
        UsageError: It is not of that form, or the demo sets that hyperparameter itself.
    """
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise errors.UsageError(f"-p is {text!r}, expected NAME=VALUE.")
    if name in ASKED_FOR_OTHERWISE:
        raise errors.UsageError(f"-p {name}: {ASKED_FOR_OTHERWISE[name]}.")
    return name, value


def training_request(
    job: str, hyperparameters: dict[str, str], channels: dict[str, Path] | None = None
) -> dict[str, Any]:
    """Return a CreateTrainingJob request for a local job."""
    return {
        "TrainingJobName": job,
        "HyperParameters": hyperparameters,
        "InputDataConfig": [
            {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": f"file://{path.resolve()}"}}}
            for name, path in (channels or {}).items()
        ],
    }


def evaluate(engine: engines.Engine, job: str, preset: str, folder: Path) -> dict[str, Any]:
    """Run an evaluation job on the training job's checkpoint and return its result."""
    request = training_request(
        f"{job}-evaluation",
        {
            "RLCOACH_PRESET": preset,
            # Episodes are what counts: a quick car's take 100 steps, a patient one's 2,000, a hopeless one's 10,000.
            "evaluate_episodes": str(EVALUATION_EPISODES),
            "evaluate_steps": "1",
            "sagemaker_program": "evaluate-coach.py",
        },
        {"checkpoint": folder / "output" / "data" / "checkpoint"},
    )
    with EvaluationProgress(EVALUATION_EPISODES) as progress:
        local.run_training_job(engine, request, folder / "evaluation", progress)
    result = folder / "evaluation" / "output" / "data" / "evaluation.json"
    return dict(json.loads(result.read_text(encoding="utf-8")))


def predict(client: httpx.Client, url: str, observation: list[float]) -> dict[str, Any]:
    """Ask for the network's heads, as the original notebook's client does, and for the action."""
    heads = episode.predict(client, url, observation)
    (action,) = episode.predict(client, url, observation, actions_only=True)
    print(f"  {observation} -> action {action}", flush=True)
    return {"observation": observation, "heads": heads, "action": action}


def read_policy(archive: Path) -> dict[str, Any]:
    """Return the ``policy.json`` in a ``model.tar.gz``."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile("policy.json")
        assert file is not None
        return dict(json.load(file))


def link_latest(folder: Path) -> None:
    """Point ``runs/latest`` at this run."""
    link = folder.parent / "latest"
    staged = folder.parent / ".latest"
    staged.unlink(missing_ok=True)
    staged.symlink_to(folder.name)
    staged.replace(link)


if __name__ == "__main__":
    errors.run(main)
