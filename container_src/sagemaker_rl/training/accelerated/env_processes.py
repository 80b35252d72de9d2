"""Copies of a slow environment, stepped in processes by gym's AsyncVectorEnv.

What is AsyncVectorEnv's environment here is a process's whole share of the copies: there are as many processes as
cores, however many copies there are.
"""

import atexit
import contextlib
import functools
import itertools
import multiprocessing.connection
import os
import pickle
import random
import signal
import time
import traceback
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import gym
import numpy as np
from gym.vector import AsyncVectorEnv

from sagemaker_rl.coach.recording import Frame, RenderError, shrunk
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import stopping
from sagemaker_rl.training.accelerated import forks
from sagemaker_rl.training.accelerated.vector_envs import Instances, Step, VectorEnv
from sagemaker_rl.training.state_file import State

SECONDS_TO_CLOSE = 5.0
"""For the environments' own ``close``; then their processes are killed."""


class EnvProcesses:
    """Processes that hold batches of copies of an environment; the batches are VectorEnvs of this process."""

    def __init__(self, make: Callable[[], gym.Env], processes: int, level: str) -> None:
        """Begin the processes. They are forks: nothing has to be pickled to get there.

        Args:
            make: returns a new environment.
            processes: how many.
            level: as the preset calls the environment.

        Raises:
            InputError: The system has no memory or no number for another process.
        """
        self.level = level
        self.processes = processes
        self._numbers = itertools.count()
        self._forgotten: list[str] = []
        """Batches that nobody holds any more."""
        parts = [functools.partial(_Part, make, index, processes, os.getpid()) for index in range(processes)]
        try:
            with stopping.blocked():
                self._vector = AsyncVectorEnv(
                    parts,
                    observation_space=_Part.observation_space,
                    action_space=_Part.action_space,
                    shared_memory=False,
                    context="fork",
                    daemon=False,  # else an environment could begin no process of its own
                )
        except OSError as error:
            raise InputError(
                f"{processes} processes for the environment {level} cannot be started ({error.strerror}), "
                "expected fewer: hyperparameter environment_processes."
            ) from None
        atexit.register(self.close)

    def batch(self, num_envs: int, seed: int | None, first: int = 0) -> VectorEnv:
        """Return so many copies, seeded, those of a larger batch that are from ``first`` on."""
        name = f"batch {next(self._numbers)}"
        self.call("make", name, num_envs, seed, first)
        batch = _Batch(self, name, num_envs)
        weakref.finalize(batch, self._forgotten.append, name)
        return batch

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Have every process call a method of its part; return the results of those that have one.

        Raises:
            InputError: A process has died.
            Exception: What an environment raises; its traceback is in the log.
        """
        forgotten = [self._forgotten.pop() for _ in range(len(self._forgotten))]
        try:
            self._vector.call_async("do", method, arguments, forgotten)
            self._wait()
            results = self._vector.call_wait()
        except (EOFError, OSError):
            raise InputError(self._reason_of_death()) from None
        for result in results:
            if isinstance(result, _Raised):
                if not isinstance(result.error, InputError | RenderError):  # those say it all
                    print(result.traceback, end="", flush=True)
                raise result.error
        return [result for result in results if result is not None]

    def _wait(self) -> None:
        """Wait until every process has answered.

        A pipe may outlive its process, in one that an environment has begun.

        Raises:
            EOFError: One has ended.
        """
        waiting = dict(zip(self._vector.parent_pipes, self._vector.processes, strict=True))
        while waiting:
            ready = multiprocessing.connection.wait([*waiting, *(process.sentinel for process in waiting.values())])
            for pipe, process in list(waiting.items()):
                if pipe in ready:
                    del waiting[pipe]
                elif process.sentinel in ready:
                    raise EOFError

    def _reason_of_death(self) -> str:
        by_sentinel = {process.sentinel: process for process in self._vector.processes}
        ended = [by_sentinel[sentinel] for sentinel in multiprocessing.connection.wait(by_sentinel, 5)]
        for process in ended:
            process.join()
        exit_code = ended[0].exitcode if ended else 0
        self.kill()
        how = f"with exit status {exit_code}"
        if exit_code < 0:
            how = f"by {signal.Signals(-exit_code).name}"
        if exit_code == -signal.SIGKILL:
            how += ", as the system does it where memory is short"
        return (
            f"A process of the environment {self.level} was ended {how}, expected it to live as long as the job; "
            "hyperparameter environment_processes says how many there are."
        )

    def close(self) -> None:
        """Close the environments, and end the processes."""
        atexit.unregister(self.close)
        if self._vector.closed:
            return
        with contextlib.suppress(OSError, EOFError):
            for pipe in self._vector.parent_pipes:
                pipe.send(("close", None))
        deadline = time.monotonic() + SECONDS_TO_CLOSE
        for process in self._vector.processes:
            process.join(max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """End the processes at once."""
        self._vector.closed = True
        for process in self._vector.processes:
            process.kill()
            process.join()
        for pipe in self._vector.parent_pipes:
            pipe.close()


@dataclass
class _Raised:
    """What an environment raised in a process."""

    error: Exception
    traceback: str

    @classmethod
    def of(cls, error: Exception) -> "_Raised":
        """Return an exception as it can be sent: another of the same words, where it cannot be pickled."""
        text = traceback.format_exc()
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - of this process's own
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return cls(error, text)


class _Part:
    """A process's share of the copies of every batch: those in a row that its number says."""

    metadata: dict[str, Any] = {}
    observation_space = action_space = gym.spaces.Discrete(1)  # AsyncVectorEnv compares them, and no more

    def __init__(self, make: Callable[[], gym.Env], index: int, processes: int, parent: int) -> None:
        self._make, self._index, self._processes = make, index, processes
        self._batches: dict[str, tuple[Instances, slice]] = {}
        if os.getpid() != parent:  # AsyncVectorEnv makes one more there, to look at it
            forks.begin(parent, lambda number, frame: None)  # ignored, they would be so by what is begun here, too
            _begin_global_streams_anew(index)

    def do(self, method: str, arguments: tuple[Any, ...], forgotten: Sequence[str]) -> Any:
        """Return what a method returns, or what it raises; batches that are forgotten go."""
        try:
            for name in forgotten:
                self._close(name)
            return getattr(self, method)(*arguments)
        except Exception as error:
            return _Raised.of(error)

    def close(self) -> None:
        """Close the environments."""
        for name in list(self._batches):
            self._close(name)

    def _close(self, name: str) -> None:
        if name in self._batches:
            copies, _ = self._batches.pop(name)
            for env in copies.envs:
                with contextlib.suppress(Exception):
                    env.close()

    def batches(self) -> list[str]:
        """Return the names of the batches of which there are copies here."""
        return list(self._batches)

    # --- What is called for a batch: None where it has no copy here --------------------------------------------------

    def make(self, name: str, num_envs: int, seed: int | None, offset: int) -> None:
        first, end = (num_envs * number // self._processes for number in (self._index, self._index + 1))
        if end > first:
            self._batches[name] = Instances(self._make, end - first, seed, offset + first), slice(first, end)

    def seed(self, name: str, seed: int) -> None:
        if name in self._batches:
            self._batches[name][0].seed(seed)

    def reset(self, name: str) -> np.ndarray | None:
        return self._batches[name][0].reset() if name in self._batches else None

    def step(self, name: str, actions: np.ndarray) -> tuple[np.ndarray, ...] | None:
        """Return a Step, with the observations of the episodes that begin alone."""
        if name not in self._batches:
            return None
        copies, part = self._batches[name]
        step = copies.step(actions[part])
        return (*step._replace(observations=step.observations[step.dones]),)

    def view(self, name: str, index: int) -> np.ndarray | None:
        copies, part = self._batches.get(name, (None, slice(0)))
        return shrunk(copies.view(index - part.start)) if copies and part.start <= index < part.stop else None

    def own_action(self, name: str, action: Any) -> list[Any] | None:
        return [self._batches[name][0].own_action(action)] if name in self._batches else None

    def state(self, name: str) -> list[State] | None:
        return self._batches[name][0].state() if name in self._batches else None

    def restore(self, name: str, states: list[State], observations: np.ndarray) -> np.ndarray | None:
        if name not in self._batches:
            return None
        copies, part = self._batches[name]
        return copies.restore(states[part], observations[part])

    def begin_episodes(self, name: str, where: np.ndarray, observations: np.ndarray) -> np.ndarray | None:
        if name not in self._batches:
            return None
        copies, part = self._batches[name]
        return copies.begin_episodes(where[part], observations[part])


class _Batch:
    """A VectorEnv whose copies are in processes; their trajectories are those of Instances."""

    def __init__(self, processes: EnvProcesses, name: str, num_envs: int) -> None:
        self.num_envs = num_envs
        self._call = lambda method, *arguments: processes.call(method, name, *arguments)

    def seed(self, seed: int) -> None:
        self._call("seed", seed)

    def reset(self) -> np.ndarray:
        return np.concatenate(self._call("reset"))

    def step(self, actions: np.ndarray) -> Step:
        final, begun, rewards, dones, truncated = map(np.concatenate, zip(*self._call("step", actions), strict=True))
        observations = final.copy()
        observations[dones] = begun
        return Step(final, observations, rewards, dones, truncated)

    def view(self, index: int) -> Frame:
        (picture,) = self._call("view", index)
        return cast(np.ndarray, picture)

    def own_action(self, action: Any) -> Any:
        return self._call("own_action", action)[0][0]

    def state(self) -> list[State]:
        return [state for part in self._call("state") for state in part]

    def restore(self, states: list[State], observations: np.ndarray) -> np.ndarray:
        return np.concatenate(self._call("restore", states, observations))

    def begin_episodes(self, where: np.ndarray, observations: np.ndarray) -> np.ndarray:
        return np.concatenate(self._call("begin_episodes", where, observations))


def _begin_global_streams_anew(index: int) -> None:
    """Have this process draw other numbers than its siblings from the streams that all copies in it share."""
    seed = [int(np.random.randint(2**31)), index]
    np.random.seed(seed)
    random.seed(repr(seed))
