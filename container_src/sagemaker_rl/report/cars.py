"""The two Mountain Cars as gym 0.25.2 has them, and what the report calls their states and actions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Dynamics = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
"""(position, velocity, action), arrays that broadcast -> next position, next velocity, reward, done."""

PATIENCE = 10_000
"""Environment steps after which an episode ends (``patient_envs.py``)."""
START_POSITIONS = (-0.6, -0.4)
"""An episode starts at rest, at a position drawn uniformly between these."""
MIN_POSITION, MAX_POSITION, MAX_SPEED = -1.2, 0.6, 0.07
GRAVITY = 0.0025
FORCE = 0.001
"""Velocity that the discrete car gains in a step by pushing."""
POWER = 0.0015
"""Velocity that the continuous car gains in a step by a force of 1."""


@dataclass(frozen=True)
class Car:
    """A Mountain Car.

    Attributes:
        step: its dynamics.
        flag: position of the flag.
        action_title: what its action is called.
        action_names: of a discrete car, what each action is called; empty for a continuous one.
    """

    step: Dynamics
    flag: float
    action_title: str
    action_names: tuple[str, ...] = ()


def _move(position: np.ndarray, velocity: np.ndarray, push: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    velocity = np.clip(velocity + push - GRAVITY * np.cos(3 * position), -MAX_SPEED, MAX_SPEED)
    position = np.clip(position + velocity, MIN_POSITION, MAX_POSITION)
    return position, np.where((position == MIN_POSITION) & (velocity < 0), 0.0, velocity)


def _step_discrete(
    position: np.ndarray, velocity: np.ndarray, action: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    position, velocity = _move(position, velocity, (action - 1) * FORCE)
    done = (position >= 0.5) & (velocity >= 0)
    return position, velocity, np.full(position.shape, -1.0), done


def _step_continuous(
    position: np.ndarray, velocity: np.ndarray, action: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    force = np.clip(action, -1, 1)
    position, velocity = _move(position, velocity, force * POWER)
    done = (position >= 0.45) & (velocity >= 0)
    # gym keeps this car's state as float32.
    position, velocity = (x.astype(np.float32).astype(np.float64) for x in (position, velocity))
    return position, velocity, 100.0 * done - 0.1 * action**2, done


CARS = {
    "PatientMountainCar": Car(
        _step_discrete,
        flag=0.5,
        action_title="Action (0 left, 1 none, 2 right)",
        action_names=("push left", "coast", "push right"),
    ),
    "PatientContinuousMountainCar": Car(_step_continuous, flag=0.45, action_title="Force"),
}
"""Class name of the environment -> its car."""
STATE_NAMES = ("Position", "Velocity")
"""The two dimensions of a car's observation."""
