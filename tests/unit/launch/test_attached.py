"""Jobs and endpoints that end with their script: their errors, and what an interruption leaves of them."""

import io
import tarfile
import time

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


def stopped(workload: FakeWorkload) -> int:
    """Wait until a workload is stopped; return its exit status."""
    for _ in range(500):
        if workload.stopped:
            return -15
        time.sleep(0.01)
    raise AssertionError("it was not stopped within five seconds")


@pytest.mark.parametrize("moment", ["start", "beside", "wait", "stop"])
def test_an_interrupted_job_beside_other_work_leaves_nothing(interruptible, tmp_path, moment):
    workload = FakeWorkload(["a line"], interrupt if moment == "stop" else lambda: None)
    engine = FakeEngine(workload, during_start=interrupt if moment == "start" else lambda: None)
    if moment == "wait":
        workload.wait = lambda: interrupt() or stopped(workload)
    with pytest.raises(interruption.Interrupted), attached.training_job_beside(engine, REQUEST, tmp_path / "run"):
        if moment == "beside":
            interrupt()
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


class Leaving(FakeWorkload):
    """A job that prints two lines, leaves files in its tree, and ends with a status."""

    def __init__(self, status: int, failure: str | None) -> None:
        super().__init__(["one", "two"])
        self.status, self.failure, self.engine = status, failure, FakeEngine(self)

    def wait(self):
        ml = self.engine.ml
        for name, text in {"model/policy.json": "{}", "output/data/x": "new", "output/failure": self.failure}.items():
            if text is not None:
                (ml / name).parent.mkdir(parents=True, exist_ok=True)
                (ml / name).write_text(text)
        self.input = sorted(str(path.relative_to(ml / "input/data")) for path in (ml / "input/data").rglob("*.csv"))
        return self.status


def test_what_fails_beside_a_job_stops_it(tmp_path):
    workload = FakeWorkload(["a line"])
    workload.wait = lambda: stopped(workload)
    with (
        pytest.raises(errors.JobFailed, match=r"^The endpoint does not answer\.$"),
        attached.training_job_beside(FakeEngine(workload), REQUEST, tmp_path / "run"),
    ):
        raise errors.JobFailed("The endpoint does not answer.")
    assert workload.stopped
    assert not list(tmp_path.rglob(".ml"))


@pytest.mark.parametrize(
    ("status", "failure", "reason"),
    [(0, "none", None), (3, "It is bad.", "It is bad."), (3, None, "exit status 3"), (-9, None, "exit status -9")],
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_job_leaves_its_outputs_and_says_why_it_failed(tmp_path, status, failure, reason, beside):
    """In the place of an earlier one's; its channels are folders of this machine."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("1")
    (tmp_path / "run/output/data").mkdir(parents=True)
    (tmp_path / "run/output/data/old").touch()
    source = {"S3DataSource": {"S3Uri": f"file://{tmp_path}/in"}}
    request = {**REQUEST, "InputDataConfig": [{"ChannelName": name, "DataSource": source} for name in ("x", "y")]}
    workload, lines = Leaving(status, failure), []
    done = []

    def run() -> None:
        if beside:
            with attached.training_job_beside(workload.engine, request, tmp_path / "run"):
                done.append("other work")
        else:
            attached.run_training_job(workload.engine, request, tmp_path / "run", lines.append)

    if reason:
        with pytest.raises(errors.JobFailed) as caught:
            run()
        assert str(caught.value) == f"{reason} (the log is {tmp_path}/run/job.log)"
    else:
        run()
    assert (lines, done) == (([], ["other work"]) if beside else (["one", "two"], []))
    assert workload.stopped
    assert workload.input == ["x/a.csv", "y/a.csv"]
    assert (tmp_path / "run/job.log").read_text() == "one\ntwo\n"
    assert [path.name for path in (tmp_path / "run/output/data").iterdir()] == ["x"]
    with tarfile.open(tmp_path / "run/model.tar.gz") as tar:
        assert tar.getnames() == ["policy.json"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["job.log", "model.tar.gz", "output"]


def test_an_endpoint_is_waited_for_until_it_is_healthy(monkeypatch):
    answers = iter([503, 503, 200])

    class Starting(Healthy):
        def do_GET(self):
            self.send_response(next(answers) if self.path == "/ping" else 404)
            self.end_headers()

    with server_of(Starting) as url:
        attached._wait_until_healthy(url, lambda: True)
        assert list(answers) == []
    monkeypatch.setattr(attached, "SECONDS_TO_START", 0)
    with pytest.raises(errors.JobFailed, match=r"^The endpoint was not healthy within 0 s\.$"):
        attached._wait_until_healthy(url, lambda: True)
