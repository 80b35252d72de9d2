"""The check of a job's hyperparameters without the job: what it knows without Coach, in the job's own sentences."""

import json
import os
import subprocess
import sys

import pytest
from jobs import ROOT
from sagemaker_rl import hyperparameter_check
from sagemaker_rl.errors import InputError

TRAIN, EVALUATE = "train-coach.py", hyperparameter_check.EVALUATION


@pytest.mark.parametrize(
    ("program", "given", "sentence"),
    [
        (TRAIN, {"discont": 0.9}, "Hyperparameter discont is unknown, did you mean 'discount'?"),
        (TRAIN, {"discount": 1.5}, "Hyperparameter discount is 1.5, expected a number between 0 and 1."),
        (TRAIN, {"training_batch_size": 6.5}, "training_batch_size is 6.5, expected a whole number 1 or more."),
        (TRAIN, {"improve_steps": "many"}, "Hyperparameter improve_steps is 'many', expected a whole number 1 or more"),
        (TRAIN, {"seed": "x"}, "Hyperparameter seed is 'x', expected a whole number between 0 and 4294967295."),
        (TRAIN, {"resume": "all"}, "Hyperparameter resume is 'all', expected exact or weights."),
        (TRAIN, {"num_workers": 2}, "num_workers is 2, expected 1"),
        (TRAIN, {"RLCOACH_PRESET": "preset-mountain-car-dqm"}, "no preset here, did you mean 'preset-mountain-car-dqn"),
        (TRAIN, {"RLCOACH_PRESET": 7}, "Hyperparameter RLCOACH_PRESET is 7, expected the name of a preset."),
        (TRAIN, {"evaluate_steps": 100}, "Hyperparameter evaluate_steps is unknown, did you mean"),
        (TRAIN, {"rl.heatup_steps:TrainingSteps": 1}, "has the unit 'TrainingSteps', expected one of EnvironmentSteps"),
        (TRAIN, {"rl.agent_parms.x": 1}, "is not in a preset: rl has no 'agent_parms', did you mean 'agent_params'?"),
        (EVALUATE, {"evaluate_episodes": 0}, "Hyperparameter evaluate_episodes is 0, expected a whole number 1 or"),
        (EVALUATE, {"discount": 0.9}, "Hyperparameter discount is unknown, known are"),
    ],
)
def test_a_mistake(tmp_path, program, given, sentence):
    with pytest.raises(InputError) as refused:
        hyperparameter_check.check(program, given, tmp_path)
    assert sentence in str(refused.value)


def test_a_path_in_the_preset_is_looked_up_without_mxnet():
    """Of each job in turn; in a process of its own, as the scripts do it."""
    command = [sys.executable, "-X", "importtime", "-m", "sagemaker_rl.hyperparameter_check", TRAIN]
    jobs = [{"rl.agent_params.algorithm.discount": "0.9"}, {"rl.agent_params.algorithm.discont": "0.9"}]
    done = subprocess.run(
        command,
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "container_src")},
    )
    assert done.returncode == hyperparameter_check.MISTAKE, done.stderr
    assert done.stdout.endswith("has no 'discont', did you mean 'discount'?\n")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "rl_coach.agents.clipped_ppo_agent" in imported
    assert not {"mxnet", "scipy"} & imported


@pytest.mark.parametrize(
    ("program", "given"),
    [
        (TRAIN, {}),
        (TRAIN, {"discount": 1, "training_batch_size": 64.0, "seed": 0, "save_model": "true", "num_workers": 1}),
        (TRAIN, {"RLCOACH_PRESET": "CartPole_ClippedPPO", "improve_steps": 1000}),  # one of Coach's own
        (TRAIN, {"sagemaker_mpi_enabled": True, "_tuning_objective_metric": "reward"}),
        (EVALUATE, {"evaluate_episodes": 5, "accelerate": 0, "RLCOACH_PRESET": "preset-mountain-car-dqn.py"}),
    ],
)
def test_what_a_job_takes(tmp_path, program, given):
    hyperparameter_check.check(program, given, tmp_path)
    assert list(tmp_path.iterdir()) == []
