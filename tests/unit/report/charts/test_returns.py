"""The charts of the returns from unseen starts."""

import shutil

import pytest
from job_folders import CAR, make_trial, render_text, set_environment
from sagemaker_rl.report.charts.returns import draw_return_distribution
from sagemaker_rl.report.optimum import find_optimum
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.styles import style_runs
from sagemaker_rl.report.trial import FILE as TRIAL_FILE


def test_the_line_of_the_best_known_is_of_the_same_starts(folder):
    """Of the discrete car's starts some are a swing nearer than others: their mean is not that of all starts."""
    set_environment(folder, "patient_envs:PatientMountainCar")
    trial = make_trial(mean_return=-120.0)
    trial.starts[:, 0] = -0.59
    trial.save(folder / "output/data" / TRIAL_FILE)
    run = Run.read(folder)
    assert abs(run.best_known - find_optimum(run.environment).mean) > 0.5
    for runs in ([run], [run, run]):
        (chart,) = draw_return_distribution(style_runs(runs))
        (line,) = [renderer for renderer in chart.figure.renderers if type(renderer.glyph).__name__ == "VSpan"]
        assert line.data_source.data["x"] == [pytest.approx(run.best_known)]
        assert f"has {run.best_known:.2f} on average from these starts" in chart.text


def test_runs_of_two_environments_have_no_common_optimum(folder):
    other = folder.parent / "another-job"
    shutil.copytree(folder, other)
    job = other / "output/intermediate/job.json"
    job.write_text(job.read_text().replace(CAR, "patient_envs:PatientMountainCar"))
    text = render_text(folder, other)
    assert "Returns of unseen starts" in text
    assert "Return by start position" not in text
