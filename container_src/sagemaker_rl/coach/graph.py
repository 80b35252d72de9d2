"""A preset's environment, agent and networks, created by Coach."""

from pathlib import Path
from typing import Any

from sagemaker_rl.coach import placeholders, signals
from sagemaker_rl.coach.environments import check_steps
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs


def create_graph(graph_manager: Any, experiment_path: Path, seed: int | None, evaluate_only: int | None = None) -> None:
    """Create the preset's environment, agent and networks.

    Args:
        graph_manager: the preset's, with hyperparameters in place.
        experiment_path: the folder of Coach's CSV and GIFs.
        seed: of the environment, ``random``, ``numpy.random`` and ``mxnet.random``; None for a different run each time.
        evaluate_only: how many environment steps an evaluation job plays; None in a training job.

    Raises:
        InputError: The environment cannot be found.
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
    try:
        graph_manager.create_graph(parameters)
    except ModuleNotFoundError as error:
        level = str(graph_manager.env_params.level)
        if error.name == level.partition(":")[0]:
            raise InputError(f"Environment {level} cannot be imported: there is no module {error.name!r}.") from None
        raise
    placeholders.forget_placeholders()
    for environment in graph_manager.environments:
        if hasattr(environment, "env"):  # gym's
            check_steps(environment.env, str(graph_manager.env_params.level))
            _record_only_what_renders(graph_manager, environment)


def agent_of(graph_manager: Any) -> Any:
    """Return the one agent of a graph that has been created."""
    return graph_manager.level_managers[0].acting_agent()


def _record_only_what_renders(graph_manager: Any, environment: Any) -> None:
    """Do without GIFs of an environment that has no ``render`` of its own, and say so."""
    import gym

    visualization = environment.visualization_parameters
    classes = set(type(environment.env.unwrapped).__mro__) - set(gym.Env.__mro__)
    if visualization.dump_gifs and not any("render" in vars(cls) for cls in classes):
        visualization.dump_gifs = agent_of(graph_manager).ap.visualization.dump_gifs = False
        outputs.metric_line("GIFs", GIFs="none", Reason=f"{graph_manager.env_params.level} has no render()")
