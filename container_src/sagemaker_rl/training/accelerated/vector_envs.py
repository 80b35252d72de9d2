"""Many copies of an environment stepped together.

The patient cars have an implementation on arrays whose trajectories equal gym's own bit for bit; any other gym
environment becomes a batch of instances.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import gym
import numpy as np
from gym.envs.classic_control import Continuous_MountainCarEnv, MountainCarEnv
from gym.wrappers import TimeLimit

from sagemaker_rl.coach.environments import AgentEnv, CheckedEnv
from sagemaker_rl.coach.recording import Frame, render
from sagemaker_rl.training.accelerated.copy_streams import start_of
from sagemaker_rl.training.accelerated.episode_replay import EpisodeReplay
from sagemaker_rl.training.state_file import State, checked


class Step(NamedTuple):
    """What one step of a batch of environments leads to; arrays begin with ``num_envs``."""

    final_observations: np.ndarray
    """What the actions led to, float32 ``(num_envs, *shape)``."""
    observations: np.ndarray
    """What to act on next: the same, or the first observation of a new episode where one has ended."""
    rewards: np.ndarray
    """Float64 ``(num_envs,)``."""
    dones: np.ndarray
    """Whether an episode has ended, by itself or by its time limit, bool ``(num_envs,)``."""
    truncated: np.ndarray
    """Where the time limit alone has ended it, bool ``(num_envs,)``: its final state has a value like any other."""


class VectorEnv(Protocol):
    """A batch of ``num_envs`` copies; one whose episode ends begins the next one at once."""

    num_envs: int

    def seed(self, seed: int) -> None:
        """Restart from this seed the stream of start states, and whatever else is random."""

    def reset(self) -> np.ndarray:
        """Begin a new episode everywhere; return the observations, float32 of shape ``(num_envs, *shape)``."""

    def step(self, actions: np.ndarray) -> Step:
        """Take one step everywhere.

        Args:
            actions: shape ``(num_envs, size)``, float within the action space, or int64 ``(num_envs,)``, the agent's
                (coach/spaces.py); environments that are made to take their own take those.
        """

    def view(self, index: int) -> Frame:
        """Return a picture of one environment as it is now.

        Raises:
            RenderError: The environment draws none; where the frame is a function, that may raise it, too.
        """

    def own_action(self, action: Any) -> Any:
        """Return what the environment gets for one of the actions that ``step`` takes."""

    def state(self) -> list[State]:
        """Return what is needed to go on from here in other environments, of each (state_file.py)."""

    def restore(self, states: list[State], observations: np.ndarray) -> np.ndarray:
        """Go on from a state.

        Args:
            states: as ``state`` returned them, of as many environments.
            observations: what was to be acted on next.

        Returns:
            Where it goes on, bool ``(num_envs,)``; the others have to be begun anew, by ``begin_episodes``.

        Raises:
            DamagedState: The state is of something else.
        """

    def begin_episodes(self, where: np.ndarray, observations: np.ndarray) -> np.ndarray:
        """Begin new episodes in some environments, bool ``(num_envs,)``; return all observations, with their first."""


def choose_num_envs(phase_steps: int, at_most: int) -> int:
    """Return how many environments to step together, so that a phase of playing has just ``phase_steps``.

    It is the largest divisor of ``phase_steps`` up to ``at_most``. If that is less than half of ``at_most``, it is
    ``at_most`` itself: phases are then a few steps longer.
    """
    divisor = max(number for number in range(1, min(at_most, phase_steps) + 1) if phase_steps % number == 0)
    return divisor if 2 * divisor >= at_most else min(at_most, phase_steps)


def make_vector_env(make: Callable[[], gym.Env], num_envs: int, seed: int | None, first: int = 0) -> VectorEnv:
    """Return ``num_envs`` copies of the environment that ``make`` returns, on arrays where it is a patient car.

    They are those of a batch that are from ``first`` on: each copy's random numbers follow from its number.
    """
    env: Any = make()
    if is_car(env):
        limit = env.env if isinstance(env, CheckedEnv) else env
        return _CarsOnArrays(limit.env, int(limit._max_episode_steps or 0), num_envs, seed, first)
    return Instances(make, num_envs, seed, first)


def is_car(env: Any) -> bool:
    """Tell whether an environment is one of the patient cars, whose copies are stepped on arrays."""
    limit = env.env if isinstance(env, CheckedEnv) else env
    return type(limit) is TimeLimit and type(limit.env) in (MountainCarEnv, Continuous_MountainCarEnv)


CAR_STATE = ("episodes", "position", "velocity", "steps")
"""Arrays of a batch of cars, ``(num_envs,)``, that say where they are."""


class _CarsOnArrays:
    """gym's two Mountain Cars on arrays (gym/envs/classic_control, 0.25.2).

    To equal gym bit for bit, it takes ``math.cos`` and ``math.pow`` in float64 as gym does (NumPy's differ in the last
    bit), and rounds the continuous car's state to float32 after every step, but not the discrete car's.
    """

    def __init__(self, car: Any, patience: int, num_envs: int, seed: int | None, first: int = 0) -> None:
        self.num_envs = num_envs
        self.first = first
        self.continuous = isinstance(car, Continuous_MountainCarEnv)
        self.car = car
        self.patience = patience
        self.seed(int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed)
        self.position = np.zeros(num_envs)
        self.velocity = np.zeros(num_envs)
        self.steps = np.zeros(num_envs, dtype=np.int64)

    def seed(self, seed: int) -> None:
        self.start_seed = seed
        self.episodes = np.zeros(self.num_envs, dtype=np.int64)

    def reset(self) -> np.ndarray:
        self._start(np.ones(self.num_envs, dtype=bool))
        return self._observe()

    def _start(self, where: np.ndarray) -> None:
        for car in np.flatnonzero(where):
            stream = start_of(self.start_seed, self.first + int(car), int(self.episodes[car]))
            self.position[car] = stream.uniform(-0.6, -0.4)
        self.episodes[where] += 1
        self.velocity[where] = 0.0
        self.steps[where] = 0

    def _observe(self) -> np.ndarray:
        return np.stack([self.position, self.velocity], axis=1).astype(np.float32)

    def step(self, actions: np.ndarray) -> Step:
        rewards = self._move_continuous(actions) if self.continuous else self._move_discrete(actions)
        at_flag = (self.position >= self.car.goal_position) & (self.velocity >= self.car.goal_velocity)
        if self.continuous:
            rewards += 100.0 * at_flag
            self.position = self.position.astype(np.float32).astype(np.float64)
            self.velocity = self.velocity.astype(np.float32).astype(np.float64)
        self.steps += 1
        truncated = (self.steps >= self.patience) & ~at_flag  # as gym's TimeLimit has it
        dones = at_flag | truncated
        final_observations = self._observe()
        if not dones.any():
            return Step(final_observations, final_observations, rewards, dones, truncated)
        self._start(dones)
        return Step(final_observations, self._observe(), rewards, dones, truncated)

    def view(self, index: int) -> Frame:
        return functools.partial(_draw, self.car, np.array([self.position[index], self.velocity[index]]))

    def own_action(self, action: Any) -> Any:
        return action

    def state(self) -> list[State]:
        columns = [getattr(self, name).tolist() for name in CAR_STATE]
        return [
            {"start_seed": self.start_seed, **dict(zip(CAR_STATE, row, strict=True))}
            for row in zip(*columns, strict=True)
        ]

    def restore(self, states: list[State], observations: np.ndarray) -> np.ndarray:
        self.start_seed = int(states[0]["start_seed"])
        for name in CAR_STATE:
            array = getattr(self, name)
            setattr(self, name, checked(np.array([state[name] for state in states], array.dtype), array))
        return np.array_equal(self._observe(), observations) & np.ones(self.num_envs, dtype=bool)

    def begin_episodes(self, where: np.ndarray, observations: np.ndarray) -> np.ndarray:
        self._start(where)
        return self._observe()

    def _slope(self) -> np.ndarray:
        return np.fromiter(map(math.cos, (3 * self.position).tolist()), np.float64, self.num_envs)

    def _move_continuous(self, actions: np.ndarray) -> np.ndarray:
        pushes = actions[:, 0]
        force = np.minimum(np.maximum(pushes, self.car.min_action), self.car.max_action)
        velocity = self.velocity + (force * self.car.power - 0.0025 * self._slope())
        velocity = np.minimum(np.maximum(velocity, -self.car.max_speed), self.car.max_speed)
        self._advance(velocity)
        squares = np.fromiter((math.pow(push, 2) for push in pushes.tolist()), np.float64, self.num_envs)
        return 0.0 - squares * 0.1

    def _move_discrete(self, actions: np.ndarray) -> np.ndarray:
        velocity = self.velocity + ((actions - 1) * self.car.force + self._slope() * (-self.car.gravity))
        self._advance(np.minimum(np.maximum(velocity, -self.car.max_speed), self.car.max_speed))
        return np.full(self.num_envs, -1.0)

    def _advance(self, velocity: np.ndarray) -> None:
        position = self.position + velocity
        self.position = np.minimum(np.maximum(position, self.car.min_position), self.car.max_position)
        self.velocity = np.where((self.position == self.car.min_position) & (velocity < 0), 0.0, velocity)


def _draw(car: Any, state: np.ndarray) -> np.ndarray:
    car.state = state
    return render(car, type(car).__name__)


class Instances:
    """Instances of any gym environment, stepped one after the other.

    They are those of a batch that are from ``first`` on: seeds are one more for each.
    """

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, seed: int | None, first: int = 0) -> None:
        self.num_envs = num_envs
        self.first = first
        self.envs = [make() for _ in range(num_envs)]
        self.replays = [
            EpisodeReplay(env, None if seed is None else functools.partial(env.seed, seed + index))
            for index, env in enumerate(self.envs, first)
        ]
        if seed is not None:
            self.seed(seed)

    def seed(self, seed: int) -> None:
        for index, env in enumerate(self.envs, self.first):
            env.seed(seed + index)

    def reset(self) -> np.ndarray:
        return np.stack([self._begin_episode(index) for index in range(self.num_envs)])

    def _begin_episode(self, index: int) -> np.ndarray:
        self.replays[index].begin()
        return np.asarray(self.envs[index].reset(), dtype=np.float32)

    def step(self, actions: np.ndarray) -> Step:
        for replay, action in zip(self.replays, actions, strict=True):
            replay.add(action)
        results: list[Any] = [env.step(action) for env, action in zip(self.envs, actions, strict=True)]
        final_observations = np.stack([np.asarray(result[0], dtype=np.float32) for result in results])
        rewards = np.array([result[1] for result in results], dtype=np.float64)
        dones = np.array([bool(result[2]) for result in results])
        # gym's TimeLimit sets the key, to False where the environment ended the episode in just this step.
        truncated = dones & np.array([bool(result[3].get("TimeLimit.truncated", False)) for result in results])
        observations = final_observations.copy()
        for index in np.flatnonzero(dones):
            observations[index] = self._begin_episode(index)
        return Step(final_observations, observations, rewards, dones, truncated)

    def view(self, index: int) -> Frame:
        env: Any = self.envs[index]
        return render(env, env.level if isinstance(env, CheckedEnv) else type(env).__name__)

    def own_action(self, action: Any) -> Any:
        env: Any = self.envs[0]
        return env.actions.to_environment(action) if isinstance(env, AgentEnv) else action

    def state(self) -> list[State]:
        return [replay.state() for replay in self.replays]

    def restore(self, states: list[State], observations: np.ndarray) -> np.ndarray:
        episodes = zip(self.replays, states, observations, strict=True)
        return np.array([replay.restore(state, observation) for replay, state, observation in episodes])

    def begin_episodes(self, where: np.ndarray, observations: np.ndarray) -> np.ndarray:
        observations = observations.copy()
        for index in np.flatnonzero(where):
            observations[index] = self._begin_episode(index)
        return observations
