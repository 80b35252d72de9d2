"""An evaluation job: the deterministic policy of a checkpoint, played for a number of environment steps."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_rl.job import outputs
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.report.job import put_on_trial
from sagemaker_rl.training import checkpoints
from sagemaker_rl.training.loop import Options, StockRun, choose_run, create_graph

RESULT_FILE = "evaluation.json"


@dataclass(frozen=True)
class Extent:
    """How much is played, in whole episodes: at least so many environment steps, and at least so many episodes."""

    steps: int
    episodes: int


def evaluate(
    graph_manager: Any,
    paths: MLPaths,
    folder: Path,
    preset: str,
    hyperparameters: dict[str, Any],
    extent: Extent,
    seed: int,
    accelerate: bool,
) -> None:
    """Play the policy of the checkpoint in ``folder`` on start states drawn with ``seed``, and write the returns.

    With ``accelerate`` all episodes are played together, where the fast path knows the agent.

    ``evaluation.json``, in the job's output and intermediate output, holds ``mean_return``, ``std_return`` (of the
    population), ``episodes``, ``returns`` and the ``seconds`` that they took.

    Raises:
        InputError: The folder holds no whole checkpoint of this preset.
    """
    create_graph(graph_manager, paths.intermediate, seed, evaluate_only=extent.steps)
    checkpoints.restore(graph_manager, folder, preset)
    agent = graph_manager.level_managers[0].acting_agent()
    run = choose_run(graph_manager, agent, Options(seed, accelerate=accelerate, parallel_environments=1), paths)
    started = time.monotonic()
    if isinstance(run, StockRun):
        returns = play(graph_manager, extent)
    else:
        returns = run.play_at_least(extent.steps, extent.episodes)
    seconds = time.monotonic() - started
    run.close()
    result = {
        "preset": preset,
        "hyperparameters": hyperparameters,
        "seed": seed,
        "mean_return": statistics.fmean(returns),
        "std_return": statistics.pstdev(returns),
        "episodes": len(returns),
        "returns": returns,
        "seconds": round(seconds, 3),
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
    put_on_trial(agent, graph_manager, paths)
    graph_manager.close()


def play(graph_manager: Any, extent: Extent) -> list[float]:
    """Play whole episodes of the deterministic policy; return their returns."""
    from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, RunPhase

    agent = graph_manager.level_managers[0].acting_agent()
    counter = graph_manager.total_steps_counters[RunPhase.TEST]
    returns: list[float] = []
    with graph_manager.phase_context(RunPhase.TEST):
        graph_manager.reset_internal_state(force_environment_reset=True)
        end = counter[EnvironmentSteps] + extent.steps
        while counter[EnvironmentSteps] < end or len(returns) < extent.episodes:
            graph_manager.act(EnvironmentEpisodes(1))
            returns.append(float(agent.total_reward_in_current_episode))
    return returns
