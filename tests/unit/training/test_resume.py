"""A job that is interrupted at any moments and started again ends as one that was not."""

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


class Unrepeatable(gym.Env):
    """Draws from a generator that nobody but it knows, and ends its episodes after 30 steps."""

    observation_space = gym.spaces.Box(-10.0, 10.0, (2,), np.float32)

    def __init__(self, discrete):
        self.action_space = gym.spaces.Discrete(2) if discrete else gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self):
        self.steps = 0
        return self._observe()

    def step(self, action):
        self.steps += 1
        return self._observe(), float(np.sum(action)), self.steps == 30, {}

    def _observe(self):
        return np.frombuffer(os.urandom(2), np.uint8).astype(np.float32) / 255


gym.register("UnrepeatablePPO-v0", entry_point=Unrepeatable, kwargs={"discrete": False})
gym.register("UnrepeatableDQN-v0", entry_point=Unrepeatable, kwargs={"discrete": True})


@pytest.mark.parametrize(
    ("preset", "changes", "in_numpy"),
    [
        (PPO, {}, True),
        (PPO, {"level": "Pendulum-v1", "improve_steps": 1024}, False),
        (DQN, {}, True),
        (DQN, {"level": "gymnasium:CartPole-v1", "improve_steps": 640}, False),
    ],
    ids=["PPO-car", "PPO-pendulum-MXNet", "DQN-car", "DQN-cart-pole-MXNet"],
)
def test_a_job_that_is_killed_and_stopped_again_and_again_ends_with_the_same_policy(
    tmp_path, monkeypatch, preset, changes, in_numpy
):
    if not in_numpy:
        from sagemaker_rl.training.accelerated.network import DenseNetwork

        monkeypatch.setattr(DenseNetwork, "of", lambda graph: None)
    at_once = Interruption()
    uninterrupted = start(tmp_path / "at-once", preset, changes, at_once)
    moments = random.Random(f"{preset} {changes}")
    job = None
    synced = tmp_path / "synced"
    synced.mkdir()
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        shutil.copytree(synced, folder / "checkpoints")
        moment = Interruption(moments.randint(1, at_once.looks // 2) if attempt < 3 else 0, moments.random() < 0.5)
        job = start(folder, preset, changes, moment)
        shutil.rmtree(synced)
        shutil.copytree(folder / "checkpoints", synced)
        if job is not None:
            break
    assert job is not None
    assert "Resume>" not in job.log
    assert_same(job, uninterrupted)


@pytest.mark.parametrize("part", [0.3, 0.8])
def test_a_job_of_two_trainings_goes_on_in_the_one_that_was_killed(tmp_path, part):
    changes, at_once = {"improve_steps": 512, "steps_between_evaluation_periods": 256}, Interruption()
    uninterrupted = start(tmp_path / "at-once", PPO, changes, at_once, trainings=2)
    assert uninterrupted is not None
    assert len(uninterrupted.lines("Evaluation")) == 4
    assert start(tmp_path / "killed", PPO, changes, Interruption(int(part * at_once.looks), True), trainings=2) is None
    shutil.copytree(tmp_path / "killed/checkpoints", tmp_path / "again/checkpoints")
    again = start(tmp_path / "again", PPO, changes, Interruption(), trainings=2)
    assert again is not None
    assert len(again.lines("Evaluation")) < 4
    assert_same(again, uninterrupted)


@pytest.mark.parametrize(("preset", "level"), [(PPO, "UnrepeatablePPO-v0"), (DQN, "UnrepeatableDQN-v0")])
def test_an_episode_that_cannot_be_repeated_ends_where_it_was(tmp_path, preset, level):
    changes = {"level": level, "improve_steps": 640}
    stopped = start(tmp_path, preset, changes, Interruption(at=110))
    assert stopped is None
    job = start(tmp_path, preset, changes, Interruption())
    assert job is not None
    (line,) = job.lines("Resume")
    assert int(line["Episodes begun anew"]) > 0
    lengths = [float(row["Episode Length"]) for row in rows(job) if row["Episode Length"]]
    assert set(lengths) == {30.0}  # what was played of those that were left counts for none
    assert job.metadata()["environment_steps"] >= 640


class GlobalReward(Unrepeatable):
    """Draws its rewards from NumPy's global generator."""

    def step(self, action):
        self.steps += 1
        return self._observe(), float(np.random.random()), self.steps == 30, {}

    def _observe(self):
        return np.array([self.steps, 0], np.float32)


gym.register("GlobalReward-v0", entry_point=GlobalReward, kwargs={"discrete": True})


def test_global_random_numbers_go_on(tmp_path):
    changes = {"level": "GlobalReward-v0", "improve_steps": 640}
    at_once = start(tmp_path / "at-once", DQN, changes, Interruption())
    assert start(tmp_path / "stopped", DQN, changes, Interruption(at=620)) is None  # after an episode has ended
    shutil.copytree(tmp_path / "stopped/checkpoints", tmp_path / "resumed/checkpoints")
    job = start(tmp_path / "resumed", DQN, changes, Interruption())
    assert job.lines("Resume") == []
    assert_same(job, at_once)


def test_a_job_that_stopped_early_trains_on_if_it_may_wait_longer(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    early = run_job(tmp_path, True, early_stopping_patience=1)
    (tmp_path / "again").mkdir()
    shutil.copytree(tmp_path / "checkpoints", tmp_path / "again/checkpoints")
    again = run_job(tmp_path / "again", True, {"improve_steps": 4 * PERIOD}, early_stopping_patience=1)
    assert (again.lines("Evaluation"), again.lines("Early stopping")) == ([], early.lines("Early stopping"))
    assert again.metadata()["policy_steps"] == early.metadata()["policy_steps"] == PERIOD
    (tmp_path / "longer").mkdir()
    shutil.copytree(tmp_path / "checkpoints", tmp_path / "longer/checkpoints")
    longer = run_job(tmp_path / "longer", True, early_stopping_patience=2)
    assert len(longer.lines("Evaluation")) == 1
    assert longer.metadata()["environment_steps"] == 3 * PERIOD


def test_a_job_that_had_ended_ends_at_once_with_its_model(tmp_path):
    job = start(tmp_path / "once", PPO, {}, Interruption())
    shutil.copytree(tmp_path / "once/checkpoints", tmp_path / "again/checkpoints")
    again = start(tmp_path / "again", PPO, {}, Interruption(at=1, kills=True))  # it does not look once
    assert again is not None
    assert again.lines("Evaluation") == []
    assert_same(again, job)
    assert (again.paths.checkpoint / again.checkpoint()).with_suffix(".ckpt.main_level.agent.main.online").is_file()


def test_more_steps_than_before_are_trained_on_as_if_they_had_been_asked_for_at_first(tmp_path):
    at_once = start(tmp_path / "at-once", PPO, {"improve_steps": 2048}, Interruption())
    start(tmp_path / "short", PPO, {"improve_steps": 1024}, Interruption())
    shutil.copytree(tmp_path / "short/checkpoints", tmp_path / "long/checkpoints")
    job = start(tmp_path / "long", PPO, {"improve_steps": 2048}, Interruption())
    assert [line["Steps"] for line in job.lines("Evaluation")] == ["1536", "2048"]
    assert_same(job, at_once)


def test_a_job_that_is_killed_has_left_its_best_model(tmp_path):
    whole = Interruption()
    job = start(tmp_path / "whole", PPO, {}, whole)
    last_evaluation = Interruption(at=whole.looks - 100, kills=True)  # of the four, whose episodes have 200 steps
    assert start(tmp_path / "killed", PPO, {}, last_evaluation) is None
    left = Policy.load(tmp_path / "killed/model")
    steps = left.description["training"]["policy_steps"]
    rewards = {int(line["Steps"]): float(line["Evaluation reward"]) for line in job.lines("Evaluation")}
    rewards.pop(2048)
    assert rewards[steps] == max(rewards.values())


@PATHS
def test_a_job_goes_on_where_it_was(tmp_path, fast):
    (tmp_path / "checkpoints").mkdir()
    first = run_job(tmp_path, fast, stop_at=PERIOD + 25)
    second = run_job(tmp_path, fast)
    assert f"Checkpoint> Going on from={tmp_path / 'checkpoints'}" in second.log
    steps = [line["Steps"] for job in (first, second) for line in job.lines("Evaluation")]
    assert steps == ["40", "80", "120"]
    assert second.metadata()["episodes"] >= 11  # stock Coach leaves the episode that was interrupted
    assert second.metadata()["stopped"] is False
    trained = [float(row["Episode #"]) for row in second.rows() if row["Training Reward"]]
    assert trained == list(range(1, len(trained) + 1))


@PATHS
def test_what_is_taken_up_is_what_was_left(tmp_path, monkeypatch, fast):
    """A job that is stopped before its first step leaves what it has found: counters, weights, moments, replay."""
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.setattr(resume, "SECONDS_BETWEEN", 100.0)
    run_job(tmp_path, fast, stop_at=PERIOD + 25)
    left = resume.read(generations.newest(tmp_path / "checkpoints"))
    go_on = loop.TrainingJob._go_on

    def stop_after_it(*arguments) -> None:
        go_on(*arguments)
        monkeypatch.setattr(STOP, "_received", "SIGTERM")

    monkeypatch.setattr(loop.TrainingJob, "_go_on", stop_after_it)
    run_job(tmp_path, fast)
    found = resume.read(generations.newest(tmp_path / "checkpoints"))
    parts = ("learning", "envs", "returns", "random", "streams", "table") if fast else ("optimizers", "memory")
    for part in ("phase_end", *parts):
        assert random_streams.are_equal(found["run"][part], left["run"][part]), part
    left_graph, found_graph = left["run"]["graph"], found["run"]["graph"]
    if not fast:  # Coach counts an action before the environment takes its step, which was not taken
        left_graph["agent"]["total_steps_counter"] += 1
    for part in left_graph.keys() - (set() if fast else {"signals"}):  # it has begun an episode
        assert random_streams.are_equal(found_graph[part], left_graph[part]), part
    if not fast:
        moments = [
            array for arrays in left["run"]["optimizers"]["main.online_network"]["moments"].values() for array in arrays
        ]
        assert any(array.any() for array in moments)
        assert set(left["run"]["optimizers"]["main.online_network"]["counts"].values()) != {0}
    assert random_streams.are_equal(found["best"], left["best"])


# --- Hyperparameters -------------------------------------------------------------------------------------------------
FIRST = {"RLCOACH_PRESET": "a", "seed": 3, "discount": 0.9, "improve_steps": 10, "sagemaker_job_name": "x"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, ""),
        ({"improve_steps": 20}, ""),
        ({"resume": "exact", "sagemaker_job_name": "y", "_tuning_objective_metric": "z"}, ""),
        ({"seed": 4, "discount": 0.8}, "seed is 4, expected 3"),
        ({"discount": 0.8}, "discount is 0.8, expected 0.9"),
        ({"beta_entropy": 0.1}, "beta_entropy is 0.1, expected not set"),
        ({"discount": None}, "discount is not set, expected 0.9"),
    ],
)
def test_a_checkpoint_of_another_job_is_refused_by_the_first_difference(tmp_path, changes, sentence):
    given = {name: value for name, value in {**FIRST, **changes}.items() if value is not None}
    state = {"preset": "a", "hyperparameters": FIRST}
    if not sentence:
        resume.check_hyperparameters(tmp_path, state, "a", given)
        return
    with pytest.raises(InputError) as caught:
        resume.check_hyperparameters(tmp_path, state, "a", given)
    assert str(caught.value) == (
        f"Hyperparameter {sentence} as in the job whose checkpoint is in {tmp_path}: with resume=weights a new "
        "training starts from its weights."
    )


def test_a_checkpoint_of_another_preset_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^Hyperparameter RLCOACH_PRESET is 'b', expected 'a' as in the job whose"):
        resume.check_hyperparameters(tmp_path, {"preset": "a", "hyperparameters": {}}, "b", {})


def test_weights_alone_begin_a_new_training(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    run_job(tmp_path, True)
    newest = generations.newest(tmp_path / "checkpoints")
    again = run_job(tmp_path, True, {"improve_steps": PERIOD}, resume="weights")
    assert f"Checkpoint> Starting from the weights in={newest}\n" in again.log
    assert [line["Steps"] for line in again.lines("Evaluation")] == [str(PERIOD)]


def test_a_job_that_began_with_weights_goes_on_where_it_was(tmp_path):
    """It has ``resume=weights`` each time that SageMaker starts it: else it would begin anew again and again."""
    start(tmp_path, PPO, {}, Interruption())
    at_once, stopped = tmp_path / "at-once", tmp_path / "stopped"
    for folder in (at_once, stopped):
        shutil.copytree(tmp_path / "checkpoints", folder / "checkpoints")
    job = start(at_once, PPO, {}, Interruption(), resume="weights")
    assert [line["Steps"] for line in job.lines("Evaluation")] == ["512", "1024", "1536", "2048"]
    assert start(stopped, PPO, {}, Interruption(at=1300), resume="weights") is None
    shutil.copytree(stopped / "checkpoints", tmp_path / "again/checkpoints")
    again = start(tmp_path / "again", PPO, {}, Interruption(), resume="weights")
    assert 0 < len(again.lines("Evaluation")) < 4
    assert_same(again, job)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda state: state.update(version=1), "it is of version 1, and this image writes 2"),
        (lambda state: state.pop("version"), "it is of version None, and this image writes 2"),
        (lambda state: state.update(path="StockRun"), "it was run by StockRun, and this one is by PPORun"),
        (lambda state: state.update(best=None), "'NoneType' object is not subscriptable"),
        (lambda state: state["run"].pop("lengths"), r"it is of another run \(KeyError\('lengths'\)\)"),
        (
            lambda state: state["run"].update(returns=np.zeros(2)),
            r"the state holds float64 \(2,\), expected float64 \(1,\)",
        ),
    ],
)
def test_a_state_of_something_else_is_refused(tmp_path, monkeypatch, spoil, reason):
    (tmp_path / "checkpoints").mkdir()
    run_job(tmp_path, True, stop_at=PERIOD + 25)
    read = resume.read

    def spoiled(folder):
        state = read(folder)
        spoil(state)
        return state

    monkeypatch.setattr(resume, "read", spoiled)
    newest = generations.newest(tmp_path / "checkpoints")
    sentence = f"The checkpoint in {newest} cannot be gone on from: "
    with pytest.raises(InputError, match=rf"^{sentence}{reason}\. With resume=weights a new training starts"):
        run_job(tmp_path, True)
