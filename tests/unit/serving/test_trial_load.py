"""Processes that load a model before anyone else does, and how they end."""

import os
import signal
import time

import pytest
from sagemaker_rl.errors import PolicyError
from sagemaker_rl.serving import multi_model_api, trial_load
from sagemaker_rl.serving.control import LOAD, ModelOperation, Outcome
from sagemaker_rl.serving.settings import Settings

PATIENCE = 20.0


def kill_self(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def refuse():
    raise PolicyError("It is broken.")


def leave():
    raise SystemExit


@pytest.mark.parametrize(
    ("attempt", "cause"),
    [
        (lambda: None, ""),
        (refuse, ""),  # the attempt that follows says so
        (lambda: os._exit(3), "status 3"),
        (leave, "status 1"),
        (kill_self, "signal 9, perhaps out of memory"),
        (lambda: kill_self(signal.SIGUSR1), "signal 10"),
    ],
)
def test_how_an_attempt_ends_its_process(attempt, cause):
    assert trial_load.failure(attempt) == cause


def test_what_an_attempt_prints_is_lost(capfd):
    assert trial_load.failure(lambda: os.write(1, b"noise")) == ""
    assert capfd.readouterr().out == ""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that tries a model whose loading is ``attempt``, and returns what came of it."""
    settings = Settings.from_environment({"SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "10"})
    children = []
    trials = trial_load.Trials(settings, lambda: children.append("closed"))
    (tmp_path / "code").mkdir()

    def load(attempt, meanwhile=lambda trials: None):
        monkeypatch.setattr(multi_model_api, "load_model", lambda folder, settings: attempt())
        pid = trials.start(ModelOperation(7, LOAD, "car", str(tmp_path)))
        assert pid is not None
        meanwhile(trials)
        _, status = os.waitpid(pid, 0)
        outcome = trials.outcome(pid, status)
        assert trials.outcome(pid, status) is None
        assert children == [], "only the child is one"
        return outcome

    return load


@pytest.mark.parametrize(
    ("attempt", "status", "detail"),
    [
        (lambda: "loaded", 200, ""),
        (refuse, 400, "Model 'car' cannot be loaded: It is broken."),
        (lambda: 1 / 0, 500, "Model 'car' cannot be loaded: ZeroDivisionError, see the log."),
        (lambda: os._exit(0), 400, "Model 'car' cannot be loaded: it ended its process with status 0."),
        (lambda: kill_self(signal.SIGUSR1), 400, "Model 'car' cannot be loaded: it ended its process with signal 10."),
    ],
)
def test_what_came_of_a_trial(load, attempt, status, detail):
    assert load(attempt) == Outcome(7, status, detail)


def test_a_trial_that_takes_too_long_is_killed(load, monkeypatch):
    now = time.monotonic()

    def pass_time(trials):
        monkeypatch.setattr(
            trial_load.time, "monotonic", lambda: now + 8.9
        )  # of 9: nine tenths of what a request may take
        trials.kill_overdue()
        assert not any(running.is_overdue for running in trials._running.values())
        monkeypatch.setattr(trial_load.time, "monotonic", lambda: now + 9 + PATIENCE)
        trials.kill_overdue()
        trials.kill_overdue()

    detail = "Model 'car' cannot be loaded: it was not within 9 seconds."
    assert load(signal.pause, pass_time) == Outcome(7, 400, detail)


def test_at_the_end_all_are_killed(load):
    outcome = load(signal.pause, lambda trials: trials.kill())
    assert outcome.detail == "Model 'car' cannot be loaded: it ended its process with signal 9, perhaps out of memory."


def test_a_folder_without_anything_to_load_needs_none(tmp_path):
    trials = trial_load.Trials(Settings.from_environment({}), lambda: None)
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert trials.start(ModelOperation(7, LOAD, "car", str(folder))) is None
    (tmp_path / "policy.json").symlink_to("nowhere")
    pid = trials.start(ModelOperation(7, LOAD, "car", str(tmp_path)))
    _, status = os.waitpid(pid, 0)
    assert trials.outcome(pid, status).status == 400
