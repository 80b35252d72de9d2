"""The trace of an episode stays short, however long the episode is."""

import numpy as np
import pytest
from sagemaker_rl.job.traces import MAX_POINTS, Trace


@pytest.mark.parametrize(("steps", "every"), [(7, 1), (MAX_POINTS, 1), (MAX_POINTS + 1, 2), (10_000, 16)])
def test_a_long_episodes_trace_is_thinned_out_evenly(steps, every):
    trace = Trace()
    for step in range(steps):
        trace.add([step, -step], 0.5)
    points = trace.points()
    assert len(points) <= MAX_POINTS
    np.testing.assert_array_equal(points[:, 0], np.arange(0, steps, every))
    np.testing.assert_array_equal(points[:, 1], points[:, 0])


def test_a_trace_of_pictures_is_none(tmp_path):
    trace = Trace()
    trace.add(np.zeros((84, 84)), 1)
    trace.save(tmp_path / "trace.csv")
    assert list(tmp_path.iterdir()) == []
