"""The two Mountain Cars with patience: gym's classic-control environments with 10,000 steps per episode.

The car's problem is A. Moore's ("Efficient Memory-Based Learning for Robot Control", 1990); dynamics and rewards are
gym 0.25's own (https://github.com/openai/gym/tree/0.25.2/gym/envs/classic_control). Both observe
``[position, velocity]`` (float32, shape ``(2,)``; position in [-1.2, 0.6], velocity in [-0.07, 0.07] per step).
"""

from gym.envs.classic_control import Continuous_MountainCarEnv, MountainCarEnv
from gym.wrappers import TimeLimit

PATIENCE = 10_000
"""Environment steps after which an episode is cut off, in place of gym's 200 and 999."""


def PatientMountainCar() -> TimeLimit:  # noqa: N802 - the name users know, used like a class
    """Return the car with discrete actions: 0 pushes left, 1 coasts, 2 pushes right; -1 per environment step."""
    return TimeLimit(MountainCarEnv(), max_episode_steps=PATIENCE)


def PatientContinuousMountainCar() -> TimeLimit:  # noqa: N802
    """Return the car with one continuous action, the push in [-1, 1] (float32, shape ``(1,)``).

    The reward of a step is ``-0.1 * push**2``, and 100 more on reaching the flag.
    """
    return TimeLimit(Continuous_MountainCarEnv(), max_episode_steps=PATIENCE)
