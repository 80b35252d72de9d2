"""Whether the fast path does everything that a preset asks for."""

import importlib
from typing import Any

from sagemaker_rl.coach.environments import check_steps


def reason_for_stock(graph_manager: Any) -> str | None:
    """Return why a graph that has been created must be run by stock Coach; None if the fast path does all it asks for.

    Every option that the fast path does not implement is named here: none is ignored.
    """
    from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgent
    from rl_coach.agents.dqn_agent import DQNAgent
    from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager

    if type(graph_manager) is not BasicRLGraphManager:
        return f"the graph manager is a {type(graph_manager).__name__}"
    agent = graph_manager.level_managers[0].acting_agent()
    checks = {ClippedPPOAgent: _ppo, DQNAgent: _dqn}
    if type(agent) not in checks:
        return f"the agent is a {type(agent).__name__}"
    return _common(graph_manager, agent) or checks[type(agent)](agent)


def _common(graph_manager: Any, agent: Any) -> str | None:
    return (
        _environment(graph_manager)
        or _schedule(graph_manager)
        or _filters(agent)
        or _network(agent)
        or _recording(agent)
    )


def _environment(graph_manager: Any) -> str | None:
    parameters = graph_manager.env_params
    if parameters.path != "rl_coach.environments.gym_environment:GymEnvironment":
        return f"the environment is {parameters.path}"
    if parameters.frame_skip != 1 or parameters.random_initialization_steps or parameters.max_over_num_frames != 1:
        return "the environment skips frames or starts at random"
    if environment_maker(graph_manager) is None:
        return f"the environment {parameters.level} is one of gym's registry"
    return None


def environment_maker(graph_manager: Any) -> Any:
    """Return what makes the preset's environment: the class or function that its level names, ``module:name``."""
    level = str(graph_manager.env_params.level)
    module, separator, name = level.partition(":")
    if not separator or "/" in level or "." in level:
        return None
    make = getattr(importlib.import_module(module), name)
    return lambda: check_steps(make(**graph_manager.env_params.additional_simulator_parameters), level)


def _schedule(graph_manager: Any) -> str | None:
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps

    for name, wanted in (
        ("heatup_steps", EnvironmentSteps),
        ("improve_steps", EnvironmentSteps),
        ("steps_between_evaluation_periods", EnvironmentSteps),
        ("evaluation_steps", EnvironmentEpisodes),
    ):
        if type(getattr(graph_manager, name)) is not wanted:
            return f"{name} is in {type(getattr(graph_manager, name)).__name__}"
    return None


def _filters(agent: Any) -> str | None:
    from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
    from rl_coach.filters.reward.reward_clipping_filter import RewardClippingFilter
    from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter

    if agent.output_filter.action_filters:
        return "there are action filters"
    if agent.input_filter.observation_filters or agent.pre_network_filter.reward_filters:
        return "observations are filtered before they are stored, or rewards after"
    for reward_filter in agent.input_filter.reward_filters.values():
        if type(reward_filter) not in (RewardRescaleFilter, RewardClippingFilter):
            return f"rewards are filtered by {type(reward_filter).__name__}"
    for filters in agent.pre_network_filter.observation_filters.values():
        for observation_filter in filters.values():
            if type(observation_filter) is not ObservationNormalizationFilter:
                return f"observations are filtered by {type(observation_filter).__name__}"
    return None


def _network(agent: Any) -> str | None:
    networks = agent.ap.network_wrappers
    if list(networks) != ["main"]:
        return f"the networks are {list(networks)}"
    main = networks["main"]
    if set(main.input_embedders_parameters) != {"observation"}:
        return f"the network's inputs are {sorted(main.input_embedders_parameters)}"
    if main.optimizer_type != "Adam":
        return f"the optimizer is {main.optimizer_type}"
    for option in ("clip_gradients", "l2_regularization"):
        if getattr(main, option):
            return f"{option} is set"
    if agent.ap.algorithm.use_accumulated_reward_as_measurement:
        return "use_accumulated_reward_as_measurement is set"
    return None


def _recording(agent: Any) -> str | None:
    from sagemaker_rl.gifs import FirstEpisodeOfEvaluation

    visualization = agent.ap.visualization
    for option in ("dump_mp4", "dump_in_episode_signals", "render", "add_rendered_image_to_env_response"):
        if getattr(visualization, option):
            return f"{option} is set"
    if visualization.dump_gifs and [type(f) for f in visualization.video_dump_filters] != [FirstEpisodeOfEvaluation]:
        return "the video filters are not FirstEpisodeOfEvaluation alone"
    return None


def _ppo(agent: Any) -> str | None:
    from rl_coach.agents.policy_optimization_agent import PolicyGradientRescaler
    from rl_coach.core_types import EnvironmentSteps
    from rl_coach.exploration_policies.additive_noise import AdditiveNoise
    from rl_coach.exploration_policies.categorical import Categorical

    algorithm = agent.ap.algorithm
    heads = [type(head).__name__ for head in agent.networks["main"].online_network.model.output_heads]
    wanted = {
        "policy_gradient_rescaler": (algorithm.policy_gradient_rescaler, PolicyGradientRescaler.GAE),
        "use_kl_regularization": (algorithm.use_kl_regularization, False),
        "estimate_state_value_using_gae": (algorithm.estimate_state_value_using_gae, True),
        "normalization_stats": (algorithm.normalization_stats, None),
        "num_consecutive_training_steps": (algorithm.num_consecutive_training_steps, 1),
        "heads_parameters": (heads, ["VHead", "PPOHead"]),
        "num_consecutive_playing_steps": (type(algorithm.num_consecutive_playing_steps), EnvironmentSteps),
    }
    for option, (found, expected) in wanted.items():
        if found != expected:
            return f"{option} is {getattr(found, '__name__', found)}"
    if type(agent.exploration_policy) not in (AdditiveNoise, Categorical):
        return f"the exploration is {type(agent.exploration_policy).__name__}"
    if isinstance(agent.exploration_policy, AdditiveNoise) and agent.exploration_policy.evaluation_noise_percentage:
        return "evaluation is noisy"
    return None


def _dqn(agent: Any) -> str | None:
    from rl_coach.core_types import EnvironmentSteps
    from rl_coach.exploration_policies.e_greedy import EGreedy
    from rl_coach.memories.memory import MemoryGranularity
    from rl_coach.memories.non_episodic.experience_replay import ExperienceReplay

    from sagemaker_rl.exploration import HeldEGreedy

    algorithm, memory = agent.ap.algorithm, agent.memory
    heads = [type(head).__name__ for head in agent.networks["main"].online_network.model.output_heads]
    wanted = {
        "heads_parameters": (heads, ["QHead"]),
        "memory": (type(memory), ExperienceReplay),
        "memory.max_size": (agent.ap.memory.max_size[0], MemoryGranularity.Transitions),
        "allow_duplicates_in_batch_sampling": (memory.allow_duplicates_in_batch_sampling, True),
        "load_memory_from_file_path": (agent.ap.memory.load_memory_from_file_path, None),
        "num_consecutive_playing_steps": (type(algorithm.num_consecutive_playing_steps), EnvironmentSteps),
        "act_for_full_episodes": (algorithm.act_for_full_episodes, False),
        "store_transitions_only_when_episodes_are_terminated": (
            algorithm.store_transitions_only_when_episodes_are_terminated,
            False,
        ),
        "create_target_network": (agent.ap.network_wrappers["main"].create_target_network, True),
    }
    for option, (found, expected) in wanted.items():
        if found != expected:
            return f"{option} is {getattr(found, '__name__', found)}"
    if type(agent.exploration_policy) not in (EGreedy, HeldEGreedy):
        return f"the exploration is {type(agent.exploration_policy).__name__}"
    if agent.exploration_policy.evaluation_epsilon:
        return "evaluation is noisy"
    return None
