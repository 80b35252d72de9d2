"""Observations are normalized as Coach normalizes them, bit by bit."""

import numpy as np
import pytest
from graphs import make_graph
from sagemaker_rl.coach import repairs
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.normalization import STATISTICS_KEYS, normalizations_of, normalize

repairs.apply()

OBSERVATIONS = np.array([[0.5, -3.0, 100.0], [0.25, 7.0, -40.0], [9.0, 1.0, 3.0]], dtype=np.float32)


@pytest.fixture
def statistics():
    from rl_coach.utilities.shared_running_stats import NumpySharedRunningStats

    statistics = NumpySharedRunningStats("observation_stats")
    statistics.set_params(shape=(3,), clip_values=(-0.75, 1.25))
    statistics.push_val(np.array([[1.0, 2.0, -5.0], [0.0, 7.0, 4.0], [0.5, -1.0, 90.0], [0.1, 0.0, 2.0]]))
    return statistics


def test_it_is_coachs_in_the_same_bits_and_within_both_bounds(statistics):
    ours = normalize(OBSERVATIONS, statistics)
    assert ours.dtype == np.float64
    assert ours.tobytes() == statistics.normalize(OBSERVATIONS).tobytes()
    assert (ours.min(), ours.max()) == (-0.75, 1.25)
    assert len(np.unique(ours)) > 3


def test_a_deviation_of_nearly_nothing(statistics):
    statistics._mean, statistics._std = np.zeros(3), np.array([0.0, 1e-15, 3e-15])
    observations = np.array([[1e-15, 1e-15, 1e-15]]) / 2
    assert normalize(observations, statistics).tobytes() == statistics.normalize(observations).tobytes()
    assert normalize(observations, statistics) == pytest.approx(np.array([[0.5, 0.25, 0.125]]))


def test_the_keys_are_what_coach_saves(statistics, tmp_path):
    import pickle

    statistics.save_state_to_checkpoint(str(tmp_path), "x")
    assert tuple(pickle.loads((tmp_path / "x.srs").read_bytes())) == STATISTICS_KEYS


def test_the_filters_that_normalize_in_their_order(tmp_path):
    from rl_coach.filters.filter import InputFilter
    from rl_coach.filters.observation.observation_clipping_filter import ObservationClippingFilter
    from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter

    agent = agent_of(make_graph(tmp_path))
    (own,) = normalizations_of(agent)
    assert own is agent.pre_network_filter.observation_filters["observation"]["normalize_observation"]
    first, second = ObservationNormalizationFilter(), ObservationNormalizationFilter()
    agent.input_filter = InputFilter()
    for name, each in {"a": first, "clip": ObservationClippingFilter(), "b": second}.items():
        agent.input_filter.add_observation_filter("observation", name, each)
    assert normalizations_of(agent) == [first, second, own]
