"""A preset's schedule, checked before training begins."""

import math
from collections.abc import Iterable
from typing import Any

from sagemaker_rl.coach.agents import support_of
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs

PATHS = (
    "rl.improve_steps",
    "rl.steps_between_evaluation_periods",
    "rl.agent_params.algorithm.num_consecutive_playing_steps",
)
"""What decides whether there is one training at all."""


def check_schedule(graph_manager: Any, environments: int | None, changes: Iterable[tuple[str, Any]]) -> None:
    """Refuse a schedule with which Coach would train on nothing; say in the log that a preset's own never trains.

    Args:
        graph_manager: the preset's, with hyperparameters in place.
        environments: how many are to be stepped together; None for the algorithm's default.
        changes: what hyperparameters changed in the preset, as (path, value).

    Raises:
        InputError: There is too little data for a batch, for the environments, or, by a hyperparameter, for a training.
    """
    from rl_coach.agents.ppo_agent import PPOAgentParameters
    from rl_coach.core_types import EnvironmentSteps

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
    if not (isinstance(improve, EnvironmentSteps) and isinstance(period, EnvironmentSteps)):
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
