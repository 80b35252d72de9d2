"""Pictures as Coach's Atari presets take them: rescaled, grey, four of them stacked."""

import numpy as np
from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation import (
    ObservationRescaleToSizeFilter,
    ObservationRGBToYFilter,
    ObservationStackingFilter,
    ObservationToUInt8Filter,
)
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.spaces import ImageObservationSpace

schedule_params = ScheduleParameters()
schedule_params.heatup_steps = EnvironmentSteps(60)
schedule_params.improve_steps = EnvironmentSteps(100)
schedule_params.steps_between_evaluation_periods = EnvironmentSteps(100)
schedule_params.evaluation_steps = EnvironmentEpisodes(1)

agent_params = DQNAgentParameters()
agent_params.input_filter = InputFilter()
for name, observation_filter in (
    ("rescaling", ObservationRescaleToSizeFilter(ImageObservationSpace(np.array([36, 36, 3]), high=255))),
    ("to_grayscale", ObservationRGBToYFilter()),
    ("to_uint8", ObservationToUInt8Filter(0, 255)),
    ("stacking", ObservationStackingFilter(4)),
):
    agent_params.input_filter.add_observation_filter("observation", name, observation_filter)

graph_manager = BasicRLGraphManager(
    agent_params=agent_params,
    env_params=GymVectorEnvironment(level="tiles:Tiles"),
    schedule_params=schedule_params,
    vis_params=VisualizationParameters(),
)
