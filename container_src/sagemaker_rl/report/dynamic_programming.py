"""Dynamic programming over position and velocity, for both cars.

Value iteration (Bellman 1957; Sutton & Barto, "Reinforcement Learning", 2nd edition, section 4.4) on a grid, with
bilinear interpolation between its nodes. Between two improvements of the policy many sweeps only evaluate it (modified
policy iteration, Puterman & Shin 1978): the same fixed point in a fraction of the time.
"""

from dataclasses import dataclass

import numpy as np

from sagemaker_rl.report.cars import MAX_SPEED, MIN_POSITION, PATIENCE, Car, Dynamics

FIRST_SWEEPS = 1_000
"""Sweeps that evaluate the policy that the iteration begins with: its values have to spread over the whole grid."""


@dataclass(frozen=True)
class Problem:
    """A car, and how its best policy is searched for.

    Attributes:
        car: the car.
        actions: those that the value iteration chooses from.
        rollout_actions: those that the greedy policy chooses from.
        prices: the prices of a step to try (see ``optimum.py``).
        intervals: of the grid, over position and over velocity.
    """

    car: Car
    actions: np.ndarray
    rollout_actions: np.ndarray
    prices: tuple[float, ...] = (0.0,)
    intervals: tuple[int, int] = (720, 560)


@dataclass(frozen=True)
class Grid:
    """Evenly spaced nodes over position and velocity. Values of states are float64 ``(positions, velocities)``."""

    positions: np.ndarray
    velocities: np.ndarray

    @classmethod
    def covering(cls, car: Car, positions: int, velocities: int) -> "Grid":
        """Return the grid with so many nodes over the states of a car; it ends at the flag."""
        return cls(np.linspace(MIN_POSITION, car.flag, positions), np.linspace(-MAX_SPEED, MAX_SPEED, velocities))

    def locate(self, position: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the four nodes around each state, as indices into the flattened values, and their weights.

        Both have shape ``(4, *position.shape)``.
        """
        low_p, weight_p = _locate_between(self.positions, position)
        low_v, weight_v = _locate_between(self.velocities, velocity)
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


def _locate_between(nodes: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the node below each ``x``, and the weight of the node above it."""
    place = np.clip((x - nodes[0]) / (nodes[1] - nodes[0]), 0, len(nodes) - 1)
    low = np.minimum(place.astype(np.int64), len(nodes) - 2)
    return low, place - low


def action_values(
    step: Dynamics, grid: Grid, values: np.ndarray, action: np.ndarray, position: np.ndarray, velocity: np.ndarray
) -> np.ndarray:
    """Return the reward of an action plus the value of the next state: Bellman's right side, undiscounted."""
    position, velocity, reward, done = step(position, velocity, action)
    return np.asarray(reward + np.where(done, 0.0, grid.interpolate(values, position, velocity)))


def iterate_values(
    step: Dynamics,
    grid: Grid,
    actions: np.ndarray,
    sweeps: int,
    price: float = 0.0,
    between_improvements: int = 100,
    tolerance: float = 0.0,
) -> np.ndarray:
    """Return the values of the states of ``grid``, float64 ``(positions, velocities)``.

    Args:
        step: of the environment, undiscounted; after the end of an episode there are no more rewards.
        grid: the states.
        actions: to choose from.
        sweeps: about so many, at most.
        price: of a step, taken off its reward.
        between_improvements: sweeps that only evaluate the policy of the last improvement; 0 is plain value iteration.
        tolerance: the iteration ends when an improvement changes no value by more than this.
    """
    position, velocity = (axis.ravel() for axis in np.meshgrid(grid.positions, grid.velocities, indexing="ij"))
    # The first policy pushes in the direction of motion, which gets a car to its flag from everywhere. From values of
    # zero alone the iteration would need a sweep for every step between a state and the flag.
    policy = np.where(velocity < 0, actions.min(), actions.max())
    values = np.zeros(position.size)
    completed_sweeps = 0
    change = np.inf
    while completed_sweeps < sweeps and change > tolerance:
        evaluations = between_improvements if completed_sweeps else max(FIRST_SWEEPS, between_improvements)
        next_position, next_velocity, reward, done = step(position, velocity, policy)
        nodes, weights = grid.locate(next_position, next_velocity)
        weights = weights * ~done
        for _ in range(evaluations):
            values = reward - price + np.einsum("ij,ij->j", values[nodes], weights)
        best_values = np.full(position.size, -np.inf)
        for action in actions:
            candidate = action_values(step, grid, values, np.full(position.size, action), position, velocity) - price
            better = candidate > best_values
            best_values[better], policy[better] = candidate[better], action
        change = float(np.abs(best_values - values).max())
        values = best_values
        completed_sweeps += between_improvements + 1
    return values.reshape(len(grid.positions), len(grid.velocities))


def play_greedy_policy(
    problem: Problem, grid: Grid, values: np.ndarray, starts: np.ndarray, patience: int = PATIENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Play one episode of the greedy policy from each start position, at rest.

    Args:
        problem: the car, and the actions to choose from.
        grid: the states that have values.
        values: of the states, float64 ``(positions, velocities)``.
        starts: start positions, ``(episodes,)``.
        patience: environment steps after which an episode ends.

    Returns:
        The returns, float64 ``(episodes,)``, and the numbers of environment steps, int64 ``(episodes,)``.
    """
    position, velocity = starts.astype(np.float64), np.zeros(len(starts))
    returns, steps, running = np.zeros(len(starts)), np.zeros(len(starts), dtype=np.int64), np.arange(len(starts))
    for _ in range(patience):
        candidates = action_values(
            problem.car.step, grid, values, problem.rollout_actions[:, None], position[None], velocity[None]
        )
        action = problem.rollout_actions[candidates.argmax(axis=0)]
        position, velocity, reward, done = problem.car.step(position, velocity, action)
        returns[running] += reward
        steps[running] += 1
        position, velocity, running = position[~done], velocity[~done], running[~done]
        if not running.size:
            break
    return returns, steps
