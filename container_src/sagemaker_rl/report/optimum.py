"""The best mean return that is known for both cars, found by dynamic programming.

The continuous car pays for force and not for time, so it could wait for ever: its patience of 10,000 steps is what
binds, and time is no part of the state. A small price of a step stands for it (a Lagrange multiplier). Several prices
are tried; the one whose policy has the best mean return is kept. The return does not contain the price.

A value between nodes of the grid is an estimate. What counts is therefore the greedy policy's return, played in the
environment's own arithmetic from start positions that cover all there are. It is a return that a policy has reached,
so a lower bound of the best possible. ``optimum.json`` has the results; this command made them, in some ten minutes:

    PYTHONPATH=container_src python -m sagemaker_rl.report.optimum
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.report.cars import CARS, START_POSITIONS
from sagemaker_rl.report.dynamic_programming import Grid, Problem, iterate_values, play_greedy_policy

OPTIMUM_FILE = Path(__file__).with_name("optimum.json")
COMMAND = "python -m sagemaker_rl.report.optimum"


def _forces(count: int) -> np.ndarray:
    """Return forces from -1 to 1, denser near 0: a patient car pushes weakly."""
    line = np.linspace(-1, 1, count)
    return np.sign(line) * line**2


PROBLEMS = {
    "PatientMountainCar": Problem(CARS["PatientMountainCar"], np.arange(3.0), np.arange(3.0), intervals=(1440, 1120)),
    "PatientContinuousMountainCar": Problem(
        CARS["PatientContinuousMountainCar"], _forces(41), _forces(161), prices=(1e-5, 2e-5)
    ),
}
"""Class name of the environment -> what is solved for it; the same keys as ``CARS``."""


@dataclass(frozen=True)
class Optimum:
    """What the greedy policy of the dynamic programming reaches.

    Attributes:
        mean: mean return over the distribution of start positions.
        std: standard deviation of the same.
        starts: start positions, ascending, float64 ``(starts,)``.
        returns: from each of them, float64 ``(starts,)``.
        steps: environment steps of the same episodes, ``(starts,)``.
    """

    mean: float
    std: float
    starts: np.ndarray
    returns: np.ndarray
    steps: np.ndarray

    def returns_from(self, starts: np.ndarray) -> np.ndarray:
        """Return the returns from other start positions, interpolated."""
        return np.asarray(np.interp(starts, self.starts, self.returns))


@cache
def _read_optima() -> dict[str, Any]:
    return dict(json.loads(OPTIMUM_FILE.read_text(encoding="utf-8"))["environments"])


def find_optimum(environment: str) -> Optimum | None:
    """Return the optimum of an environment, by the name of its class or ``module:Class``; None if none is known."""
    content = _read_optima().get(environment.rpartition(":")[2])
    if content is None:
        return None
    starts = np.linspace(*START_POSITIONS, len(content["returns"]))
    return Optimum(content["mean"], content["std"], starts, np.array(content["returns"]), np.array(content["steps"]))


def solve(problem: Problem, coarser: int, sweeps: int, starts: np.ndarray) -> dict[str, Any]:
    """Return the content of ``optimum.json`` for one car.

    Args:
        problem: the car, and how it is solved.
        coarser: divides the number of the grid's intervals.
        sweeps: about so many, at most.
        starts: start positions, ``(starts,)``.
    """
    grid = Grid.covering(problem.car, *(intervals // coarser + 1 for intervals in problem.intervals))
    solutions = []
    for price in problem.prices:
        values = iterate_values(problem.car.step, grid, problem.actions, sweeps, price, tolerance=1e-6)
        solutions.append((price, *play_greedy_policy(problem, grid, values, starts)))
    price, returns, steps = max(solutions, key=lambda solution: solution[1].mean())
    return {
        "mean": round(math.fsum(returns) / len(returns), 4),
        "std": round(float(returns.std()), 4),
        "returns": np.round(returns, 4).tolist(),
        "steps": steps.tolist(),
        "price_of_a_step": price,
    }


def main() -> None:
    """Solve both cars, and write ``optimum.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coarser", type=int, default=1, metavar="TIMES", help="a grid of fewer nodes (%(default)s)")
    parser.add_argument("--sweeps", type=int, default=8_000, help="at most, about (%(default)s)")
    parser.add_argument("--starts", type=int, default=401, help="start positions (%(default)s)")
    parser.add_argument("--output", type=Path, default=OPTIMUM_FILE, help="(%(default)s)")
    arguments = parser.parse_args()
    starts = np.linspace(*START_POSITIONS, arguments.starts)
    environments = {}
    for name, problem in PROBLEMS.items():
        started = time.monotonic()
        optimum = environments[name] = solve(problem, arguments.coarser, arguments.sweeps, starts)
        seconds = time.monotonic() - started
        print(f"{name}: {optimum['mean']} +- {optimum['std']}, {seconds:.0f} s", flush=True)
    arguments.output.write_text(json.dumps({"command": COMMAND, "environments": environments}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
