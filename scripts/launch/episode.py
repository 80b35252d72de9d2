"""A car driven by an endpoint: one ``POST /invocations`` per environment step."""

from dataclasses import dataclass
from typing import Any

import gym
import httpx
import numpy as np
from gym.envs.classic_control import Continuous_MountainCarEnv, MountainCarEnv

from launch.errors import JobFailed

PATIENCE = 10_000
ACTIONS_ONLY = {"X-Amzn-SageMaker-Custom-Attributes": "output=actions"}


@dataclass(frozen=True)
class Episode:
    """What became of an episode; ``reached_flag`` is false if patience ran out."""

    episode_return: float
    steps: int
    reached_flag: bool


def predict(client: httpx.Client, url: str, observations: Any, actions_only: bool = False) -> Any:
    """Ask an endpoint about one observation or a batch; return its heads, or with ``actions_only`` the actions.

    Raises:
        JobFailed: It answered with an error, or not at all.
    """
    try:
        response = client.post(f"{url}/invocations", json=observations, headers=ACTIONS_ONLY if actions_only else None)
    except httpx.TransportError as error:
        raise JobFailed(f"The endpoint does not answer: {error or type(error).__name__}.") from None
    if response.status_code != 200:
        raise JobFailed(f"The endpoint answered {response.status_code}: {response.text}")
    return response.json()


def drive(client: httpx.Client, url: str, continuous: bool, seed: int) -> Episode:
    """Drive one episode of the patient car through the endpoint at ``url``.

    Args:
        client: keeps its connection open between steps.
        url: of the endpoint.
        continuous: which of the two cars.
        seed: of the start state.

    Raises:
        JobFailed: The endpoint answered with an error, or not at all.
    """
    car: gym.Env = Continuous_MountainCarEnv() if continuous else MountainCarEnv()
    observation = car.reset(seed=seed)
    episode_return = 0.0
    for step in range(1, PATIENCE + 1):
        # float() of a float32 has all its digits, so the endpoint sees exactly what an agent in the car would.
        (action,) = predict(
            client, url, [float(value) for value in np.asarray(observation, dtype=np.float32)], actions_only=True
        )
        observation, reward, reached_flag, *_ = car.step(np.array(action, dtype=np.float32) if continuous else action)
        episode_return += float(reward)
        if reached_flag:
            return Episode(episode_return, step, True)
    return Episode(episode_return, PATIENCE, False)
