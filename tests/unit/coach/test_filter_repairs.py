"""The repairs of Coach's observation filters: pictures cropped, and normalized."""

import numpy as np
import pytest
from sagemaker_rl.coach import repairs

repairs.apply()

SAMPLES = np.random.default_rng(6).normal(size=(7, 2, 3, 4)) * np.arange(1.0, 25.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ([1, 0, 2], [4, 3, 5], np.s_[1:4, 0:3, 2:5]),
        ([0, 1, 0], [-1, 2, -1], np.s_[:, 1:2, :]),
        ([2, 0, 0], None, np.s_[2:, :, :]),
        (None, [3, 4, 1], np.s_[:3, :4, :1]),
    ],
)
def test_a_picture_is_cropped_at_both_ends_of_each_axis(low, high, expected):
    from rl_coach.filters.observation.observation_crop_filter import ObservationCropFilter

    picture = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    bounds = [None if bound is None else np.array(bound) for bound in (low, high)]
    cropped = ObservationCropFilter(*bounds).filter(picture)
    assert np.array_equal(cropped, picture[expected])
    assert cropped.shape == picture[expected].shape


def statistics_of(shape):
    from rl_coach.utilities.shared_running_stats import NumpySharedRunningStats

    statistics = NumpySharedRunningStats("observation_stats")
    statistics.set_params(shape=shape, clip_values=(-5.0, 5.0))
    return statistics


def test_the_statistics_of_pictures_are_those_of_their_pixels():
    pictures, pixels = statistics_of((2, 3, 4)), statistics_of((24,))
    for batch in (SAMPLES[:4], SAMPLES[4:5], SAMPLES[5:]):
        pictures.push_val(batch)
        pixels.push_val(batch.reshape(len(batch), -1))
    for name in ("_mean", "_std", "_sum", "_sum_squares"):
        of_pictures, of_pixels = getattr(pictures, name), getattr(pixels, name)
        assert of_pictures.shape == (2, 3, 4), name
        assert of_pictures.ravel().tobytes() == of_pixels.tobytes(), name
    assert pictures.n == pixels.n
    assert pictures.mean == pytest.approx(SAMPLES.sum(axis=0) / (7 + 1e-2))


def test_stacked_pictures_are_normalized():
    from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
    from rl_coach.filters.observation.observation_stacking_filter import LazyStack

    made = ObservationNormalizationFilter(clip_min=-1.0, clip_max=2.0)
    made.set_device("cpu")
    made.running_observation_stats.set_params(shape=(3, 4, 2), clip_values=(-1.0, 2.0))
    stacks = [LazyStack([first, second], axis=-1) for first, second in SAMPLES]
    expected = np.stack([np.asarray(stack) for stack in stacks])
    normalized = made.filter(stacks)
    statistics = made.running_observation_stats
    assert statistics.n == pytest.approx(7.01)
    assert np.array_equal(normalized, np.clip((expected - statistics.mean) / (statistics.std + 1e-15), -1, 2))
    again = made.filter(stacks, update_internal_state=False)
    assert statistics.n == pytest.approx(7.01)
    assert np.array_equal(again, normalized)
