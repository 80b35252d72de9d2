"""Coach's normalization of observations by their running mean and standard deviation."""

from collections.abc import Iterable
from typing import Any

import numpy as np

STATISTICS_KEYS = ("_mean", "_std", "_count", "_sum", "_sum_squares")
"""What Coach saves of its NumpySharedRunningStats (utilities/shared_running_stats.py:182)."""
NUMERICAL_FLOOR = 1e-15
"""What Coach adds to the standard deviation (utilities/shared_running_stats.py:174)."""


def normalizations_of(agent: Any) -> list[Any]:
    """Return the filters of an agent that normalize observations, before they are stored and after."""
    stages = (agent.input_filter, agent.pre_network_filter)
    filters = [f for stage in stages for by_name in stage.observation_filters.values() for f in by_name.values()]
    return [f for f in filters if hasattr(f, "running_observation_stats")]


def normalize(observations: np.ndarray, statistics: Any) -> np.ndarray:
    """Return what ``NumpySharedRunningStats.normalize`` does, in a fraction of ``np.clip``'s time.

    Args:
        observations: shape ``(batch, *shape)``.
        statistics: Coach's, of one ObservationNormalizationFilter.

    Returns:
        float64, of the same shape.
    """
    low, high = statistics.clip_values
    return np.minimum(np.maximum((observations - statistics.mean) / (statistics.std + NUMERICAL_FLOOR), low), high)


def normalize_by_all(observations: np.ndarray, all_statistics: Iterable[Any]) -> np.ndarray:
    """Return what filters that follow each other make of ``observations``; arguments as of ``normalize``."""
    for statistics in all_statistics:
        observations = normalize(observations, statistics)
    return observations


def count_by_all(observations: np.ndarray, all_statistics: Iterable[Any]) -> None:
    """Count ``observations`` in running statistics: each filter counts what the one before it makes of them."""
    for statistics in all_statistics:
        statistics.push_val(observations)
        observations = normalize(observations, statistics)
