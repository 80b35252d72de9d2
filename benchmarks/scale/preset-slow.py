"""Clipped PPO in an environment that takes its time."""

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(0)
schedule_params.improve_steps = EnvironmentSteps(65_536)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(8_192)
schedule_params.evaluation_steps = EnvironmentEpisodes(1)

agent_params = ClippedPPOAgentParameters()
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(8_192)

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="slow_environment:Slow"),
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(),
)
