"""What a step of an environment costs, and whether its copies are stepped in processes."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sagemaker_rl import cores
from sagemaker_rl.training import random_streams
from sagemaker_rl.training.accelerated.env_processes import EnvProcesses
from sagemaker_rl.training.accelerated.vector_envs import is_car

SECONDS = 0.1
"""For which an environment is stepped to find out, unless MOST_STEPS or a single step take longer."""
MOST_STEPS = 100
OVERHEAD_SECONDS = 0.0003
"""What a step of all copies takes more in processes: about the first row of `make bench-scale`."""
LEAST_GAIN = 1.2
"""How many times faster a step of all copies has to be in processes."""


@dataclass(frozen=True)
class StepCost:
    """Of one copy.

    Attributes:
        seconds: of a step with random actions, a new episode where one ends included.
        draws_globally: whether it draws from the random numbers that all copies in a process share.
    """

    seconds: float
    draws_globally: bool

    def choose_processes(self, copies: int) -> int:
        """Return in how many processes so many copies are stepped: one for each core, or 1 for this process."""
        processes = min(cores.count(), copies)
        if self.draws_globally:  # in processes it would draw other numbers
            return 1
        in_processes = -(-copies // processes) * self.seconds + OVERHEAD_SECONDS
        return processes if copies * self.seconds > LEAST_GAIN * in_processes else 1


def measure(env: Any) -> StepCost:
    """Step an environment at random, in a copy that is used for nothing else; an episode has begun in it."""
    before = {name: random_streams.state_of(stream) for name, stream in random_streams.GLOBAL.items()}
    actions = copy.deepcopy(env.action_space)
    actions.seed(0)
    steps, started = 0, time.perf_counter()
    while steps < MOST_STEPS and time.perf_counter() - started < SECONDS:
        _, _, done, _ = env.step(actions.sample())
        steps += 1
        if done:
            env.reset()
    seconds = (time.perf_counter() - started) / steps
    env.reset()
    after = {name: random_streams.state_of(stream) for name, stream in random_streams.GLOBAL.items()}
    for name, stream in random_streams.GLOBAL.items():
        random_streams.restore(stream, before[name])
    return StepCost(seconds, draws_globally=not random_streams.are_equal(before, after))


def begin_processes(
    graph_manager: Any, make: Callable[[], Any], copies: int, processes: int | None
) -> tuple[EnvProcesses | None, StepCost | None]:
    """Return the processes that step the copies of an environment, and what a step takes if that was measured.

    Args:
        graph_manager: its graph created.
        make: returns a new environment.
        copies: how many there will be.
        processes: how many are asked for; None to decide by what a step takes.

    Returns:
        No processes where this one steps the copies, as it does those on arrays.
    """
    environment, cost = graph_manager.environments[0].env, None
    most = min(cores.count() if processes is None else processes, copies)
    if is_car(environment) or most == 1:
        return None, None
    if processes is None:
        cost = measure(environment)
        processes = cost.choose_processes(copies)
    processes = min(processes, copies)
    return EnvProcesses(make, processes, str(graph_manager.env_params.level)) if processes > 1 else None, cost
