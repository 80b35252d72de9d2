"""An evaluation job: the policy of a checkpoint, played for a number of environment steps."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

from sagemaker_rl.job import outputs
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.training import trial
from sagemaker_rl.training.choice import choose_run


@dataclass(frozen=True)
class Extent:
    """How much is played, in whole episodes: at least so many environment steps, and at least so many episodes."""

    steps: int
    episodes: int


def evaluate(
    graph_manager: Any,
    paths: MLPaths,
    preset: str,
    hyperparameters: dict[str, Any],
    extent: Extent,
    seed: int | None,
    accelerate: bool,
) -> None:
    """Play the policy, with the noise that the preset's evaluations have; write the returns to ``evaluation.json``.

    That file, in the job's output and intermediate output, holds ``mean_return``, ``std_return`` (of the population),
    ``episodes``, ``returns`` and the ``seconds`` that they took.

    Args:
        graph_manager: the preset's, its graph created, with the weights of the checkpoint.
        paths: where results go.
        preset: its name.
        hyperparameters: as the user gave them, for the record.
        extent: how much is played.
        seed: of the start states, and of the noise on the fast path.
        accelerate: whether to play all episodes together, where the fast path knows the agent.
    """
    run = choose_run(graph_manager, paths, seed, accelerate, parallel_environments=None, trains=False)
    started = time.monotonic()
    returns = run.play_at_least(extent.steps, extent.episodes)
    seconds = time.monotonic() - started
    run.close()
    _write_result(
        paths,
        {
            "preset": preset,
            "hyperparameters": hyperparameters,
            "seed": seed,
            "mean_return": statistics.fmean(returns),
            "std_return": statistics.pstdev(returns),
            "episodes": len(returns),
            "returns": returns,
            "seconds": round(seconds, 3),
        },
    )
    trial.put_on_trial(graph_manager, paths, trial.SHARE_OF_EVALUATION * seconds)


def _write_result(paths: MLPaths, result: dict[str, Any]) -> None:
    result = {**result, "versions": outputs.versions(), "git_revision": outputs.git_revision()}
    outputs.publish_json(paths.intermediate / outputs.EVALUATION_FILE, result)
    outputs.write_json(paths.output_data / outputs.EVALUATION_FILE, result)
    outputs.metric_line(
        "Evaluation",
        Evaluation_reward=result["mean_return"],
        Standard_deviation=result["std_return"],
        Episodes=result["episodes"],
    )
