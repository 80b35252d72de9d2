"""Rollouts of one point of the scale: ``rollout.py MILLISECONDS burning|sleeping PROCESSES``; an event is printed."""

import sys
import time
from pathlib import Path
from typing import Any

from events import emit

COPIES = 16
SECONDS = 3.0
"""Length of the measurement, after a third of it that warms up."""


def main() -> None:
    """Measure, and print the steps per second."""
    milliseconds, kind, processes = sys.argv[1:]
    from sagemaker_rl.coach.graph import create_graph
    from sagemaker_rl.coach.presets import import_preset

    graph_manager = import_preset(Path(__file__).parent / "preset-slow.py")
    from rl_coach.core_types import EnvironmentSteps, RunPhase
    from sagemaker_rl.training.accelerated.ppo import PPORun

    graph_manager.env_params.additional_simulator_parameters = {
        "milliseconds": float(milliseconds),
        "burning": kind == "burning",
    }
    graph_manager.agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(2**23)  # never trains
    create_graph(graph_manager, Path.cwd(), seed=0)
    run = PPORun(graph_manager, COPIES, 0, lambda: None, int(processes))
    graph_manager.phase = RunPhase.TRAIN
    steps_per_second(run, SECONDS / 3)
    emit("rollout", steps_per_second=steps_per_second(run, SECONDS))
    run.close()


def steps_per_second(run: Any, seconds: float) -> float:
    """Return how many environment steps a run takes per second, without learning."""
    steps, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        run.play_and_learn()
        steps += COPIES
    return steps / elapsed


if __name__ == "__main__":
    main()
