"""Hyperparameters: read, checked, and put at their place in a real preset."""

import json

import pytest
from jobs import CONTAINER_SRC, DQN, PPO
from sagemaker_rl.coach_launcher import find_preset, import_preset
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.hyperparameters import apply_to_preset, checked_flag, nearest, read_hyperparameters
from sagemaker_rl.job.ml_paths import MLPaths


@pytest.fixture
def ppo(tmp_path):
    return import_preset(find_preset(PPO, MLPaths(tmp_path)))


@pytest.fixture
def dqn(tmp_path):
    return import_preset(find_preset(DQN, MLPaths(tmp_path)))


def apply(graph_manager, path, value):
    apply_to_preset(graph_manager, path, value, path)


def test_values_are_decoded_however_often_they_were_encoded(tmp_path):
    file = tmp_path / "hyperparameters.json"
    file.write_text(json.dumps({"a": "0.5", "b": '"preset-x"', "c": "preset-x", "d": '"256"', "e": "true"}))
    assert read_hyperparameters(file) == {"a": 0.5, "b": "preset-x", "c": "preset-x", "d": 256, "e": True}


@pytest.mark.parametrize("content", ["{", "[1]", "\xff"])
def test_a_damaged_file_is_said_in_one_sentence(tmp_path, content):
    file = tmp_path / "hyperparameters.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"hyperparameters\.json"):
        read_hyperparameters(file)


@pytest.mark.parametrize("unit", ["EnvironmentSteps", "EnvironmentEpisodes", "TrainingSteps", "Frames", "Time"])
def test_a_unit_makes_a_step_count_of_that_kind(ppo, unit):
    apply(ppo, f"rl.improve_steps:{unit}", 123)
    assert type(ppo.improve_steps).__name__ == unit
    assert ppo.improve_steps.num_steps == 123


def test_a_step_count_without_unit_keeps_its_kind(ppo):
    apply(ppo, "rl.evaluation_steps", 5)
    assert (type(ppo.evaluation_steps).__name__, ppo.evaluation_steps.num_steps) == ("EnvironmentEpisodes", 5)


def test_paths_lead_through_dictionaries_and_to_every_kind_of_value(ppo, dqn):
    apply(ppo, "rl.agent_params.network_wrappers.main.learning_rate", 0.01)
    assert ppo.agent_params.network_wrappers["main"].learning_rate == 0.01
    apply(ppo, "rl.agent_params.algorithm.policy_gradient_rescaler", "a_value")
    assert ppo.agent_params.algorithm.policy_gradient_rescaler.name == "A_VALUE"
    apply(ppo, "rl.agent_params.algorithm.act_for_full_episodes", 0)
    assert ppo.agent_params.algorithm.act_for_full_episodes is False
    apply(dqn, "rl.agent_params.memory.max_size", 500)
    assert dqn.agent_params.memory.max_size[1] == 500
    apply(dqn, "rl.agent_params.exploration.epsilon_schedule", 0.3)
    assert dqn.agent_params.exploration.epsilon_schedule.current_value == 0.3


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("rl.agent_params.algorithm.discount", 1.5, "discount is 1.5, expected a number between 0 and 1"),
        ("rl.agent_params.network_wrappers.main.learning_rate", -0.1, "is -0.1, expected a number more than 0"),
        ("rl.agent_params.network_wrappers.main.batch_size", 0, "is 0, expected a whole number 1 or more"),
        ("rl.agent_params.network_wrappers.main.batch_size", 2.5, "is 2.5, expected a whole number"),
        ("rl.agent_params.algorithm.discount", "high", "is 'high', expected a number"),
        ("rl.agent_params.algorithm.discount", float("nan"), "is nan, expected a number"),
        ("rl.agent_params.algorithm.discount", True, "is True, expected a number"),
        ("rl.improve_steps:EnvironmentSteps", 0, "is 0, expected a whole number 1 or more"),
        ("rl.improve_steps:Parsecs", 10, "has the unit 'Parsecs', expected one of EnvironmentSteps"),
        ("rl.agent_params.algorithm.discout", 0.9, "has no 'discout', did you mean 'discount'"),
        ("rl.agent_params.nothing.here", 1, "rl.agent_params has no 'nothing'"),
        ("rl.agent_params.memory.load_memory_from_file_path", "x", "is 'x', expected a number"),
        ("rl.agent_params.network_wrappers.main.heads_parameters", 5, "holds several values"),
        ("rl.agent_params.network_wrappers.main.middleware_parameters.activation_function", "tnh", "one of none, relu"),
        ("rl.agent_params.algorithm", 1, "holds several values"),
        ("rl.agent_params.algorithm.policy_gradient_rescaler", "magic", "expected one of a_value"),
        ("rl.agent_params.algorithm.act_for_full_episodes", "maybe", "expected 0 or 1"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(ppo, path, value, sentence):
    with pytest.raises(InputError) as error:
        apply(ppo, path, value)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_flags():
    assert [checked_flag("save_model", value) for value in (0, 1, True, "false")] == [False, True, True, False]
    with pytest.raises(InputError, match="expected 0 or 1"):
        checked_flag("save_model", 2)


def test_nearest_lists_all_when_nothing_is_close():
    assert nearest("zzz", ["discount", "seed"]) == "known are discount, seed."


def test_every_short_name_leads_somewhere(ppo):
    import runpy

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
    import runpy

    launcher = runpy.run_path(str(CONTAINER_SRC / "train-coach.py"))["MyLauncher"]({}, MLPaths(CONTAINER_SRC))
    launcher.graph_manager = dqn
    evaluations = dqn.steps_between_evaluation_periods.num_steps
    target = dqn.agent_params.algorithm.num_steps_between_copying_online_weights_to_target
    launcher.map_hyperparameter("training_freq_env_steps", 32)
    assert dqn.agent_params.algorithm.num_consecutive_playing_steps.num_steps == 32
    assert dqn.steps_between_evaluation_periods.num_steps == evaluations
    assert dqn.agent_params.algorithm.num_steps_between_copying_online_weights_to_target is target
