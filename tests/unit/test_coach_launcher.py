"""Short names of hyperparameters lead to their places in a preset."""

import runpy

import pytest
from jobs import CONTAINER_SRC, DQN, PPO
from sagemaker_rl.coach.presets import find_preset, import_preset
from sagemaker_rl.job.ml_paths import MLPaths


@pytest.fixture
def ppo(tmp_path):
    return import_preset(find_preset(PPO, MLPaths(tmp_path)))


@pytest.fixture
def dqn(tmp_path):
    return import_preset(find_preset(DQN, MLPaths(tmp_path)))


def test_every_short_name_leads_somewhere(ppo):
    launcher = runpy.run_path(str(CONTAINER_SRC / "train-coach.py"))["MyLauncher"]({}, MLPaths(CONTAINER_SRC))
    launcher.graph_manager = ppo
    for name in launcher.short_names:
        launcher.map_hyperparameter(name, 1)
    algorithm = ppo.agent_params.algorithm
    assert algorithm.num_consecutive_playing_steps.num_steps == 1
    assert algorithm.num_steps_between_copying_online_weights_to_target.num_steps == 1
    assert ppo.steps_between_evaluation_periods.num_steps == 1
    assert ppo.improve_steps.num_steps == ppo.evaluation_steps.num_steps == 1


def test_dqn_trains_often_without_evaluating_as_often(dqn):
    launcher = runpy.run_path(str(CONTAINER_SRC / "train-coach.py"))["MyLauncher"]({}, MLPaths(CONTAINER_SRC))
    launcher.graph_manager = dqn
    evaluations = dqn.steps_between_evaluation_periods.num_steps
    target = dqn.agent_params.algorithm.num_steps_between_copying_online_weights_to_target
    launcher.map_hyperparameter("training_freq_env_steps", 32)
    assert dqn.agent_params.algorithm.num_consecutive_playing_steps.num_steps == 32
    assert dqn.steps_between_evaluation_periods.num_steps == evaluations
    assert dqn.agent_params.algorithm.num_steps_between_copying_online_weights_to_target is target
