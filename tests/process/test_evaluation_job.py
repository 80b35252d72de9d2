"""Evaluation jobs, as processes."""

import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from jobs import PPO, ROOT, Job, give_checkpoint, run_prepared, start_training
from sagemaker_rl.training.trial import EPISODES


def test_evaluation_restores_the_checkpoint(ppo_job, tmp_path):
    give_checkpoint(tmp_path, ppo_job)
    evaluation = run_prepared(
        tmp_path, {"RLCOACH_PRESET": PPO, "evaluate_steps": "15000", "sagemaker_program": "evaluate-coach.py"}
    )
    assert evaluation.status == 0, evaluation.log
    result = json.loads((tmp_path / "output/data/evaluation.json").read_text())
    assert result["episodes"] == len(result["returns"]) >= 2
    assert result["mean_return"] == pytest.approx(np.mean(result["returns"]))
    assert result["std_return"] == pytest.approx(np.std(result["returns"]))
    line = re.search(
        r"^Evaluation> Evaluation reward=(\S+), Standard deviation=(\S+), Episodes=(\d+)", evaluation.log, re.M
    )
    assert line, evaluation.log
    assert float(line[1]) == pytest.approx(result["mean_return"], rel=1e-4)
    assert list((tmp_path / "output/intermediate/gifs").glob("*.gif"))
    assert json.loads((tmp_path / "output/intermediate/evaluation.json").read_text()) == result
    page = (tmp_path / "output/data/report.html").read_text()
    assert f"This evaluation: mean return {result['mean_return']:.2f}" in page
    assert result["seconds"] > 0
    assert f"<td>{result['seconds']:.1f} s</td>" in page
    assert f"On {EPISODES} unseen starts its mean return is" in page


@pytest.mark.parametrize("accelerate", ["1", "0"])
def test_sigterm_ends_an_evaluation(ppo_job, tmp_path, accelerate):
    give_checkpoint(tmp_path, ppo_job)
    evaluate = {"RLCOACH_PRESET": PPO, "evaluate_steps": "1000000", "sagemaker_program": "evaluate-coach.py"}
    process = start_training(tmp_path, {**evaluate, "accelerate": accelerate})
    assert process.stdout is not None
    next(line for line in process.stdout if line.startswith("Testing>"))
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=10)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert [path.name for path in (tmp_path / "output/data").iterdir()] == ["report.html"]


CORRIDOR = {"RLCOACH_PRESET": "preset-corridor", "seed": "3", "improve_steps": "1024"}
"""Its episodes have a few steps, where those of the car have thousands."""
EVALUATE = {"RLCOACH_PRESET": "preset-corridor", "evaluate_steps": "1", "sagemaker_program": "evaluate-coach.py"}


def train_in_the_corridor(ml: Path, **hyperparameters: str) -> Job:
    shutil.copytree(ROOT / "tests/resources/custom_environment", ml / "code")
    job = run_prepared(ml, {**CORRIDOR, **hyperparameters})
    assert job.status == 0, job.log
    return job


@pytest.fixture(scope="module")
def corridor_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return train_in_the_corridor(tmp_path_factory.mktemp("corridor"))


def give(ml: Path, job: Job) -> None:
    give_checkpoint(ml, job)
    (ml / "code").symlink_to(job.ml / "code")


def test_an_evaluation_takes_up_what_the_training_changed(tmp_path):
    path = "rl.agent_params.network_wrappers.main.middleware_parameters.activation_function"
    give(tmp_path, train_in_the_corridor(tmp_path / "training", **{path: "relu"}))
    evaluation = run_prepared(tmp_path, EVALUATE)
    assert evaluation.status == 0, evaluation.log
    documentation = (tmp_path / "output/intermediate/worker_0.simple_rl_graph_0.json").read_text()
    assert re.search(r'"middleware_parameters": \{\s*"activation_function": "relu"', documentation)


def test_evaluation_plays_as_many_episodes_as_asked(corridor_job, tmp_path):
    give(tmp_path, corridor_job)
    job = run_prepared(tmp_path, {**EVALUATE, "evaluate_episodes": "3"})
    assert job.status == 0, job.log
    assert json.loads((tmp_path / "output/data/evaluation.json").read_text())["episodes"] == 3
