"""A preset's environment: made from its level, its spaces and all that it gives checked."""

import math
from collections.abc import Callable
from typing import Any

from sagemaker_rl.coach.frame_skip import tell_frame_skip
from sagemaker_rl.coach.interfaces import Interface
from sagemaker_rl.coach.levels import is_path, make_environment
from sagemaker_rl.coach.spaces import VECTOR_OR_PICTURE, check_action_space, check_observation_space
from sagemaker_rl.errors import InputError, shorten
from sagemaker_rl.job import outputs

GYM_ENVIRONMENT = "rl_coach.environments.gym_environment:GymEnvironment"
"""Coach's name of the class that plays environments of gym, as the parameters of an environment have it."""
LONG_EPISODE = 10_000
"""Environment steps after which an episode that has not ended is said in the log; again after twice as many."""


def environment_maker(graph_manager: Any, own_actions: bool = False) -> Callable[[], Any] | None:
    """Return a function that makes the preset's environment, checked; None for one that stock Coach alone plays.

    That is one of another of Coach's environment classes, or by the path of its module (coach/levels.py).

    Args:
        graph_manager: the preset's.
        own_actions: whether the environment takes its own actions, as an endpoint gives them; else the agent's.
    """
    parameters = graph_manager.env_params
    level = str(parameters.level)
    if parameters.path != GYM_ENVIRONMENT or is_path(level):
        return None
    watch = EpisodeWatch(level)
    kind = CheckedEnv if own_actions else AgentEnv
    dimensions = dimensions_of(getattr(parameters, "observation_space_type", None))
    options = parameters.additional_simulator_parameters
    pictures = bool(graph_manager.visualization_parameters.dump_gifs)
    return lambda: tell_frame_skip(
        kind(make_environment(level, options, pictures), level, dimensions, watch), parameters.frame_skip
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
    """An environment of gym or gymnasium with gym 0.25's interface, and all that it gives checked, else InputError.

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
            env: of gym or gymnasium, see coach/interfaces.py.
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
                    "expected an environment of gym or gymnasium."
                )
        self._interface = Interface(env, level)
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
        """Begin the environment's random numbers anew, if it has any; perhaps in the next reset."""
        self._interface.seed(seed)

    def reset(self) -> Any:
        """Begin an episode; return its first observation."""
        self._episode_steps = 0
        return self._observations.check(self._interface.reset(), "in reset()")

    def render(self, mode: str = "human") -> Any:
        """Return what the environment draws in a mode: a picture for ``rgb_array``."""
        return self._interface.render(mode)

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        """Take a step with one of the environment's own actions; return observation, reward, done and info."""
        return self._step(self.actions.cast(action))

    def _step(self, own_action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        self._steps += 1
        when = f"in its step {self._steps}"
        observation, reward, done, info = self._interface.step(own_action, when)
        observation = self._observations.check(observation, when)
        reward = self._number(reward, when)
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


class AgentEnv(CheckedEnv):
    """A checked environment that takes an agent's actions: an index from 0, or a vector of numbers."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.action_space = self.actions.agent_space

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]:
        """Take a step with an agent's action; return observation, reward, done and info."""
        return self._step(self.actions.to_environment(action))
