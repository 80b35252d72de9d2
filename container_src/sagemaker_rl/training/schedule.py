"""A preset's schedule, checked before training begins."""

import math
from collections.abc import Iterable
from typing import Any

from sagemaker_rl.coach.agents import support_of
from sagemaker_rl.coach.preset_values import UNITS_OF
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs

PATHS = (
    "rl.improve_steps",
    "rl.steps_between_evaluation_periods",
    "rl.agent_params.algorithm.num_consecutive_playing_steps",
)
"""What decides whether there is one training at all."""
STEP_UNITS = ("EnvironmentSteps", "Frames", "TrainingSteps")
"""Units of which Coach counts one in every environment step of training, also where the agent does not train in it."""


def check_schedule(graph_manager: Any, environments: int | None, changes: Iterable[tuple[str, Any]]) -> None:
    """Refuse a schedule that Coach would never end, or with which it would train on nothing.

    A preset's own that never trains is said in the log.

    Args:
        graph_manager: the preset's, with hyperparameters in place.
        environments: how many are to be stepped together; None for the algorithm's default.
        changes: what hyperparameters changed in the preset, as (path, value).

    Raises:
        InputError: A unit is not counted where it is used; or there is too little data for a batch, for the
            environments, or, by a hyperparameter, for a training.
    """
    from rl_coach.agents.ppo_agent import PPOAgentParameters
    from rl_coach.core_types import EnvironmentSteps

    _check_units(graph_manager)
    playing = graph_manager.agent_params.algorithm.num_consecutive_playing_steps
    if not isinstance(playing, EnvironmentSteps):
        if isinstance(graph_manager.agent_params, PPOAgentParameters):  # it trains on the first num_steps transitions
            raise InputError(
                f"The preset's num_consecutive_playing_steps is {type(playing).__name__}({playing.num_steps}), "
                "expected EnvironmentSteps for a PPOAgent."
            )
        return
    _check_batches(graph_manager.agent_params, playing.num_steps)
    if environments is not None and environments > playing.num_steps:
        raise InputError(
            f"Hyperparameter parallel_environments is {environments}, expected at most the {playing.num_steps} "
            "environment steps between two trainings."
        )
    improve, period = graph_manager.improve_steps, graph_manager.steps_between_evaluation_periods
    if not {type(improve).__name__, type(period).__name__} <= set(STEP_UNITS):
        return
    steps = math.ceil(improve.num_steps / period.num_steps) * period.num_steps  # Coach's whole periods
    if steps >= playing.num_steps:
        return
    if any(path.partition(":")[0] in PATHS for path, _ in changes):
        raise InputError(
            f"Hyperparameter improve_steps is {improve.num_steps}, expected at least the {playing.num_steps} "
            "environment steps between two trainings: nothing would be learnt."
        )
    reason = f"improve_steps is {improve.num_steps} and num_consecutive_playing_steps is {playing.num_steps}"
    outputs.metric_line("Schedule", Trainings=0, Reason=reason)


def most_copies(graph_manager: Any, at_most: int) -> int:
    """Return how many copies of the environment fit the schedule, up to ``at_most``.

    Of a period of so many episodes each copy plays one at least: more copies would end more episodes than it has.
    """
    from rl_coach.core_types import EnvironmentEpisodes

    periods = (graph_manager.improve_steps, graph_manager.steps_between_evaluation_periods)
    return min([at_most, *(period.num_steps for period in periods if isinstance(period, EnvironmentEpisodes))])


def _check_units(graph_manager: Any) -> None:
    """Refuse TrainingSteps where no training is: Coach counts none there, and would play for ever."""
    for name in ("heatup_steps", "evaluation_steps"):
        steps = getattr(graph_manager, name)
        if type(steps).__name__ == "TrainingSteps" and steps.num_steps:
            units = ", ".join(UNITS_OF[name])
            raise InputError(f"The preset's {name} are TrainingSteps({steps.num_steps}), expected one of {units}.")


def _check_batches(agent_parameters: Any, playing_steps: int) -> None:
    """Refuse a batch that is larger than what an agent plays between two trainings, if it trains on no more."""
    if not support_of(agent_parameters).splits_rollouts:
        return
    for name, network in agent_parameters.network_wrappers.items():
        if network.batch_size > playing_steps:
            path = f"rl.agent_params.network_wrappers.{name}.batch_size"
            raise InputError(
                f"Hyperparameter {'training_batch_size' if name == 'main' else path} is {network.batch_size}, expected "
                f"at most the {playing_steps} environment steps between two trainings (training_freq_env_steps)."
            )
