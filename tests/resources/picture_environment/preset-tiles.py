"""The tiles, learnt by DQN."""

from pictures import grey_stack, schedule, shrink
from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager

agent_params = DQNAgentParameters()
agent_params.input_filter = grey_stack()
agent_params.algorithm.discount = 0.0  # the next tile does not depend on the action
agent_params.exploration.evaluation_epsilon = 0.0
shrink(agent_params)

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="tiles:Tiles"),
    schedule_params=schedule(heatup_steps=100, improve_steps=400),
    vis_params=VisualizationParameters(),
)
