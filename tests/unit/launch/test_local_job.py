"""A job in its runner, without the work of its kind."""

import signal

import pytest
from launch.local import records
from launch.local.job import LocalJob
from launch.local.process_engine import ProcessEngine
from launch.local.records import TRAINING_JOBS, JobRecord


class EngineOnly(LocalJob):
    def work(self) -> None:
        self.engine = self.make_engine("mountain-car-training:latest")


@pytest.fixture
def make_job(monkeypatch, tmp_path):
    """Return a function that makes a job on an engine; the handler and the mask that it sets are put back."""
    monkeypatch.setenv("RL_RUNS", str(tmp_path))
    handler, mask = signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, set())

    def make(engine: str) -> EngineOnly:
        records.folder_of(TRAINING_JOBS, "brief").mkdir(parents=True)
        return EngineOnly(TRAINING_JOBS, "brief", JobRecord({}, "arn", records.now(), engine))

    yield make
    signal.signal(signal.SIGTERM, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_a_job_runs_on_the_engine_of_its_record(make_job):
    job = make_job("process")
    job.run()
    assert isinstance(job.engine, ProcessEngine)
    assert (job.record.status, job.record.failure) == ("Completed", None)


def test_a_job_on_an_unknown_engine_fails(make_job):
    """It was taken for Docker."""
    job = make_job("podman")
    with pytest.raises(KeyError, match="podman"):
        job.run()
    assert (job.record.status, job.record.failure) == ("Failed", "InternalServerError: KeyError: 'podman'")
