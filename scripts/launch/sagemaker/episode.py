"""A car driven by an endpoint: one ``POST /invocations`` per environment step."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import httpx
import numpy as np
from gymnasium.envs.classic_control import Continuous_MountainCarEnv, MountainCarEnv
from PIL import Image

from launch.atomic_files import replacing
from launch.cli.errors import JobFailed

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # the cars are drawn by pygame, here without a screen
PATIENCE = 10_000
"""Environment steps of an episode, at most."""
ACTIONS_ONLY = {"X-Amzn-SageMaker-Custom-Attributes": "output=actions"}


@dataclass(frozen=True)
class Episode:
    """The result of an episode; ``reached_flag`` is false if it ended after ``PATIENCE`` steps."""

    episode_return: float
    steps: int
    reached_flag: bool


def predict(client: httpx.Client, url: str, observations: Any, actions_only: bool = False) -> Any:
    """Return the heads that an endpoint answers for one observation or a batch; with ``actions_only`` the actions.

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
    """Drive one episode of the patient car through the endpoint at ``url``; see ``drive_with``.

    Raises:
        JobFailed: The endpoint answered with an error, or not at all.
    """
    return drive_with(lambda observation: predict(client, url, observation, actions_only=True)[0], continuous, seed)


def drive_with(
    act: Callable[[list[float]], Any],
    continuous: bool,
    seed: int,
    on_step: Callable[[gymnasium.Env], Any] | None = None,
) -> Episode:
    """Drive one episode of the patient car.

    Args:
        act: returns the action for an observation (position, velocity).
        continuous: whether it is the car with continuous actions.
        seed: of the start state.
        on_step: called with the environment at the start and after every step.
    """
    environment_class = Continuous_MountainCarEnv if continuous else MountainCarEnv
    car: gymnasium.Env = environment_class(render_mode="rgb_array" if on_step else None)
    observation, _ = car.reset(seed=seed)
    if on_step:
        on_step(car)
    episode_return = 0.0
    for step in range(1, PATIENCE + 1):
        # float() of a float32 keeps all digits: the endpoint gets exactly the observation of the environment.
        action = act([float(value) for value in np.asarray(observation, dtype=np.float32)])
        observation, reward, reached_flag, *_ = car.step(np.array(action, dtype=np.float32) if continuous else action)
        episode_return += float(reward)
        if on_step:
            on_step(car)
        if reached_flag:
            return Episode(episode_return, step, True)
    return Episode(episode_return, PATIENCE, False)


class EpisodeGif:
    """Collects frames of an episode for a GIF: of every step at first, later of every second, fourth and so on."""

    MAX_FRAMES = 200

    def __init__(self) -> None:
        self._frames: list[Image.Image] = []
        self._steps = 0
        self._interval = 1

    def add_frame(self, car: gymnasium.Env) -> None:
        """Count a step, and render it if the interval is over; halve the frames when they are too many."""
        if self._steps % self._interval == 0:
            frame = Image.fromarray(np.asarray(car.render()))
            self._frames.append(frame.resize((300, 200)))
            if len(self._frames) > self.MAX_FRAMES:
                self._frames = self._frames[::2]
                self._interval *= 2
        self._steps += 1

    def save(self, path: Path) -> None:
        """Write the GIF, which lasts at most 8 seconds."""
        first, *others = self._frames
        with replacing(path) as staged:
            first.save(staged, format="GIF", save_all=True, append_images=others, duration=40, loop=0)
