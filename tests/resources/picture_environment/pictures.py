"""What Coach's Atari presets make of pictures: rescaled, grey, four of them stacked; and a small network for them."""

import numpy as np
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation import (
    ObservationRescaleToSizeFilter,
    ObservationRGBToYFilter,
    ObservationStackingFilter,
    ObservationToUInt8Filter,
)
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.spaces import ImageObservationSpace


def schedule(heatup_steps, improve_steps):
    """Return a schedule of one evaluation, at its end."""
    schedule_params = ScheduleParameters()
    schedule_params.heatup_steps = EnvironmentSteps(heatup_steps)
    schedule_params.improve_steps = EnvironmentSteps(improve_steps)
    schedule_params.steps_between_evaluation_periods = EnvironmentSteps(improve_steps)
    schedule_params.evaluation_steps = EnvironmentEpisodes(1)
    return schedule_params


def grey_stack():
    """Return the filter."""
    input_filter = InputFilter()
    for name, observation_filter in (
        ("rescaling", ObservationRescaleToSizeFilter(ImageObservationSpace(np.array([36, 36, 3]), high=255))),
        ("to_grayscale", ObservationRGBToYFilter()),
        ("to_uint8", ObservationToUInt8Filter(0, 255)),
        ("stacking", ObservationStackingFilter(4)),
    ):
        input_filter.add_observation_filter("observation", name, observation_filter)
    return input_filter


def shrink(agent_params):
    """Give an agent a network that learns in seconds."""
    network = agent_params.network_wrappers["main"]
    network.input_embedders_parameters["observation"].scheme = [Conv2d(8, 8, 4), Conv2d(8, 4, 2)]
    network.middleware_parameters.scheme = [Dense(32)]
    network.learning_rate = 0.002
    network.batch_size = 32
