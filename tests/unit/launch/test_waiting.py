"""What the scripts do with answers of AWS that come in pages, late, or not at all."""

import time
from datetime import UTC, datetime

import pytest
from launch.aws import consistency, logs, paging, scaling
from launch.aws.clients import Clients
from launch.local.clients import LocalClients


def test_entries_of_all_pages():
    asked = []
    pages = [{"L": [1, 2], "t": "a"}, {"L": [], "t": "b"}, {"L": [3], "t": ""}]

    def operation(**request):
        asked.append(request)
        return pages[len(asked) - 1]

    assert list(paging.entries(operation, "L", "t", x=1)) == [1, 2, 3]
    assert asked == [{"x": 1}, {"x": 1, "t": "a"}, {"x": 1, "t": "b"}]
    pages = [{"L": [1], "NextToken": "a"}, {"L": [2]}]
    asked.clear()
    assert list(paging.entries(operation, "L")) == [1, 2]
    assert asked == [{}, {"NextToken": "a"}]


def test_what_was_made_is_looked_for_until_it_is_found(monkeypatch):
    clients = Clients("eu-west-1")
    assert (clients.seconds_between_polls, clients.seconds_that_logs_lag, clients.seconds_until_found) == (5, 3, 60)
    slept, now = [], [100.0]
    monkeypatch.setattr(time, "sleep", lambda seconds: (slept.append(seconds), now.append(now[-1] + seconds)))
    monkeypatch.setattr(time, "monotonic", lambda: now[-1])
    answers = iter([None, None, "it", "more"])
    assert consistency.once_found(clients, lambda: next(answers)) == "it"
    assert slept == [5, 5]
    slept.clear()
    assert consistency.once_found(clients, lambda: None) is None
    assert slept == [5] * 12
    slept.clear()
    local = LocalClients("eu-west-1")
    assert consistency.once_found(local, lambda: None) is None
    assert slept == []
    assert local.where == " on this machine"
    assert local.default_role == "arn:aws:iam::000000000000:role/local"


class Cloudwatch:
    """Streams of one page each; every read of a stream takes the next of its pages."""

    def __init__(self, streams: dict[str, list], created: dict[str, int] | None = None) -> None:
        self.streams, self.created, self.asked = streams, created or {}, []

    def describe_log_streams(self, **request):
        self.asked.append(request)
        return {
            "logStreams": [
                {"logStreamName": name, **({"creationTime": self.created[name]} if name in self.created else {})}
                for name in self.streams
            ]
        }

    def get_log_events(self, **request):
        assert request["startFromHead"]
        token = request.get("nextToken", "0")
        number, pages = int(token), self.streams[request["logStreamName"]]
        if number >= len(pages):
            return {"events": [], "nextForwardToken": token}
        events = [{"timestamp": moment, "message": f"{text}\n"} for moment, text in pages[number]]
        return {"events": events, "nextForwardToken": str(number + 1)}


@pytest.fixture
def log(monkeypatch):
    def make(cloudwatch: Cloudwatch, since: datetime | None = None) -> logs.Log:
        clients = LocalClients("eu-west-1")
        clients.__dict__["logs"] = cloudwatch
        return logs.Log(clients, "group", "job/", since)

    return make


def test_an_empty_page_is_not_the_end_of_a_log_and_a_hundred_are_until_the_next_read(log):
    pages = [[(1, "one")], *[[]] * 99, [(2, "two")], *[[]] * 100, [(3, "three")]]
    reader = log(Cloudwatch({"job/a": pages}))
    assert reader.read() == ["one", "two"]
    assert reader.read() == ["three"]
    assert list(reader.last) == ["one", "two", "three"]


def test_streams_are_merged_by_time_and_named(log):
    cloudwatch = Cloudwatch({"job/algo-1-1234567890": [[(5, "b"), (5, "c")]], "job/z": [[(1, "a")], [(6, "d")]]})
    reader = log(cloudwatch)
    assert reader.read() == ["[z] a", "[algo-1-12345] b", "[algo-1-12345] c", "[z] d"]
    assert cloudwatch.asked == [{"logGroupName": "group", "logStreamNamePrefix": "job/"}]


def test_streams_of_an_earlier_endpoint_are_left_out(log):
    since = datetime.fromtimestamp(10, UTC)
    created = {"old": 9_999, "now": 10_000, "new": 10_001}
    cloudwatch = Cloudwatch({name: [[(1, name)]] for name in (*created, "unknown")}, created)
    assert [line.rpartition(" ")[2] for line in log(cloudwatch, since).read()] == ["now", "new", "unknown"]


def test_the_last_lines_are_fifteen_and_the_rest_is_read_until_it_is_quiet(log):
    pages: list[list] = [[(number, str(number))] for number in range(20)]
    cloudwatch = Cloudwatch({"job/a": pages})
    reader = log(cloudwatch)
    assert list(reader.read_rest()) == [str(number) for number in range(20)]
    assert list(reader.last) == [str(number) for number in range(5, 20)]
    assert len(cloudwatch.asked) == 2


def test_what_goes_on_printing_is_not_listened_to_for_ever(log):
    class Endless(Cloudwatch):
        def describe_log_streams(self, **request):
            self.streams["job/a"].append([(1, "again")])
            return super().describe_log_streams(**request)

    assert list(log(Endless({"job/a": []})).read_rest()) == ["again"] * 20


# --- Scaling ---------------------------------------------------------------------------------------------------------
def test_scaling_that_is_asked_for_anew_keeps_what_it_does_not_speak_of():
    suspended = {"DynamicScalingInSuspended": True}
    target = scaling.target("cars")
    present = [
        ("RegisterScalableTarget", {**target, "MinCapacity": 2, "MaxCapacity": 4, "SuspendedState": suspended}),
        ("PutScalingPolicy", {**target, "PolicyName": "cars-invocations", "PolicyType": "StepScaling"}),
        ("PutScalingPolicy", {**target, "PolicyName": "by-night", "PolicyType": "StepScaling"}),
    ]
    new = scaling.registration_requests("cars", 1, 9, 7.5)
    changed = scaling.changed(present, new)
    assert changed == [
        ("RegisterScalableTarget", {**target, "MinCapacity": 1, "MaxCapacity": 9, "SuspendedState": suspended}),
        new[1],
        present[2],
    ]
    assert new[1][1]["PolicyName"] == "cars-invocations"
    assert new[1][1]["TargetTrackingScalingPolicyConfiguration"] == {
        "TargetValue": 7.5,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    assert scaling.changed(present, []) == present
    assert scaling.changed([], new) == new
    assert scaling.changed([], []) == []
    assert target == {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/cars/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
