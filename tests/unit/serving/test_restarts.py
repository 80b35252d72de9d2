"""When workers are started again, by a clock that the tests set."""

import pytest
from sagemaker_rl.serving import restarts
from sagemaker_rl.serving.restarts import MAX_EARLY_DEATHS, MAX_RESTART_SECONDS, Restarts


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(restarts.time, "monotonic", lambda: now[0])
    return now


def test_each_waits_longer_than_the_one_before(clock):
    tested = Restarts()
    for seconds in (0.5, 1.0, 2.0, 4.0, 8.0, MAX_RESTART_SECONDS, MAX_RESTART_SECONDS):
        tested.schedule(3)
        clock[0] += seconds - 0.01
        assert tested.take_due() == []
        clock[0] += 0.01
        assert tested.take_due() == [3]
        assert tested.take_due() == []
    tested.reset()
    tested.schedule(3)
    clock[0] += 0.5
    assert tested.take_due() == [3]


def test_after_three_there_is_no_hope(clock):
    tested = Restarts()
    for number in range(MAX_EARLY_DEATHS):
        assert not tested.is_hopeless()
        tested.schedule(number)
    assert tested.is_hopeless()
    tested.reset()
    assert not tested.is_hopeless()
