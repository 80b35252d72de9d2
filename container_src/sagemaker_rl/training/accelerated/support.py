"""Whether the fast path does everything that a preset asks for.

Every option that it does not implement is refused here or in the ``unsupported`` of a run: none is ignored.
"""

from typing import Any

import gym
from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgent
from rl_coach.agents.dqn_agent import DQNAgent
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, Frames, Time, TrainingSteps
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager

from sagemaker_rl.coach.environments import GYM_ENVIRONMENT, environment_maker
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.training.accelerated.dqn import DQNRun
from sagemaker_rl.training.accelerated.ppo import PPORun
from sagemaker_rl.training.accelerated.rewards import REWARD_FILTERS
from sagemaker_rl.training.accelerated.run import AcceleratedRun
from sagemaker_rl.training.accelerated.video_filters import VideoFilters

RUNS: dict[type, type[AcceleratedRun]] = {ClippedPPOAgent: PPORun, DQNAgent: DQNRun}
"""Coach's agents, and what runs them on the fast path. A subclass of an agent is another agent."""
SCHEDULE = ("heatup_steps", "improve_steps", "steps_between_evaluation_periods", "evaluation_steps")
UNITS = (EnvironmentEpisodes, EnvironmentSteps, Frames, Time, TrainingSteps)
"""The units in which the fast path counts: all of Coach's."""


def reason_for_stock(graph_manager: Any) -> str | None:
    """Return why a graph that has been created must be run by stock Coach; None if the fast path can run it."""
    if type(graph_manager) is not BasicRLGraphManager:
        return f"the graph manager is a {type(graph_manager).__name__}"
    agent = agent_of(graph_manager)
    if type(agent) not in RUNS:
        return f"the agent is a {type(agent).__name__}"
    return (
        _unsupported_environment(graph_manager)
        or _unsupported_schedule(graph_manager)
        or _unsupported_filters(agent)
        or _unsupported_network(agent)
        or _unsupported_gifs(agent)
        or RUNS[type(agent)].unsupported(agent)
    )


def run_class_of(graph_manager: Any) -> type[AcceleratedRun]:
    """Return the class that runs the graph's agent; call it only where ``reason_for_stock`` returned None."""
    return RUNS[type(agent_of(graph_manager))]


def _unsupported_environment(graph_manager: Any) -> str | None:
    parameters = graph_manager.env_params
    if parameters.path != GYM_ENVIRONMENT:
        return f"the environment is {parameters.path}"
    if graph_manager.environments[0].is_atari_env:
        return "the environment is one of Atari's"
    for option, default in (("random_initialization_steps", 0), ("max_over_num_frames", 1)):
        if getattr(parameters, option) != default:
            return f"{option} is {getattr(parameters, option)}"
    if environment_maker(graph_manager) is None:
        return f"the environment {parameters.level} is a class by the path of its module"
    if isinstance(graph_manager.environments[0].env.observation_space, gym.spaces.Dict):
        return "observations are dictionaries"
    return None


def _unsupported_schedule(graph_manager: Any) -> str | None:
    for name in SCHEDULE:
        if type(getattr(graph_manager, name)) not in UNITS:
            return f"{name} is in {type(getattr(graph_manager, name)).__name__}"
    return None


def _unsupported_filters(agent: Any) -> str | None:
    if agent.output_filter.action_filters:
        return "there are action filters"
    if agent.input_filter.observation_filters or agent.pre_network_filter.reward_filters:
        return "observations are filtered before they are stored, or rewards after"
    for reward_filter in agent.input_filter.reward_filters.values():
        if type(reward_filter) not in REWARD_FILTERS:
            return f"rewards are filtered by {type(reward_filter).__name__}"
    for filters in agent.pre_network_filter.observation_filters.values():
        for observation_filter in filters.values():
            if type(observation_filter) is not ObservationNormalizationFilter:
                return f"observations are filtered by {type(observation_filter).__name__}"
    return None


def _unsupported_network(agent: Any) -> str | None:
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
    for component in (*main.input_embedders_parameters.values(), main.middleware_parameters):
        for option in ("batchnorm", "dropout_rate"):  # other in training than in prediction
            if getattr(component, option):
                return f"{option} is set"
    if agent.ap.is_batch_rl_training:
        return "is_batch_rl_training is set"
    if agent.ap.algorithm.n_step != -1:  # Coach then changes the transitions that it has stored
        return f"n_step is {agent.ap.algorithm.n_step}"
    if agent.ap.algorithm.use_accumulated_reward_as_measurement:
        return "use_accumulated_reward_as_measurement is set"
    return None


def _unsupported_gifs(agent: Any) -> str | None:
    visualization = agent.ap.visualization
    for option in ("dump_mp4", "dump_in_episode_signals", "render", "add_rendered_image_to_env_response"):
        if getattr(visualization, option):
            return f"{option} is set"
    return VideoFilters.unsupported(visualization)
