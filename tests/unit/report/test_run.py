"""A job is read from whatever files it left."""

import dataclasses
import json

import numpy as np
import pytest
from job_folders import HEADER, make_trial
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


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"step,action[0]\n", b'step,action[0]\n0,"' + b"x" * 200_000 + b'"\n', b"step\n1,2\n"]
)
def test_a_damaged_trace_is_left_out(folder, content):
    (folder / "output/intermediate/gifs/episode-40.csv").write_bytes(content)
    run = Run.read(folder)
    assert (run.trace, run.notes) == (None, [])
    assert run.gif is not None


def test_a_picture_may_have_no_trace(folder):
    (folder / "output/intermediate/gifs/episode-40.csv").unlink()
    run = Run.read(folder)
    assert (run.trace, run.gif is None) == (None, False)


def test_a_file_that_cannot_be_read_is_named(folder):
    file = folder / "output/intermediate/job.json"
    file.write_text("[" * 100_000)
    (note,) = Run.read(folder).notes
    assert note.startswith("job.json cannot be read: maximum recursion depth exceeded")
    file.unlink()
    file.mkdir()
    (note,) = Run.read(folder).notes
    assert note.startswith("job.json cannot be read: [Errno 21] Is a directory")


def test_an_evaluation_is_known_by_its_result_or_by_its_kind(folder):
    assert not Run.read(folder).is_evaluation
    intermediate, final = (folder / f"output/{name}/evaluation.json" for name in ("intermediate", "data"))
    intermediate.write_text('{"mean_return": 1}')
    assert Run.read(folder).evaluation == {"mean_return": 1}
    final.write_text('{"mean_return": 2}')
    assert Run.read(folder).evaluation == {"mean_return": 2}
    assert Run.read(folder).is_evaluation
    assert [Run("a", job={"kind": kind}).is_evaluation for kind in ("evaluation", "training")] == [True, False]
    assert Run("a", evaluation={"mean_return": 0}).status == "Completed"


@pytest.mark.parametrize(
    ("file", "description", "reason"),
    [(" a b \n", "c", "a b"), (" \n", " c ", "c"), (None, "c", "c"), (None, "", "")],
)
def test_the_reason_of_a_failure_is_the_jobs_or_sagemakers(folder, file, description, reason):
    if file is not None:
        (folder / "output/failure").write_text(file)
    (folder / "description.json").write_text(json.dumps({"FailureReason": description}))
    assert Run.read(folder).failure == reason


def test_the_best_known_is_of_the_same_starts(folder):
    run = Run.read(folder)
    assert run.environment == "PatientContinuousMountainCar"
    assert run.best_known == pytest.approx(99.81, abs=0.01)
    assert run.regret == round(run.best_known - run.trial.returns.mean(), 2)
    assert run.timeouts == 0
    run.trial.returns[4] = np.nan
    assert (run.best_known, run.regret) == (None, None)
    for other in (Run("a", job={"environment": "own:Own"}, trial=run.trial), Run("a", job=run.job)):
        assert (other.best_known, other.regret, other.timeouts) == (None, None, 0)


def test_a_job_that_was_killed_has_not_completed(folder):
    assert Run.read(folder).status == "Completed"
    (folder / "output/data" / TRIAL_FILE).unlink()
    assert Run.read(folder).status == "Nothing is known of its end"


@pytest.mark.parametrize(
    ("rows", "metadata", "seconds"),
    [
        ("1,,,-10", '{"train_seconds": 4.0}', [4.0]),
        ("1,,,-10", '{"train_seconds": "4.0"}', [np.nan]),
        ("1,,,-10\n2,,,-5\n3,,2,", '{"train_seconds": 4}', [np.nan, 4.0]),
        ("1,2.5,,-10\n2,3.5,,-5", '{"train_seconds": 4}', [2.5, 3.5]),
        ("1,,,", '{"train_seconds": 4}', []),
    ],
)
def test_the_last_evaluation_of_stock_coach_has_the_time_of_the_end(folder, rows, metadata, seconds):
    (folder / "output/intermediate" / CSV).write_text(f"{','.join(HEADER.split(',')[:4])}\n{rows}\n")
    (folder / "output/intermediate/metadata.json").write_text(metadata)
    np.testing.assert_array_equal(Run.read(folder).series("Evaluation Reward").seconds, seconds)


def test_a_csv_may_have_no_times(folder):
    (folder / "output/intermediate" / CSV).write_text("Episode #,Evaluation Reward\n7,-3\n8,-2\n")
    series = Run.read(folder).series("Evaluation Reward")
    np.testing.assert_array_equal(series.seconds, [np.nan, 4.0])
    (folder / "output/intermediate/metadata.json").unlink()
    series = Run.read(folder).series("Evaluation Reward")
    np.testing.assert_array_equal(series.seconds, [np.nan, np.nan])
    assert (series.episodes.tolist(), series.values.tolist()) == ([7, 8], [-3, -2])


def test_of_several_csvs_the_first_workers_is_read(folder):
    second = folder / "output/intermediate" / CSV.replace("worker_0", "worker_1")
    second.write_text("Episode #,Evaluation Reward\n7,-3\n")
    assert len(Run.read(folder).series("Evaluation Reward").values) == 4
