"""Jobs of small schedules that are killed or stopped at one of the moments at which they look."""

import csv
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gym
import numpy as np
import patient_envs
import pytest
from jobs import CSV, DQN, PPO
from sagemaker_rl.coach.preset_values import set_value
from sagemaker_rl.coach.presets import find_preset, import_preset
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.training import generations, loop, random_streams, resume, trial
from sagemaker_rl.training.job_options import Options
from short_jobs import PATHS, PERIOD, Job, a_process, run_job

SHORT = {
    PPO: {
        "agent_params.algorithm.num_consecutive_playing_steps": 256,
        "agent_params.algorithm.optimization_epochs": 2,
        "agent_params.network_wrappers.main.batch_size": 64,
        "improve_steps": 2048,
        "steps_between_evaluation_periods": 512,
        "evaluation_steps:EnvironmentEpisodes": 2,
    },
    DQN: {
        "heatup_steps": 100,
        "improve_steps": 960,
        "steps_between_evaluation_periods": 320,
        "evaluation_steps:EnvironmentEpisodes": 2,
    },
}
"""Presets with small schedules: several evaluations, and trainings between them."""


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and nothing is written after it."""


class Interruption:
    """Ends a job at one of the moments at which it looks whether it should stop.

    Attributes:
        looks: how often it has looked.
    """

    def __init__(self, at: int = 0, kills: bool = False) -> None:
        self.at, self.kills, self.looks = at, kills, 0
        self._check = STOP.check

    def __call__(self, patience: float = 0.0) -> None:
        self.looks += 1
        if self.looks == self.at:
            if self.kills:
                raise Killed
            signal.raise_signal(signal.SIGTERM)
        self._check(patience)


def start(
    folder: Path, preset: str, changes: dict[str, Any], interruption: Interruption, trainings: int = 1, **options: Any
) -> Job | None:
    """Run a job in ``folder``; return it if it came to its end.

    Args:
        folder: ``/opt/ml`` of the job; it goes on from what is in ``checkpoints``.
        preset: its name.
        changes: values of it; ``level`` is the environment's name.
        interruption: of the job.
        trainings: how many follow each other, as some launchers have it.
        options: of the job.
    """
    graph_manager = import_preset(find_preset(preset, MLPaths(folder)))
    graph_manager.visualization_parameters.dump_gifs = False
    changes = {**SHORT[preset], **changes}
    graph_manager.env_params.level = changes.pop("level", graph_manager.env_params.level)
    for path, value in changes.items():
        set_value(graph_manager, f"rl.{path}", value, path)
    paths = MLPaths(folder)
    paths.synced_checkpoint.mkdir(parents=True, exist_ok=True)
    paths.create_outputs()
    with a_process() as printed, pytest.MonkeyPatch.context() as patch:
        patch.setattr(STOP, "check", interruption)
        chosen = loop.create(graph_manager, paths, [], Options(**{"seed": 3, **options}))
        given = {"seed": 3, "improve_steps": changes["improve_steps"], **options}
        try:
            for number in range(trainings):
                loop.train(graph_manager, paths, preset, given, [], chosen, number)
        except Killed:
            return None
        return None if STOP._received else Job(paths, printed.getvalue())


def rows(job: Job) -> list[dict[str, str]]:
    with (job.paths.intermediate / CSV).open(newline="") as file:
        return [
            {name: value for name, value in row.items() if name != "Wall-Clock Time"} for row in csv.DictReader(file)
        ]


def assert_same(job: Job, other: Job) -> None:
    """Check that two jobs have left the same policy and CSV, bit for bit."""
    weights = job.weights()
    assert weights.keys() == other.weights().keys()
    for name, array in other.weights().items():
        assert np.array_equal(weights[name], array), name
    assert rows(job) == rows(other)
    assert job.policy()["training"]["policy_steps"] == other.policy()["training"]["policy_steps"]


def saved(folder: Path) -> list[Path]:
    return generations.all_in(folder / "checkpoints")


@pytest.fixture
def saves_often(monkeypatch):
    """Save often, and leave out what comes after the training."""
    monkeypatch.setattr(resume, "SECONDS_BETWEEN", 0.1)
    monkeypatch.setattr(resume, "SHARE_OF_TIME", 1e9)
    monkeypatch.setattr(trial, "put_on_trial", lambda *arguments: None)
    monkeypatch.setattr(patient_envs, "PATIENCE", 200)
