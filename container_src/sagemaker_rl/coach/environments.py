"""A preset's environment: made from its level, its spaces and all that it gives checked."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from sagemaker_rl.coach.frame_skip import tell_frame_skip
from sagemaker_rl.coach.spaces import VECTOR_OR_PICTURE, check_action_space, check_observation_space
from sagemaker_rl.errors import InputError, shorten
from sagemaker_rl.job import outputs
from sagemaker_rl.job.hyperparameters import nearest

LONG_EPISODE = 10_000
"""Environment steps after which an episode that has not ended is said in the log; again after twice as many."""


def find_environment(level: str) -> Callable[..., Any]:
    """Return the class or function that a level ``module:name`` names.

    Raises:
        InputError: There is no such module, or nothing of that name in it.
    """
    from rl_coach.utils import short_dynamic_import

    module, _, name = level.partition(":")
    try:
        return short_dynamic_import(level)
    except ModuleNotFoundError as error:
        reason = f"there is no module {error.name!r}."
    except FileNotFoundError as error:
        reason = f"there is no file {error.filename}."
    except AttributeError as error:
        if error.name != name or not isinstance(error.obj, ModuleType):
            raise  # in the user's own code
        defined = [known for known, value in vars(error.obj).items() if callable(value)]
        reason = f"{module} has no {name}, {nearest(name, defined)}"
    raise InputError(f"Environment {level} cannot be imported: {reason}")


def environment_maker(graph_manager: Any, own_actions: bool = False) -> Callable[[], Any] | None:
    """Return a function that makes the preset's environment, checked; None unless its level is ``module:name``.

    ``name`` is a class, or a function that returns an environment.

    Args:
        graph_manager: the preset's.
        own_actions: whether the environment takes its own actions, as an endpoint gives them; else the agent's.
    """
    level = str(graph_manager.env_params.level)
    if ":" not in level or "/" in level or "." in level:
        return None
    make = find_environment(level)
    watch = EpisodeWatch(level)
    kind = CheckedEnv if own_actions else AgentEnv
    parameters = graph_manager.env_params
    dimensions = dimensions_of(getattr(parameters, "observation_space_type", None))
    return lambda: tell_frame_skip(
        kind(make(**parameters.additional_simulator_parameters), level, dimensions, watch), parameters.frame_skip
    )


def dimensions_of(observation_space_type: Any) -> frozenset[int] | None:
    """Return how many dimensions an observation may have, where a preset says by Coach's type what they are."""
    if observation_space_type is None:
        return VECTOR_OR_PICTURE
    return {"Tensor": None, "Image": frozenset({2, 3}), "Vector": frozenset({1})}[observation_space_type.name]


class EpisodeWatch:
    """Says in the log that an episode does not end, once for all copies of an environment."""

    def __init__(self, level: str) -> None:
        self._level = level
        self._said_from = LONG_EPISODE

    def look(self, steps: int) -> None:
        """Look at an episode that has not ended after so many environment steps."""
        if steps >= self._said_from:
            reason = "the episode has not ended; gym.wrappers.TimeLimit would end it"
            outputs.metric_line("Endless", Environment=self._level, Steps=steps, Reason=reason)
            self._said_from = 2 * steps


class CheckedEnv:
    """An environment with all that it gives checked; what is not as gym has it raises InputError.

    Without it a NaN spreads through normalization to every weight, and the job notices it when all is lost.

    Attributes:
        env: the environment itself.
        actions: its action space.
    """

    def __init__(
        self,
        env: Any,
        level: str,
        dimensions: frozenset[int] | None = VECTOR_OR_PICTURE,
        watch: EpisodeWatch | None = None,
    ) -> None:
        """Check the spaces.

        Args:
            env: a gym environment.
            level: as the preset calls it.
            dimensions: see check_observation_space.
            watch: of all copies of the environment; None for one alone.
        """
        self.env = env
        self.level = level
        self._watch = watch or EpisodeWatch(level)
        self._steps = self._episode_steps = 0
        for member in ("reset", "step", "action_space", "observation_space"):
            if not hasattr(env, member):
                raise InputError(
                    f"Environment {level} is of the type {type(env).__name__} without {member}, "
                    "expected a gym environment."
                )
        self.actions = check_action_space(env.action_space, level)
        self._observations = check_observation_space(env.observation_space, level, dimensions)
        self.action_space = self.actions.own_space
        self.observation_space = self._observations.space

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the environment."""
        if name == "env":  # not set yet, as in a copy
            raise AttributeError(name)
        return getattr(self.env, name)

    @property
    def unwrapped(self) -> Any:
        """The environment without any wrapper."""
        return getattr(self.env, "unwrapped", self.env)

    @property
    def spec(self) -> Any:
        """Of gym's registry; None for an environment that is not from there."""
        return getattr(self.env, "spec", None)

    def seed(self, seed: int | None = None) -> None:
        """Begin the environment's random numbers anew, if it has any."""
        if hasattr(self.env, "seed"):
            self.env.seed(seed)

    def reset(self) -> Any:
        """Begin an episode; return its first observation."""
        self._episode_steps = 0
        return self._observations.check(self.env.reset(), "in reset()")

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        """Take a step with one of the environment's own actions; return observation, reward, done and info."""
        return self._step(self.actions.cast(action))

    def _step(self, own_action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        result = self.env.step(own_action)
        self._steps += 1
        when = f"in its step {self._steps}"
        if not isinstance(result, tuple | list) or len(result) != 4:
            given = f"{len(result)} values" if isinstance(result, tuple | list) else shorten(result)
            raise InputError(
                f"Environment {self.level} gave {given} {when}, "
                "expected the 4 of gym 0.25: observation, reward, done and info."
            )
        observation, reward, done, info = result
        observation = self._observations.check(observation, when)
        reward, done = self._number(reward, when), self._flag(done, when)
        if not isinstance(info, dict):
            raise InputError(f"Environment {self.level} gave the info {shorten(info)} {when}, expected a dictionary.")
        self._episode_steps += 1
        if not done:
            self._watch.look(self._episode_steps)
        return observation, reward, done, info

    def _number(self, reward: Any, when: str) -> float:
        try:
            number = float(reward)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or isinstance(reward, str):
            raise InputError(f"Environment {self.level} gave the reward {shorten(reward)} {when}, expected a number.")
        return number

    def _flag(self, done: Any, when: str) -> bool:
        if isinstance(done, bool | np.bool_):
            return bool(done)
        flag = np.asarray(done)
        if flag.size != 1 or flag.dtype.kind not in "biuf" or flag.item() not in (0, 1):
            raise InputError(f"Environment {self.level} gave done as {shorten(done)} {when}, expected True or False.")
        return bool(flag.item())


class AgentEnv(CheckedEnv):
    """A checked environment that takes an agent's actions: an index from 0, or a vector of numbers."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.action_space = self.actions.agent_space

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        """Take a step with an agent's action; return observation, reward, done and info."""
        return self._step(self.actions.to_environment(action))
