"""Values at their place in a real preset."""

import pytest
from jobs import DQN, PPO
from sagemaker_rl.coach import preset_values
from sagemaker_rl.coach.presets import find_preset, import_preset
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths


@pytest.fixture
def ppo(tmp_path):
    return import_preset(find_preset(PPO, MLPaths(tmp_path)))


@pytest.fixture
def dqn(tmp_path):
    return import_preset(find_preset(DQN, MLPaths(tmp_path)))


def apply(graph_manager, path, value):
    preset_values.set_value(graph_manager, path, value, path)


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
