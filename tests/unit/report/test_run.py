"""A job is read from whatever files it left."""

import json
import shutil

import pytest
from job_folders import HEADER, change_job, make_trial, render_text
from jobs import CSV
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.trial import FILE as TRIAL_FILE


def test_a_trial_without_episodes(folder):
    make_trial(episodes=0).save(folder / "output/data" / TRIAL_FILE)
    assert "trial.npz cannot be read: it holds no episodes." in render_text(folder)


@pytest.mark.parametrize(
    "name", ["output/data/trial.npz", "output/intermediate/job.json", "output/intermediate/metadata.json"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]"])
def test_a_damaged_file_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    assert f"{name.rpartition('/')[2]} " in render_text(folder)


def test_a_damaged_picture_and_trace_are_left_out(folder):
    gifs = folder / "output/intermediate/gifs"
    (gifs / "2026-11-23-10-00-00_episode-40_score-99.5.gif").write_bytes(b"GIF89a")
    (gifs / "episode-40.csv").write_bytes(b"\xff")
    assert "There is no moving picture of an evaluation." in render_text(folder)


def test_what_was_given_to_the_job_itself_is_shown(folder):
    given = {"keep_best": "0", "discount": "0.9", "seed": "3", "RLCOACH_PRESET": '"a-preset"', "rl.x": "1"}
    (folder / "description.json").write_text(json.dumps({"HyperParameters": given}))
    change_job(folder, path="stock Coach: accelerate is 0")
    text = render_text(folder)
    assert "keep_best 0 given" in text
    assert "Path stock Coach: accelerate is 0" in text
    assert text.count("given") == 1 + text.count("were given")
    assert "rl.x" not in text
    other = folder.parent / "another-job"
    shutil.copytree(folder, other)
    (other / "description.json").unlink()
    assert "Seed discount keep_best Steps" in render_text(folder, other)


def test_a_job_that_was_killed_has_not_completed(folder):
    assert Run.read(folder).status == "Completed"
    (folder / "output/data" / TRIAL_FILE).unlink()
    assert Run.read(folder).status == "Nothing is known of its end"


def test_the_last_evaluation_of_stock_coach_has_the_time_of_the_end(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(f"{HEADER}\n1,,,-10,,,\n")
    run = Run.read(folder)
    assert run.series("Evaluation Reward")[1].tolist() == [4.0]
    assert "Reward over wall time" in render_text(folder)
    (folder / "output/intermediate/metadata.json").unlink()
    assert "There is no chart over wall time: the rewards have no times." in render_text(folder)
