"""The finished policy on trial: 100 episodes from start states unseen in training, and a map of its actions.

The report shows it (report/trial.py).
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sagemaker_rl.coach import written_files
from sagemaker_rl.coach.environments import environment_maker
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import failures, introduction
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP
from sagemaker_rl.job.traces import Trace
from sagemaker_rl.policy import export
from sagemaker_rl.policy.artifact import Policy, Space
from sagemaker_rl.report.trial import FILE, PolicyMap, Trial
from sagemaker_rl.training.accelerated.vector_envs import VectorEnv, is_car, make_vector_env

if TYPE_CHECKING:
    import gym

EVALUATION_SEED = 20_201_122
"""Of the start states of evaluations and trials. No training uses it unless asked to: they are unseen."""
EPISODES = 100
EPISODES_AT_A_TIME = 10
"""Of an environment that is not stepped on arrays: episodes are played until the time is up."""
SHARE_OF_TRAINING = 0.1
"""Of the seconds that a training took, for all episodes of its trial."""
SHARE_OF_EVALUATION = 0.5
"""Of those that an evaluation job's own episodes took."""
LEAST_SECONDS = 20.0
"""For a trial, however short the job was."""
NUM_PATHS = 3
"""Episodes whose path the report draws."""
MAP_NODES = 81
"""Of each axis of the map."""
STATE_VALUES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "state_value": lambda head: head[:, 0],
    "q_values": lambda head: head.max(axis=1),
}
"""How the value of a state follows from an output of the artifact (policy/export.py: HEADS), ``(batch, units)``."""


def put_on_trial(graph_manager: Any, paths: MLPaths, seconds: float) -> None:
    """Play the policy that the job ends with on unseen starts, and write ``trial.npz`` into the job's output.

    It is played from the artifact, as an endpoint does it: the fast path's own arrays may hold a later policy.

    Args:
        graph_manager: the job's, with that policy.
        paths: of the job.
        seconds: that the trial may take, where they are more than LEAST_SECONDS.
    """

    def note(reason: str) -> None:
        introduction.add(paths, no_trial=f"The finished policy was not put on trial: {reason}.")

    with failures.tolerated("trial of the policy", note):
        make = environment_maker(graph_manager, own_actions=True)
        if make is None:
            raise InputError(f"{graph_manager.env_params.level} is played by stock Coach alone")
        _refuse_writers(graph_manager.environments[0].written_files)
        STOP.check()
        agent = agent_of(graph_manager)
        reason = export.reason_not_exportable(agent)
        if reason is not None:
            raise InputError(reason)
        with tempfile.TemporaryDirectory() as folder:
            export.export_policy(agent, graph_manager, Path(folder), {"preset": ""})
            policy = Policy.load(Path(folder))
        play(policy, make, EVALUATION_SEED, max(seconds, LEAST_SECONDS), STOP.check).save(paths.output_data / FILE)


def play(
    policy: Policy, make: "Callable[[], gym.Env]", seed: int, seconds: float, check_stop: Callable[[], None]
) -> Trial:
    """Put ``policy`` on trial in the environments that ``make`` returns.

    Episodes are played in batches. One that has not ended when the time is up does not count: its short episodes alone
    would mislead.

    Args:
        policy: the job's artifact.
        make: returns a new environment.
        seed: of the start states.
        seconds: for all episodes.
        check_stop: called in every step; may raise.

    Raises:
        InputError: Not even one batch of episodes ended in time.
    """
    # A car only computes: what other programs take of the machine is none of its seconds. Another environment may wait.
    num_envs, clock = (EPISODES, time.process_time) if is_car(make()) else (EPISODES_AT_A_TIME, time.monotonic)
    envs = make_vector_env(make, num_envs, seed)
    deadline = clock() + seconds
    batches: list[_Episodes] = []
    while len(batches) * num_envs < EPISODES:
        episodes = _play_batch(policy, envs, 0 if batches else NUM_PATHS, lambda: clock() > deadline, check_stop)
        if episodes is None:
            break
        batches.append(episodes)
    if not batches:
        raise InputError(f"{num_envs} episodes take more than {seconds:.0f} s")
    paths = batches[0].paths
    policy_map, no_map = _map_policy(policy, paths)
    return Trial(
        starts=np.concatenate([batch.starts for batch in batches]),
        returns=np.concatenate([batch.returns for batch in batches]),
        lengths=np.concatenate([batch.lengths for batch in batches]),
        paths=paths,
        policy_map=policy_map,
        no_map=no_map,
    )


class _Episodes(NamedTuple):
    """A batch of episodes; the fields are those of Trial."""

    starts: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray
    paths: list[np.ndarray]


def _play_batch(
    policy: Policy, envs: VectorEnv, num_paths: int, is_over: Callable[[], bool], check_stop: Callable[[], None]
) -> _Episodes | None:
    """Play one episode in every environment, and record the paths of the first ones; None if the time is up."""
    observations = starts = envs.reset()
    asked = policy.filters.begin(observations)
    returns, lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=np.int64)
    running = np.ones(envs.num_envs, dtype=bool)
    traces = [Trace() for _ in range(num_paths)]
    with written_files.watching() as written:
        while running.any():
            check_stop()
            if is_over():
                return None
            actions = policy.actions(asked)
            for index, trace in enumerate(traces):
                if running[index]:
                    trace.add(observations[index], actions[index])
            step = envs.step(actions)
            observations = step.observations
            asked = policy.filters.follow(asked, observations)
            _refuse_writers(written)
            returns += step.rewards * running
            lengths += running
            running &= ~step.dones
    return _Episodes(starts, returns, lengths, [trace.points() for trace in traces])


def _refuse_writers(paths: Sequence[str]) -> None:
    """Raise InputError if an environment has written files: those are the job's, and a trial's do not belong there."""
    reason = written_files.reason_for_one_copy(paths)
    if reason is not None:
        raise InputError(reason)


def _map_policy(policy: Policy, paths: list[np.ndarray]) -> tuple[PolicyMap | None, str]:
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
    if policy.action_space.kind == "box":
        actions = actions.astype(np.float32)  # whole numbers, too, are drawn as amounts and not as choices
    values = None
    for name, head in zip(policy.head_names, heads, strict=True):
        if name in STATE_VALUES:
            values = STATE_VALUES[name](head).reshape(MAP_NODES, MAP_NODES)
    return PolicyMap((axes[0], axes[1]), actions, values), ""


def _extent(space: Space, dimension: int, paths: list[np.ndarray]) -> tuple[float, float]:
    """Return the bounds of a state dimension; where it has none, or gym's largest float, those of the paths."""
    low, high = space.low[dimension], space.high[dimension]
    if abs(low) < 1e6 and abs(high) < 1e6:
        return low, high
    visited = np.concatenate([path[:, 1 + dimension] for path in paths])
    margin = 0.1 * (float(np.ptp(visited)) or 1.0)
    return float(visited.min()) - margin, float(visited.max()) + margin
