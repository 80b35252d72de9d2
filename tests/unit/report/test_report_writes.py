"""What a report is made of, and the report: old or new and whole, whatever happens while it is written."""

import pytest
from faulty_writes import check, states
from job_folders import make_trial, write_job
from sagemaker_rl.job import introduction, outputs
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.traces import Trace
from sagemaker_rl.report import job as job_report
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.trial import Trial

pytest_plugins = ("faulty_writes",)


def test_the_trial_of_a_policy(disk):
    file = disk / "trial.npz"
    make_trial(1, 3, 1.0).save(file)
    check(disk, lambda: make_trial(1, 3, 2.0).save(file), lambda: float(Trial.load(file).returns.mean()))


def test_the_report(disk, capsys):
    """A job without one has not failed: the log says what is missing."""
    paths = MLPaths(disk)
    paths.create_outputs()
    file = paths.output_data / "report.html"
    file.write_text("of an earlier run")

    def write() -> None:
        job_report.write_report(paths)
        printed = capsys.readouterr().out
        if "Missing=report, Reason=OSError: " in printed:
            raise OSError
        assert printed == f"Report> Saved in={file}\n"

    def read() -> str:
        content = file.read_text()
        return (
            content if content == "of an earlier run" else content[:15] + content.rstrip()[-7:]
        )  # the rest has the time

    check(disk, write, read)
    assert read() == "<!DOCTYPE html></html>"
    assert file.read_bytes() == (paths.intermediate / "report.html").read_bytes()


@pytest.mark.parametrize("name", ["metadata.json", "job.json", "gifs/episode-40.csv"])
def test_what_is_written_in_place_may_be_half_and_the_report_does_without(disk, tmp_path, name):
    """A file in the intermediate output is not moved into its place, since its upload would not notice."""
    write_job(disk)
    paths = MLPaths(disk)
    trace = Trace()
    for step in range(10):
        trace.add([step, step / 7], [0.5])
    writes = {
        "metadata.json": lambda: outputs.publish_json(paths.intermediate / name, {"environment_steps": 7, "a": "b"}),
        "job.json": lambda: introduction.introduce(paths, kind="training", environment="an environment"),
        "gifs/episode-40.csv": lambda: trace.save(paths.intermediate / name),
    }
    left = [state for _, state in states(disk, tmp_path, writes[name])]
    assert len({(state / "output/intermediate" / name).stat().st_size for state in left}) >= 2
    for state in left:
        Run.read(state)
    assert Run.read(disk).notes == []
