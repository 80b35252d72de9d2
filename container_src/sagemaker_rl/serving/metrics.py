"""Counters of an endpoint, in Prometheus' text format.

Workers count in memory that they share (``shared.Board``): any of them can tell the sum over all, and what a worker
counted stays when it dies. The format is prometheus_client's.
"""

import bisect
from collections.abc import Iterable, Iterator, MutableSequence, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
ROUTES = ("/ping", "/invocations", "/models", "/metrics", "/openapi.json", "other")
STATUSES = (200, 400, 404, 405, 406, 408, 409, 413, 414, 415, 431, 500, 503, 507, 0)
"""0 stands for all others: those that a user's own code answers."""
LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the buckets, in seconds."""
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096)
"""Upper bounds of the buckets, in observations."""

_STATUS_PLACE = {status: place for place, status in enumerate(STATUSES)}
_ROUTE_PLACE = {route: place for place, route in enumerate(ROUTES)}
_HISTOGRAM = len(LATENCIES) + 2  # a bucket beyond the last bound, and the sum
_REQUESTS = 0
_SECONDS = _REQUESTS + len(ROUTES) * len(STATUSES)
_BATCHES = _SECONDS + len(ROUTES) * _HISTOGRAM
_OBSERVATIONS = _BATCHES + len(BATCH_SIZES) + 2
_IN_HAND = _OBSERVATIONS + 1
_MODELS = _IN_HAND + 1
_STARTS = _MODELS + 1
VALUES = _STARTS + 1
"""How many numbers a worker counts."""


class Counters:
    """What one worker counts."""

    def __init__(self, values: MutableSequence[float]) -> None:
        self._values = values
        self._values[_IN_HAND] = 0
        self._values[_STARTS] += 1

    def answered(self, route: str, status: int, seconds: float) -> None:
        values = self._values
        place = _ROUTE_PLACE.get(route, len(ROUTES) - 1)
        values[_REQUESTS + place * len(STATUSES) + _STATUS_PLACE.get(status, len(STATUSES) - 1)] += 1
        start = _SECONDS + place * _HISTOGRAM
        values[start + bisect.bisect_left(LATENCIES, seconds)] += 1
        values[start + _HISTOGRAM - 1] += seconds

    def batch(self, observations: int) -> None:
        values = self._values
        values[_BATCHES + bisect.bisect_left(BATCH_SIZES, observations)] += 1
        values[_OBSERVATIONS] += observations

    def in_hand(self, requests: int) -> None:
        self._values[_IN_HAND] = requests

    def models(self, count: int) -> None:
        self._values[_MODELS] = count


def exposition(workers: Sequence[MutableSequence[float]], ready: int) -> bytes:
    """Return what ``GET /metrics`` answers.

    Args:
        workers: every worker's values.
        ready: how many of them can answer.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Sums([sum(column) for column in zip(*workers, strict=True)], workers, ready))
    return generate_latest(registry)


class _Sums:
    """A collector (https://prometheus.github.io/client_python/collector/custom/) of the sums over all workers."""

    def __init__(self, values: Sequence[float], workers: Sequence[MutableSequence[float]], ready: int) -> None:
        self._values = values
        self._workers = workers
        self._ready = ready

    def collect(self) -> Iterator[Metric]:
        values = self._values
        requests = CounterMetricFamily(
            "sagemaker_rl_requests", "Requests answered, by route and status", labels=("route", "status")
        )
        seconds = HistogramMetricFamily(
            "sagemaker_rl_request_duration_seconds",
            "Seconds from the last byte of a request to its answer",
            labels=("route",),
        )
        for place, route in enumerate(ROUTES):
            for number, status in enumerate(STATUSES):
                if count := values[_REQUESTS + place * len(STATUSES) + number]:
                    requests.add_metric((route, str(status) if status else "other"), count)
            start = _SECONDS + place * _HISTOGRAM
            buckets = values[start : start + _HISTOGRAM - 1]
            if any(buckets):
                seconds.add_metric((route,), list(_cumulative(LATENCIES, buckets)), values[start + _HISTOGRAM - 1])
        yield requests
        yield seconds
        batches = HistogramMetricFamily(
            "sagemaker_rl_batch_observations", "Observations that went through the network together"
        )
        buckets = values[_BATCHES : _BATCHES + len(BATCH_SIZES) + 1]
        batches.add_metric((), list(_cumulative(BATCH_SIZES, buckets)), values[_OBSERVATIONS])
        yield batches
        yield GaugeMetricFamily(
            "sagemaker_rl_requests_in_hand", "Requests read and not yet answered", value=values[_IN_HAND]
        )
        yield GaugeMetricFamily("sagemaker_rl_workers_ready", "Worker processes that can answer", value=self._ready)
        yield CounterMetricFamily(
            "sagemaker_rl_worker_starts", "Worker processes started, replacements included", value=values[_STARTS]
        )
        yield GaugeMetricFamily(
            "sagemaker_rl_models_loaded", "Models loaded", value=max(worker[_MODELS] for worker in self._workers)
        )


def _cumulative(bounds: Iterable[float], counts: Sequence[float]) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound, count in zip((*map(float, bounds), float("inf")), counts, strict=True):
        total += count
        yield ("+Inf" if bound == float("inf") else str(bound)), total
