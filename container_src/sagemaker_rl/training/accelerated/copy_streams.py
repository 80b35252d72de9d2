"""Random numbers of a batch of copies of an environment, each from a stream of its own.

What a copy draws depends on the seed, on its number and on how often it has drawn, and not on which other copies are
played beside it: they may be spread over processes and hosts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sagemaker_rl.training.state_file import State

STEPS = 256
"""How many draws of a copy are made together: one by one they would take as long as the policy."""
KINDS = ("random", "standard_normal")
STARTS = 0
"""In the place of the size of a draw: the streams of start states."""


def start_of(seed: int, copy: int, episode: int) -> np.random.Generator:
    """Return the stream from which a copy draws where one of its episodes starts."""
    return _stream(seed, copy, episode, 0, STARTS)


def _stream(seed: int, copy: int, number: int, kind: int, size: int) -> np.random.Generator:
    """Return a stream that no other arguments have: Philox (https://doi.org/10.1145/2063384.2063405)."""
    # The counter's first word counts what is drawn.
    return np.random.Generator(np.random.Philox(key=[seed, len(KINDS) * size + kind], counter=[0, number, copy, 0]))


class CopyStreams:
    """Draws for all copies at once, as a ``numpy.random.Generator`` does: the first of the dimensions is the copies."""

    def __init__(self, seed: int, copies: Sequence[int]) -> None:
        """Begin the streams of the copies that have these numbers."""
        self.seed = seed
        self.copies = copies
        self._drawn: dict[tuple[int, int], int] = {}
        self._blocks: dict[tuple[int, int], np.ndarray] = {}

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return numbers from 0 to 1, float64 of the shape ``(copies, size)``."""
        return self._draw(0, shape)

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return numbers of a standard normal distribution, float64 of the shape ``(copies, size)``."""
        return self._draw(1, shape)

    def _draw(self, kind: int, shape: tuple[int, ...]) -> np.ndarray:
        if shape[0] != len(self.copies):
            raise ValueError(f"{shape[0]} copies, expected {len(self.copies)}")
        key = kind, shape[1]
        drawn = self._drawn.get(key, 0)
        if drawn % STEPS == 0 or key not in self._blocks:
            self._blocks[key] = self._block(kind, shape[1], drawn // STEPS)
        self._drawn[key] = drawn + 1
        return self._blocks[key][drawn % STEPS]

    def _block(self, kind: int, size: int, number: int) -> np.ndarray:
        """Return the draws of STEPS steps, ``(STEPS, copies, size)``."""
        name = KINDS[kind]
        draws: list[Any] = [
            getattr(_stream(self.seed, copy, number, kind, size), name)((STEPS, size)) for copy in self.copies
        ]
        return np.stack(draws, axis=1)

    def state(self) -> State:
        """Return the seed, and how often has been drawn."""
        return {"seed": self.seed, "drawn": [[*key, drawn] for key, drawn in self._drawn.items()]}

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned, of the same or other copies."""
        self.seed = int(state["seed"])
        self._drawn = {(int(kind), int(size)): int(drawn) for kind, size, drawn in state["drawn"]}
        self._blocks = {}
