"""An evaluation job: the deterministic policy of a checkpoint, played for a number of environment steps."""

import statistics
from typing import Any

from sagemaker_rl import checkpoints, outputs
from sagemaker_rl.ml_paths import MLPaths
from sagemaker_rl.training import create_graph

RESULT_FILE = "evaluation.json"


def evaluate(
    graph_manager: Any, paths: MLPaths, preset: str, hyperparameters: dict[str, Any], steps: int, seed: int
) -> None:
    """Play at least ``steps`` environment steps, in whole episodes, and write the returns.

    ``evaluation.json``, in the job's output and intermediate output, holds ``mean_return``, ``std_return`` (of the
    population), ``episodes`` and ``returns``.

    Raises:
        InputError: The ``checkpoint`` channel holds no checkpoint of this preset.
    """
    folder = checkpoints.find(paths.channel("checkpoint"))
    create_graph(graph_manager, paths.intermediate, seed, evaluate_only=steps)
    checkpoints.restore(graph_manager, folder, preset)
    returns = play(graph_manager, steps)
    outputs.close_csv(graph_manager.level_managers[0].acting_agent())
    result = {
        "preset": preset,
        "hyperparameters": hyperparameters,
        "seed": seed,
        "mean_return": statistics.fmean(returns),
        "std_return": statistics.pstdev(returns),
        "episodes": len(returns),
        "returns": returns,
        "versions": outputs.versions(),
        "git_revision": outputs.git_revision(),
    }
    outputs.publish_json(paths.intermediate / RESULT_FILE, result)
    outputs.write_json(paths.output_data / RESULT_FILE, result)
    outputs.metric_line(
        "Evaluation",
        Evaluation_reward=result["mean_return"],
        Standard_deviation=result["std_return"],
        Episodes=result["episodes"],
    )
    graph_manager.close()


def play(graph_manager: Any, steps: int) -> list[float]:
    """Play whole episodes of the deterministic policy, at least ``steps`` environment steps; return their returns."""
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, RunPhase

    agent = graph_manager.level_managers[0].acting_agent()
    counter = graph_manager.total_steps_counters[RunPhase.TEST]
    returns = []
    with graph_manager.phase_context(RunPhase.TEST):
        graph_manager.reset_internal_state(force_environment_reset=True)
        end = counter[EnvironmentSteps] + steps
        while counter[EnvironmentSteps] < end:
            graph_manager.act(EnvironmentEpisodes(1))
            returns.append(float(agent.total_reward_in_current_episode))
    return returns
