"""Going on in an episode of an environment that nobody has written down: its random streams at the start, and actions.

A state holds no foreign object. Where an environment draws from generators of its own, a new instance of it that gets
their states and plays the same actions is where the other one was; whether it is, is seen by its observation and by
what its generators are then.
"""

from collections.abc import Callable, Iterator
from typing import Any

import gym
import numpy as np

from sagemaker_rl.training import random_streams
from sagemaker_rl.training.state_file import State

LONGEST = 20_000
"""Steps of an episode: one that is longer is not replayed, and begins anew."""


class EpisodeReplay:
    """Notes what the episode of one environment begins with and the actions in it.

    Args:
        env: a CheckedEnv.
        reseed: seeds it as when it was made; None if it has no seed, and its first episode cannot be replayed.
    """

    def __init__(self, env: Any, reseed: Callable[[], None] | None) -> None:
        self.env = env
        self._reseed = reseed
        self._episodes = 0
        self._streams: State = {}
        self._actions: list[np.ndarray] = []

    def begin(self) -> None:
        """Note what the next ``reset`` begins with."""
        self._streams = streams_of(self.env)
        self._actions = []
        self._episodes += 1

    def add(self, action: Any) -> None:
        """Note an action."""
        if len(self._actions) <= LONGEST:
            self._actions.append(np.array(action))

    def state(self) -> State:
        """Return the episode's beginning, its actions, and the generators as they are now."""
        return {
            "episodes": self._episodes,
            "begun": self._streams,
            "actions": np.array(self._actions),
            "now": streams_of(self.env),
        }

    def restore(self, state: State, observation: np.ndarray) -> bool:
        """Play an episode up to where it was; return whether it is there.

        Whether it is or not, the generators are then what they were, and the next episode begins as it would have.

        Args:
            state: as ``state`` returned it.
            observation: the one that was acted on next, float32.
        """
        self._episodes = int(state["episodes"])
        is_there = len(state["actions"]) <= LONGEST and self._play(state, observation)
        set_streams(self.env, state["now"])
        return is_there

    def _play(self, state: State, observation: np.ndarray) -> bool:
        if self._episodes == 1:
            if self._reseed is None:
                return False
            self._reseed()
        else:
            set_streams(self.env, state["begun"])
        self._streams, self._actions = state["begun"], list(state["actions"])
        try:
            seen = self.env.reset()
            for action in self._actions:
                seen, _, done, _ = self.env.step(action)
                if done:
                    return False
        except Exception:  # an environment that is not what it was may raise anything
            return False
        same = np.array_equal(np.asarray(seen, dtype=np.float32), observation, equal_nan=True)
        return same and random_streams.are_equal(streams_of(self.env), state["now"])


def streams_of(env: Any) -> State:
    """Return the states of the generators of an environment, of its wrappers and of its spaces, by their paths."""
    return {path: random_streams.state_of(stream) for path, stream in _streams(env)}


def set_streams(env: Any, states: State) -> None:
    """Give the generators of an environment the states that ``streams_of`` returned; one that is missing stays."""
    for path, stream in _streams(env):
        if path in states:
            random_streams.restore(stream, states[path])


def _streams(env: Any) -> Iterator[tuple[str, random_streams.Stream]]:
    layer: Any = env
    depth = 0
    while layer is not None:
        attributes = getattr(layer, "__dict__", {})
        for name, value in attributes.items():
            if isinstance(value, random_streams.STREAMS) and value not in random_streams.GLOBAL.values():
                yield f"{depth}.{name}", value
            elif isinstance(value, gym.Space) and isinstance(
                generator := vars(value).get("_np_random"), random_streams.STREAMS
            ):
                yield f"{depth}.{name}._np_random", generator
        layer, depth = attributes.get("env"), depth + 1
