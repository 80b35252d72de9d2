"""The tiles, learnt by clipped PPO, which normalizes what the other filters give."""

from pictures import grey_stack, schedule, shrink
from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager

agent_params = ClippedPPOAgentParameters()
agent_params.input_filter = grey_stack()
agent_params.pre_network_filter = InputFilter()
agent_params.pre_network_filter.add_observation_filter("observation", "normalizing", ObservationNormalizationFilter())
agent_params.algorithm.discount = 0.0
agent_params.algorithm.gae_lambda = 0.0
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(200)
agent_params.algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(200)
agent_params.algorithm.optimization_epochs = 5
shrink(agent_params)
agent_params.network_wrappers["main"].input_embedders_parameters["observation"].input_rescaling = {"image": 1.0}

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="tiles:Tiles"),
    schedule_params=schedule(heatup_steps=0, improve_steps=400),
    vis_params=VisualizationParameters(),
)
