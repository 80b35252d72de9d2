"""Clipped PPO in an environment that takes its time; the network is of the continuous car's size."""

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(0)
schedule_params.improve_steps = EnvironmentSteps(8_192)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(2_048)
schedule_params.evaluation_steps = EnvironmentEpisodes(4)

agent_params = ClippedPPOAgentParameters()
algorithm = agent_params.algorithm
algorithm.discount = 0.9
algorithm.num_consecutive_playing_steps = EnvironmentSteps(2_048)
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(2_048)
algorithm.optimization_epochs = 10

network = agent_params.network_wrappers["main"]
network.learning_rate = 0.001
network.batch_size = 512
network.input_embedders_parameters["observation"].scheme = [Dense(32)]
network.input_embedders_parameters["observation"].activation_function = "tanh"
network.middleware_parameters.scheme = [Dense(32)]
network.middleware_parameters.activation_function = "tanh"

env_params = GymVectorEnvironment(level="slow_environment:Slow")
env_params.additional_simulator_parameters = {"milliseconds": 5.0, "burning": False}

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=env_params,
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(dump_gifs=False),
)
