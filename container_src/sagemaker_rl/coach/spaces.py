"""The spaces of gym, and of gymnasium, that an agent can be trained on, and what lies between them and the agent.

An agent of Coach chooses an index, ``0`` to ``n - 1``, or a vector of bounded numbers. An environment's own actions may
start elsewhere, be whole numbers, or have another shape: Actions translates. docs/environments.md has the table of all
spaces.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import gym
import numpy as np

from sagemaker_rl.coach.interfaces import as_gym_space
from sagemaker_rl.errors import InputError, shorten

LARGEST_INTEGER = 2**53
"""Every whole number up to this is a float64."""
VECTOR_OR_PICTURE = frozenset({1, 3})
"""How many dimensions an observation may have, where the preset does not say what they are."""


def describe_space(space: Any) -> str:
    """Return a space as it prints itself; one of neither gym nor gymnasium with the package that it is from."""
    package = type(space).__module__.partition(".")[0]
    of_another = isinstance(getattr(space, "shape", None), tuple) and package not in ("gym", "gymnasium")
    of_another = of_another and not isinstance(space, gym.Space)  # a user's own class
    return shorten(space) + (f" of the package {package}" if of_another else "")


# --- Actions ---------------------------------------------------------------------------------------------------------
class Actions(Protocol):
    """What an environment takes as actions, and what the agent sees of it."""

    own_space: Any
    """The environment's."""
    agent_space: Any
    """The agent's: Discrete from 0, or a Box of one dimension."""

    def to_environment(self, action: Any) -> Any:
        """Return the environment's own action for one of the agent's; ``own_space`` contains it."""

    def cast(self, own_action: Any) -> Any:
        """Return an action of the environment, perhaps of another dtype, so that ``own_space`` contains it."""


class DiscreteActions:
    """``Discrete(n, start)``: the agent's index counts from 0, the environment's action from ``start``."""

    def __init__(self, space: gym.spaces.Discrete) -> None:
        self.own_space = space
        self.start = int(space.start)
        self.agent_space = gym.spaces.Discrete(int(space.n))

    def to_environment(self, action: Any) -> int:
        """Return the action with an index."""
        return int(action) + self.start

    def cast(self, own_action: Any) -> int:
        """Return the action as Python's integer."""
        return int(own_action)


class BoxActions:
    """A bounded Box: the agent's action is a vector, the environment's has the shape and dtype of the space.

    The numbers of a vector are in the order of memory; those of a Box of integers are rounded.
    """

    def __init__(self, space: Any) -> None:
        self.own_space = space
        self.integer = space.dtype.kind != "f"
        dtype = np.dtype(np.float64) if self.integer else np.promote_types(space.dtype, np.float32)
        self._low, self._high = space.low.astype(dtype), space.high.astype(dtype)
        self.agent_space = gym.spaces.Box(self._low.ravel(), self._high.ravel(), dtype=dtype.type)

    def to_environment(self, action: Any) -> np.ndarray:
        """Return the action for a vector of numbers."""
        values = np.reshape(action, self.own_space.shape)
        if self.integer:
            values = np.rint(values)
        return self.cast(values)

    def cast(self, own_action: Any) -> np.ndarray:
        """Return the action in the dtype of the space, within its bounds: a bound may be no float32."""
        return np.minimum(np.maximum(own_action, self._low), self._high).astype(self.own_space.dtype)


def check_action_space(space: Any, level: str) -> Actions:
    """Return how to act in an action space.

    Args:
        space: the environment's.
        level: the environment as the preset calls it.

    Raises:
        InputError: No agent can be trained on such actions.
    """
    expected = "Box or Discrete"
    space = as_gym_space(space)
    if isinstance(space, gym.spaces.Discrete):
        return DiscreteActions(space)
    if isinstance(space, gym.spaces.Box):
        if not space.shape or not all(space.shape):
            expected = "a Box of one dimension or more, none of them empty"
        elif not _is_bounded(space):
            expected = "a Box whose bounds are finite on both sides"
        elif (space.low > space.high).any():
            expected = "a Box with no lower bound above the upper one"
        else:
            return BoxActions(space)
    raise InputError(f"Environment {level} has the action space {describe_space(space)}, expected {expected}.")


def _is_bounded(space: Any) -> bool:
    """Tell whether both bounds are finite, and so close that their difference is, too."""
    floating = space.dtype.kind == "f"
    largest = float(np.finfo(np.promote_types(space.dtype, np.float32)).max) / 2 if floating else LARGEST_INTEGER
    bounds = np.stack([space.low, space.high]).astype(np.float64)
    return bool(space.is_bounded() and (np.abs(bounds) <= largest).all())


# --- Observations ----------------------------------------------------------------------------------------------------
class Observations(Protocol):
    """What an environment gives as observations."""

    space: Any
    """The agent's view of the space."""

    def check(self, observation: Any, when: str) -> Any:
        """Return a copy of an observation, as the agent takes it.

        Args:
            observation: what the environment gave.
            when: it did, for messages: ``in reset()``.

        Raises:
            InputError: It is no finite observation of the space.
        """


class BoxObservations:
    """Arrays of numbers, of the shape of a Box."""

    def __init__(self, space: gym.spaces.Box, level: str, entry: str = "") -> None:
        self.space = space
        self._who = f"Environment {level} gave"
        self._field = f"observation {entry!r}" if entry else "observation"
        self._expected = f"an array of the shape {space.shape}"

    def check(self, observation: Any, when: str) -> np.ndarray:
        """Return a copy: an environment may change its own in place, when Coach has stored it."""
        array = self._as_array(observation, when)
        if array.shape != self.space.shape:
            raise InputError(
                f"{self._who} an {self._field} of the shape {array.shape} {when}, expected {self.space.shape}."
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                f"{self._who} the {self._field} {shorten(array.tolist())} {when}, expected finite numbers."
            )
        return array

    def _as_array(self, observation: Any, when: str) -> np.ndarray:
        if isinstance(observation, tuple) and any(item is None or isinstance(item, dict) for item in observation):
            types = ", ".join(type(item).__name__ for item in observation)
            raise InputError(
                f"{self._who} a tuple ({types}) as {self._field} {when}, expected {self._expected}, "
                "or in reset() the pair (observation, info)."
            )
        try:
            array = np.array(observation, dtype=None if hasattr(observation, "dtype") else np.float64)
        except (TypeError, ValueError):
            array = np.array(None)
        if observation is None or array.dtype.kind not in "biuf":
            raise InputError(f"{self._who} the {self._field} {shorten(observation)} {when}, expected {self._expected}.")
        return array


class DictObservations:
    """Dictionaries of arrays, each entry of a Box."""

    def __init__(self, entries: Mapping[str, BoxObservations], level: str) -> None:
        self.space = gym.spaces.Dict({name: entry.space for name, entry in entries.items()})
        self._entries = entries
        self._level = level

    def check(self, observation: Any, when: str) -> dict[str, np.ndarray]:
        """Return a dictionary of copies."""
        names = list(self._entries)
        if not isinstance(observation, Mapping) or not all(name in observation for name in names):
            given = list(observation) if isinstance(observation, Mapping) else type(observation).__name__
            raise InputError(
                f"Environment {self._level} gave the observation {shorten(given)} {when}, "
                f"expected a dictionary of {', '.join(map(repr, names))}."
            )
        return {name: entry.check(observation[name], when) for name, entry in self._entries.items()}


class OneEntryObservations:
    """Dictionaries whose one entry is ``observation``, which is what the agent sees."""

    def __init__(self, entries: DictObservations) -> None:
        self.space = entries.space["observation"]
        self._entries = entries

    def check(self, observation: Any, when: str) -> np.ndarray:
        """Return a copy of the entry."""
        return self._entries.check(observation, when)["observation"]


def check_observation_space(
    space: Any, level: str, dimensions: frozenset[int] | None = VECTOR_OR_PICTURE
) -> Observations:
    """Return how observations of a space are checked.

    Args:
        space: the environment's.
        level: the environment as the preset calls it.
        dimensions: how many dimensions an observation may have; None for any number.

    Raises:
        InputError: No agent can be trained on such observations.
    """
    space = as_gym_space(space)
    if isinstance(space, gym.spaces.Box) and _is_trainable(space, dimensions):
        return BoxObservations(space, level)
    if isinstance(space, gym.spaces.Dict) and all(
        isinstance(entry, gym.spaces.Box) and _is_trainable(entry, dimensions) for entry in space.spaces.values()
    ):
        entries = {name: BoxObservations(entry, level, name) for name, entry in space.spaces.items()}
        observations = DictObservations(entries, level)
        return OneEntryObservations(observations) if list(entries) == ["observation"] else observations
    expected = "of one dimension or more" if dimensions is None else "of one or three dimensions"
    raise InputError(
        f"Environment {level} has the observation space {describe_space(space)}, "
        f"expected a Box {expected}, or a Dict of them."
    )


def _is_trainable(space: gym.spaces.Box, dimensions: frozenset[int] | None) -> bool:
    if not space.shape or not all(space.shape):
        return False
    return dimensions is None or len(space.shape) in dimensions
