"""The report of whatever a job left: nothing has to be there, and nothing has to be whole."""

import html
import json
import re
import shutil

import numpy as np
import pytest
from jobs import CSV
from launch.sagemaker.report import MOST_RUNS
from PIL import Image
from sagemaker_rl.job.traces import MAX_POINTS, Trace
from sagemaker_rl.report import looks, optimum, page
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.trial import FILE as TRIAL_FILE
from sagemaker_rl.report.trial import PolicyMap, Trial

MAX_BYTES = 3_000_000
CAR = "patient_envs:PatientContinuousMountainCar"
HEADER = "Episode #,Wall-Clock Time,Training Reward,Evaluation Reward,Loss/Mean,Value Loss/Mean,Value Targets/Stdev"
SETTINGS = [
    {"name": "discount", "value": 0.9, "preset": 1.0, "changed": True},
    {"name": "gae_lambda", "value": 0.997, "preset": 0.997, "changed": False},
]


def a_trial(dimensions: int = 2, episodes: int = 100, returned: float = 99.2) -> Trial:
    random = np.random.default_rng(0)
    starts = np.zeros((episodes, dimensions), np.float32)
    starts[:, 0] = random.uniform(-0.6, -0.4, episodes)
    paths = [np.column_stack([np.arange(50), *random.uniform(-0.05, 0.05, (dimensions + 1, 50))]).astype(np.float32)]
    axes = (np.linspace(-1.2, 0.6, 9), np.linspace(-0.07, 0.07, 9))
    heat = PolicyMap(axes, np.tile(np.linspace(-1, 1, 9), (9, 1)), np.zeros((9, 9))) if dimensions == 2 else None
    no_map = "" if heat else f"an observation has the shape [{dimensions}], and a map has two dimensions"
    return Trial(starts, np.full(episodes, returned), np.full(episodes, 900), paths, heat, no_map)


def evaluated(folder, *rewards):
    """Let the evaluations of a job have other returns."""
    rows = [f"{n},{n / 10},{n},{reward},1,2,4" for n, reward in enumerate(rewards, start=1)]
    (folder / "output/intermediate" / CSV).write_text("\n".join([HEADER, *rows]) + "\n")


def in_environment(folder, environment):
    job = folder / "output/intermediate/job.json"
    job.write_text(job.read_text().replace(CAR, environment))


def describe(folder, **more):
    """Let a job's own description hold more, or something else."""
    job = folder / "output/intermediate/job.json"
    job.write_text(json.dumps({**json.loads(job.read_text()), **more}))


@pytest.fixture
def folder(tmp_path):
    """The folder of a job that went well."""
    intermediate, data = tmp_path / "a-job/output/intermediate", tmp_path / "a-job/output/data"
    (intermediate / "gifs").mkdir(parents=True)
    data.mkdir()
    rows = [f"{n},{n / 10},{n},{n if n % 10 == 0 else ''},{5 / n},{2.0},{4.0}" for n in range(1, 41)]
    (intermediate / CSV).write_text("\n".join([HEADER, *rows]) + "\n")
    job = {"kind": "training", "preset": "a-preset", "environment": CAR, "algorithm": "ClippedPPO", "seed": 3}
    (intermediate / "job.json").write_text(json.dumps({**job, "settings": SETTINGS, "image": "the-image"}))
    metadata = {"environment_steps": 1000, "train_seconds": 4.0, "episodes": 40, "versions": {"mxnet": "1.9.1"}}
    (intermediate / "metadata.json").write_text(json.dumps(metadata))
    picture = Image.new("RGB", (30, 20), "white")
    picture.save(
        intermediate / "gifs/2026-11-23-10-00-00_episode-40_score-99.5.gif", save_all=True, append_images=[picture]
    )
    (intermediate / "gifs/episode-40.csv").write_text(
        "step,observation[0],observation[1],action[0]\n0,-.5,0,.3\n1,-.4,.1,.2\n"
    )
    a_trial().save(data / TRIAL_FILE)
    return tmp_path / "a-job"


def text_of(*folders) -> str:
    """Return what a reader of the page reads, in one line."""
    content = page.render([Run.read(folder) for folder in folders])
    assert len(content.encode()) <= MAX_BYTES
    body = content[content.rindex("<body>") :]
    body = re.sub(r"<(script|style).*?</\1>", "", body, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def test_it_says_what_ran_and_marks_what_was_changed(folder):
    text = text_of(folder)
    for expected in ("a-preset", "the-image", "ClippedPPO", "Seed 3", "Steps per second 250", "mxnet 1.9.1"):
        assert expected in text, expected
    assert "discount 0.9 1.0 changed" in text
    assert "gae_lambda 0.997 0.997 " in text
    assert text.count("changed ") == 1 + text.count("changed from the preset")


def test_it_says_how_good_it_is(folder):
    evaluated(folder, -14.46, -12, 99.13)
    text = text_of(folder)
    way = "99% of the way to the best known 99.81"
    assert f"It learned: from -14.46 in the first evaluation to 99.13 in the best, {way}." in text
    run = Run.read(folder)
    assert 0.55 < run.regret < 0.65
    assert f"within {run.regret:.2f} of the best known {run.best_known:.2f}. The worst is 99.20." in text
    assert f"99.20 below it; on average it is {run.regret:.2f}" not in text
    assert f"on average it is {run.regret:.2f}." in text
    assert f"The best known policy has {run.best_known:.2f} on average from these starts" in text


@pytest.mark.parametrize(
    ("rewards", "sentence"),
    [
        ((-14.46, -14.3, -14.35), "went from -14.46 in the first evaluation to -14.30 at best, -14.35 at the end. "),
        ((-14.46, 0, 0), "That is 12% of the way from the first to the best known 99.81, less than the 50% that"),
        ((-14, -14.5), "It did not get better than its first evaluation, -14.00."),
        ((-14.46, -0.001), "went from -14.46 in the first evaluation to 0.00 at best, 0.00 at the end."),
        ((99.9, 99.95), "went from 99.90 in the first evaluation to 99.95 at best, 99.95 at the end. On 100"),
    ],
)
def test_it_does_not_claim_to_have_learned(folder, rewards, sentence):
    evaluated(folder, *rewards)
    text = text_of(folder)
    assert sentence in text
    assert "It learned" not in text


def test_of_another_environment_it_says_only_what_the_rewards_were(folder):
    in_environment(folder, "own:Own")
    text = text_of(folder)
    assert "The evaluation reward went from 10.00 in the first evaluation to 40.00 at best, 40.00 at the end." in text
    assert "It learned" not in text
    assert "best known" not in text


def test_a_policy_far_below_the_best_known(folder):
    trial = a_trial(returned=-3.88)
    trial.lengths[:7] = optimum.PATIENCE
    trial.save(folder / "output/data" / TRIAL_FILE)
    text = text_of(folder)
    run = Run.read(folder)
    assert f"its mean return is -3.88: {run.regret:.2f} below the best known 99.81." in text
    assert "7 of the 100 never reached the flag: their episodes ended after 10,000 steps." in text
    assert "within" not in text


@pytest.mark.parametrize(("lost", "sentence"), [(1, "The last evaluation is no"), (2, "The last 2 evaluations are no")])
def test_evaluations_that_are_no_numbers(folder, lost, sentence):
    evaluated(folder, -14.46, 50, *[float("nan")] * lost)
    content = page.render([Run.read(folder)])
    verdict = content[content.index('<div class="verdict') : content.index("<nav")]
    assert sentence in verdict
    assert "Evaluation reward is not a finite number in" in verdict


def test_a_loss_keeps_its_capitals(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(
        file.read_text().replace("Loss/Mean,Value", "KL Divergence/Mean,Value", 1).replace("5.0,2", "nan,2")
    )
    assert "KL divergence is not a finite number in 1 row: a gap in its curve." in text_of(folder)


def test_the_line_of_the_best_known_is_of_the_same_starts(folder):
    """Of the discrete car's starts some are a swing nearer than others: their mean is not that of all starts."""
    from sagemaker_rl.report import charts

    in_environment(folder, "patient_envs:PatientMountainCar")
    trial = a_trial(returned=-120.0)
    trial.starts[:, 0] = -0.59
    trial.save(folder / "output/data" / TRIAL_FILE)
    run = Run.read(folder)
    assert abs(run.best_known - optimum.of(run.environment).mean) > 0.5
    for runs in ([run], [run, run]):
        chart = charts.returns(looks.looks(runs))
        (line,) = [each for each in chart.figure.renderers if type(each.glyph).__name__ == "VSpan"]
        assert line.data_source.data["x"] == [pytest.approx(run.best_known)]
        assert f"has {run.best_known:.2f} on average from these starts" in chart.text


def test_explained_variance_is_explained_where_there_is_one(folder):
    assert "Explained variance is" in text_of(folder)
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text().replace("Value Loss/Mean", "Another", 1))
    text = text_of(folder)
    assert "Means over a training." in text
    assert "Explained variance" not in text


def test_all_of_the_way_is_no_less_than_all(folder):
    evaluated(folder, -10_000, 99)
    assert "99% of the way to the best known 99.81." in text_of(folder)


def test_a_policy_that_is_as_good_as_the_best_known(folder):
    a_trial(returned=99.9).save(folder / "output/data" / TRIAL_FILE)
    assert "as good as the best known 99.81" in text_of(folder)


def test_explained_variance_follows_from_the_value_loss(folder):
    run = Run.read(folder)
    np.testing.assert_allclose(run.series("Explained Variance")[2], 1 - 2 * 2.0 / 4.0**2)


def test_there_is_no_evaluation_yet(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(re.sub(r"(?m)^(\d+,[\d.]+,\d+),\d+", r"\1,", file.read_text()))
    (folder / "output/data" / TRIAL_FILE).unlink()
    text = text_of(folder)
    assert "There is no evaluation yet." in text
    assert "Explained variance is" in text
    assert "Reward over episodes" in text
    assert "The finished policy was not put on trial." in text


def test_a_csv_that_was_cut_off(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text()[:-20])
    assert "was cut off: 1 row left out" in text_of(folder)
    assert len(Run.read(folder).series("Training Reward")[2]) == 39


@pytest.mark.parametrize("content", ["", "\0\0", "a,b\n1,2\n"])
def test_a_csv_of_something_else(folder, content):
    (folder / "output/intermediate" / CSV).write_text(content)
    assert "has no column 'Episode #'" in text_of(folder)


def test_a_loss_that_is_no_number(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(file.read_text().replace(",5.0,2.0,", ",nan,2.0,"))
    assert "Loss is not a finite number in 1 row: a gap in its curve." in text_of(folder)
    assert np.isfinite(Run.read(folder).series("Loss/Mean")[2]).all()


def test_more_than_two_state_dimensions_leave_out_the_maps(folder):
    job = folder / "output/intermediate/job.json"
    job.write_text(job.read_text().replace(CAR, "own:Own"))
    a_trial(dimensions=4).save(folder / "output/data" / TRIAL_FILE)
    text = text_of(folder)
    assert "There are no heat maps: an observation has the shape [4], and a map has two dimensions." in text
    assert "On 100 unseen starts its mean return is 99.20" in text
    assert "best known" not in text.replace("best known returns are", "")


def test_returns_that_are_no_numbers(folder):
    a_trial(returned=float("nan")).save(folder / "output/data" / TRIAL_FILE)
    (folder / "output/data/evaluation.json").write_text('{"mean_return": null, "std_return": null, "episodes": 3}')
    text = text_of(folder)
    assert "On 100 unseen starts its returns are not all finite numbers." in text
    assert "This evaluation: mean return not a number, standard deviation not a number, 3 episodes." in text


def test_runs_of_two_environments_have_no_common_optimum(folder):
    other = folder.parent / "another-job"
    shutil.copytree(folder, other)
    job = other / "output/intermediate/job.json"
    job.write_text(job.read_text().replace(CAR, "patient_envs:PatientMountainCar"))
    text = text_of(folder, other)
    assert "Returns of unseen starts" in text
    assert "Return by start position" not in text


def test_a_job_that_failed_says_why(folder):
    (folder / "output/failure").write_text("Hyperparameter discount is 2, expected <less>.")
    content = page.render([Run.read(folder)])
    assert "The job failed: Hyperparameter discount is 2, expected &lt;less&gt;." in content
    assert "Status" in text_of(folder)
    assert "Failed" in text_of(folder)


def test_a_job_of_which_only_sagemaker_knows(tmp_path):
    description = {
        "TrainingJobStatus": "Failed",
        "FailureReason": "AlgorithmError: no image",
        "HyperParameters": {"discount": "0.77"},
    }
    (tmp_path / "description.json").write_text(json.dumps(description))
    text = text_of(tmp_path)
    assert "The job failed: AlgorithmError: no image" in text
    assert "discount 0.77" in text


def test_what_sagemaker_knows_is_shown(folder):
    description = {
        "TrainingJobStatus": "Completed",
        "AlgorithmSpecification": {"TrainingImage": "1.dkr.ecr/x@sha256:0"},
        "BillableTimeInSeconds": 77,
        "ResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
    }
    (folder / "description.json").write_text(json.dumps(description))
    text = text_of(folder)
    for expected in ("1.dkr.ecr/x@sha256:0", "77 s", "2 of ml.c5.xlarge"):
        assert expected in text


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("description.json", {"AlgorithmSpecification": None, "ResourceConfig": 3, "HyperParameters": ["x"]}),
        ("description.json", {"TrainingJobStatus": {"a": 1}, "BillableTimeInSeconds": "x"}),
        ("output/intermediate/metadata.json", {"policy_steps": "x", "environment_steps": "y", "versions": ["a"]}),
        ("output/intermediate/metadata.json", {"train_seconds": "z", "environment_steps": 1, "versions": {"a": 1}}),
        ("output/intermediate/job.json", {"settings": [{"name": "discount"}, 3], "environment": 5}),
        ("output/intermediate/job.json", {"settings": None, "environment": CAR, "no_trial": 3}),
        ("output/data/evaluation.json", {"mean_return": [1], "episodes": None, "seconds": "x"}),
    ],
)
def test_what_is_something_else_is_no_reason_for_no_page(folder, file, content):
    (folder / file).write_text(json.dumps(content))
    for text in (text_of(folder), text_of(folder, folder)):
        assert "Returns of unseen starts" in text or "environment" in content
        assert "discount" in text or "settings" in content


def test_a_trial_without_episodes(folder):
    a_trial(episodes=0).save(folder / "output/data" / TRIAL_FILE)
    assert "trial.npz cannot be read: it holds no episodes." in text_of(folder)


def test_a_part_that_cannot_be_made_is_a_note(folder, monkeypatch):
    monkeypatch.setattr(page, "facts", lambda run: 1 / 0)
    text = text_of(folder)
    assert "What ran cannot be shown: ZeroDivisionError: division by zero." in text
    assert "Job a-job Status Completed" in text


@pytest.mark.parametrize(
    "name", ["output/data/trial.npz", "output/intermediate/job.json", "output/intermediate/metadata.json"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]"])
def test_a_damaged_file_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    assert f"{name.rpartition('/')[2]} " in text_of(folder)


def test_a_damaged_picture_and_trace_are_left_out(folder):
    gifs = folder / "output/intermediate/gifs"
    (gifs / "2026-11-23-10-00-00_episode-40_score-99.5.gif").write_bytes(b"GIF89a")
    (gifs / "episode-40.csv").write_bytes(b"\xff")
    assert "There is no moving picture of an evaluation." in text_of(folder)


@pytest.mark.parametrize("status", ["Completed", "Stopped", "InProgress"])
def test_a_job_that_has_ended_says_so_of_its_evaluations(folder, status):
    (folder / "description.json").write_text(json.dumps({"TrainingJobStatus": status}))
    evaluated(folder, -14.46)
    assert ("One evaluation so far: -14.46." if status == "InProgress" else "There was one evaluation: -14.46.") in (
        text_of(folder)
    )
    evaluated(folder, "")
    assert ("There is no evaluation yet." if status == "InProgress" else "There was no evaluation.") in text_of(folder)


def test_the_film_is_of_its_time(folder):
    (gif,) = (folder / "output/intermediate/gifs").glob("*.gif")
    text = "The car in an evaluation episode with the return 99.50, in 1 picture. It shows the policy of that time"
    assert text in text_of(folder)
    gif.rename(gif.with_name("2026_episode-40_score-1.5 (1).gif"))
    assert "with the return 1.50, in 1 picture." in text_of(folder)


def test_values_say_what_they_are_of(folder):
    assert "It is of rewards as the algorithm takes them, perhaps scaled and discounted." in text_of(folder)
    describe(folder, reward_scale=0.03)
    assert "It is of rewards times 0.03 and discounted by 0.9 a step, so no return of an episode." in text_of(folder)


def test_maps_that_are_no_numbers(folder):
    trial = a_trial()
    trial.policy_map.actions[0, :] = np.nan
    trial.policy_map.actions[1:, :] = -1e-5
    trial.policy_map.values[:] = np.nan
    trial.save(folder / "output/data" / TRIAL_FILE)
    text = text_of(folder)
    assert "From -1e-05 to -1e-05; below 0 in 89% of all states, which are blue. In 11.1% of all states" in text
    assert "Value of a state: no state has a number, so there is no map." in text
    assert "nan" not in text


def test_a_zero_has_no_minus(folder):
    a_trial(returned=-0.001).save(folder / "output/data" / TRIAL_FILE)
    text = text_of(folder)
    assert "100 episodes from 0.00 to 0.00, median 0.00." in text
    assert "On 100 unseen starts its mean return is 0.00: 99.81 below the best known 99.81. The worst is 0.00." in text
    assert "-0.00 " not in text


def test_the_last_evaluation_of_stock_coach_has_the_time_of_the_end(folder):
    file = folder / "output/intermediate" / CSV
    file.write_text(f"{HEADER}\n1,,,-10,,,\n")
    run = Run.read(folder)
    assert run.series("Evaluation Reward")[1].tolist() == [4.0]
    assert "Reward over wall time" in text_of(folder)
    (folder / "output/intermediate/metadata.json").unlink()
    assert "There is no chart over wall time: the rewards have no times." in text_of(folder)


def test_an_image_that_did_not_run_is_not_shown(folder):
    description = {"AlgorithmSpecification": {"TrainingImage": "an-image-of-docker"}}
    (folder / "description.json").write_text(json.dumps(description))
    assert "an-image-of-docker" in text_of(folder)
    describe(folder, image="none: processes on this machine")
    text = text_of(folder)
    assert "an-image-of-docker" not in text
    assert "none: processes on this machine" in text


def test_what_was_given_to_the_job_itself_is_shown(folder):
    given = {"keep_best": "0", "discount": "0.9", "seed": "3", "RLCOACH_PRESET": '"a-preset"', "rl.x": "1"}
    (folder / "description.json").write_text(json.dumps({"HyperParameters": given}))
    describe(folder, path="stock Coach: accelerate is 0")
    text = text_of(folder)
    assert "keep_best 0 given" in text
    assert "Path stock Coach: accelerate is 0" in text
    assert text.count("given") == 1 + text.count("were given")
    assert "rl.x" not in text
    other = folder.parent / "another-job"
    shutil.copytree(folder, other)
    (other / "description.json").unlink()
    assert "Seed discount keep_best Steps" in text_of(folder, other)


def test_an_evaluation_says_how_long_it_took(folder):
    (folder / "output/data/evaluation.json").write_text('{"mean_return": 1, "episodes": 3, "seconds": 12.34}')
    assert "Duration of evaluation 12.3 s" in text_of(folder)


def test_a_job_that_was_killed_has_not_completed(folder):
    assert Run.read(folder).status == "Completed"
    (folder / "output/data" / TRIAL_FILE).unlink()
    assert Run.read(folder).status == "Nothing is known of its end"


def test_an_empty_folder(tmp_path):
    text = text_of(tmp_path)
    assert "There is no evaluation yet." in text


def test_several_runs_are_compared(folder):
    other = folder.parent / "another-job"
    shutil.copytree(folder, other)
    job = other / "output/intermediate/job.json"
    job.write_text(job.read_text().replace('"value": 0.9', '"value": 0.8'))
    a_trial(returned=98.0).save(other / "output/data" / TRIAL_FILE)
    text = text_of(folder, other)
    assert "2 runs compared" in text
    row = text[text.index("The runs No. Run Status") :]
    assert "1 a-job Completed" in row
    assert "2 another-job Completed a-preset 3 0.8 1,000 4.0 250 40.00 98.00" in row
    assert "a-job Completed a-preset 3 0.9 1,000 4.0 250 40.00 99.20" in row
    assert "at first, at its best, at the end: run 1: 10.00, 40.00, 40.00; run 2: 10.00" in text
    learning = text[text.index("Did it learn?", text.index("The runs")) : text.index("What does it do where?", 900)]
    assert "a-job" not in learning.replace("as a table", "")


def test_many_runs_are_told_apart(folder):
    runs = [Run.read(folder) for _ in range(MOST_RUNS)]
    shown = looks.looks(runs)
    assert len({look.colour for look in shown}) == MOST_RUNS
    assert len({look.label for look in shown}) == MOST_RUNS
    assert {look.dash for look in shown[: MOST_RUNS // 2]} != {look.dash for look in shown[MOST_RUNS // 2 :]}
    from sagemaker_rl.report import charts

    chart = charts.rewards(shown, over_time=False)
    assert chart.text.startswith("Evaluations only, as the runs are many.")
    assert chart.key == tuple(shown)
    assert not chart.figure.legend
    assert len(chart.figure.renderers) == 2 * MOST_RUNS  # a line and its dots
    few = charts.rewards(looks.looks(runs[:2]), over_time=False)
    assert few.text.startswith("Thin: training; thick, with dots: evaluation.")
    assert len(few.figure.renderers) == 6
    for chart in (charts.returns(shown), charts.returns_by_start(shown), *charts.losses(shown)):
        assert not chart.figure.legend
        assert chart.key == tuple(shown)
    assert charts.rewards(looks.looks(runs[:1]), over_time=False).figure.legend


def test_every_line_can_be_seen_on_white_and_in_the_dark(folder):
    """WCAG 2.2, 1.4.11: a contrast of 3."""
    from sagemaker_rl.report import charts

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colour in (*looks.COLOURS, charts.OPTIMUM_COLOUR):
        for paper in ("#ffffff", "#14171a"):
            low, high = sorted([luminance(colour), luminance(paper)])
            assert (high + 0.05) / (low + 0.05) >= 3, (colour, paper)
    for run_count in (1, 3):
        chart = charts.rewards(looks.looks([Run.read(folder)] * run_count), over_time=False)
        assert all(each.glyph.line_alpha == 1 for each in chart.figure.renderers)


def test_a_constant_curve_stays_near_its_value(folder):
    from sagemaker_rl.report import charts

    (value_loss,) = [each for each in charts.losses(looks.looks([Run.read(folder)])) if each.title == "Value loss"]
    assert value_loss.figure.y_range.default_span == pytest.approx(0.4)


def test_many_episodes_and_runs_fit_into_one_page(folder):
    random = np.random.default_rng(0)
    rows = [f"{n},{n / 10},{random.normal()},{n if n % 100 == 0 else ''},1,2,3" for n in range(1, 60_001)]
    (folder / "output/intermediate" / CSV).write_text("\n".join([HEADER, *rows]) + "\n")
    noise = Image.effect_noise((300, 200), 100)
    (gif,) = (folder / "output/intermediate/gifs").glob("*.gif")
    noise.save(gif, save_all=True, append_images=[Image.effect_noise((300, 200), 100) for _ in range(10)])
    assert gif.stat().st_size > page.LARGEST_PICTURE
    text = text_of(*[folder] * MOST_RUNS)
    assert f"{MOST_RUNS} runs compared" in text
    assert "Policies and episodes are those of the first 4 of 12 runs." in text
    assert "bytes: the page shows its first frame" in text


@pytest.mark.parametrize("runs", [1, 20])
def test_the_highest_and_lowest_of_a_long_curve_are_kept(runs):
    from sagemaker_rl.report.charts import MAX_POINTS as MOST
    from sagemaker_rl.report.charts import thin

    values = np.sin(np.arange(50_000.0))
    values[12_345], values[23_456] = 9, -9
    x, y = thin(np.arange(50_000.0), values, runs)
    assert len(y) <= MOST / max(runs, 5)
    assert (y.max(), y.min()) == (9, -9)
    assert (values[x.astype(int)].astype(np.float32) == y).all()


def test_a_trial_is_read_as_it_was_written(tmp_path):
    written = a_trial()
    written.save(tmp_path / TRIAL_FILE)
    read = Trial.load(tmp_path / TRIAL_FILE)
    np.testing.assert_array_equal(read.returns, written.returns)
    np.testing.assert_array_equal(read.paths[0], written.paths[0])
    np.testing.assert_array_equal(read.policy_map.actions, written.policy_map.actions)
    assert [file.name for file in tmp_path.iterdir()] == [TRIAL_FILE]


@pytest.mark.parametrize(("steps", "every"), [(7, 1), (MAX_POINTS, 1), (MAX_POINTS + 1, 2), (10_000, 16)])
def test_a_long_episodes_trace_is_thinned_out_evenly(steps, every):
    trace = Trace()
    for step in range(steps):
        trace.add([step, -step], 0.5)
    points = trace.points()
    assert len(points) <= MAX_POINTS
    np.testing.assert_array_equal(points[:, 0], np.arange(0, steps, every))
    np.testing.assert_array_equal(points[:, 1], points[:, 0])


def test_a_trace_of_pictures_is_none(tmp_path):
    trace = Trace()
    trace.add(np.zeros((84, 84)), 1)
    trace.save(tmp_path / "trace.csv")
    assert list(tmp_path.iterdir()) == []
