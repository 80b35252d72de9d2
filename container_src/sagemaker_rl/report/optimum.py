"""The best that can be reached: dynamic programming over position and velocity, for both cars.

Value iteration (Bellman 1957; Sutton & Barto, "Reinforcement Learning", 2nd edition, section 4.4) on a grid, with
bilinear interpolation between its nodes. Between two improvements of the policy many sweeps only evaluate it (modified
policy iteration, Puterman & Shin 1978): the same fixed point in a fraction of the time.

The continuous car pays for force and not for time, so it could wait for ever: its patience of 10,000 steps is what
binds, and time is no part of the state. A small price of a step stands for it (a Lagrange multiplier); of several
prices the one counts whose policy has the best mean return, in which the price has no part.

A value between nodes is an estimate; what counts is the greedy policy's return, played in the environment's own
arithmetic from start states that cover all those there are. So it is a return that somebody has reached, a lower bound
of the best possible. ``optimum.json`` has the results; this command made them, in some ten minutes:

    PYTHONPATH=container_src python -m sagemaker_rl.report.optimum
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Dynamics = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
"""(position, velocity, action), which broadcast -> position and velocity after it, reward, whether it ended."""

DATA = Path(__file__).with_name("optimum.json")
COMMAND = "python -m sagemaker_rl.report.optimum"
PATIENCE = 10_000
"""Steps after which an episode ends."""
START_POSITIONS = (-0.6, -0.4)
"""Start positions are uniform between them, the velocity is 0."""
FIRST_SWEEPS = 1_000
"""Until the values of the policy that the iteration begins with have spread over the grid."""
MIN_POSITION, MAX_POSITION, MAX_SPEED = -1.2, 0.6, 0.07
FORCE, GRAVITY = 0.001, 0.0025
"""Of the discrete car: velocity gained in a step by pushing, and by falling freely."""
POWER = 0.0015
"""Of the continuous car: velocity gained in a step by a force of 1."""


def _move(position: np.ndarray, velocity: np.ndarray, push: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    velocity = np.clip(velocity + push - GRAVITY * np.cos(3 * position), -MAX_SPEED, MAX_SPEED)
    position = np.clip(position + velocity, MIN_POSITION, MAX_POSITION)
    return position, np.where((position == MIN_POSITION) & (velocity < 0), 0.0, velocity)


def _discrete(
    position: np.ndarray, velocity: np.ndarray, action: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    position, velocity = _move(position, velocity, (action - 1) * FORCE)
    ended = (position >= 0.5) & (velocity >= 0)
    return position, velocity, np.full(position.shape, -1.0), ended


def _continuous(
    position: np.ndarray, velocity: np.ndarray, action: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    force = np.clip(action, -1, 1)
    position, velocity = _move(position, velocity, force * POWER)
    ended = (position >= 0.45) & (velocity >= 0)
    # gym rounds this car's state.
    position, velocity = (x.astype(np.float32).astype(np.float64) for x in (position, velocity))
    return position, velocity, 100.0 * ended - 0.1 * action**2, ended


@dataclass(frozen=True)
class Problem:
    """A car with a flag, as gym 0.25.2 has it."""

    step: Dynamics
    actions: np.ndarray
    """Those that the value iteration chooses from."""
    rollout_actions: np.ndarray
    """Those that the greedy policy chooses from."""
    flag: float
    """Position of the flag: the grid ends there."""
    prices: tuple[float, ...] = (0.0,)
    """Of a step, to try."""
    nodes: tuple[int, int] = (720, 560)
    """Of the grid, over position and over velocity."""


def _forces(count: int) -> np.ndarray:
    """Return forces from -1 to 1, closer to each other where they are small: the patient car's are."""
    line = np.linspace(-1, 1, count)
    return np.sign(line) * line**2


PROBLEMS = {
    "PatientMountainCar": Problem(_discrete, np.arange(3.0), np.arange(3.0), 0.5, nodes=(1440, 1120)),
    "PatientContinuousMountainCar": Problem(_continuous, _forces(41), _forces(161), 0.45, (1e-5, 2e-5)),
}


@dataclass(frozen=True)
class Grid:
    """Nodes over position and velocity, evenly spaced; a value per node, float64 ``[positions, velocities]``."""

    positions: np.ndarray
    velocities: np.ndarray

    @classmethod
    def of(cls, problem: Problem, positions: int, velocities: int) -> "Grid":
        return cls(np.linspace(MIN_POSITION, problem.flag, positions), np.linspace(-MAX_SPEED, MAX_SPEED, velocities))

    def locate(self, position: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the nodes around each state, as indices into the flattened values, and their weights; both [4, …]."""
        low_p, weight_p = _between(self.positions, position)
        low_v, weight_v = _between(self.velocities, velocity)
        corner = low_p * len(self.velocities) + low_v
        nodes = np.stack([corner, corner + 1, corner + len(self.velocities), corner + len(self.velocities) + 1])
        weights = np.stack(
            [
                (1 - weight_p) * (1 - weight_v),
                (1 - weight_p) * weight_v,
                weight_p * (1 - weight_v),
                weight_p * weight_v,
            ]
        )
        return nodes, weights

    def interpolate(self, values: np.ndarray, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Return the bilinear interpolation of ``values`` at each state."""
        nodes, weights = self.locate(position, velocity)
        return np.asarray((values.ravel()[nodes] * weights).sum(axis=0))


def _between(nodes: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    place = np.clip((x - nodes[0]) / (nodes[1] - nodes[0]), 0, len(nodes) - 1)
    low = np.minimum(place.astype(np.int64), len(nodes) - 2)
    return low, place - low


def action_values(
    step: Dynamics, grid: Grid, values: np.ndarray, action: np.ndarray, position: np.ndarray, velocity: np.ndarray
) -> np.ndarray:
    """Return the reward of an action plus the value of where it leads: Bellman's right side, undiscounted."""
    position, velocity, reward, ended = step(position, velocity, action)
    return np.asarray(reward + np.where(ended, 0.0, grid.interpolate(values, position, velocity)))


def iterate_values(
    step: Dynamics,
    grid: Grid,
    actions: np.ndarray,
    sweeps: int,
    price: float = 0.0,
    between_improvements: int = 100,
    tolerance: float = 0.0,
) -> np.ndarray:
    """Return the values of the states of ``grid``, float64 ``[positions, velocities]``.

    Args:
        step: of the environment, undiscounted; an episode that has ended has nothing to gain.
        grid: where states are.
        actions: to choose from.
        sweeps: about so many, at most.
        price: of a step, taken off its reward.
        between_improvements: sweeps that only evaluate the policy of the last improvement; 0 is plain value iteration.
        tolerance: an improvement that changes no value by more is the last.
    """
    position, velocity = (axis.ravel() for axis in np.meshgrid(grid.positions, grid.velocities, indexing="ij"))
    # Pushing the way it rolls gets a car to its flag from everywhere. Begun with nothing, values would have to spread
    # from the flag, step by step, to states that know of no reason to move.
    chosen = np.where(velocity < 0, actions.min(), actions.max())
    values = np.zeros(position.size)
    done = 0
    change = np.inf
    while done < sweeps and change > tolerance:
        reached_position, reached_velocity, reward, ended = step(position, velocity, chosen)
        nodes, weights = grid.locate(reached_position, reached_velocity)
        weights = weights * ~ended
        for _ in range(between_improvements if done else max(FIRST_SWEEPS, between_improvements)):
            values = reward - price + np.einsum("ij,ij->j", values[nodes], weights)
        best = np.full(position.size, -np.inf)
        for action in actions:
            worth = action_values(step, grid, values, np.full(position.size, action), position, velocity) - price
            better = worth > best
            best[better], chosen[better] = worth[better], action
        change = float(np.abs(best - values).max())
        values = best
        done += between_improvements + 1
    return values.reshape(len(grid.positions), len(grid.velocities))


def play(
    problem: Problem, grid: Grid, values: np.ndarray, starts: np.ndarray, patience: int = PATIENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Play the greedy policy from each start position, at rest; return the returns and the numbers of steps."""
    position, velocity = starts.astype(np.float64), np.zeros(len(starts))
    returns, steps, running = np.zeros(len(starts)), np.zeros(len(starts), dtype=np.int64), np.arange(len(starts))
    for _ in range(patience):
        worth = action_values(
            problem.step, grid, values, problem.rollout_actions[:, None], position[None], velocity[None]
        )
        action = problem.rollout_actions[worth.argmax(axis=0)]
        position, velocity, reward, ended = problem.step(position, velocity, action)
        returns[running] += reward
        steps[running] += 1
        position, velocity, running = position[~ended], velocity[~ended], running[~ended]
        if not running.size:
            break
    return returns, steps


@dataclass(frozen=True)
class Optimum:
    """What the greedy policy of the dynamic programming reaches.

    ``returns`` and ``steps`` are by start position; ``mean`` and ``std`` are over the start states' distribution.
    """

    mean: float
    std: float
    starts: np.ndarray
    returns: np.ndarray
    steps: np.ndarray

    def at(self, starts: np.ndarray) -> np.ndarray:
        """Return the returns from other start positions, interpolated."""
        return np.asarray(np.interp(starts, self.starts, self.returns))


@cache
def _data() -> dict[str, Any]:
    return dict(json.loads(DATA.read_text(encoding="utf-8"))["environments"])


def of(environment: str) -> Optimum | None:
    """Return the optimum of an environment, by the name of its class or ``module:Class``; None if none is known."""
    known = _data().get(environment.rpartition(":")[2])
    if known is None:
        return None
    starts = np.linspace(*START_POSITIONS, len(known["returns"]))
    return Optimum(known["mean"], known["std"], starts, np.array(known["returns"]), np.array(known["steps"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coarser", type=int, default=1, metavar="TIMES", help="a grid of fewer nodes (%(default)s)")
    parser.add_argument("--sweeps", type=int, default=8_000, help="at most, about (%(default)s)")
    parser.add_argument("--starts", type=int, default=401, help="start positions (%(default)s)")
    parser.add_argument("--output", type=Path, default=DATA, help="(%(default)s)")
    arguments = parser.parse_args()
    environments = {}
    starts = np.linspace(*START_POSITIONS, arguments.starts)
    for name, problem in PROBLEMS.items():
        started = time.monotonic()
        grid = Grid.of(problem, *(nodes // arguments.coarser + 1 for nodes in problem.nodes))
        found = []
        for price in problem.prices:
            values = iterate_values(problem.step, grid, problem.actions, arguments.sweeps, price, tolerance=1e-6)
            found.append((price, *play(problem, grid, values, starts)))
        price, returns, steps = max(found, key=lambda one: one[1].mean())
        environments[name] = {
            "mean": round(math.fsum(returns) / len(returns), 4),
            "std": round(float(returns.std()), 4),
            "returns": np.round(returns, 4).tolist(),
            "steps": steps.tolist(),
            "price_of_a_step": price,
        }
        seconds = time.monotonic() - started
        print(f"{name}: {environments[name]['mean']} +- {environments[name]['std']}, {seconds:.0f} s", flush=True)
    arguments.output.write_text(json.dumps({"command": COMMAND, "environments": environments}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
