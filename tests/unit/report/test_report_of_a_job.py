"""Who writes a job's report: the image's entry point, or the launcher where the entry point is not in the way."""

import signal

import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import stopping
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.report import job as report_job


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def fail():
    raise InputError("It is red.")


@pytest.mark.parametrize(("entry_point", "written"), [(report_job.ENTRY_POINT, False), (None, True), ("other", True)])
@pytest.mark.parametrize(("job", "reason"), [(fail, "It is red."), (lambda: None, None)])
def test_the_launcher_writes_the_report_that_nobody_else_writes(
    tmp_path, monkeypatch, entry_point, written, job, reason
):
    monkeypatch.delenv("SAGEMAKER_TRAINING_MODULE", raising=False)
    if entry_point:
        monkeypatch.setenv("SAGEMAKER_TRAINING_MODULE", entry_point)
    reports = []
    monkeypatch.setattr(report_job, "write_report", reports.append)
    paths = MLPaths(tmp_path)
    assert report_job.run_and_report(job, paths) == reason
    assert reports == ([paths] if written else [])
    assert paths.failure.is_file() == (reason is not None)
