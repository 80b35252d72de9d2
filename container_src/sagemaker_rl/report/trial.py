"""The finished policy on trial: 100 episodes from start states unseen in training, and a map of what it does where.

The numbers go to ``trial.npz`` in the job's output; arrays only, no pickle.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sagemaker_rl.job.traces import Trace
from sagemaker_rl.policy.artifact import Policy, Space

if TYPE_CHECKING:
    import gym

FILE = "trial.npz"
EPISODES = 100
EPISODES_AT_A_TIME = 10
"""Of an environment that is not stepped on arrays: episodes are played until the time is up."""
SECONDS = 20.0
"""For all episodes; a batch that takes longer is not counted, for its short episodes alone would mislead."""
PATHS = 3
MAP_NODES = 81


@dataclass(frozen=True)
class PolicyMap:
    """What a policy does over two state dimensions.

    ``actions`` and ``values`` have shape ``(nodes, nodes)``, first axis first; ``values`` is None if no head tells.
    """

    axes: tuple[np.ndarray, np.ndarray]
    actions: np.ndarray
    values: np.ndarray | None


@dataclass(frozen=True)
class Trial:
    """What became of the episodes.

    Attributes:
        starts: the first observations, float32 ``(episodes, *shape)``.
        returns: of the episodes, undiscounted, float64.
        lengths: in environment steps.
        paths: of the first episodes, float32 ``(points, columns)``: environment step, observation, action.
        policy_map: None if there is none; ``no_map`` says why.
    """

    starts: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray
    paths: list[np.ndarray]
    policy_map: PolicyMap | None
    no_map: str = ""

    def save(self, file: Path) -> None:
        """Write ``file``; it appears whole or not at all."""
        arrays: dict[str, Any] = {"starts": self.starts, "returns": self.returns, "lengths": self.lengths}
        arrays.update({f"path{index}": path for index, path in enumerate(self.paths)})
        arrays["no_map"] = np.array(self.no_map)
        if self.policy_map is not None:
            arrays.update(axis0=self.policy_map.axes[0], axis1=self.policy_map.axes[1], actions=self.policy_map.actions)
            if self.policy_map.values is not None:
                arrays["values"] = self.policy_map.values
        staged = file.with_name(f".{file.name}.tmp")
        with staged.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        os.replace(staged, file)

    @classmethod
    def load(cls, file: Path) -> "Trial":
        """Read what ``save`` wrote.

        Raises:
            OSError, ValueError, KeyError, zipfile.BadZipFile: It is no such file, or damaged.
        """
        with np.load(file, allow_pickle=False) as arrays:
            policy_map = None
            if "actions" in arrays:
                policy_map = PolicyMap((arrays["axis0"], arrays["axis1"]), arrays["actions"], arrays.get("values"))
            paths = [arrays[name] for name in sorted(n for n in arrays if n.startswith("path"))]
            return cls(arrays["starts"], arrays["returns"], arrays["lengths"], paths, policy_map, str(arrays["no_map"]))


def play(policy: Policy, make: "Callable[[], gym.Env]", seed: int, check_stop: Callable[[], None]) -> Trial:
    """Put ``policy`` on trial in the environments that ``make`` returns.

    Args:
        policy: the job's artifact.
        make: returns a new environment.
        seed: of the start states.
        check_stop: called in every step; may raise.

    Raises:
        ValueError: Not even one batch of episodes ended in time.
    """
    from sagemaker_rl.training.accelerated.vector_envs import make_vector_env

    on_arrays = make_vector_env(make, 1, seed)
    batch = EPISODES if not hasattr(on_arrays, "envs") else EPISODES_AT_A_TIME
    envs = make_vector_env(make, batch, seed)
    deadline = time.monotonic() + SECONDS
    batches: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    paths: list[np.ndarray] = []
    while len(batches) * batch < EPISODES:
        recorded = _play_batch(policy, envs, PATHS if not batches else 0, deadline, check_stop)
        if recorded is None:
            break
        batches.append(recorded[:3])
        paths = paths or recorded[3]
    if not batches:
        raise ValueError(f"{batch} episodes take more than {SECONDS:.0f} s")
    starts, returns, lengths = (np.concatenate(column) for column in zip(*batches, strict=True))
    policy_map, no_map = _map(policy, paths)
    return Trial(starts, returns, lengths, paths, policy_map, no_map)


def _play_batch(
    policy: Policy, envs: Any, paths: int, deadline: float, check_stop: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]] | None:
    """Play one episode in every environment; None if the time is up."""
    observations = starts = envs.reset()
    returns, lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=np.int64)
    running = np.ones(envs.num_envs, dtype=bool)
    traces = [Trace() for _ in range(paths)]
    while running.any():
        check_stop()
        if time.monotonic() > deadline:
            return None
        actions = policy.actions(observations)
        for index, trace in enumerate(traces):
            if running[index]:
                trace.add(observations[index], actions[index])
        _, observations, rewards, ended = envs.step(actions)
        returns += rewards * running
        lengths += running
        running &= ~ended
    return starts, returns, lengths, [trace.points() for trace in traces]


def _map(policy: Policy, paths: list[np.ndarray]) -> tuple[PolicyMap | None, str]:
    """Ask the policy about a grid of states; return None and a reason if states or actions are not drawn as a map."""
    space = policy.observation_space
    if space.shape != (2,):
        return None, f"an observation has the shape {list(space.shape)}, and a map has two dimensions"
    if policy.action_space.kind == "box" and policy.action_space.shape != (1,):
        return None, f"an action has the shape {list(policy.action_space.shape)}, and a map shows one number"
    axes = tuple(np.linspace(*_extent(space, dimension, paths), MAP_NODES) for dimension in range(2))
    states = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    heads = policy.heads(states)
    actions = policy.actions_of(heads).reshape(MAP_NODES, MAP_NODES)
    values = None
    if "state_value" in policy.head_names:
        values = heads[policy.head_names.index("state_value")].reshape(MAP_NODES, MAP_NODES)
    elif "q_values" in policy.head_names:
        values = heads[policy.head_names.index("q_values")].max(axis=1).reshape(MAP_NODES, MAP_NODES)
    return PolicyMap((axes[0], axes[1]), actions, values), ""


def _extent(space: Space, dimension: int, paths: list[np.ndarray]) -> tuple[float, float]:
    """Return the bounds of a state dimension; where it has none, or gym's largest float, those of what was visited."""
    low, high = space.low[dimension], space.high[dimension]
    if abs(low) < 1e6 and abs(high) < 1e6:
        return low, high
    visited = np.concatenate([path[:, 1 + dimension] for path in paths])
    margin = 0.1 * (float(np.ptp(visited)) or 1.0)
    return float(visited.min()) - margin, float(visited.max()) + margin
