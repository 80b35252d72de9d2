"""logs.py against a local AWS server, whose streams are of several jobs, kinds, hosts, and endpoints of one name."""

import json
import time
from typing import Any

import pytest
from timeline import given, refused

pytest_plugins = ("timeline",)

TRAINING, TRANSFORM = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs"


@pytest.fixture
def prints(aws):
    """Put lines into a stream of a group; each has the time that is given, in ms after one of a minute ago."""
    logs, begin = aws.client("logs"), int(1000 * time.time()) - 60_000
    groups: set[str] = set()

    def put(group: str, stream: str, *lines: tuple[int, str]) -> None:
        if group not in groups:
            logs.create_log_group(logGroupName=group)
            groups.add(group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": begin + moment, "message": line} for moment, line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    return put


def test_a_jobs_log_is_of_both_kinds_and_of_no_job_whose_name_begins_alike(script, prints):
    prints(TRAINING, "mine/algo-2-17", (2, "second"), (5, "fifth"))
    prints(TRAINING, "mine/algo-1-17", (1, "first"), (3, "third"), (4, "fourth"))
    prints(TRAINING, "mine-2/algo-1-17", (1, "of mine-2"))
    prints(TRAINING, "min/algo-1-17", (1, "of min"))
    prints(TRANSFORM, "mine/i-1", (0, "before all"))
    prints(TRANSFORM, "mine-2/i-1", (0, "of the transform mine-2"))
    assert script("logs.py", "mine").stdout.splitlines() == [
        "[algo-1-17] first",
        "[algo-2-17] second",
        "[algo-1-17] third",
        "[algo-1-17] fourth",
        "[algo-2-17] fifth",
        "before all",  # a group of its own; of one stream, whose name says nothing
    ]
    assert script("logs.py", "min").stdout == "of min\n"
    done = script("logs.py", "mi")
    assert (done.returncode, done.stderr) == (2, "Error: There is no log of mi in region eu-west-1.\n")


@pytest.mark.parametrize("exists", [True, False])
def test_an_endpoints_log_is_not_of_one_before_it_nor_of_another(script, prints, timeline, exists):
    """Without an endpoint it is all there is: of the one that failed, perhaps."""
    group = "/aws/sagemaker/Endpoints/cars"
    for number, name in enumerate(("old", "new-1", "new-2", "unknown")):
        prints(group, f"AllTraffic/{name}", (9 - number, f"line of {name}"))
    prints("/aws/sagemaker/Endpoints/cars-2", "AllTraffic/i-1", (0, "of cars-2"))
    created = {"old": 1_999, "new-1": 2_000, "new-2": 2_001}
    streams: list[dict[str, Any]] = [
        {"logStreamName": f"AllTraffic/{name}", "creationTime": moment} for name, moment in created.items()
    ]
    timeline.answers("DescribeLogStreams", given(logStreams=[*streams, {"logStreamName": "AllTraffic/unknown"}]))
    found = given(EndpointName="cars", EndpointStatus="InService", CreationTime=2.0)
    timeline.answers("DescribeEndpoint", found if exists else refused("ValidationException", "Could not find it"))
    names = ["unknown", "new-2", "new-1", *([] if exists else ["old"])]
    done = script("logs.py", "--endpoint-name", "cars")
    assert done.stdout.splitlines() == [f"[{name}] line of {name}" for name in names], done.stderr
    assert timeline.of("DescribeLogStreams") == [{"logGroupName": group}]
    assert timeline.of("DescribeEndpoint") == [{"EndpointName": "cars"}]


def test_what_is_asked_for(script, timeline):
    for arguments, expected in (
        (("mine",), [{"logGroupName": group, "logStreamNamePrefix": "mine/"} for group in (TRAINING, TRANSFORM)]),
        (("--endpoint-name", "a"), [{"logGroupName": "/aws/sagemaker/Endpoints/a", "logStreamNamePrefix": ""}]),
    ):
        dry = json.loads(script("logs.py", "--dry-run", *arguments).stdout)
        assert dry == [{"DescribeLogStreams": each} for each in expected]
    done = script("logs.py", "mine", "--endpoint-name", "cars")
    assert (done.returncode, done.stderr) == (2, "Error: Expected a job's name or --endpoint-name, not both.\n")
    assert timeline.requests == []
    timeline.answers("DescribeLogStreams", refused("AccessDeniedException", "not you"))
    done = script("logs.py", "mine")
    assert (done.returncode, "not you (AccessDeniedException)" in done.stderr) == (2, True)
