"""Every option of a preset is implemented as Coach does it, or refused."""

import enum
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sagemaker_rl.coach.graph import agent_of
from short_trainings import (
    NORMALIZED,
    TINY_NETWORK,
    assert_same_networks,
    close,
    copy_weights,
    make,
    statistics_of,
    train_by_coach,
    train_by_ours,
)

AGENTS = {"PPO": "clipped_ppo_agent:ClippedPPOAgent", "DQN": "dqn_agent:DQNAgent"}
PRESETS = {
    "PPO": TINY_NETWORK
    + """
algorithm.num_consecutive_playing_steps = EnvironmentSteps(19)
algorithm.optimization_epochs = 2
network.batch_size = 6
""",
    "DQN": TINY_NETWORK
    + """
schedule_params.heatup_steps = EnvironmentSteps(19)
algorithm.num_consecutive_playing_steps = EnvironmentSteps(4)
algorithm.num_consecutive_training_steps = 2
algorithm.num_steps_between_copying_online_weights_to_target = TrainingSteps(3)
""",
}
STEPS = {"PPO": 19, "DQN": 21}
"""Of the environment: 6 and 12 gradient steps."""


def agrees_or_reason(folder, kind: str, changes: str, actions: str, change=lambda graph_manager: None) -> str | None:
    """Return why the fast path refuses a preset; None if it trains as Coach does, which is asserted."""
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    ours = make(folder / "ours", AGENTS[kind], PRESETS[kind] + changes, actions, change)
    if reason := reason_for_stock(ours):
        return reason
    theirs = make(folder / "theirs", AGENTS[kind], PRESETS[kind] + changes, actions, change)
    copy_weights(agent_of(ours), agent_of(theirs))
    by_coach, chance, transitions = train_by_coach(theirs, STEPS[kind])
    by_us = train_by_ours(ours, STEPS[kind], 1, chance, transitions, in_numpy=True)
    assert by_us.run.learner.optimizer.steps >= 4
    assert_same_networks(by_us, by_coach)
    for our, their in zip(statistics_of(by_us), statistics_of(by_coach), strict=True):
        assert close(our, their)
    assert by_us.counters() == pytest.approx(by_coach.counters())
    return None


NETWORK = {
    "network.learning_rate = {}": [0.001, 0.05],
    "network.learning_rate_decay_rate, network.learning_rate_decay_steps = {}": [(0.5, 2), (0.9, 1)],
    "network.optimizer_epsilon = {}": [1e-8, 0.01],
    "network.adam_optimizer_beta1 = {}": [0.0, 0.5],
    "network.adam_optimizer_beta2 = {}": [0.5, 0.999],
    "network.use_separate_networks_per_head = {}": [True, False],
    "network.input_embedders_parameters['observation'].activation_function = '{}'": ["relu", "tanh", "selu", "none"],
    "network.middleware_parameters.activation_function = '{}'": ["relu", "tanh", "sigmoid"],
    "network.middleware_parameters.scheme = {}": ["[]", "[Dense(5), Dense(4)]"],
    "network.heads_parameters[-1].loss_weight = {}": [0.3, 2.0],
    "network.heads_parameters[0].rescale_gradient_from_head_by_factor = {}": [0.0, 0.25, 1.0],
    "algorithm.discount = {}": [0.0, 0.5, 1.0],
    "agent_params.input_filter.add_reward_filter('clip', RewardClippingFilter({}))": ["-0.2, 0.5"],
    "agent_params.pre_network_filter.add_observation_filter('observation', 'n', {})": [
        "ObservationNormalizationFilter()",
        "ObservationNormalizationFilter(-1, 0.5)",
    ],
}
OPTIONS: dict[str, dict[str, list[Any]]] = {
    "PPO": {
        **NETWORK,
        "network.batch_size = {}": [4, 9],
        "algorithm.gae_lambda = {}": [0.0, 0.7, 1.0],
        "algorithm.clip_likelihood_ratio_using_epsilon = {}": [None, 0.01, 0.5],
        "algorithm.beta_entropy = {}": [0.0, 0.3, -0.5],
        "algorithm.optimization_epochs = {}": [3, 4],
        "algorithm.clipping_decay_schedule = {}": ["LinearSchedule(1, 0.2, 30)", "ConstantSchedule(0.1)"],
    },
    "DQN": {
        **NETWORK,
        "network.batch_size = {}": [5, 30],
        "network.replace_mse_with_huber_loss = {}": [True, False],
        "algorithm.num_consecutive_training_steps = {}": [3, 5],
        "algorithm.num_steps_between_copying_online_weights_to_target = {}": [
            "EnvironmentSteps(9)",
            "TrainingSteps(1)",
        ],
        "algorithm.rate_for_copying_weights_to_target = {}": [0.1, 1.0],
        "algorithm.heatup_using_network_decisions = {}": [True, False],
        "agent_params.memory.max_size = (MemoryGranularity.Transitions, {})": [24, 100],
        "agent_params.exploration.epsilon_schedule = {}": ["LinearSchedule(0.9, 0.4, 10)", "ConstantSchedule(0.5)"],
    },
}
"""What the fast path implements: Python code of a preset -> values."""
REFUSED = {
    "network.clip_gradients = 3.0": "clip_gradients is set",
    "network.l2_regularization = 0.1": "l2_regularization is set",
    "network.optimizer_type = 'RMSProp'": "the optimizer is RMSProp",
    "network.middleware_parameters.batchnorm = True": "batchnorm is set",
    "network.input_embedders_parameters['observation'].dropout_rate = 0.1": "dropout_rate is set",
    "agent_params.is_batch_rl_training = True": "is_batch_rl_training is set",
}


@pytest.mark.parametrize("kind", ["PPO", "DQN"])
@settings(max_examples=10, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_any_preset_trains_as_coach_does_or_is_refused(tmp_path_factory, kind, data):
    table = OPTIONS[kind]
    names = data.draw(st.lists(st.sampled_from(sorted(table)), min_size=4, max_size=10, unique=True))
    lines = [name.format(data.draw(st.sampled_from(table[name]))) for name in names]
    refused = data.draw(st.sampled_from([None, None, None, *REFUSED]))
    actions = data.draw(st.sampled_from(["discrete", "box"])) if kind == "PPO" else "discrete"
    changes = "\n".join([*lines, *([refused] if refused else [])])
    reason = agrees_or_reason(tmp_path_factory.mktemp(kind), kind, changes, actions)
    assert reason == (REFUSED[refused] if refused else None)


def parts_of(graph_manager) -> dict[str, Any]:
    """Return the objects that hold a preset's options."""
    agent, network = graph_manager.agent_params, graph_manager.agent_params.network_wrappers["main"]
    explorations = agent.exploration if isinstance(agent.exploration, dict) else {None: agent.exploration}
    return {
        "agent": agent,
        "algorithm": agent.algorithm,
        "memory": agent.memory,
        "visualization": graph_manager.visualization_parameters,
        "environment": graph_manager.env_params,
        "network": network,
        "embedder": network.input_embedders_parameters["observation"],
        "middleware": network.middleware_parameters,
        **{f"head {index}": head for index, head in enumerate(network.heads_parameters)},
        **{f"exploration {index}": exploration for index, exploration in enumerate(explorations.values())},
    }


VALUES: dict[str, list[Any]] = {
    "agent.network_wrappers": [],  # one of the parts, as are these
    "agent.visualization": [],
    "agent.algorithm": [],
    "agent.exploration": [],
    "agent.memory": [],
    "agent.input_filter": [],  # tests of their own
    "agent.output_filter": [],
    "agent.pre_network_filter": [],
    "agent.full_name_id": [],  # not the preset's: Coach sets these
    "agent.task_parameters": [],
    "environment.level": [],
    "environment.default_input_filter": [],
    "environment.default_output_filter": [],
    "environment.human_control": [],  # no such environment
    "environment.observation_space_type": [],
    "network.framework": [],
    "network.tensorflow_support": [],
    "network.heads_parameters": [],
    "network.input_embedders_parameters": [],
    "network.middleware_parameters": [],
    "network.learning_rate_decay_rate": [],  # needs the steps, too
    "visualization.render": [],  # needs a screen
    "visualization.print_networks_summary": [],  # Coach fails on MXNet
    "algorithm.normalization_stats": [],
    "algorithm.use_kl_regularization": [],  # Coach needs more options then
    "algorithm.act_for_full_episodes": [],  # the fast path's phases of playing end where they are full
    "algorithm.n_step": [3],
    "memory.n_step": [3],
    "memory.load_memory_from_file_path": [],
    "embedder.input_rescaling": [{"vector": 3.0}],
    "embedder.input_offset": [{"vector": 0.4}],
    "embedder.input_clipping": [(-0.3, 0.5)],
    "exploration 0.continuous_exploration_policy_parameters": [],
    "network.sess": [],
}
"""Other values to try than ``other_values`` returns, by part and option."""


def other_values(part: str, name: str, value: Any) -> list[Any]:
    """Return values that an option does not have."""
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, TrainingSteps
    from rl_coach.schedules import LinearSchedule, Schedule

    if (key := f"{part}.{name}") in VALUES:
        return VALUES[key]
    match value:
        case bool():
            return [not value]
        case enum.Enum():
            return [member for member in type(value) if member is not value]
        case int():
            return [value + 1]
        case float():
            return [0.7 * value + 0.05]
        case str() if name == "activation_function":
            return [activation for activation in ("relu", "tanh", "selu") if activation != value]
        case str() if name == "optimizer_type":
            return ["RMSProp"]
        case str():
            return [f"other {value}"]
        case Schedule():
            return [LinearSchedule(0.9 * value.initial_value, 0.4 * value.initial_value, 15)]
        case EnvironmentSteps() | TrainingSteps() if name == "num_consecutive_playing_steps":
            return [EnvironmentEpisodes(1), TrainingSteps(3)]
        case EnvironmentSteps() | TrainingSteps():
            return [type(value)(value.num_steps + 2)]
        case None:
            return [0.4]
        case list():
            return [[]]
        case tuple():  # of a memory: the unit, and how many
            return [(value[0], 30)]
        case _:
            return [{**value}]


NETWORK_PARTS = ("network", "embedder", "middleware", "head 0", "head 1")
REFUSED_OPTIONS = {
    "agent.is_batch_rl_training",
    "algorithm.use_accumulated_reward_as_measurement",
    "algorithm.num_consecutive_playing_steps",
    "algorithm.n_step",
    "visualization.dump_mp4",
    "visualization.dump_in_episode_signals",
    "visualization.add_rendered_image_to_env_response",
    "environment.random_initialization_steps",
    "environment.max_over_num_frames",
    "network.clip_gradients",
    "network.l2_regularization",
    "network.optimizer_type",
    "embedder.batchnorm",
    "embedder.dropout_rate",
    "middleware.batchnorm",
    "middleware.dropout_rate",
    "head 0.num_output_head_copies",
}
REFUSED_OPTIONS_OF = {
    "PPO": {
        "algorithm.num_consecutive_training_steps",
        "algorithm.policy_gradient_rescaler",
        "algorithm.estimate_state_value_using_gae",
        "head 1.num_output_head_copies",
    },
    "DQN": {
        "algorithm.store_transitions_only_when_episodes_are_terminated",
        "memory.allow_duplicates_in_batch_sampling",
        "network.create_target_network",
    },
}


@pytest.mark.parametrize("kind", ["PPO", "DQN"])
def test_an_option_that_nobody_thought_of_is_implemented_or_refused(tmp_path_factory, kind):
    """Each option of a preset is changed: alone if it is to be refused; else with all others of its group at once."""
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    folder, found, implemented = tmp_path_factory.mktemp(kind), [], {}
    actions = "box" if kind == "PPO" else "discrete"
    to_refuse = REFUSED_OPTIONS | REFUSED_OPTIONS_OF[kind]

    def take_options(graph_manager: Any) -> None:
        for part, options in parts_of(graph_manager).items():
            found.extend((part, name, value) for name, value in vars(options).items())

    make(folder / "base", AGENTS[kind], PRESETS[kind], actions, take_options)
    assert to_refuse <= {f"{part}.{name}" for part, name, _ in found}
    for part, name, value in found:
        if kind == "PPO" and name == "create_target_network":
            continue  # Coach cannot train without
        others = other_values(part, name, value)
        if f"{part}.{name}" not in to_refuse:
            group = "of the network" if part in NETWORK_PARTS else "others"
            implemented.setdefault(group, []).extend((part, name, other) for other in others[-1:])
            continue
        for index, other in enumerate(others):

            def change(graph_manager: Any, part: str = part, name: str = name, other: Any = other) -> None:
                setattr(parts_of(graph_manager)[part], name, other)

            graph_manager = make(folder / f"{part}-{name}-{index}", AGENTS[kind], PRESETS[kind], actions, change)
            assert reason_for_stock(graph_manager) is not None, f"{part}.{name} = {other}"
    assert sum(map(len, implemented.values())) > 40
    for group, options in implemented.items():

        def change_all(graph_manager: Any, options: list[tuple[str, str, Any]] = options) -> None:
            parts = parts_of(graph_manager)
            for part, name, value in options:
                setattr(parts[part], name, value)

        (folder / group).mkdir()
        assert agrees_or_reason(folder / group, kind, NORMALIZED, actions, change_all) is None, options
