"""The page's first sentences, which claim no more than the numbers show."""

import json

import pytest
from job_folders import CAR, make_trial, set_environment, write_evaluations
from sagemaker_rl.report.cars import PATIENCE
from sagemaker_rl.report.optimum import find_optimum
from sagemaker_rl.report.run import Run
from sagemaker_rl.report.trial import FILE as TRIAL_FILE
from sagemaker_rl.report.verdict import verdict

BEST_KNOWN = find_optimum(CAR).mean
"""99.8099."""


def verdict_of(folder):
    return " ".join(verdict(Run.read(folder)))


def test_it_says_how_good_it_is(folder):
    write_evaluations(folder, -14.46, -12, 99.13)
    run = Run.read(folder)
    assert 0.55 < run.regret < 0.65
    assert verdict(run) == [
        "It learned: from -14.46 in the first evaluation to 99.13 in the best, 99% of the way to the best known 99.81.",
        f"On 100 unseen starts its mean return is 99.20: within {run.regret:.2f} of the best known "
        f"{run.best_known:.2f}. The worst is 98.60.",
    ]


@pytest.mark.parametrize(
    ("rewards", "sentence"),
    [
        ((-14.46, -14.3, -14.35), "went from -14.46 in the first evaluation to -14.30 at best, -14.35 at the end. "),
        ((-14.46, 0, 0), "That is 12% of the way from the first to the best known 99.81, less than the 50% that"),
        ((-14, -14.5), "It did not get better than its first evaluation, -14.00."),
        ((-14.46, -0.001), "went from -14.46 in the first evaluation to 0.00 at best, 0.00 at the end."),
        ((99.9, 99.95), "went from 99.90 in the first evaluation to 99.95 at best, 99.95 at the end. On 100"),
        ((BEST_KNOWN, 99.95), "went from 99.81 in the first evaluation to 99.95 at best, 99.95 at the end. On 100"),
    ],
)
def test_it_does_not_claim_to_have_learned(folder, rewards, sentence):
    write_evaluations(folder, *rewards)
    text = verdict_of(folder)
    assert sentence in text
    assert "It learned" not in text


def test_of_another_environment_it_says_only_what_the_rewards_were(folder):
    set_environment(folder, "own:Own")
    text = verdict_of(folder)
    assert "The evaluation reward went from 10.00 in the first evaluation to 40.00 at best, 30.25 at the end." in text
    assert "It learned" not in text
    assert "best known" not in text


def test_a_policy_far_below_the_best_known(folder):
    trial = make_trial(mean_return=-3.88)
    trial.lengths[:7] = PATIENCE
    trial.save(folder / "output/data" / TRIAL_FILE)
    text = verdict_of(folder)
    run = Run.read(folder)
    assert f"its mean return is -3.88: {run.regret:.2f} below the best known 99.81." in text
    assert "7 of the 100 never reached the flag: their episodes ended after 10,000 steps." in text
    assert "within" not in text


def test_without_unseen_starts_nothing_is_said_of_them(folder):
    (folder / "output/data" / TRIAL_FILE).unlink()
    assert verdict_of(folder).endswith(
        "40.00 at best, 30.25 at the end. That is 33% of the way from the first to the "
        "best known 99.81, less than the 50% that are called learned here."
    )


@pytest.mark.parametrize(("lost", "sentence"), [(1, "The last evaluation is no"), (2, "The last 2 evaluations are no")])
def test_evaluations_that_are_no_numbers(folder, lost, sentence):
    write_evaluations(folder, -14.46, 50, *[float("nan")] * lost)
    assert sentence in verdict_of(folder)
    assert f"Evaluation reward is not a finite number in {lost} row" in "".join(Run.read(folder).notes)


def test_all_of_the_way_is_no_less_than_all(folder):
    write_evaluations(folder, -10_000, 99)
    assert "99% of the way to the best known 99.81." in verdict_of(folder)


def test_a_policy_that_is_as_good_as_the_best_known(folder):
    make_trial(mean_return=99.9).save(folder / "output/data" / TRIAL_FILE)
    assert "as good as the best known 99.81" in verdict_of(folder)


def test_returns_that_are_no_numbers(folder):
    make_trial(mean_return=float("nan")).save(folder / "output/data" / TRIAL_FILE)
    (folder / "output/data/evaluation.json").write_text('{"mean_return": null, "std_return": null, "episodes": 3}')
    text = verdict_of(folder)
    assert "On 100 unseen starts its returns are not all finite numbers." in text
    assert "This evaluation: mean return not a number, standard deviation not a number, 3 episodes." in text


@pytest.mark.parametrize("status", ["Completed", "Stopped", "InProgress"])
def test_a_job_that_has_ended_says_so_of_its_evaluations(folder, status):
    (folder / "description.json").write_text(json.dumps({"TrainingJobStatus": status}))
    write_evaluations(folder, -14.46)
    sentence = "One evaluation so far: -14.46." if status == "InProgress" else "There was one evaluation: -14.46."
    assert sentence in verdict_of(folder)
    write_evaluations(folder, "")
    sentence = "There is no evaluation yet." if status == "InProgress" else "There was no evaluation."
    assert sentence in verdict_of(folder)


def test_a_zero_has_no_minus(folder):
    make_trial(mean_return=-0.001, below=0.001).save(folder / "output/data" / TRIAL_FILE)
    assert verdict_of(folder).endswith("mean return is 0.00: 99.81 below the best known 99.81. The worst is 0.00.")


@pytest.mark.parametrize(
    ("rewards", "learned"),
    [
        ((-100, -0.10), False),
        ((-100, -0.08), True),
        ((-100, 3, -99), True),
        ((-100, 99.82), True),
        ((-BEST_KNOWN, 0), True),
        ((-BEST_KNOWN, -1e-9), False),
    ],
)
def test_half_of_the_way_is_learning(folder, rewards, learned):
    """Half of the way from -100 to 99.81 is -0.095."""
    write_evaluations(folder, *rewards)
    assert verdict_of(folder).startswith("It learned: ") is learned


@pytest.mark.parametrize(("mean", "close"), [(89.9, True), (89.7, False)])
def test_a_tenth_of_the_best_known_is_close(folder, mean, close):
    make_trial(mean_return=mean).save(folder / "output/data" / TRIAL_FILE)
    assert (f"is {mean:.2f}: within " in verdict_of(folder)) is close
    assert ("below the best known" in verdict_of(folder)) is not close


@pytest.mark.parametrize(("longest", "lost"), [(PATIENCE - 1, 0), (PATIENCE, 2), (PATIENCE + 1, 2)])
def test_an_episode_of_the_whole_patience_did_not_end(folder, longest, lost):
    trial = make_trial()
    trial.lengths[5:7] = longest
    trial.save(folder / "output/data" / TRIAL_FILE)
    assert ("2 of the 100 never reached the flag" in verdict_of(folder)) is bool(lost)
    assert Run.read(folder).timeouts == lost
    set_environment(folder, "own:Own")
    assert Run.read(folder).timeouts == 0


def test_a_job_that_failed_says_why_first(folder):
    (folder / "output/failure").write_text("discount is 2.\n")
    write_evaluations(folder, 1, 2)
    assert verdict_of(folder).startswith("The job failed: discount is 2. The evaluation reward went from 1.00 in the")


def test_an_evaluation_says_its_own_result(folder):
    evaluation = folder / "output/data/evaluation.json"
    evaluation.write_text('{"mean_return": 7.5, "std_return": 0.25, "episodes": 3}')
    sentence = "This evaluation: mean return 7.50, standard deviation 0.25, 3 episodes. On 100 unseen starts"
    assert verdict_of(folder).startswith(sentence)
    evaluation.write_text('{"mean_return": 7, "std_return": "x"}')
    assert verdict_of(folder).startswith(
        "This evaluation: mean return 7.00, standard deviation not a number, ? episodes. On"
    )


def test_a_policy_as_good_as_the_best_known_to_a_hundredth(folder):
    """At a regret that rounds to 0 nothing is below; at one of 0.01 it is within."""
    best = Run.read(folder).best_known
    for below, sentence in ((0.004, "as good as the best known 99.81."), (0.006, "within 0.01 of the best known")):
        make_trial(mean_return=best - below).save(folder / "output/data" / TRIAL_FILE)
        assert sentence in verdict_of(folder)
    make_trial(mean_return=best * 0.9 + 0.004).save(folder / "output/data" / TRIAL_FILE)
    assert ": within 9.98 of the best known 99.81." in verdict_of(folder)
