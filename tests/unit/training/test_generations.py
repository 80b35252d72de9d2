"""The folder of checkpoints to go on from: two whole ones, whatever has been copied, lost or cut."""

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
from interrupted_jobs import Interruption, assert_same, rows, saved, start
from jobs import CSV, DQN, PPO
from sagemaker_rl.coach.preset_values import set_value
from sagemaker_rl.coach.presets import find_preset, import_preset
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.training import generations, loop, random_streams, resume, trial
from short_jobs import PATHS, PERIOD, Job, a_process, run_job

pytest_plugins = ("interrupted_jobs",)
pytestmark = pytest.mark.usefixtures("saves_often")


def test_two_checkpoints_are_kept_and_never_changed(tmp_path):
    job = start(tmp_path, PPO, {}, Interruption())
    _, newer = saved(tmp_path)
    assert newer.name.endswith("_Step-2048")
    assert generations.newest(tmp_path / "checkpoints") == newer
    assert job.log.count("Checkpoint> Saved in=") >= 5
    assert not (tmp_path / "checkpoints/.saving").exists()


def mixtures(old: Path, new: Path, target: Path) -> Any:
    """Yield folders with any mixture that copying ``new`` over ``old``, file by file, may leave."""
    moments = random.Random(0)
    files = sorted(file.relative_to(new) for file in new.rglob("*") if file.is_file())
    orders = [files, files[::-1], *(moments.sample(files, len(files)) for _ in range(3))]
    cuts = [order[:count] for order in orders for count in range(len(files) + 1)]
    for chosen in [*cuts, *(moments.sample(files, moments.randint(0, len(files))) for _ in range(20))]:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(old, target)
        for number, file in enumerate(chosen):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            content = (new / file).read_bytes()
            last = number == len(chosen) - 1 and moments.random() < 0.5
            (target / file).write_bytes(content[: len(content) // 2] if last else content)
        yield target


def test_whatever_has_been_copied_the_newest_whole_checkpoint_is_found(tmp_path):
    start(tmp_path / "job", PPO, {}, Interruption())
    older, newer = saved(tmp_path / "job")
    only_older, both = tmp_path / "older", tmp_path / "both"
    shutil.copytree(older, only_older / older.name)
    shutil.copytree(tmp_path / "job/checkpoints", both)
    found = set()
    for before in (only_older, tmp_path / "nothing"):
        before.mkdir(exist_ok=True)
        for folder in mixtures(before, both, tmp_path / "mixture"):
            whole = [
                each.name
                for each in (older, newer)
                if all(
                    (folder / each.name / file.name).is_file()
                    and (folder / each.name / file.name).read_bytes() == file.read_bytes()
                    for file in each.iterdir()
                    if file.name != ".coach_checkpoint"
                )
            ]
            newest = generations.newest(folder)
            assert (newest.name if newest else None) == (whole[-1] if whole else None)
            found.add(newest.name if newest else None)
    assert found == {older.name, newer.name, None}


def test_where_no_checkpoint_is_whole_the_job_starts_anew_and_says_so(tmp_path):
    once = start(tmp_path / "once", PPO, {}, Interruption())
    for folder in saved(tmp_path / "once"):
        file = folder / generations.STATE
        file.write_bytes(file.read_bytes()[:-1])
    shutil.copytree(tmp_path / "once/checkpoints", tmp_path / "again/checkpoints")
    job = start(tmp_path / "again", PPO, {}, Interruption())
    assert f"There is no whole checkpoint in={tmp_path / 'again/checkpoints'}, starting anew" in job.log
    assert_same(job, once)
    assert len(saved(tmp_path / "again")) == 2


def test_a_synchronized_folder_is_found_in_a_channel(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    run_job(tmp_path, True)
    newest = generations.newest(tmp_path / "checkpoints")
    assert generations.find(tmp_path / "checkpoints") == newest
    assert generations.find(tmp_path / "output/data") == tmp_path / "output/data/checkpoint"
    with pytest.raises(InputError, match="is missing"):
        generations.find(tmp_path / "none")
