"""A job is read from whatever files it left."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from job_folders import HEADER, change_job, make_trial, render_text
from jobs import CSV
from sagemaker_rl.report.run import Run, Setting
from sagemaker_rl.report.trial import FILE as TRIAL_FILE


def test_a_trial_without_episodes(folder):
    make_trial(episodes=0).save(folder / "output/data" / TRIAL_FILE)
    assert Run.read(folder).notes == ["trial.npz cannot be read: it holds no episodes."]


@pytest.mark.parametrize("array", ["starts", "returns", "lengths"])
def test_a_trial_of_arrays_that_do_not_fit(folder, array):
    trial = make_trial()
    dataclasses.replace(trial, **{array: getattr(trial, array)[1:]}).save(folder / "output/data" / TRIAL_FILE)
    run = Run.read(folder)
    assert (run.trial, run.notes) == (None, ["trial.npz cannot be read: it holds no episodes."])


def test_a_trial_is_read_as_it_was_written(folder):
    trial, read = make_trial(), Run.read(folder).trial
    for name in ("starts", "returns", "lengths", "paths"):
        np.testing.assert_array_equal(getattr(read, name), getattr(trial, name))
    for axis, written in zip(read.policy_map.axes, trial.policy_map.axes, strict=True):
        np.testing.assert_array_equal(axis, written)
    np.testing.assert_array_equal(read.policy_map.actions, trial.policy_map.actions)
    np.testing.assert_array_equal(read.policy_map.values, trial.policy_map.values)
    assert (read.no_map, make_trial(dimensions=3).no_map != "") == ("", True)


def test_the_last_episode_is_that_of_the_highest_number(folder):
    gifs = folder / "output/intermediate/gifs"
    for episode in (9, 100, 41):
        (gifs / f"x_episode-{episode}_score-1.gif").touch()
        (gifs / f"episode-{episode}.csv").write_text(f"step,action[0]\n0,{episode}\n1,-2\n2\n")
    (gifs / "another.gif").touch()
    run = Run.read(folder)
    assert run.gif.name == "x_episode-100_score-1.gif"
    assert run.trace.columns == ["step", "action[0]"]
    assert run.trace.points.tolist() == [[0, 100], [1, -2]]


@pytest.mark.parametrize(
    ("job", "metadata", "description", "status"),
    [
        ({"no_trial": "x"}, {}, {}, "Completed"),
        ({}, {"stopped": True}, {"TrainingJobStatus": "InProgress"}, "Stopped"),
        ({}, {"stopped": False}, {"TrainingJobStatus": "InProgress"}, "InProgress"),
        ({"no_trial": "x"}, {}, {"TrainingJobStatus": "Stopping"}, "Stopping"),
        ({}, {}, {"FailureReason": "x"}, "Failed"),
        ({}, {}, {}, "Nothing is known of its end"),
    ],
)
def test_the_status_is_sagemakers_or_what_the_job_left(job, metadata, description, status):
    run = Run("a", job=job, metadata=metadata, description=description)
    run.failure = description.get("FailureReason", "")
    assert run.status == status
    assert run.has_ended is (status in ("Completed", "Stopped", "Failed"))


def test_settings_of_the_job_come_after_those_of_the_preset():
    given = {"seed": "3", "RLCOACH_PRESET": "p", "keep_best": "0", "discount": "0.9", "sagemaker_x": "1", "rl.y": "2"}
    settings = [{"name": "discount", "value": 0.9, "preset": 1.0, "changed": True, "more": 1}, "x", {"value": 3}]
    run = Run("a", job={"settings": settings}, hyperparameters=given)
    assert run.settings == [
        Setting("discount", 0.9, 1.0, True),
        Setting("?", 3),
        Setting("keep_best", "0", changed=True, of_job=True),
    ]
    assert [run.setting_value(name) for name in ("keep_best", "discount", "rl.y")] == ["0", 0.9, None]
    assert Run("a", hyperparameters=given).settings == []


@pytest.mark.parametrize(
    ("given", "value"), [('"a"', "a"), ('""', ""), ('"', '"'), ("a", "a"), ('"a', '"a'), ('a"', 'a"'), (3, 3)]
)
def test_hyperparameters_are_without_the_quotes_of_the_sdk(tmp_path, given, value):
    (tmp_path / "description.json").write_text(json.dumps({"HyperParameters": {"x": given}}))
    assert Run.read(tmp_path).hyperparameters == {"x": value}


def test_of_a_job_that_runs_its_own_folder_tells_the_hyperparameters(tmp_path):
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/hyperparameters.json").write_text('{"x": "1"}')
    (tmp_path / "description.json").write_text('{"HyperParameters": {}}')
    assert Run.read(tmp_path, "its name").hyperparameters == {"x": "1"}
    assert (Run.read(tmp_path, "its name").name, Run.read(tmp_path).name) == ("its name", tmp_path.name)


@pytest.mark.parametrize(
    "name", ["output/data/trial.npz", "output/intermediate/job.json", "output/intermediate/metadata.json"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]"])
def test_a_damaged_file_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    (note,) = Run.read(folder).notes
    assert note.startswith(
        (f"{(folder / name).name} cannot be read: ", f"{(folder / name).name} holds no JSON object.")
    )


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
