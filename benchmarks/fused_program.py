"""Our continuous job beside the same sizes as one fused JAX program (peers/jax_ppo.py)."""

import itertools
import math
import statistics
from collections.abc import Callable
from typing import Any

NINETY_NINE = 99.0


def seconds_of_a_training(run: dict[str, Any]) -> float:
    """Return the median seconds from one evaluation to the next: the first training, which compiles, is left out."""
    pairs = itertools.pairwise(point["seconds"] for point in run["curve"])
    return statistics.median(after - before for before, after in pairs)


def seconds_to_99(run: dict[str, Any]) -> float:
    """Return the seconds from the start of the process to the first evaluation of 99; infinite if there is none."""
    return next((point["seconds"] for point in run["curve"] if point["mean_return"] >= NINETY_NINE), math.inf)


def compare(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], seconds_of: Callable[[dict[str, Any]], float]
) -> tuple[float, str] | None:
    """Return how many times the median seconds are theirs, with words; None where there are no runs of both."""
    if not ours or not theirs:
        return None
    our_seconds, their_seconds = (statistics.median(map(seconds_of, runs)) for runs in (ours, theirs))
    ratio = their_seconds / our_seconds
    return ratio, f"{ratio:.2f} ({their_seconds:.2f} s / {our_seconds:.2f} s, medians)"
