"""What list.py and delete.py find of this machine's jobs, models and endpoints, whose names begin alike."""

import importlib
import os

import delete
import pytest
from launch.local import labels, records
from launch.local.process_id import ProcessId
from launch.local.records import (
    ENDPOINT_CONFIGS,
    ENDPOINTS,
    MODELS,
    TRAINING_JOBS,
    TRANSFORM_JOBS,
    Deployment,
    EndpointRecord,
    JobRecord,
    Resource,
)

list_script = importlib.import_module("list")
ONE, TWO = "2025-01-01-00-00-00-000000", "2026-11-01-10-00-00-000000"
OTHERS = {MODELS: [f"car-{ONE}", f"cars-2-{ONE}", f"my-cars-{ONE}", "cars"], ENDPOINT_CONFIGS: [f"cars-2-{TWO}"]}


@pytest.fixture(autouse=True)
def runs(monkeypatch, tmp_path):
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.setattr(labels, "remove_leftovers", lambda: None)  # it asks Docker


def job(kind, name: str, minute: int, status: str = "Completed") -> None:
    record = JobRecord({f"{kind.api_name}Name": name}, kind.arn_of(name), moment(minute), "process", status)
    record.add_transition(status)
    assert records.create(kind, name, record)


def moment(minute: int) -> str:
    return f"2026-11-26T10:{minute:02}:30.500+00:00"


def endpoint(name: str, minute: int, config: str = "by-hand") -> None:
    this = ProcessId.of(os.getpid())
    serving = Deployment(config, 1, moment(minute), this, "AllTraffic", "http://127.0.0.1:9", process=this)
    record = EndpointRecord({}, ENDPOINTS.arn_of(name), moment(minute), "InService", serving)
    assert records.create(ENDPOINTS, name, record)


def rows(capsys, *arguments: str) -> list[tuple[str, ...]]:
    list_script.main(["--local", *arguments])
    printed = capsys.readouterr()
    assert printed.err == ""
    return [(line[:15].strip(), *line[15:].split()[:2]) for line in printed.out.splitlines()]


def test_jobs_are_listed_by_kind_and_the_newest_first(capsys):
    """The order of their names is another one, and another machine's folder of half a record is none."""
    job(TRAINING_JOBS, "a-cars", 20)
    job(TRAINING_JOBS, "b-cars", 30, "Failed")
    job(TRAINING_JOBS, "c-cars", 10, "Stopped")
    job(TRAINING_JOBS, "others", 59)
    job(TRANSFORM_JOBS, "cars", 40)
    endpoint("z-cars", 5)
    endpoint("cars-2", 6)
    (records.folder_of(TRAINING_JOBS, "d-cars")).mkdir()
    (records.folder_of(TRAINING_JOBS, ".cars")).mkdir()
    (records.folder_of(TRAINING_JOBS, ".cars") / "record.json").write_text("{}")
    expected = [
        ("training job", "b-cars", "Failed"),
        ("training job", "a-cars", "Completed"),
        ("training job", "c-cars", "Stopped"),
        ("transform job", "cars", "Completed"),
        ("endpoint", "cars-2", "InService"),
        ("endpoint", "z-cars", "InService"),
    ]
    assert rows(capsys, "--name-contains", "cars") == expected
    assert rows(capsys, "--name-contains", "") == [("training job", "others", "Completed"), *expected]
    assert rows(capsys, "--name-contains", "b-c") == expected[:1]
    list_script.main(["--local"])
    nothing = "There is no job or endpoint with rl-mountain-car in its name on this machine.\n"
    assert capsys.readouterr().out == nothing


def names() -> dict[str, list[str]]:
    return {kind.folder: list(records.names(kind)) for kind in (MODELS, ENDPOINT_CONFIGS, ENDPOINTS)}


@pytest.fixture
def others() -> dict[str, list[str]]:
    for kind, theirs in OTHERS.items():
        for name in theirs:
            records.create(kind, name, Resource({}, "arn", records.now()))
    endpoint("cars-2", 7)
    return names()


def test_what_is_left_of_an_endpoint_is_deleted_and_nothing_of_another(capsys, others):
    for name in (ONE, TWO):
        records.create(MODELS, f"cars-{name}", Resource({}, "arn", records.now()))
    variants = [{"ModelName": name} for name in (f"cars-{TWO}", f"cars-2-{ONE}", f"cars-{ONE[:19]}")]
    request = {"EndpointConfigName": f"cars-{TWO}", "ProductionVariants": variants}
    records.create(ENDPOINT_CONFIGS, f"cars-{TWO}", Resource(request, "arn", records.now()))
    delete.main(["--local", "--endpoint-name", "cars", "--yes"])
    assert capsys.readouterr().out.splitlines() == [
        "Of cars on this machine there is:",
        f"  endpoint configuration cars-{TWO}",
        f"  model cars-{ONE}",
        f"  model cars-{TWO}",
        f"  model cars-{ONE[:19]}",
        f"Deleted endpoint configuration cars-{TWO}",
        f"Deleted model cars-{ONE}",
        f"Deleted model cars-{TWO}",
        f"There is no model cars-{ONE[:19]} any more",
    ]
    assert names() == others
    delete.main(["--local", "--endpoint-name", "cars", "--yes"])
    assert capsys.readouterr().out == "There is nothing left of cars on this machine\n"
    assert names() == others
