"""The interfaces of gym and gymnasium, recognised by what an environment takes and gives.

================================  ===========================================  ==========================
of                                ``reset()``                                  ``step(action)``
================================  ===========================================  ==========================
gym 0.21 to 0.25                  observation                                  observation, reward, done, info
gym 0.25, ``new_step_api``        observation                                  as gymnasium
gym 0.26, gymnasium               observation and info; takes ``seed``         observation, reward, terminated,
                                                                               truncated, info
================================  ===========================================  ==========================

Whose class an environment is does not say which it speaks: one for gym 0.26 is a class of the gym 0.25 that is
installed, and wrappers of gym 0.25 turn five values into four.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any

import gym
import numpy as np

from sagemaker_rl.errors import InputError, shorten

TRUNCATED = "TimeLimit.truncated"
"""In the info of an episode's last step: whether a time limit has ended it, as gym 0.21 to 0.25 say it."""
BASES = ("gym.core", "gymnasium.core")
"""Modules whose classes every environment has as bases."""


class Interface:
    """gym 0.25's interface to an environment of any of them. What is given is not looked into: see CheckedEnv."""

    def __init__(self, env: Any, level: str) -> None:
        """Wrap an environment.

        Args:
            env: of gym or gymnasium, or of no base class at all.
            level: as the preset calls it, for messages.
        """
        self.env = env
        self.level = level
        self._base = getattr(env, "unwrapped", env)
        self._seed: int | None = None
        self._gives_info = False
        """Whether ``reset`` gives the observation and info."""
        self._gives_five = False
        """Whether ``step`` gives five values."""

    def seed(self, seed: int | None) -> None:
        """Begin the random numbers anew: by the method ``seed``, if there is one, and by the next ``reset``."""
        if hasattr(self.env, "seed") and hasattr(self._base, "seed"):  # gym's wrappers have one around anything
            self.env.seed(seed)
        self._seed = seed if _resets_with_seed(self.env) else None

    def reset(self) -> Any:
        """Begin an episode; return the observation alone."""
        seed, self._seed = self._seed, None
        result = self.env.reset() if seed is None else self.env.reset(seed=seed)
        self._gives_info = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)
        return result[0] if self._gives_info else result

    def step(self, action: Any, when: str) -> tuple[Any, Any, bool, Any]:
        """Take a step.

        Args:
            action: the environment's own.
            when: for messages: ``in its step 1``.

        Returns:
            Observation, reward, whether the episode has ended, and info, with ``TimeLimit.truncated`` in it if the
            environment tells truncation from termination and the episode has ended.

        Raises:
            InputError: There are not four or five values, or those that say whether it has ended do not say it.
        """
        result = self.env.step(action)
        if not isinstance(result, tuple | list) or len(result) not in (4, 5):
            given = f"{len(result)} values" if isinstance(result, tuple | list) else shorten(result)
            raise InputError(
                f"Environment {self.level} gave {given} {when}, expected 4 (observation, reward, done, info) "
                "or 5 (observation, reward, terminated, truncated, info)."
            )
        self._gives_five = len(result) == 5
        if not self._gives_five:
            if self._gives_info and self._base is self.env:  # a wrapper of gym 0.25 makes four values of five
                raise InputError(
                    f"Environment {self.level} gave 4 values {when}, but (observation, info) in reset(), expected "
                    "5 (observation, reward, terminated, truncated, info), or in reset() the observation alone."
                )
            observation, reward, done, info = result
            return observation, reward, self._flag("done", done, when), info
        observation, reward, terminated, truncated, info = result
        terminated = self._flag("terminated", terminated, when)
        truncated = self._flag("truncated", truncated, when)
        if isinstance(info, dict) and (terminated or truncated):
            info = {**info, TRUNCATED: truncated and not terminated}
        return observation, reward, terminated or truncated, info

    def render(self, mode: str) -> Any:
        """Return what the environment draws: with the mode, where ``render`` takes one or the interface asks for it."""
        render_mode = getattr(self._base, "render_mode", None)
        without_mode = self._gives_info or self._gives_five or render_mode is not None
        if without_mode and not _takes(_undecorated(self._base.render), "mode"):
            return self.env.render()
        return self.env.render(mode=mode)

    def _flag(self, name: str, value: Any, when: str) -> bool:
        if isinstance(value, bool | np.bool_):
            return bool(value)
        flag = np.asarray(value)
        if flag.size != 1 or flag.dtype.kind not in "biuf" or flag.item() not in (0, 1):
            raise InputError(
                f"Environment {self.level} gave {name} as {shorten(value)} {when}, expected True or False."
            )
        return bool(flag.item())


def draws(env: Any) -> bool:
    """Tell whether an environment has a ``render`` that is not that of gym's or gymnasium's base class."""
    classes = type(getattr(env, "unwrapped", env)).__mro__
    return any("render" in vars(cls) for cls in classes if cls.__module__ not in BASES)


def as_gym_space(space: Any) -> Any:
    """Return a space of gymnasium as gym's, which Coach knows: Box, Discrete, or a Dict of such; another as it is."""
    gymnasium = sys.modules.get("gymnasium")
    if gymnasium is None:  # then nobody has made such a space
        return space
    spaces = gymnasium.spaces
    if isinstance(space, spaces.Discrete):
        return gym.spaces.Discrete(int(space.n), start=int(space.start))
    if isinstance(space, spaces.Box):
        box = gym.spaces.Box(space.low, space.high, dtype=space.dtype)
        box.bounded_below, box.bounded_above = space.bounded_below, space.bounded_above  # of integers, too
        return box
    if isinstance(space, spaces.Dict):
        entries = {name: as_gym_space(entry) for name, entry in space.spaces.items()}
        if all(isinstance(entry, gym.Space) for entry in entries.values()):
            return gym.spaces.Dict(entries)
    return space


def _resets_with_seed(env: Any) -> bool:
    """Tell whether ``reset`` takes a seed: the environment's by that name, and each wrapper's around it."""
    while True:
        inner = getattr(env, "__dict__", {}).get("env")
        if not _takes(env.reset, "seed", or_any=inner is not None):
            return False
        if inner is None:
            return True
        env = inner


def _takes(function: Callable[..., Any], name: str, or_any: bool = False) -> bool:
    """Tell whether a function has a parameter of this name; with ``or_any`` also whether it takes any name."""
    parameters = inspect.signature(function).parameters
    return name in parameters or (
        or_any and any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    )


def _undecorated(render: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method that gym 0.25's ``Env`` has put its own in place of (gym/core.py:35), to warn of ``mode``."""
    function = getattr(render, "__func__", None)
    if not inspect.isfunction(function):
        return render
    wrapped: Callable[..., Any] = inspect.getclosurevars(function).nonlocals.get("render_func", render)
    return wrapped
