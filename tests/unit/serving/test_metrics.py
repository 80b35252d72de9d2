"""The table of metrics, and what /metrics makes of the numbers that workers count."""

import pytest
from sagemaker_rl.serving import metrics


@pytest.fixture
def workers():
    """The numbers of two workers."""
    return [[0.0] * metrics.NUMBERS for _ in range(2)]


def exposed(workers, ready=(0, 0)) -> dict[str, float]:
    lines = metrics.exposition(workers, ready).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_every_metric_is_exposed_with_its_help(workers):
    text = metrics.exposition(workers, (1, 1)).decode()
    for metric in metrics.METRICS:
        assert f"# HELP {metric.name}" in text
        assert metric.help in text
    assert text.count("# TYPE ") == len(metrics.METRICS)


def test_numbers_of_workers_are_added_but_models_are_not(workers):
    for worker in workers:
        counters = metrics.Counters(worker)
        counters.add_answer("/ping", 200, 0.0002)
        counters.set_in_hand(3)
        counters.set_models(2)
    values = exposed(workers, ready=(1, 0))
    assert values['sagemaker_rl_requests_total{route="/ping",status="200"}'] == 2
    assert values["sagemaker_rl_requests_in_hand"] == 6
    assert values["sagemaker_rl_models_loaded"] == 2
    assert values["sagemaker_rl_workers_ready"] == 1
    assert values["sagemaker_rl_worker_starts_total"] == 2


def test_a_histogram_is_cumulative_and_has_its_sum(workers):
    counters = metrics.Counters(workers[0])
    for observations in (1, 2, 2, 5000):
        counters.add_batch(observations)
    values = exposed(workers)
    assert values['sagemaker_rl_batch_observations_bucket{le="1.0"}'] == 1
    assert values['sagemaker_rl_batch_observations_bucket{le="2.0"}'] == 3
    assert values['sagemaker_rl_batch_observations_bucket{le="4096.0"}'] == 3
    assert values['sagemaker_rl_batch_observations_bucket{le="+Inf"}'] == 4
    assert values["sagemaker_rl_batch_observations_count"] == 4
    assert values["sagemaker_rl_batch_observations_sum"] == 5005


def test_an_unlisted_path_or_status_is_other(workers):
    metrics.Counters(workers[0]).add_answer("/models/car/invoke", 418, 20.0)
    values = exposed(workers)
    assert values['sagemaker_rl_requests_total{route="other",status="other"}'] == 1
    assert values['sagemaker_rl_request_duration_seconds_sum{route="other"}'] == 20
    assert not any("/ping" in name for name in values)  # what has not happened has no series


def test_a_replaced_worker_goes_on_with_the_numbers(workers):
    metrics.Counters(workers[0]).add_answer("/ping", 200, 0.1)
    metrics.Counters(workers[0]).add_answer("/ping", 200, 0.1)
    values = exposed(workers)
    assert values['sagemaker_rl_requests_total{route="/ping",status="200"}'] == 2
    assert values["sagemaker_rl_worker_starts_total"] == 2


def test_the_bounds_of_buckets_are_inside_them(workers):
    counters = metrics.Counters(workers[1])
    for bound in metrics.LATENCIES:
        counters.add_answer("/openapi.json", 507, bound)
    values = exposed(workers)
    for place, bound in enumerate(metrics.LATENCIES):
        name = f'sagemaker_rl_request_duration_seconds_bucket{{le="{bound}",route="/openapi.json"}}'
        assert values[name] == place + 1
    assert values['sagemaker_rl_requests_total{route="/openapi.json",status="507"}'] == len(metrics.LATENCIES)
    assert values['sagemaker_rl_request_duration_seconds_sum{route="/openapi.json"}'] == sum(metrics.LATENCIES)


def test_a_new_worker_has_nothing_in_hand(workers):
    metrics.Counters(workers[0]).set_in_hand(4)
    metrics.Counters(workers[0])
    assert exposed(workers)["sagemaker_rl_requests_in_hand"] == 0


def test_every_route_and_status_is_counted_in_a_place_of_its_own(workers):
    counters = metrics.Counters(workers[0])
    pairs = [(route, status) for route in metrics.ROUTES for status in metrics.STATUSES]
    for count, (route, status) in enumerate(pairs, 1):
        for _ in range(count):
            counters.add_answer(route, status, 0.0)
    values = exposed(workers)
    for count, (route, status) in enumerate(pairs, 1):
        name = f'sagemaker_rl_requests_total{{route="{route}",status="{status or "other"}"}}'
        assert values[name] == count
    assert values["sagemaker_rl_batch_observations_count"] == 0
    assert values["sagemaker_rl_models_loaded"] == 0


def test_buckets_as_the_documents_list_them():
    assert tuple(sorted(metrics.LATENCIES)) == metrics.LATENCIES
    assert tuple(sorted(metrics.BATCH_SIZES)) == metrics.BATCH_SIZES
    assert (metrics.LATENCIES[0], metrics.LATENCIES[-1]) == (0.0001, 10.0)
