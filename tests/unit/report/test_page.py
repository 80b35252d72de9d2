"""The whole page, of whatever a job left: nothing has to be there, and nothing has to be whole."""

import json
import re
import shutil

import numpy as np
import pytest
from bokeh.document.models import DocumentModelManager
from job_folders import CAR, HEADER, change_job, make_trial, render_text, text_of
from jobs import CSV
from launch.sagemaker.report import MAX_RUNS
from PIL import Image
from sagemaker_rl.report import charts, page, picture
from sagemaker_rl.report.charts import ChartFunction, RunChartFunction
from sagemaker_rl.report.charts.figures import new_figure
from sagemaker_rl.report.parts import Chart, RunSection, Section
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.trial import FILE as TRIAL_FILE

SECTIONS = ("Did it learn?", "How good is it?", "What does it do where?", "An episode", "What ran", "Written ")


def sections_of(text: str) -> dict[str, str]:
    """Return each section's text by its heading; what is above them by ""."""
    headings = ("Compared", *SECTIONS) if " Compared " in text else SECTIONS
    places = [0, *(text.rindex(heading) for heading in headings), len(text)]
    return {name: text[begin:end] for name, begin, end in zip(("", *headings), places, places[1:], strict=False)}


def test_each_part_of_a_jobs_page_has_its_place(folder, monkeypatch):
    given = {"keep_best": "0", "discount": "0.9", "seed": "3", "RLCOACH_PRESET": '"a-preset"', "rl.x": "1"}
    (folder / "description.json").write_text(json.dumps({"HyperParameters": given}))
    walks = []
    recompute = DocumentModelManager.recompute
    monkeypatch.setattr(DocumentModelManager, "recompute", lambda models: walks.append(1) or recompute(models))
    content = page.render([Run.read(folder)])
    assert len(walks) == 1  # through all charts, however many there are: it takes half as long as to draw them
    assert content.startswith("<!DOCTYPE html>")
    assert content.count("<title>Training of PatientContinuousMountainCar</title>") == 1
    text = text_of(content)
    assert "Compared" not in text
    sections = sections_of(text)
    for heading, expected in {
        "": ("went from 10.00 in the first", "On 100 unseen starts its mean return is 99.20"),
        "Did it learn?": ("Reward over episodes", "Reward over wall time", "Value loss", "Explained variance is 1"),
        "How good is it?": ("Returns of unseen starts", "Return by start position", "The best known returns are of"),
        "What does it do where?": ("What the policy does", "Value of a state"),
        "An episode": ("The car in an evaluation episode", "Stop the picture", "Force", "Velocity"),
        "What ran": ("Job a-job", "Seed 3", "discount 0.9 1.0 changed", "gae_lambda 0.997 0.997 ", "keep_best 0 given"),
    }.items():
        for words in expected:
            assert words in sections[heading], (heading, words)
    assert text.count("changed ") == 1 + text.count("changed from the preset")
    assert text.count("given") == 1 + text.count("were given")
    assert "rl.x" not in text
    assert '<svg class="swatch"' not in content  # of one run


def test_several_runs_are_compared(folder):
    other = folder.parent / "another-job"
    shutil.copytree(folder, other)
    job = other / "output/intermediate/job.json"
    job.write_text(job.read_text().replace('"value": 0.9', '"value": 0.8').replace(CAR, "own:Own"))
    make_trial(mean_return=98.0).save(other / "output/data" / TRIAL_FILE)
    text = render_text(folder, other)
    assert text.startswith(" To the content 2 runs compared 1: a-job The")
    sections = sections_of(text)
    assert "1 a-job Completed a-preset 3 0.9 1,000 4.0 250 40.00 99.20 98.60" in sections["Compared"]
    assert "2 another-job Completed a-preset 3 0.8 1,000 4.0 250 40.00 98.00 97.40" in sections["Compared"]
    learning = sections["Did it learn?"]
    assert "at first, at its best, at the end: run 1: 10.00, 40.00, 30.25; run 2: 10.00" in learning
    assert "a-job" not in learning
    for heading in ("What does it do where?", "An episode", "What ran"):
        assert "1: a-job" in sections[heading]
        assert "2: another-job" in sections[heading]
    assert "Returns of unseen starts" in sections["How good is it?"]
    assert "Return by start position" not in text
    assert "Policies and episodes are those of" not in text


def test_a_chart_needs_one_entry_in_a_table(folder, monkeypatch):
    monkeypatch.setattr(
        charts, "CHARTS_OF_ALL_RUNS", [ChartFunction(section, "Another", draw_another) for section in Section]
    )
    monkeypatch.setattr(
        charts, "CHARTS_OF_EACH_RUN", [RunChartFunction(section, "Another", draw_another) for section in RunSection]
    )
    content = page.render([Run.read(folder)])
    assert content.count("<figcaption>Another</figcaption>") == len(Section) + len(RunSection)


def draw_another(_):
    return [Chart("Another", "One more.", new_figure("x", "y"))]


def test_a_part_that_cannot_be_made_is_a_note(folder, monkeypatch):
    for name in ("list_facts", "load_picture", "verdict", "compare_runs"):
        monkeypatch.setattr(page, name, lambda _: 1 / 0)
    for table in ("CHARTS_OF_ALL_RUNS", "CHARTS_OF_EACH_RUN"):
        broken = [type(entry)(entry.section, entry.subject, lambda _: 1 / 0) for entry in getattr(charts, table)]
        monkeypatch.setattr(charts, table, broken)
    runs = [Run.read(folder), Run.read(folder, "another-job")]
    content = page.render(runs)
    subjects = [
        *("The moving picture", "The reward", "The reward", "The losses", *["The returns of unseen starts"] * 2),
        *("The policy", "The episode", "The verdict", "What ran", "The comparison"),
    ]
    for run in runs:
        assert run.notes == [f"{subject} cannot be shown: ZeroDivisionError: division by zero." for subject in subjects]
        assert f'<th scope="row">Job</th><td>{run.name}</td>' in content
    assert "<li>The verdict cannot be shown: ZeroDivisionError: division by zero.</li>" in content
    assert 'id="comparison"' not in content


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
    text = render_text(folder, folder)
    assert "cannot be shown" not in text
    assert "Returns of unseen starts" in text
    assert ("Hyperparameters; marked are those" in text) is bool(job["settings"])
    assert ("An evaluation job trains nothing." in text) is ("output/data/evaluation.json" in files)


def test_of_a_training_that_runs_there_is_no_trial_yet(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(re.sub(r"(?m)^(\d+,[\d.]+,\d+),-?[\d.]+", r"\1,", file.read_text()))
    file.write_text(file.read_text().replace("Value Loss/Mean", "Another", 1).replace("Wall-Clock Time", "Other", 1))
    (folder / "output/data" / TRIAL_FILE).unlink()
    text = render_text(folder)
    assert "There is no evaluation yet." in text
    assert "Reward over episodes" in text
    assert "There is no chart over wall time: the rewards have no times." in text
    assert "Means over a training. Loss" in text
    assert "The finished policy was not put on trial." in text


def test_a_trial_may_be_all_that_is_left(tmp_path):
    (tmp_path / "output/data").mkdir(parents=True)
    make_trial(dimensions=4).save(tmp_path / "output/data" / TRIAL_FILE)
    text = render_text(tmp_path)
    assert "There are no heat maps: an observation has the shape [4], and a map has two dimensions." in text
    assert "On 100 unseen starts its mean return is 99.20" in text
    assert "Returns of unseen starts" in text
    assert "There is no reward to draw: the job left no finished episode." in text
    assert "There is no moving picture of an evaluation." in text
    assert "best known" not in text


def test_a_trace_may_be_all_that_is_left(folder):
    (folder / "output/data" / TRIAL_FILE).unlink()
    (folder / "output/intermediate" / CSV).unlink()
    change_job(folder, no_trial="there was no time")
    sections = sections_of(render_text(folder))
    assert "Velocity" in sections["An episode"]
    assert "there was no time" in sections["How good is it?"]
    assert "there was no time" in sections["What does it do where?"]
    assert "Means over a training" not in sections["Did it learn?"]


def test_a_job_of_which_only_sagemaker_knows(tmp_path):
    description = {
        "TrainingJobStatus": "Failed",
        "FailureReason": "AlgorithmError: no <image>",
        "HyperParameters": {"discount": "0.77"},
    }
    (tmp_path / "description.json").write_text(json.dumps(description))
    content = page.render([Run.read(tmp_path, "its-name")])
    assert "The job failed: AlgorithmError: no &lt;image&gt;" in content
    assert '<div class="verdict failed">' in content
    assert "<title>Training of its-name</title>" in content
    assert "Bokeh.set_log_level" not in content
    assert "discount 0.77" in render_text(tmp_path)


def test_an_empty_folder(tmp_path):
    assert "There is no evaluation yet." in render_text(tmp_path)
    page.write((Run("a", job={"kind": "evaluation"}),), tmp_path / page.FILE)
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<title>Evaluation of a</title>" in content
    assert '<div class="verdict">' in content
    assert "An evaluation job trains nothing." in content


def test_many_episodes_and_runs_fit_into_one_page(folder):
    random = np.random.default_rng(0)
    rows = [f"{n},{n / 10},{random.normal()},{n if n % 100 == 0 else ''},1,2,3" for n in range(1, 20_001)]
    (folder / "output/intermediate" / CSV).write_text("\n".join([HEADER, *rows]) + "\n")
    noise = Image.effect_noise((300, 200), 100)
    (gif,) = (folder / "output/intermediate/gifs").glob("*.gif")
    noise.save(gif, save_all=True, append_images=[Image.effect_noise((300, 200), 100) for _ in range(10)])
    assert gif.stat().st_size > picture.MAX_BYTES
    text = text_of(page.render([Run.read(folder)] * MAX_RUNS))
    assert f"{MAX_RUNS} runs compared" in text
    assert "Policies and episodes are those of the first 4 of 12 runs." in text
    assert "bytes: the page shows its first frame" in text
