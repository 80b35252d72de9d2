"""Jobs and endpoints that end with their script: their errors, and what an interruption leaves of them."""

import io
import tarfile

import pytest
from launch.cli import errors, interruption
from launch.local import attached
from stand_ins import REQUEST, FakeEngine, FakeWorkload, Healthy, interrupt, server_of


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("policy.json"), io.BytesIO())
    return path


def test_a_proxy_is_not_asked_for_the_endpoint(dead_proxy, monkeypatch):
    monkeypatch.setattr(attached, "SECONDS_TO_START", 3)
    with server_of(Healthy) as url:
        attached._wait_until_healthy(url, lambda: True)


def test_a_failed_prediction_shows_the_endpoints_last_lines(archive):
    workload = FakeWorkload([f"line {number}" for number in range(100)])
    with (
        server_of(Healthy) as url,
        pytest.raises(errors.JobFailed) as caught,
        attached.serve_endpoint(FakeEngine(workload, url), archive, "name"),
    ):
        raise errors.JobFailed("The endpoint does not answer.")
    first, *log = str(caught.value).splitlines()
    assert first == "The endpoint does not answer."
    assert log == [f"line {number}" for number in range(85, 100)]
    assert workload.stopped


def test_an_endpoint_that_ends_shows_why(archive):
    engine = FakeEngine(FakeWorkload(["no policy.json here"]))
    failed = pytest.raises(errors.JobFailed, match=r"ended before it was healthy\.\nno policy\.json here")
    with failed, attached.serve_endpoint(engine, archive, "name"):
        pass
    assert not engine.ml.exists()


@pytest.mark.parametrize("moment", ["start", "run", "stop"])
def test_an_interrupted_job_leaves_nothing(interruptible, tmp_path, moment):
    workload = FakeWorkload(["a line"], interrupt if moment == "stop" else lambda: None)
    engine = FakeEngine(workload, during_start=interrupt if moment == "start" else lambda: None)
    with pytest.raises(interruption.Interrupted):
        attached.run_training_job(engine, REQUEST, tmp_path / "run", lambda line: interrupt())
    assert workload.stopped
    assert not list(tmp_path.rglob(".ml"))


@pytest.mark.parametrize("moment", ["start", "run", "stop"])
def test_an_interrupted_endpoint_leaves_nothing(interruptible, archive, moment):
    workload = FakeWorkload([], interrupt if moment == "stop" else lambda: None)
    with server_of(Healthy) as url, pytest.raises(interruption.Interrupted):
        engine = FakeEngine(workload, url, during_start=interrupt if moment == "start" else lambda: None)
        with attached.serve_endpoint(engine, archive, "name"):
            if moment == "run":
                interrupt()
    assert workload.stopped
    assert not engine.ml.exists()
