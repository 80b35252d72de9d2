"""Values at their place in a real preset."""

import math
import re

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


def find(owner, leaf, path="rl", depth=5):
    """Return a path to an attribute or a key of this name in a preset; None if there is none."""
    members = owner if isinstance(owner, dict) else vars(owner) if hasattr(owner, "__dict__") else {}
    if leaf in members:
        return f"{path}.{leaf}"
    for name, value in members.items() if depth else ():
        if not str(name).startswith("_") and (found := find(value, leaf, f"{path}.{name}", depth - 1)):
            return found
    return None


def ends(allowed):
    """Return numbers at and just inside the ends of a range, and just outside."""
    inside = [allowed.low + 1] if allowed.high > 1 else []
    outside = [allowed.low - 1]
    (inside if allowed.closed else outside).append(allowed.low)
    if allowed.high < math.inf:
        inside += [allowed.high, math.nextafter(allowed.high, 0)]
        outside += [math.nextafter(allowed.high, math.inf), allowed.high + 1]
    return inside, outside


@pytest.mark.parametrize("leaf", preset_values.RANGES)
def test_a_value_is_taken_within_its_range_alone(ppo, dqn, leaf):
    allowed = preset_values.RANGES[leaf]
    preset, path = next((preset, path) for preset in (ppo, dqn) if (path := find(preset, leaf)))
    inside, outside = ends(allowed)
    whole = leaf in preset_values.COUNTS or leaf.endswith("_steps")
    for value in inside:
        apply(preset, path, int(value) if whole else value)
        assert preset_values.read_value(preset, path) == value
    for value in [*outside, *([allowed.low + 0.5] if whole else [])]:
        with pytest.raises(InputError) as refused:
            apply(preset, path, value)
        kind = "a whole number" if whole else "a(?: whole)? number"
        assert re.fullmatch(f"Hyperparameter {path} is {value!r}, expected {kind} {allowed}.", str(refused.value))


@pytest.mark.parametrize("path", ["rl.improve_steps", "rl.improve_steps:Frames", "rl.agent_params.memory.max_size"])
def test_every_other_number_of_steps_is_at_least_1(dqn, path):
    for value in (1, 2):
        apply(dqn, path, value)
        assert preset_values.read_value(dqn, path) == value
    for value in (0, -1, 1.5, True, "1"):
        with pytest.raises(InputError, match=f"is {value!r}, expected a whole number 1 or more"):
            apply(dqn, path, value)


@pytest.mark.parametrize(("name", "units"), preset_values.UNITS_OF.items())
def test_a_number_is_counted_in_the_units_that_coach_can(dqn, name, units):
    path = find(dqn, name)
    for unit in preset_values.UNITS:
        if unit in units:
            apply(dqn, f"{path}:{unit}", 7)
            continue
        with pytest.raises(InputError) as refused:
            apply(dqn, f"{path}:{unit}", 7)
        expected = f"expected one of {', '.join(units)}."
        assert str(refused.value) == f"Hyperparameter {path}:{unit} has the unit {unit!r}, {expected}"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("rl.agents_params", "rl has no 'agents_params', did you mean 'agent_params'?"),
        ("rl.agents_params.algorithm.discount", "rl has no 'agents_params', did you mean 'agent_params'?"),
        ("rl.environments", "rl has no 'environments', did you mean 'env_params'?"),
    ],
)
def test_what_coach_keeps_while_it_runs_is_not_in_a_preset(ppo, path, sentence):
    with pytest.raises(InputError) as refused:
        apply(ppo, path, 1)
    assert str(refused.value) == f"Hyperparameter {path} is not in a preset: {sentence}"


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


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("rl.agent_params.algorithm.discount", 1, (1.0, float)),
        ("rl.agent_params.network_wrappers.main.batch_size", 64.0, (64, int)),
        ("rl.agent_params.algorithm.optimization_epochs", 2.0, (2, int)),
        ("rl.agent_params.algorithm.beta_entropy", 0.5, (0.5, float)),
        ("rl.agent_params.algorithm.beta_entropy", -1, (-1, int)),
        ("rl.agent_params.network_wrappers.main.clip_gradients", 5, (5.0, float)),
        ("rl.agent_params.network_wrappers.main.clip_gradients", None, (None, type(None))),
        ("rl.agent_params.network_wrappers.main.optimizer_type", "RMSProp", ("RMSProp", str)),
        ("rl.agent_params.algorithm.act_for_full_episodes", "true", (True, bool)),
    ],
)
def test_a_value_is_set_in_the_type_of_what_it_replaces(ppo, path, value, expected):
    *parents, leaf = path.removeprefix("rl.").split(".")
    owner = ppo
    for part in parents:
        owner = owner[part] if isinstance(owner, dict) else getattr(owner, part)
    if leaf == "beta_entropy":
        owner.beta_entropy = 0  # where a preset writes 0, 0.5 will do
    apply(ppo, path, value)
    assert (getattr(owner, leaf), type(getattr(owner, leaf))) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rl.improve_steps:EnvironmentSteps", 7),
        ("rl.evaluation_steps", 7),
        ("rl.agent_params.memory.max_size", 7),
        ("rl.agent_params.exploration.epsilon_schedule", 0.25),
        ("rl.agent_params.algorithm.discount", 0.25),
        ("rl.agent_params.network_wrappers.main.optimizer_type", "RMSProp"),
    ],
)
def test_what_was_set_is_read_again(dqn, path, value):
    apply(dqn, path, value)
    assert preset_values.read_value(dqn, path) == value


def test_what_is_not_there_is_read_as_none(ppo):
    for path in ("rl.agent_params.nothing", "rl.nothing.more", "rl.agent_params.algorithm.discount.more", "rl._x"):
        assert preset_values.read_value(ppo, path) is None
    apply(ppo, "rl.agent_params.algorithm.policy_gradient_rescaler", "A_VALUE")
    assert preset_values.read_value(ppo, "rl.agent_params.algorithm.policy_gradient_rescaler") == "a_value"
    assert isinstance(preset_values.read_value(ppo, "rl.agent_params.algorithm"), str)


def test_values_are_described_under_their_short_names_and_then_by_their_paths(ppo):
    discount, rate = "rl.agent_params.algorithm.discount", "rl.agent_params.network_wrappers.main.learning_rate"
    entropy, cadence = "rl.agent_params.algorithm.beta_entropy", "rl.steps_between_evaluation_periods:EnvironmentSteps"
    apply(ppo, discount, 0.5)
    apply(ppo, entropy, 0.25)
    short_names = {"a_discount": discount, "rate": (rate, cadence), "nothing": "rl.agent_params.nothing"}
    before = {discount: 0.9, entropy: 0.25, cadence: 3, rate: preset_values.read_value(ppo, rate)}
    described = preset_values.describe(ppo, short_names, before)
    assert described == [
        {"name": "a_discount", "value": 0.5, "preset": 0.9, "changed": True},
        {"name": "rate", "value": before[rate], "preset": before[rate], "changed": False},
        {"name": entropy, "value": 0.25, "preset": 0.25, "changed": False},
    ]
    assert preset_values.describe(ppo, {"a_discount": discount}, {})[0]["preset"] == 0.5


def test_the_scale_of_rewards_is_the_product_of_the_filters(ppo, dqn):
    from rl_coach.filters.reward import RewardClippingFilter
    from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter

    filters = ppo.agent_params.input_filter.reward_filters
    filters.clear()
    assert preset_values.reward_scale(ppo) == 1
    filters.update(a=RewardRescaleFilter(0.5), b=RewardRescaleFilter(0.1))
    assert preset_values.reward_scale(ppo) == pytest.approx(0.05)
    filters["c"] = RewardClippingFilter(-1, 1)
    assert preset_values.reward_scale(ppo) is None
