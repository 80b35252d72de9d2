"""A preset's schedule, checked before training begins."""

import math
from typing import Any

from sagemaker_rl.errors import InputError


def check_schedule(graph_manager: Any, environments: int | None) -> None:
    """Refuse a schedule with which Coach would train on nothing, or never.

    Args:
        graph_manager: the preset's, with hyperparameters in place.
        environments: how many are to be stepped together; None for the algorithm's default.

    Raises:
        InputError: There is too little data for a batch, for the environments, or for one training.
    """
    from rl_coach.core_types import EnvironmentSteps

    algorithm = graph_manager.agent_params.algorithm
    playing = algorithm.num_consecutive_playing_steps
    if not isinstance(playing, EnvironmentSteps):
        return
    batch_size = graph_manager.agent_params.network_wrappers["main"].batch_size
    if hasattr(algorithm, "optimization_epochs") and batch_size > playing.num_steps:
        raise InputError(
            f"Hyperparameter training_batch_size is {batch_size}, expected at most the {playing.num_steps} "
            "environment steps between two trainings (training_freq_env_steps)."
        )
    if environments is not None and environments > playing.num_steps:
        raise InputError(
            f"Hyperparameter parallel_environments is {environments}, expected at most the {playing.num_steps} "
            "environment steps between two trainings."
        )
    improve, period = graph_manager.improve_steps, graph_manager.steps_between_evaluation_periods
    if isinstance(improve, EnvironmentSteps) and isinstance(period, EnvironmentSteps):
        steps = math.ceil(improve.num_steps / period.num_steps) * period.num_steps  # Coach's whole periods
        if steps < playing.num_steps:
            raise InputError(
                f"Hyperparameter improve_steps is {improve.num_steps}, expected at least the {playing.num_steps} "
                "environment steps between two trainings: nothing would be learnt."
            )
