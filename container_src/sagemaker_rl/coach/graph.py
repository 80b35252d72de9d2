"""A preset's environment, agent and networks, created by Coach."""

from pathlib import Path
from typing import Any

from sagemaker_rl.coach import placeholders, signals
from sagemaker_rl.coach.environments import GYM_ENVIRONMENT
from sagemaker_rl.coach.interfaces import draws
from sagemaker_rl.coach.levels import find_environment
from sagemaker_rl.coach.recording import do_without_gifs


def create_graph(graph_manager: Any, experiment_path: Path, seed: int | None, evaluate_only: int | None = None) -> None:
    """Create the preset's environment, agent and networks.

    Args:
        graph_manager: the preset's, with hyperparameters in place.
        experiment_path: the folder of Coach's CSV and GIFs.
        seed: of the environment, ``random``, ``numpy.random`` and ``mxnet.random``; None for a different run each time.
        evaluate_only: how many environment steps an evaluation job plays; None in a training job.

    Raises:
        InputError: The environment cannot be found, or no such agent can be trained in it.
    """
    from rl_coach.base_parameters import Frameworks, TaskParameters

    signals.direct_coach_to(experiment_path)
    parameters = TaskParameters(
        framework_type=Frameworks.mxnet,
        evaluate_only=evaluate_only,
        experiment_path=str(experiment_path),
        seed=seed,
        use_cpu=True,
    )
    if getattr(graph_manager.env_params, "path", None) == GYM_ENVIRONMENT:
        find_environment(str(graph_manager.env_params.level))
    graph_manager.create_graph(parameters)
    placeholders.forget_placeholders()
    for environment in graph_manager.environments:
        if hasattr(environment, "env"):  # gym's
            _record_only_what_renders(graph_manager, environment)


def agent_of(graph_manager: Any) -> Any:
    """Return the one agent of a graph that has been created."""
    return graph_manager.level_managers[0].acting_agent()


def _record_only_what_renders(graph_manager: Any, environment: Any) -> None:
    """Do without GIFs of an environment that has no ``render`` of its own, and say so."""
    visualization = environment.visualization_parameters
    if visualization.dump_gifs and not draws(environment.env):
        do_without_gifs(visualization, f"{graph_manager.env_params.level} has no render()")
