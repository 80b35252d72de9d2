"""The steps of ``demo.py``: jobs and an endpoint that end with it, on one engine, in one folder of results."""

import contextlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import ShortTrainingProgress, waiting_for
from launch.local import attached
from launch.local.engines import Engine
from launch.sagemaker import episode, results

NOTEBOOK_SAMPLES = [[0.5, -0.5], [-0.5, 0.5]]
"""The observations (position, velocity) that the original notebook sends."""
EVALUATION_EPISODES = 20
EPISODE_SEED = 1
"""Of the start state of the car driven through the endpoint. Any would do: a trained car climbs from all of them."""
SECONDS_TO_ANSWER = 30
OTHER_FLAGS = {
    "RLCOACH_PRESET": "use --preset",
    "seed": "use --seed",
    "save_model": "the demo always saves the model",
}
"""Hyperparameters that ``-p`` does not set, and what does."""


def parse_hyperparameter(text: str) -> tuple[str, str]:
    """Split ``NAME=VALUE``.

    Raises:
        UsageError: It is not of that form, or the demo sets that hyperparameter itself.
    """
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise UsageError(f"-p is {text!r}, expected NAME=VALUE.")
    if name in OTHER_FLAGS:
        raise UsageError(f"-p {name}: {OTHER_FLAGS[name]}.")
    return name, value


@dataclass(frozen=True)
class Demo:
    """A run of the demo.

    Attributes:
        engine: where its jobs and its endpoint run.
        job: the name of the training job.
        preset: that it trains.
        folder: of the results.
    """

    engine: Engine
    job: str
    preset: str
    folder: Path

    def run(self, hyperparameters: dict[str, str]) -> dict[str, Any]:
        """Take all steps, printing each, and return the summary.

        Raises:
            JobFailed: A job failed, the endpoint did, or the car did not reach the flag.
        """
        print(f"[1/5] Training {self.preset} (engine: {self.engine.name}, job: {self.job})", flush=True)
        metadata = self._train(hyperparameters)
        with self._evaluate_beside() as evaluation:
            self._draw()
            predictions, outcome = self._serve()
        return {
            "preset": self.preset,
            "environment_steps": metadata["environment_steps"],
            "train_seconds": round(metadata["train_seconds"], 1),
            "mean_return": evaluation["mean_return"],
            "std_return": evaluation["std_return"],
            "episodes": evaluation["episodes"],
            "predictions": predictions,
            "endpoint_episode_return": outcome.episode_return,
            "engine": self.engine.name,
        }

    def _train(self, hyperparameters: dict[str, str]) -> dict[str, Any]:
        """Train, and return the job's ``metadata.json``."""
        request = _training_request(self.job, hyperparameters, {})
        with ShortTrainingProgress() as progress:
            attached.run_training_job(self.engine, request, self.folder, progress)
        link_latest(self.folder)
        metadata = self.folder / "output" / "intermediate" / "metadata.json"
        return dict(json.loads(metadata.read_text(encoding="utf-8")))

    @contextlib.contextmanager
    def _evaluate_beside(self) -> Iterator[dict[str, Any]]:
        """Evaluate the training job's checkpoint while the context is open.

        Yields:
            What is empty at first, and has the content of ``evaluation.json`` at the context's end.
        """
        print("[2/5] Evaluating the last checkpoint over unseen start states, beside the next steps", flush=True)
        hyperparameters = {
            "RLCOACH_PRESET": self.preset,
            # Episodes are counted, not steps: one has 100 steps of a good policy, and 10,000 of a hopeless one.
            "evaluate_episodes": str(EVALUATION_EPISODES),
            "evaluate_steps": "1",
            "sagemaker_program": "evaluate-coach.py",
        }
        channels = {"checkpoint": self.folder / "output" / "data" / "checkpoint"}
        request = _training_request(f"{self.job}-evaluation", hyperparameters, channels)
        evaluation: dict[str, Any] = {}
        with (
            waiting_for("the evaluation"),
            attached.training_job_beside(self.engine, request, self.folder / "evaluation"),
        ):
            yield evaluation
        file = self.folder / "evaluation" / "output" / "data" / "evaluation.json"
        evaluation |= json.loads(file.read_text(encoding="utf-8"))
        print(
            f"  evaluated: mean return {evaluation['mean_return']:.2f}, standard deviation "
            f"{evaluation['std_return']:.2f}, {evaluation['episodes']} episodes",
            flush=True,
        )

    def _draw(self) -> None:
        """Put the pictures and the report of the training job into the run's folder."""
        intermediate = self.folder / "output" / "intermediate"
        results.plot_rewards(results.read_rewards(intermediate), self.preset, self.folder / "reward.png")
        shutil.copyfile(results.latest_gif(intermediate), self.folder / "episode.gif")
        report = self.folder / "output" / "data" / "report.html"
        if report.is_file():
            shutil.copyfile(report, self.folder / "report.html")

    def _serve(self) -> tuple[list[dict[str, Any]], episode.Episode]:
        """Ask an endpoint about the notebook's samples, and have it drive a car."""
        archive = self.folder / "model.tar.gz"
        continuous = _read_policy(archive)["action_space"]["type"] == "box"
        print(f"[3/5] Serving {archive}", flush=True)
        with (
            attached.serve_endpoint(self.engine, archive, f"{self.job}-endpoint") as url,
            # A proxy that the environment names is not for an endpoint on this machine.
            httpx.Client(trust_env=False, timeout=SECONDS_TO_ANSWER) as client,
        ):
            print(f"[4/5] Predicting at {url}/invocations", flush=True)
            predictions = [_predict(client, url, sample) for sample in NOTEBOOK_SAMPLES]
            print("[5/5] Driving a car through the endpoint", flush=True)
            outcome = episode.drive(client, url, continuous, EPISODE_SEED)
        if not outcome.reached_flag:
            raise JobFailed(f"The car did not reach the flag within {outcome.steps} steps.")
        print(
            f"  the car reached the flag after {outcome.steps} steps, return {outcome.episode_return:.2f}", flush=True
        )
        return predictions, outcome


def _training_request(job: str, hyperparameters: dict[str, str], channels: dict[str, Path]) -> dict[str, Any]:
    """Return a CreateTrainingJob request with the fields that ``attached.run_training_job`` reads."""
    return {
        "TrainingJobName": job,
        "HyperParameters": hyperparameters,
        "InputDataConfig": [
            {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": f"file://{path.resolve()}"}}}
            for name, path in channels.items()
        ],
    }


def _predict(client: httpx.Client, url: str, observation: list[float]) -> dict[str, Any]:
    """Ask for the network's heads, as the original notebook's client does, and for the action."""
    heads = episode.predict(client, url, observation)
    (action,) = episode.predict(client, url, observation, actions_only=True)
    print(f"  {observation} -> action {action}", flush=True)
    return {"observation": observation, "heads": heads, "action": action}


def _read_policy(archive: Path) -> dict[str, Any]:
    """Return the ``policy.json`` in a ``model.tar.gz``."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile("policy.json")
        assert file is not None
        return dict(json.load(file))


def link_latest(folder: Path) -> None:
    """Point ``latest`` beside a run's folder at the run."""
    staged = folder.parent / ".latest"
    staged.unlink(missing_ok=True)
    staged.symlink_to(folder.name)
    try:
        staged.replace(folder.parent / "latest")
    except OSError:
        staged.unlink()
        raise
