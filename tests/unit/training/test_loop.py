"""A training job from its schedule to its model, on both paths: what it plays, prints and leaves, and how it stops."""

import json
import signal

import numpy as np
import pytest
from sagemaker_rl.coach.preset_values import set_value
from sagemaker_rl.errors import InputError
from sagemaker_rl.policy.artifact import Policy
from short_jobs import EPISODE, PATHS, PERIOD, Job, run_job


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "stock"])
def job(request, tmp_path_factory) -> Job:
    return run_job(tmp_path_factory.mktemp("job"), request.param)


def test_each_evaluation_plays_its_episodes(job):
    assert job.lines("Schedule") == [
        {"Preset": "preset-corridor", "Improve steps": "120", "Seed": "3", "Agent": "ClippedPPOAgent"}
    ]
    assert [line["Steps"] for line in job.lines("Testing")] == ["40", "40", "80", "80", "120", "120"]
    assert [int(line["Steps"]) for line in job.lines("Training")] == list(range(10, 121, 10))
    assert [int(line["Episode"]) for line in job.lines("Training")] == list(range(1, 13))


def test_an_evaluations_line_has_its_mean_and_the_counters(job):
    lines = job.lines("Evaluation")
    assert [line["Steps"] for line in lines] == ["40", "80", "120"]
    assert [line["Episode"] for line in lines] == ["4", "8", "12"]
    rewards = [float(line["Total reward"]) for line in job.lines("Testing")]
    for number, line in enumerate(lines):
        both = rewards[2 * number : 2 * number + 2]
        assert float(line["Evaluation reward"]) == pytest.approx(np.mean(both), rel=1e-5)
        assert both[0] != both[1]
        assert {"Loss", "Value loss", "Policy loss", "Entropy", "KL divergence", "Seconds"} <= line.keys()
        assert int(line["Training iteration"]) > 0
    seconds = [float(line["Seconds"]) for line in lines]
    assert seconds == sorted(seconds)


def test_the_csv_has_every_episode_and_every_evaluation(job):
    rows = job.rows()
    trained = [row for row in rows if row["Training Reward"]]
    assert [float(row["Episode #"]) for row in trained] == list(range(1, 13))
    assert [float(row["Total steps"]) for row in trained] == list(range(10, 121, 10))
    assert [float(row["Episode Length"]) for row in trained] == [10.0] * 12
    logged = [float(line["Total reward"]) for line in job.lines("Training")]
    assert [float(row["Training Reward"]) for row in trained] == logged
    evaluated = [float(row["Evaluation Reward"]) for row in rows if row["Evaluation Reward"]]
    printed = [float(line["Evaluation reward"]) for line in job.lines("Evaluation")]
    assert evaluated == pytest.approx(printed, rel=1e-5)


def test_each_evaluation_has_a_gif_and_a_trace(job):
    folder = job.paths.intermediate / "gifs"
    assert len(list(folder.glob("*.gif"))) == 3
    for trace in folder.glob("*.csv"):
        assert len(trace.read_text().splitlines()) == 1 + EPISODE
        assert len(list(folder.glob(f"*_{trace.stem}_score-*.gif"))) == 1


def test_it_ends_with_the_policy_of_the_best_evaluation(job, tmp_path):
    """The same as a job that ends there, weight by weight."""
    best = job.lines("Evaluation")[0]["Evaluation reward"]
    assert job.lines("Best") == [{"Evaluation reward": best, "Steps": "40"}]
    training = job.policy()["training"]
    assert training["evaluation_reward"] == pytest.approx(float(best), rel=1e-5)
    assert (training["policy_steps"], training["environment_steps"]) == (40, 120)
    assert job.metadata()["evaluation_reward"] == training["evaluation_reward"]
    assert job.checkpoint() == "3_Step-120.ckpt"
    fast = "Path=accelerated" in job.log
    part = run_job(tmp_path, fast, {"improve_steps": PERIOD}, keep_best=False)
    assert part.weights().keys() == job.weights().keys()
    for name, values in part.weights().items():
        assert np.array_equal(values, job.weights()[name]), name
    assert part.lines("Best") == []
    assert part.checkpoint() == "0_Step-40.ckpt"


def test_metadata_and_checkpoint_say_what_ran(job):
    metadata = job.metadata()
    assert metadata["preset"] == "preset-corridor"
    assert metadata["hyperparameters"] == {"seed": "3"}
    assert (metadata["seed"], metadata["stopped"]) == (3, False)
    assert (metadata["environment_steps"], metadata["episodes"]) == (120, 12)
    assert metadata["training_iterations"] == int(job.lines("Evaluation")[-1]["Training iteration"])
    assert 0 < metadata["train_seconds"] < 60
    description = json.loads((job.paths.checkpoint / "checkpoint.json").read_text())
    assert (description["preset"], description["changes"]) == ("preset-corridor", [["rl.a", 1]])
    assert (job.paths.output_data / "trial.npz").is_file()
    assert not list(job.paths.root.rglob(".saving"))
    saved = [line["Saved in"] for line in job.lines("Checkpoint")]
    assert [path.rpartition("/")[2] for path in saved][:3] == ["0_Step-40.ckpt", "1_Step-80.ckpt", "2_Step-120.ckpt"]
    assert job.lines("Model") == [{"Saved in": str(job.paths.model)}]


@PATHS
def test_the_last_policy_is_kept_where_the_best_is_not_asked_for(tmp_path, fast):
    job = run_job(tmp_path, fast, {"improve_steps": 2 * PERIOD}, keep_best=False, save_model=False)
    assert job.lines("Best") == []
    assert job.metadata()["policy_steps"] == 80
    assert job.metadata()["evaluation_reward"] == pytest.approx(
        float(job.lines("Evaluation")[1]["Evaluation reward"]), rel=1e-5
    )
    assert job.checkpoint() == "1_Step-80.ckpt"
    assert list(job.paths.model.iterdir()) == []


@PATHS
def test_a_training_ends_when_evaluations_find_no_better_policy(tmp_path, fast):
    """Of the corridor's three evaluations the first is the best."""
    job = run_job(tmp_path, fast, early_stopping_patience=1)
    assert job.lines("Early stopping") == [{"Evaluations without a better one": "1"}]
    assert len(job.lines("Evaluation")) == 2
    metadata = job.metadata()
    assert (metadata["environment_steps"], metadata["policy_steps"], metadata["stopped"]) == (80, 40, False)
    assert job.checkpoint() == "2_Step-80.ckpt"


def test_a_preset_says_how_many_evaluations_may_find_no_better_policy(tmp_path):
    def prepare(graph_manager):
        graph_manager.early_stopping_patience = 1

    assert len(run_job(tmp_path / "preset", True, prepare=prepare).lines("Evaluation")) == 2
    never = run_job(tmp_path / "never", True, prepare=prepare, early_stopping_patience=0)
    assert (len(never.lines("Evaluation")), never.lines("Early stopping")) == (3, [])

    own = run_job(tmp_path / "own", True, prepare=prepare, changed=(("rl.x.batch_size", 4),))
    assert len(own.lines("Evaluation")) == 3

    def spoil(graph_manager):
        graph_manager.early_stopping_patience = -1

    with pytest.raises(
        InputError, match=r"^Hyperparameter early_stopping_patience is -1, expected a whole number 0 or more\.$"
    ):
        run_job(tmp_path / "spoilt", True, prepare=spoil)


@PATHS
@pytest.mark.parametrize(
    ("stop_by", "stop_at", "steps", "evaluations"),
    [("SIGTERM", PERIOD + 5, PERIOD, 0), ("SIGINT", PERIOD + 2 * EPISODE + 15, PERIOD + 15, 1)],
    ids=["in the first evaluation", "in the second training"],
)
def test_a_stop_leaves_the_last_checkpoint_and_the_best_policy(tmp_path, fast, stop_by, stop_at, steps, evaluations):
    (tmp_path / "checkpoints").mkdir()
    job = run_job(tmp_path, fast, stop_at=stop_at, stop_by=signal.Signals[stop_by])
    assert f"Stopped by {stop_by} after {steps} environment steps.\n" in job.log
    assert len(job.lines("Evaluation")) == evaluations
    assert job.checkpoint() == f"{evaluations}_Step-{steps}.ckpt"
    metadata = job.metadata()
    assert metadata["stopped"] is True
    assert metadata["environment_steps"] == steps
    assert metadata["policy_steps"] == PERIOD * evaluations
    assert (metadata["evaluation_reward"] is not None) == bool(evaluations)
    assert job.policy()["training"]["policy_steps"] == PERIOD * evaluations
    assert len(job.lines("Best")) == evaluations
    Policy.load(job.paths.model)
    assert "Missing=trial of the policy, Reason=the job was stopped" in job.log
    assert len([row for row in job.rows() if row["Training Reward"]]) == steps // EPISODE
    if not evaluations:
        return
    again = run_job(tmp_path, fast)
    assert [line["Steps"] for line in again.lines("Evaluation")] == ["80", "120"]
    assert again.metadata()["stopped"] is False


def test_a_job_of_so_many_seconds_ends_with_the_period_in_which_they_are_over(tmp_path):
    def last_a_moment(graph_manager) -> None:
        set_value(graph_manager, "rl.improve_steps:Time", 1, "")
        graph_manager.improve_steps.num_steps = 0.2

    job = run_job(tmp_path, True, prepare=last_a_moment, save_model=False)
    assert job.lines("Schedule")[0]["Improve seconds"] == "0.2"
    evaluations = job.lines("Evaluation")
    assert job.metadata()["environment_steps"] == PERIOD * len(evaluations) > 0
    assert all(float(line["Seconds"]) <= 0.5 for line in evaluations[:-1])


def test_another_seed_gives_other_weights(tmp_path):
    first, other = (run_job(tmp_path / str(seed), True, {"improve_steps": PERIOD}, seed=seed) for seed in (3, 4))
    assert any(not np.array_equal(values, other.weights()[name]) for name, values in first.weights().items())


@PATHS
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_training_that_diverges_is_not_evaluated(tmp_path, fast):
    rate = {"agent_params.network_wrappers.main.learning_rate": 1e17}
    with pytest.raises(InputError, match=r"^Training has diverged: "):
        run_job(tmp_path, fast, rate)
    assert not (tmp_path / "output/intermediate/gifs").exists()
    assert list(tmp_path.rglob("*.ckpt*")) == []
    assert list((tmp_path / "model").iterdir()) == []


@pytest.mark.parametrize(
    ("signal_name", "expected"),
    [("Value Loss", "Value_loss"), ("KL Divergence", "KL_divergence"), ("Loss", "Loss"), ("A B C", "A_b_c")],
)
def test_the_metric_of_a_signal(signal_name, expected):
    from sagemaker_rl.training.loop import _metric_name

    assert _metric_name(signal_name) == expected
