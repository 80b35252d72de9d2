"""The gradients of a batch's blocks, computed in this process and in forks of it, one for each core.

Threads take a third longer: between two operations on 4,096 numbers they wait for the interpreter's lock. Data set,
weights and gradients are in memory that the forks share, so that a message is a few numbers.
"""

import itertools
import mmap
import multiprocessing
import multiprocessing.connection
import os
import signal
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import stopping
from sagemaker_rl.training.accelerated import forks
from sagemaker_rl.training.accelerated.ppo_loss import LOSSES, Loss, StepResult

Compute = Callable[[Loss, list[np.ndarray], int, np.ndarray], StepResult]
"""Computes a block.

It gets the loss, the block's rows of each column, how many rows the batch has, and where to write the gradients.
"""

Slot = tuple[int, slice]
"""Where the results of a block are in the shared memory, and which rows of the batch it has."""


class GradientProcesses:
    """Processes that compute blocks of batches of one data set after the other."""

    def __init__(
        self, processes: int, columns: Sequence[np.ndarray], weights: np.ndarray, block: int, compute: Compute
    ) -> None:
        """Begin the forks.

        Args:
            processes: how many, this one among them.
            columns: of a first data set; those after it have the same shapes.
            weights: with which gradients are computed, float32 ``(size,)``; the forks' are set to this process's.
            block: the rows of a block, at most.
            compute: in each process.
        """
        self._weights, self._compute = weights, compute
        self._columns = [_shared(column.shape, column.dtype) for column in columns]
        slots = -(-len(columns[0]) // block)
        self._rows = _shared((len(columns[0]),), np.dtype(np.int64))
        self._shared_weights = _shared(weights.shape, weights.dtype)
        self._gradients = _shared((slots, weights.size), weights.dtype)
        self._ratios = _shared((slots, 2, block), np.dtype(np.float32))
        self._forks: list[tuple[Any, Any]] = []
        context = multiprocessing.get_context("fork")
        for _ in range(processes - 1):
            here, there = context.Pipe()
            fork = context.Process(target=self._serve, args=(there, os.getpid()), daemon=True)
            with stopping.blocked():
                fork.start()
            there.close()
            self._forks.append((here, fork))
        self.close = weakref.finalize(self, _end, self._forks)
        """Ends the forks; so does the end of this process, and when nobody needs them any more."""

    def fits(self, columns: Sequence[np.ndarray]) -> bool:
        """Tell whether a data set has the shapes of the first."""
        mine = [(column.shape, column.dtype) for column in self._columns]
        return mine == [(column.shape, column.dtype) for column in columns]

    def take(self, columns: Sequence[np.ndarray]) -> None:
        """Take another data set."""
        for mine, column in zip(self._columns, columns, strict=True):
            mine[...] = column

    def compute(self, loss: Loss, rows: np.ndarray, parts: Sequence[slice]) -> tuple[np.ndarray, list[StepResult]]:
        """Compute some blocks of a batch.

        Args:
            loss: of the batch.
            rows: the indices of those of the data set that are the batch.
            parts: the blocks, as parts of ``rows``.

        Returns:
            The gradients, float32 ``(blocks, size)``, valid until the next call, and the results of the blocks.

        Raises:
            InputError: A fork has died.
        """
        self._rows[: len(rows)] = rows
        self._shared_weights[...] = self._weights
        count = len(self._forks) + 1
        bounds = [len(parts) * number // count for number in range(count + 1)]
        shares = [range(*pair) for pair in itertools.pairwise(bounds)]
        own, *others = [[(slot, parts[slot]) for slot in share] for share in shares]
        try:
            for (pipe, _), share in zip(self._forks, others, strict=True):
                pipe.send((loss, len(rows), share))
            losses = self._compute_share(loss, len(rows), own)
            for pipe, fork in self._forks:
                if pipe not in multiprocessing.connection.wait([pipe, fork.sentinel]):
                    raise EOFError
                losses += pipe.recv()
        except (EOFError, OSError):
            self.close()
            raise InputError(
                "A process that computes gradients was ended, as the system does it where memory is short, expected it "
                "to live as long as the job."
            ) from None
        results = []
        for slot, (part, values) in enumerate(zip(parts, losses, strict=True)):
            ratios, clipped = self._ratios[slot, :, : part.stop - part.start].copy()
            named = dict(zip(LOSSES, values, strict=True))
            results.append(StepResult(**named, ratios=ratios, clipped_ratios=clipped))
        return self._gradients[: len(parts)], results

    def _compute_share(
        self, loss: Loss, batch_size: int, share: Sequence[tuple[int, slice]]
    ) -> list[tuple[float, ...]]:
        """Compute blocks, write their gradients and ratios into their slots, and return their losses."""
        losses: list[tuple[float, ...]] = []
        for slot, part in share:
            rows = self._rows[part]
            columns = [column.take(rows, axis=0) for column in self._columns]
            result = self._compute(loss, columns, batch_size, self._gradients[slot])
            self._ratios[slot, :, : len(rows)] = result.ratios, result.clipped_ratios
            losses.append(tuple(getattr(result, name) for name in LOSSES))
        return losses

    def _serve(self, pipe: Any, parent: int) -> None:
        """Compute in a fork what it is asked for, until the job's process is gone."""
        forks.begin(parent, signal.SIG_IGN)
        while True:
            loss, batch_size, share = pipe.recv()
            self._weights[...] = self._shared_weights
            pipe.send(self._compute_share(loss, batch_size, share))


def _shared(shape: tuple[int, ...], dtype: "np.dtype[Any]") -> np.ndarray:
    """Return an array of zeros in memory that forks share."""
    size = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, int(np.prod(shape))).reshape(shape)


def _end(begun: list[tuple[Any, Any]]) -> None:
    for pipe, fork in begun:
        fork.kill()
        fork.join()
        pipe.close()
