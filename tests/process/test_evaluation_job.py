"""Evaluation jobs, as processes."""

import json
import re
import signal

import numpy as np
import pytest
from jobs import (
    PPO,
    SHORT_PPO,
    give_checkpoint,
    run_prepared,
    start_training,
)
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


def test_an_evaluation_takes_up_what_the_training_changed(tmp_path):
    width = {"rl.agent_params.network_wrappers.main.middleware_parameters.activation_function": "relu"}
    training = run_prepared(tmp_path / "training", {**SHORT_PPO, **width})
    assert training.status == 0, training.log
    give_checkpoint(tmp_path, training)
    evaluation = run_prepared(
        tmp_path, {"RLCOACH_PRESET": PPO, "evaluate_steps": "1", "sagemaker_program": "evaluate-coach.py"}
    )
    assert evaluation.status == 0, evaluation.log
    documentation = (tmp_path / "output/intermediate/worker_0.simple_rl_graph_0.json").read_text()
    assert re.search(r'"activation_function": "relu"', documentation)


def test_evaluation_plays_as_many_episodes_as_asked(ppo_job, tmp_path):
    give_checkpoint(tmp_path, ppo_job)
    short = {"RLCOACH_PRESET": PPO, "evaluate_steps": "1", "evaluate_episodes": "2"}
    job = run_prepared(tmp_path, {**short, "sagemaker_program": "evaluate-coach.py"})
    assert job.status == 0, job.log
    assert json.loads((tmp_path / "output/data/evaluation.json").read_text())["episodes"] == 2
