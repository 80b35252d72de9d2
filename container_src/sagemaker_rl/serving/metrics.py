"""Metrics of an endpoint, in Prometheus' text format: ``METRICS`` has one entry for each.

Workers count in memory that they share (``shared_state.SharedState``): any of them can tell the sum over all, and the
numbers of a worker stay when it dies. The format is prometheus_client's.
"""

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sagemaker_rl.serving import http_statuses

CONTENT_TYPE = CONTENT_TYPE_LATEST
ROUTES = ("/ping", "/invocations", "/execution-parameters", "/models", "/metrics", "/openapi.json", "other")
"""Values of the label ``route``: paths of ``Endpoint.routes`` that are counted each, and ``other`` for the rest."""
STATUSES = (200, *http_statuses.ERRORS, 0)
"""Values of the label ``status``; 0 stands for all others, which a user's own code may answer with."""
LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the buckets, in seconds."""
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096)
"""Upper bounds of the buckets, in observations."""

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


@dataclass(frozen=True, eq=False)
class Metric:
    """One metric: a time series for each combination of its labels' values.

    Attributes:
        family: prometheus_client's type of metric.
        name: in ``/metrics``; a counter's gets the suffix ``_total``.
        help: its description in ``/metrics``.
        labels: names of its labels.
        series: values of the labels, a tuple for each time series.
        buckets: of a histogram, the buckets' upper bounds.
        merge: makes one number of those of all workers.
    """

    family: type[Family]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    series: tuple[tuple[str, ...], ...] = ((),)
    buckets: tuple[float, ...] = ()
    merge: Callable[[Iterable[float]], float] = sum

    @property
    def numbers_per_series(self) -> int:
        """How many numbers a worker keeps: a histogram's are one per bucket, one beyond the last bound, and the sum."""
        return len(self.buckets) + 2 if self.buckets else 1

    @property
    def size(self) -> int:
        """How many numbers a worker keeps for all series."""
        return len(self.series) * self.numbers_per_series


REQUESTS = Metric(
    CounterMetricFamily,
    "sagemaker_rl_requests",
    "Requests answered, by route and status",
    ("route", "status"),
    tuple((route, str(status) if status else "other") for route in ROUTES for status in STATUSES),
)
SECONDS = Metric(
    HistogramMetricFamily,
    "sagemaker_rl_request_duration_seconds",
    "Seconds from the last byte of a request to its answer",
    ("route",),
    tuple((route,) for route in ROUTES),
    LATENCIES,
)
BATCHES = Metric(
    HistogramMetricFamily,
    "sagemaker_rl_batch_observations",
    "Observations that went through the network together",
    buckets=BATCH_SIZES,
)
IN_HAND = Metric(GaugeMetricFamily, "sagemaker_rl_requests_in_hand", "Requests read and not yet answered")
READY = Metric(GaugeMetricFamily, "sagemaker_rl_workers_ready", "Worker processes that can answer")
STARTS = Metric(CounterMetricFamily, "sagemaker_rl_worker_starts", "Worker processes started, replacements included")
MODELS = Metric(GaugeMetricFamily, "sagemaker_rl_models_loaded", "Models loaded", merge=max)

METRICS = (REQUESTS, SECONDS, BATCHES, IN_HAND, READY, STARTS, MODELS)

_OFFSETS = dict(zip(METRICS, itertools.accumulate((metric.size for metric in METRICS), initial=0), strict=False))
"""Where a metric's numbers begin among those of a worker."""
NUMBERS = sum(metric.size for metric in METRICS)
"""How many numbers a worker keeps."""

# As plain numbers, because they are used for every request.
_REQUESTS, _SECONDS, _BATCHES = _OFFSETS[REQUESTS], _OFFSETS[SECONDS], _OFFSETS[BATCHES]
_NUMBERS_PER_ROUTE = SECONDS.numbers_per_series
_ROUTE_INDEX = {route: index for index, route in enumerate(ROUTES)}
_STATUS_INDEX = {status: index for index, status in enumerate(STATUSES)}


class Counters:
    """Counts in the numbers of one worker, in which it first counts the start of that worker."""

    def __init__(self, numbers: MutableSequence[float]) -> None:
        self._numbers = numbers
        self._numbers[_OFFSETS[IN_HAND]] = 0
        self._numbers[_OFFSETS[STARTS]] += 1

    def add_answer(self, path: str, status: int, seconds: float) -> None:
        """Count an answer that took so long."""
        numbers = self._numbers
        route = _ROUTE_INDEX.get(path, len(ROUTES) - 1)
        numbers[_REQUESTS + route * len(STATUSES) + _STATUS_INDEX.get(status, len(STATUSES) - 1)] += 1
        start = _SECONDS + route * _NUMBERS_PER_ROUTE
        numbers[start + bisect.bisect_left(LATENCIES, seconds)] += 1
        numbers[start + _NUMBERS_PER_ROUTE - 1] += seconds

    def add_batch(self, observations: int) -> None:
        """Count a forward pass of so many observations."""
        numbers = self._numbers
        numbers[_BATCHES + bisect.bisect_left(BATCH_SIZES, observations)] += 1
        numbers[_BATCHES + BATCHES.size - 1] += observations

    def set_in_hand(self, requests: int) -> None:
        """Set the number of requests that are not answered yet."""
        self._numbers[_OFFSETS[IN_HAND]] = requests

    def set_models(self, models: int) -> None:
        """Set the number of models that are loaded by name."""
        self._numbers[_OFFSETS[MODELS]] = models


def exposition(workers: Sequence[Sequence[float]], ready: Sequence[int]) -> bytes:
    """Return what ``GET /metrics`` answers.

    Args:
        workers: every worker's numbers.
        ready: for every worker, whether it can answer, which the supervisor records.
    """
    numbers = [list(worker) for worker in workers]
    for worker, is_ready in zip(numbers, ready, strict=True):
        worker[_OFFSETS[READY]] = is_ready
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(numbers))
    return generate_latest(registry)


class _Collector:
    """A collector as in https://prometheus.github.io/client_python/collector/custom/."""

    def __init__(self, workers: Sequence[Sequence[float]]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            start = _OFFSETS[metric]
            columns = zip(*(worker[start : start + metric.size] for worker in self._workers), strict=True)
            yield _to_family(metric, [metric.merge(column) for column in columns])


def _to_family(metric: Metric, numbers: Sequence[float]) -> Family:
    """Return the metric in prometheus_client's form, without the labelled series that are all zero."""
    family = metric.family(metric.name, metric.help, labels=metric.labels)
    size = metric.numbers_per_series
    for index, label_values in enumerate(metric.series):
        series = numbers[index * size : (index + 1) * size]
        if label_values and not any(series):
            continue
        if isinstance(family, HistogramMetricFamily):
            family.add_metric(label_values, list(_cumulate(metric.buckets, series[:-1])), series[-1])
        else:
            family.add_metric(label_values, series[0])
    return family


def _cumulate(bounds: Iterable[float], counts: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Return for each bucket its upper bound, and how many were at or below it."""
    total = 0.0
    for bound, count in zip((*map(float, bounds), float("inf")), counts, strict=True):
        total += count
        yield ("+Inf" if bound == float("inf") else str(bound)), total
