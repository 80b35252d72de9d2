"""The values that a tuning job of this machine tries, and the best of its training jobs."""

import math
from collections import Counter

import pytest
from launch.local.tuning_api import best_of
from launch.local.tuning_search import trials


def config(jobs: int, strategy: str = "Random", **ranges: list) -> dict:
    return {
        "Strategy": strategy,
        "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": ranges,
        "RandomSeed": 3,
    }


def continuous(low: str, high: str, scaling: str) -> list:
    return [{"Name": "x", "MinValue": low, "MaxValue": high, "ScalingType": scaling}]


@pytest.mark.parametrize(
    ("low", "high", "scaling", "middle"),
    [
        ("0", "2", "Linear", 1.0),
        ("1e-5", "1e-1", "Logarithmic", 1e-3),
        ("0.9", "0.9999", "ReverseLogarithmic", 1 - math.sqrt(0.1 * 0.0001)),
        ("1", "100", "Auto", 10.0),
        ("1", "99", "Auto", 50.0),
        ("-1", "199", "Auto", 99.0),
    ],
)
def test_numbers_are_spread_over_the_range_by_its_scaling(low, high, scaling, middle):
    drawn = trials(config(400, ContinuousParameterRanges=continuous(low, high, scaling)))
    numbers = [float(trial["x"]) for trial in drawn]
    assert float(low) <= min(numbers) <= max(numbers) <= float(high)
    assert len(set(numbers)) == 400
    assert 150 < sum(number < middle for number in numbers) < 250


def test_whole_numbers_reach_both_ends_as_often_as_the_others():
    ranges = [{"Name": "n", "MinValue": "-1", "MaxValue": "2", "ScalingType": "Linear"}]
    counts = Counter(trial["n"] for trial in trials(config(400, IntegerParameterRanges=ranges)))
    assert counts.keys() == {"-1", "0", "1", "2"}
    assert min(counts.values()) > 70


def test_the_seed_decides():
    ranges = {
        "ContinuousParameterRanges": continuous("0", "1", "Linear"),
        "CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "b"]}],
    }
    first, second = (list(trials(config(20, **ranges))) for _ in range(2))
    assert first == second
    assert {trial["c"] for trial in first} == {"a", "b"}
    assert list(trials({**config(20, **ranges), "RandomSeed": 4})) != first


def test_a_grid_has_all_combinations():
    ranges = [{"Name": "a", "Values": ["1", "2"]}, {"Name": "b", "Values": ["x", "y"]}]
    drawn = list(trials(config(4, "Grid", CategoricalParameterRanges=ranges)))
    assert drawn == [{"a": a, "b": b} for a in "12" for b in "xy"]


@pytest.mark.parametrize(("better", "best"), [("Maximize", "high"), ("Minimize", "low")])
def test_the_best_job_is_the_objectives(better, best):
    def job(name: str, value: float) -> dict:
        metric = {"Type": better, "MetricName": "m", "Value": value}
        result = {"ObjectiveStatus": "Succeeded", "FinalHyperParameterTuningJobObjectiveMetric": metric}
        return {"TrainingJobName": name, **result}

    failed = {"TrainingJobName": "failed", "ObjectiveStatus": "Failed"}
    found = best_of([failed, job("middle", 2.0), job("low", 1.0), job("high", 3.0)])
    assert found is not None
    assert found["TrainingJobName"] == best
    assert best_of([failed]) is None
