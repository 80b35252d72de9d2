"""What Coach's observation filters need changed: pictures are rescaled, cropped and normalized on current packages."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sagemaker_rl import resizing


def repair_filters() -> None:
    """Apply every repair of this module; see ``repairs.apply``."""
    _resize_without_scikit_image()
    _crop_by_a_tuple()
    _normalize_pictures()


def _resize_without_scikit_image() -> None:
    """Let the filters that rescale pictures do it in NumPy.

    Upstream: filters/observation/observation_rescale_to_size_filter.py:18 and …_size_by_factor_filter.py:17, ``from
    skimage.transform import resize``, the only use of scikit-image (38 MB, and SciPy's 98). Without it: ImportError at
    the first observation of a preset with pictures.
    """
    from rl_coach.filters.observation import (
        observation_rescale_size_by_factor_filter,
        observation_rescale_to_size_filter,
    )

    for module in (observation_rescale_size_by_factor_filter, observation_rescale_to_size_filter):
        module.resize = resizing.resize


def _crop_by_a_tuple() -> None:
    """Let the filter that crops observations do so with current NumPy.

    Upstream: filters/observation/observation_crop_filter.py:92, ``observation[indices]`` with a list of slices, which
    NumPy 1.23 takes for an array of indices. Without it: IndexError at the first observation.
    """
    from rl_coach.filters.observation.observation_crop_filter import ObservationCropFilter

    def filter_observation(self: Any, observation: np.ndarray, update_internal_state: bool = True) -> np.ndarray:
        low, high = (
            self._replace_negative_one_in_crop_size(bound, observation.shape)
            for bound in (self.crop_low, self.crop_high)
        )
        return observation[tuple(slice(first, end) for first, end in zip(low, high, strict=True))]

    ObservationCropFilter.filter = filter_observation


def _normalize_pictures() -> None:
    """Let observations of several dimensions be normalized, also stacked ones.

    Upstream: utilities/shared_running_stats.py:145, ``self._sum += samples.sum(axis=0).ravel()`` where the sum has the
    shape of an observation; and filters/observation/observation_normalization_filter.py:72, ``np.array(observations)``
    of LazyStacks. Without it: ``ValueError: non-broadcastable output operand`` and ``TypeError: int() argument must be
    a string, a bytes-like object or a real number, not 'LazyStack'``.
    """
    from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
    from rl_coach.utilities.shared_running_stats import NumpySharedRunningStats

    normalize = ObservationNormalizationFilter.filter
    push, arrays = NumpySharedRunningStats.push_val, ("_mean", "_std", "_sum", "_sum_squares")

    def push_val(self: Any, samples: np.ndarray) -> None:
        shape = self._mean.shape
        if len(shape) == 1:
            push(self, samples)
            return
        for name in arrays:
            setattr(self, name, getattr(self, name).ravel())
        push(self, samples.reshape(len(samples), -1))
        for name in arrays:
            setattr(self, name, getattr(self, name).reshape(shape))

    def filter_observations(self: Any, observations: Sequence[Any], update_internal_state: bool = True) -> np.ndarray:
        return normalize(self, [np.asarray(observation) for observation in observations], update_internal_state)

    NumpySharedRunningStats.push_val = push_val
    ObservationNormalizationFilter.filter = filter_observations
