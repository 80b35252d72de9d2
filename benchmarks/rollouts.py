"""Rollout speed: environment steps per second of acting in the continuous car with the policy network, no learning.

As a script, in the process that is measured: ``rollouts.py ours 32``, ``rollouts.py ours default`` or
``rollouts.py stock``.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peer_environments
import timed_process
from events import emit, parse
from training_job import BENCHMARKS, CONTAINER_SRC

ENVIRONMENTS = ("default", "1", "4", "8", "16", "32", "64", "128", "256")
"""Numbers of parallel environments of the fast path."""
REPEATS = 3
SECONDS = 1.5
"""Length of a repeat. The result is the median of the repeats, without a first one that warms up."""
COLLECTION_STEPS = 2**23
"""More steps than are measured, so that the fast path only collects and never trains."""
STOCK_STEPS_AT_ONCE = 200


def measure(system: str, environments: str, log: Path) -> dict[str, Any]:
    """Measure one system in a process of its own; return what is recorded of it.

    Raises:
        timed_process.RunFailed: It failed.
    """
    ours = system == "ours"
    python = Path(sys.executable) if ours else peer_environments.python_of(peer_environments.STOCK_COACH)
    environment = {"PYTHONPATH": f"{BENCHMARKS}:{CONTAINER_SRC}"}
    with tempfile.TemporaryDirectory() as folder:
        command: list[str | Path] = [python, BENCHMARKS / "rollouts.py", system, environments]
        process = timed_process.run(command, Path(folder), log, environment)
    events = [event for _, line in process.lines if (event := parse(line))]
    return {"system": f"rollouts-{system}", **events[-1]}


def act_with_ours(environments: str) -> tuple[int, Callable[[], int], Callable[[], bool]]:
    """Return the number of environments, a function that plays a step in each, and one that says if it may go on.

    The first function returns the number of steps played.
    """
    from sagemaker_rl.coach.graph import create_graph
    from sagemaker_rl.coach.presets import import_preset

    graph_manager = import_preset(CONTAINER_SRC / "preset-mountain-car-continuous-clipped-ppo.py")
    from rl_coach.core_types import EnvironmentSteps, RunPhase
    from sagemaker_rl.training.accelerated.ppo import PPORun

    graph_manager.agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(COLLECTION_STEPS)
    create_graph(graph_manager, Path.cwd(), seed=0)
    num_envs = None if environments == "default" else int(environments)
    run = PPORun(graph_manager, num_envs, 0, lambda: None)
    graph_manager.phase = RunPhase.TRAIN
    played = 0

    def act() -> int:
        nonlocal played
        run.play_and_learn()
        played += run.envs.num_envs
        return run.envs.num_envs

    return run.envs.num_envs, act, lambda: played + run.envs.num_envs < COLLECTION_STEPS


def act_with_stock_coach() -> tuple[int, Callable[[], int], Callable[[], bool]]:
    """Return the same for stock Coach, which steps one environment."""
    from peers import stock_coach

    graph_manager = stock_coach.load_preset(stock_coach.PRESET)
    stock_coach.create_graph(graph_manager, seed=0)
    from rl_coach.core_types import EnvironmentSteps, RunPhase

    graph_manager.phase = RunPhase.TRAIN
    graph_manager.reset_internal_state(force_environment_reset=True)

    def act() -> int:
        graph_manager.act(EnvironmentSteps(STOCK_STEPS_AT_ONCE))
        return STOCK_STEPS_AT_ONCE

    return 1, act, lambda: True


def steps_per_second(act: Callable[[], int], may_go_on: Callable[[], bool]) -> float:
    """Return how many steps ``act`` takes per second, over ``SECONDS``."""
    steps = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS and may_go_on():
        steps += act()
    return steps / elapsed


def main() -> None:
    """Measure, and print the result as an event."""
    system, environments = sys.argv[1:]
    num_envs, act, may_go_on = act_with_ours(environments) if system == "ours" else act_with_stock_coach()
    steps_per_second(act, may_go_on)
    rates = [steps_per_second(act, may_go_on) for _ in range(REPEATS)]
    emit("rollout", environments=num_envs, default=environments == "default", steps_per_second=statistics.median(rates))


if __name__ == "__main__":
    main()
