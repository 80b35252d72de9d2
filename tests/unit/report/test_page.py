"""The whole page, of whatever a job left: nothing has to be there, and nothing has to be whole."""

import json
import re

import numpy as np
import pytest
from job_folders import CAR, HEADER, make_trial, render_text
from jobs import CSV
from launch.sagemaker.report import MAX_RUNS
from PIL import Image
from sagemaker_rl.report import charts, page, picture
from sagemaker_rl.report.charts import ChartFunction, RunChartFunction
from sagemaker_rl.report.charts.figures import new_figure
from sagemaker_rl.report.parts import Chart, RunSection, Section
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.trial import FILE as TRIAL_FILE


def test_a_chart_needs_one_entry_in_a_table(folder, monkeypatch):
    more = tuple(ChartFunction(section, "Another", draw_another) for section in Section)
    monkeypatch.setattr(charts, "CHARTS_OF_ALL_RUNS", charts.CHARTS_OF_ALL_RUNS + more)
    more_of_run = tuple(RunChartFunction(section, "Another", draw_another) for section in RunSection)
    monkeypatch.setattr(charts, "CHARTS_OF_EACH_RUN", charts.CHARTS_OF_EACH_RUN + more_of_run)
    content = page.render([Run.read(folder)])
    assert content.count("<figcaption>Another</figcaption>") == len(Section) + len(RunSection)


def draw_another(_):
    return [Chart("Another", "One more.", new_figure("x", "y"))]


def test_a_part_that_cannot_be_made_is_a_note(folder, monkeypatch):
    monkeypatch.setattr(page, "list_facts", lambda run: 1 / 0)
    text = render_text(folder)
    assert "What ran cannot be shown: ZeroDivisionError: division by zero." in text
    assert "Job a-job Status Completed" in text


@pytest.mark.parametrize(
    "files",
    [
        {
            "description.json": {"AlgorithmSpecification": None, "ResourceConfig": 3, "HyperParameters": ["x"]},
            "output/intermediate/metadata.json": {"policy_steps": "x", "environment_steps": "y", "versions": ["a"]},
            "output/intermediate/job.json": {"settings": [{"name": "discount"}, 3], "environment": 5},
        },
        {
            "description.json": {"TrainingJobStatus": {"a": 1}, "BillableTimeInSeconds": "x"},
            "output/intermediate/metadata.json": {"train_seconds": "z", "environment_steps": 1, "versions": {"a": 1}},
            "output/intermediate/job.json": {"settings": None, "environment": CAR, "no_trial": 3},
            "output/data/evaluation.json": {"mean_return": [1], "episodes": None, "seconds": "x"},
        },
    ],
)
def test_what_is_something_else_is_no_reason_for_no_page(folder, files):
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content))
    job = files["output/intermediate/job.json"]
    for text in (render_text(folder), render_text(folder, folder)):
        assert "cannot be shown" not in text
        assert ("Returns of unseen starts" in text) or job["environment"] == 5
        assert "discount" in text or not job["settings"]


def test_explained_variance_is_explained_where_there_is_one(folder):
    assert "Explained variance is" in render_text(folder)
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text().replace("Value Loss/Mean", "Another", 1))
    text = render_text(folder)
    assert "Means over a training." in text
    assert "Explained variance" not in text


def test_there_is_no_evaluation_yet(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(re.sub(r"(?m)^(\d+,[\d.]+,\d+),-?[\d.]+", r"\1,", file.read_text()))
    (folder / "output/data" / TRIAL_FILE).unlink()
    text = render_text(folder)
    assert "There is no evaluation yet." in text
    assert "Explained variance is" in text
    assert "Reward over episodes" in text
    assert "The finished policy was not put on trial." in text


def test_more_than_two_state_dimensions_leave_out_the_maps(folder):
    job = folder / "output/intermediate/job.json"
    job.write_text(job.read_text().replace(CAR, "own:Own"))
    make_trial(dimensions=4).save(folder / "output/data" / TRIAL_FILE)
    text = render_text(folder)
    assert "There are no heat maps: an observation has the shape [4], and a map has two dimensions." in text
    assert "On 100 unseen starts its mean return is 99.20" in text
    assert "best known" not in text.replace("best known returns are", "")


def test_a_job_of_which_only_sagemaker_knows(tmp_path):
    description = {
        "TrainingJobStatus": "Failed",
        "FailureReason": "AlgorithmError: no image",
        "HyperParameters": {"discount": "0.77"},
    }
    (tmp_path / "description.json").write_text(json.dumps(description))
    text = render_text(tmp_path)
    assert "The job failed: AlgorithmError: no image" in text
    assert "discount 0.77" in text


def test_an_empty_folder(tmp_path):
    text = render_text(tmp_path)
    assert "There is no evaluation yet." in text


def test_many_episodes_and_runs_fit_into_one_page(folder):
    random = np.random.default_rng(0)
    rows = [f"{n},{n / 10},{random.normal()},{n if n % 100 == 0 else ''},1,2,3" for n in range(1, 20_001)]
    (folder / "output/intermediate" / CSV).write_text("\n".join([HEADER, *rows]) + "\n")
    noise = Image.effect_noise((300, 200), 100)
    (gif,) = (folder / "output/intermediate/gifs").glob("*.gif")
    noise.save(gif, save_all=True, append_images=[Image.effect_noise((300, 200), 100) for _ in range(10)])
    assert gif.stat().st_size > picture.MAX_BYTES
    text = render_text(*[folder] * MAX_RUNS)
    assert f"{MAX_RUNS} runs compared" in text
    assert "Policies and episodes are those of the first 4 of 12 runs." in text
    assert "bytes: the page shows its first frame" in text


def test_a_job_that_failed_says_why(folder):
    (folder / "output/failure").write_text("Hyperparameter discount is 2, expected <less>.")
    content = page.render([Run.read(folder)])
    assert "The job failed: Hyperparameter discount is 2, expected &lt;less&gt;." in content
    assert Run.read(folder).status == "Failed"
