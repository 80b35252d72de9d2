"""The final score of every system: its deterministic policy played from the same 100 start positions.

As a script, it plays a policy artifact of ours: ``unseen_starts.py MODEL_FOLDER continuous``.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from events import emit

SEED_OF_STARTS = 20_261_122
"""Of the start positions, which no system trains on except by chance."""
EPISODES = 100

Act = Callable[[np.ndarray], np.ndarray]
"""Observations, float32 ``(cars, 2)``, to the policy's best actions: floats ``(cars, 1)`` or integers ``(cars,)``."""


def unseen_starts() -> np.ndarray:
    """Return the start positions, ``(100,)``; the velocity is 0, as in the environment's own starts."""
    return draw_starts(np.random.default_rng(SEED_OF_STARTS), EPISODES)


def draw_starts(random: np.random.Generator, episodes: int) -> np.ndarray:
    """Return start positions of the environment's own distribution, ``(episodes,)``."""
    return random.uniform(-0.6, -0.4, episodes)


def play(make_env: Callable[[], Any], act: Act, starts: Sequence[float] | np.ndarray) -> list[float]:
    """Play one episode from each start, all in step so that the policy answers for all cars at once.

    Args:
        make_env: makes a Mountain Car of gym (0.25: ``step`` gives 4 values) or gymnasium (5), with its time limit.
        act: the policy.
        starts: positions, velocity 0.

    Returns:
        The undiscounted returns, in the order of ``starts``.
    """
    envs = [make_env() for _ in starts]
    for env, position in zip(envs, starts, strict=True):
        env.reset()
        env.unwrapped.state = np.array([position, 0.0])
    observations = np.array([(position, 0.0) for position in starts], dtype=np.float32)
    returns = np.zeros(len(envs))
    running = np.arange(len(envs))
    while len(running):
        still_running = []
        for index, action in zip(running, act(observations[running]), strict=True):
            observations[index], reward, *ended, _ = envs[index].step(action)
            returns[index] += reward
            still_running.append(not any(ended))
        running = running[still_running]
    return [float(episode_return) for episode_return in returns]


def main() -> None:
    """Play the policy artifact in a job's model folder."""
    import patient_envs
    from sagemaker_rl.policy.artifact import Policy

    folder, car = sys.argv[1:]
    policy = Policy.load(Path(folder))
    make_env = {
        "continuous": patient_envs.PatientContinuousMountainCar,
        "discrete": patient_envs.PatientMountainCar,
    }[car]
    emit("final", returns=play(make_env, policy.actions, unseen_starts()))


if __name__ == "__main__":
    main()
