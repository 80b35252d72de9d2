"""Copies of an environment that are shared out among the ranks of a job."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sagemaker_rl.coach.recording import Frame
from sagemaker_rl.job.ranks import MPIRanks
from sagemaker_rl.training.accelerated.vector_envs import Step, VectorEnv
from sagemaker_rl.training.state_file import State

MakeBatch = Callable[[int, int | None, int], VectorEnv]
"""Returns so many copies, seeded, from a number of the whole batch on."""


class RankedEnvs:
    """A VectorEnv: each rank steps its share of the copies, and every rank gets the whole step.

    All ranks call the same methods with the same arguments, in the same order; but ``view`` and ``own_action`` are of
    the first copy alone, and called by the first rank, which has it. Each step also carries what the ranks answer to
    the questions on which they have to agree.
    """

    def __init__(self, ranks: MPIRanks, make_batch: MakeBatch, num_envs: int, seed: int | None) -> None:
        """Make this rank's share of ``num_envs`` copies."""
        self.num_envs = num_envs
        self._ranks = ranks
        shares = [ranks.share(num_envs, rank) for rank in range(ranks.size)]
        share = shares[ranks.rank]
        self._part = slice(share.start, share.stop)
        self._own = make_batch(len(share), seed, share.start) if share else None
        # Each rank sends a row more than it has copies: its answers come first.
        self._lengths = [1 + len(each) for each in shares]
        self._answers = np.cumsum([0, *self._lengths[:-1]])
        self._copies = np.delete(np.arange(sum(self._lengths)), self._answers)
        self._rows: Any = None

    def seed(self, seed: int) -> None:
        if self._own:
            self._own.seed(seed)

    def reset(self) -> np.ndarray:
        return self._gather(self._own.reset() if self._own else None)

    def step(self, actions: np.ndarray) -> Step:
        step = self._own.step(actions[self._part]) if self._own else None
        self._rows["answers"][0] = self._ranks.ask()
        if step:
            rows = self._rows[1:]
            rows["observations"], rows["rewards"] = step.final_observations, step.rewards
            rows["dones"], rows["truncated"] = step.dones, step.truncated
        all_rows = self._ranks.rows(self._rows, self._lengths)
        self._ranks.answers = int(np.bitwise_or.reduce(all_rows["answers"][self._answers]))
        copies = all_rows[self._copies]
        final, rewards, dones, truncated = (
            np.ascontiguousarray(copies[name]) for name in ("observations", "rewards", "dones", "truncated")
        )
        observations = final
        if dones.any():
            observations = final.copy()
            observations[dones] = self._gather(step.observations[step.dones] if step else None)
        return Step(final, observations, rewards, dones, truncated)

    def view(self, index: int) -> Frame:
        assert self._own is not None, "of the first copy, by the first rank"
        return self._own.view(index)

    def own_action(self, action: Any) -> Any:
        assert self._own is not None, "by the first rank, which has a copy"
        return self._own.own_action(action)

    def state(self) -> list[State]:
        return [state for part in self._ranks.gather(self._own.state() if self._own else []) for state in part]

    def restore(self, states: list[State], observations: np.ndarray) -> np.ndarray:
        self._prepare_rows(observations)
        goes_on = self._own.restore(states[self._part], observations[self._part]) if self._own else np.zeros(0, bool)
        return np.concatenate(self._ranks.gather(goes_on))

    def begin_episodes(self, where: np.ndarray, observations: np.ndarray) -> np.ndarray:
        own = self._own.begin_episodes(where[self._part], observations[self._part]) if self._own else None
        return self._gather(own)

    def _gather(self, observations: np.ndarray | None) -> np.ndarray:
        """Return the observations of all ranks; this one may have none."""
        gathered = np.concatenate([part for part in self._ranks.gather(observations) if part is not None])
        self._prepare_rows(gathered)
        return gathered

    def _prepare_rows(self, observations: np.ndarray) -> None:
        shape = observations.shape[1:]
        if self._rows is None:
            numbers = [("answers", np.uint8), ("observations", np.float32, shape), ("rewards", np.float64)]
            fields = [*numbers, ("dones", bool), ("truncated", bool)]
            self._rows = np.zeros(self._lengths[self._ranks.rank], fields)
