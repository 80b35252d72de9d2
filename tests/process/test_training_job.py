"""Training jobs through their entry point, run as a process: what they print, leave behind, and repeat."""

import csv
import hashlib
import http.server
import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any, ClassVar

import numpy as np
import pytest
from jobs import (
    CSV,
    PPO,
    ROOT,
    SHORT_DQN,
    SHORT_PPO,
    STOCK_DQN,
    STOCK_PPO,
    Job,
    give_checkpoint,
    process_environment,
    run_prepared,
    run_training,
    start_training,
    write_own_environment,
)
from PIL import Image
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.report.run import Run
from sagemaker_rl.training.trial import EPISODES

METRICS = {
    "training reward": r"^Training> .*Total reward=([-\d.]+)",
    "evaluation reward of an episode": r"^Testing> .*Total reward=([-\d.]+)",
    "evaluation reward": r"^Evaluation> .*Evaluation reward=([-\d.e+]+)",
    "episode": r"^Training> .*Episode=(\d+)",
    "steps": r"^Training> .*Steps=(\d+)",
    "loss": r"^Evaluation> .*\bLoss=([-\d.e+]+)",
}


JOBS = [
    ("ppo_job", SHORT_PPO),
    ("stock_ppo_job", STOCK_PPO),
    ("dqn_job", SHORT_DQN),
    ("stock_dqn_job", STOCK_DQN),
]
"""Both presets on both paths."""


@pytest.fixture(params=[fixture for fixture, _ in JOBS])
def job(request) -> Job:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("job", ["ppo_job", "stock_ppo_job", "dqn_job"], indirect=True)
def test_metric_lines_can_be_read_by_regular_expressions(job):
    for name, pattern in METRICS.items():
        values = re.findall(pattern, job.log, re.MULTILINE)
        assert values, name
        assert all(np.isfinite(float(value)) for value in values)


@pytest.mark.parametrize("job", ["ppo_job", "stock_ppo_job"], indirect=True)
def test_ppo_prints_its_losses(job):
    (line,) = re.findall(r"^Evaluation> .*", job.log, re.MULTILINE)
    for name in ("Loss", "Value loss", "Policy loss", "Entropy", "KL divergence"):
        assert re.search(rf"\b{name}=-?\d", line), name


def test_the_log_has_no_noise(job):
    assert "Traceback" not in job.log
    assert "Warning" not in job.log
    assert "\x1b[" not in job.log


def test_the_log_says_which_path_was_taken_and_why(ppo_job, stock_ppo_job, dqn_job):
    assert re.search(r"^Path> Path=accelerated, Environments=2$", ppo_job.log, re.M)
    assert re.search(r"^Path> Path=stock Coach, Reason=accelerate is 0$", stock_ppo_job.log, re.M)
    assert re.search(r"^Path> Path=accelerated, Environments=4$", dqn_job.log, re.M)
    for job, path in (
        (ppo_job, "accelerated, environments at a time: 2"),
        (stock_ppo_job, "stock Coach: accelerate is 0"),
    ):
        assert about(job)["path"] == path
        assert path in (job.ml / "output/data/report.html").read_text()


def about(job: Job) -> dict[str, Any]:
    """Return what a job has said about itself for its report."""
    return dict(json.loads((job.ml / "output/intermediate/job.json").read_text()))


def test_a_job_says_what_its_algorithm_makes_of_rewards(ppo_job, dqn_job):
    assert about(ppo_job)["reward_scale"] == 1
    assert about(dqn_job)["reward_scale"] == 0.03
    assert (
        "It is of rewards times 0.03 and discounted by 0.99 a step"
        in (dqn_job.ml / "output/data/report.html").read_text()
    )


def test_both_paths_write_the_same_columns(ppo_job, stock_ppo_job):
    headers = [(job.ml / "output/intermediate" / CSV).read_text().splitlines()[0] for job in (ppo_job, stock_ppo_job)]
    assert headers[0] == headers[1]


@pytest.mark.parametrize("job", ["ppo_job", "stock_ppo_job"], indirect=True)
def test_the_csv_has_coachs_columns_and_the_losses_of_its_rows(job):
    with (job.ml / "output/intermediate" / CSV).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"Episode #", "Training Reward", "Evaluation Reward", "Total steps", "Wall-Clock Time"} <= rows[0].keys()
    assert [int(float(row["Episode #"])) for row in rows] == list(range(1, len(rows) + 1))
    assert any(row["Training Reward"] for row in rows)
    assert any(row["Evaluation Reward"] for row in rows)
    assert any(row["Value Loss/Mean"] for row in rows)


def test_gifs_show_an_evaluation_episode(job):
    (gif,) = (job.ml / "output/intermediate/gifs").glob("*.gif")
    assert re.fullmatch(r".*episode-(\d+)_score-.*\.gif", gif.name)
    with Image.open(gif) as image:
        assert image.n_frames > 5
        assert image.info["duration"] == 100
        first = np.asarray(image.convert("RGB")).copy()
        image.seek(image.n_frames - 1)
        assert not np.array_equal(first, np.asarray(image.convert("RGB"))), "the car does not move"


def test_the_filmed_episode_is_recorded(job):
    (gif,) = (job.ml / "output/intermediate/gifs").glob("*.gif")
    (trace,) = (job.ml / "output/intermediate/gifs").glob("*.csv")
    assert f"_{trace.stem}_" in gif.name
    with trace.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert list(rows[0]) == ["step", "observation[0]", "observation[1]", "action[0]"]
    every = rows[1]["step"]
    assert [row["step"] for row in rows] == [index * every for index in range(len(rows))]
    if every == 1:
        for before, after in itertools.pairwise(rows):  # what it did is how it got there
            moved = after["observation[0]"] - before["observation[0]"]
            assert moved == pytest.approx(after["observation[1]"], abs=2e-4) or after["observation[0]"] == -1.2


def test_a_job_ends_with_a_report(job):
    report = job.ml / "output/data/report.html"
    assert report.read_bytes() == (job.ml / "output/intermediate/report.html").read_bytes()
    assert 1_000_000 < report.stat().st_size <= 3_000_000
    page = report.read_text()
    assert f"On {EPISODES} unseen starts its mean return is" in page
    run = Run.read(job.ml)
    assert run.notes == []
    assert run.status == "Completed"
    assert {each["name"]: each["value"] for each in run.job["settings"] if each["changed"]}["improve_steps"] == int(
        job.metadata()["hyperparameters"]["improve_steps"]
    )


def test_the_trials_returns_are_those_of_gym_and_the_artifact(ppo_job):
    from patient_envs import PatientContinuousMountainCar

    trial, policy = Run.read(ppo_job.ml).trial, Policy.load(ppo_job.ml / "model")
    for index in range(2):
        env = PatientContinuousMountainCar()
        env.reset()
        env.unwrapped.state = np.array([np.float64(trial.starts[index, 0]), 0.0])
        observation, total, done, steps = trial.starts[index], 0.0, False, 0
        while not done:
            observation, reward, done, _ = env.step(policy.actions(observation[None])[0])
            total, steps = total + reward, steps + 1
        # a start is kept as float32, which is how the policy sees it; the car starts from the float64
        assert total == pytest.approx(trial.returns[index], abs=0.05)
        assert abs(steps - trial.lengths[index]) <= 3


def test_metadata_says_what_ran(job, request):
    metadata = job.metadata()
    assert metadata["seed"] == (1 if "dqn" in request.node.callspec.params["job"] else 7)
    assert metadata["environment_steps"] == int(metadata["hyperparameters"]["improve_steps"])
    assert metadata["versions"]["rl-coach-slim"] == "0.12.1"
    assert metadata["train_seconds"] > 0
    assert metadata["evaluation_reward"] is not None


def test_the_checkpoint_is_whole_and_alone(job):
    folder = job.ml / "output/data/checkpoint"
    prefix = (folder / ".coach_checkpoint").read_text()
    names = {file.name for file in folder.iterdir()} - {".coach_checkpoint", "checkpoint.json"}
    assert names
    assert all(name.startswith(prefix) for name in names)
    assert any(name.endswith(".srs") for name in names)


@pytest.mark.parametrize(("fixture", "preset"), [(fixture, short["RLCOACH_PRESET"]) for fixture, short in JOBS])
def test_the_artifact_acts_exactly_as_the_agent(fixture, preset, request, tmp_path):
    job = request.getfixturevalue(fixture)
    random = np.random.default_rng(0)
    inside = random.uniform([-1.2, -0.07], [0.6, 0.07], size=(900, 2))
    outside = random.normal(scale=3, size=(100, 2))
    observations = np.concatenate([inside, outside]).astype(np.float32)
    np.save(tmp_path / "observations.npy", observations)
    program = [sys.executable, __file__.replace("test_training_job", "agent_actions"), preset]
    files = [job.ml / "output/data/checkpoint", tmp_path / "observations.npy", tmp_path / "actions.npy"]
    subprocess.run([*program, *map(str, files)], env=process_environment(tmp_path), check=True, capture_output=True)
    ours = Policy.load(job.ml / "model").actions(observations)
    agents = np.load(tmp_path / "actions.npy")
    assert len(np.unique(agents)) > 1
    assert np.abs(ours.reshape(1000, -1) - agents.reshape(1000, -1)).max() <= 1e-5


def parameters_digest(job: Job) -> str:
    return hashlib.sha256((job.ml / "model/policy-0000.params").read_bytes()).hexdigest()


@pytest.mark.parametrize(("fixture", "short"), JOBS[:3])
def test_a_seed_gives_the_same_weights_again(fixture, short, request, tmp_path):
    job = request.getfixturevalue(fixture)
    again = run_prepared(tmp_path / "again", short)
    assert parameters_digest(again) == parameters_digest(job)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_is_interrupted_ends_with_the_weights_of_one_that_was_not(tmp_path, number):
    own = {"RLCOACH_PRESET": "preset-corridor", "seed": "3", "improve_steps": "8192", "save_model": "1"}
    at_once, ml = tmp_path / "at-once", tmp_path / "interrupted"
    for folder in (at_once, ml):
        shutil.copytree(ROOT / "tests/resources/custom_environment", folder / "code")
    uninterrupted = run_prepared(at_once, own)
    assert uninterrupted.status == 0, uninterrupted.log
    (ml / "checkpoints").mkdir()
    process = start_training(ml, own)
    assert process.stdout is not None
    # The first checkpoint is always saved; when the next ones are depends on what it took, beside other load.
    next(line for line in process.stdout if line.startswith(f"Checkpoint> Saved in={ml}/checkpoints"))
    process.send_signal(number)
    log, _ = process.communicate()
    assert "Model> Saved in=" in log or number == signal.SIGKILL
    again = run_prepared(ml, own)
    assert again.status == 0, again.log
    assert "Checkpoint> Going on from=" in again.log
    assert 0 < again.log.count("Evaluation>") < uninterrupted.log.count("Evaluation>")
    assert parameters_digest(again) == parameters_digest(uninterrupted)
    once_more = run_prepared(ml, own)
    assert "Evaluation>" not in once_more.log
    assert parameters_digest(once_more) == parameters_digest(uninterrupted)


@pytest.mark.parametrize("seconds", [0.2, 0.6, 1.2, 2.0])
def test_sigterm_before_training_ends_the_job_at_once(tmp_path, seconds):
    process = start_training(tmp_path, {**SHORT_PPO, "improve_steps": "10000000"})
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    log, _ = process.communicate(timeout=20)
    assert time.monotonic() - sent < 10
    # Before Python itself has begun, the kernel ends a process that is not a container's first.
    assert process.returncode in (0, -signal.SIGTERM), log
    assert "Traceback" not in log
    assert not (tmp_path / "output/failure").exists()


class Bucket(http.server.BaseHTTPRequestHandler):
    """As much of S3 as an upload needs."""

    uploaded: ClassVar[dict[str, int]] = {}

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.uploaded[self.path] = len(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def test_intermediate_output_is_uploaded_while_the_job_runs(tmp_path, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "TRAINING_JOB_NAME": "the-job",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    job = run_training(tmp_path, {**SHORT_PPO, "sagemaker_s3_output": "s3://bucket/prefix"})
    server.shutdown()
    assert job.status == 0, job.log
    names = {path.rpartition("/")[2].partition("?")[0] for path in Bucket.uploaded}
    assert all("/the-job/output/intermediate/" in path for path in Bucket.uploaded)
    assert {CSV, "metadata.json"} <= names
    assert any(name.endswith(".gif") for name in names)
    assert all(size > 0 for path, size in Bucket.uploaded.items() if path.endswith(".gif"))


@pytest.mark.parametrize("accelerate", ["1", "0"])
def test_sigterm_leaves_a_whole_checkpoint_and_a_model(tmp_path, accelerate):
    code = write_own_environment(tmp_path, reward="float(action)")
    own = {"RLCOACH_PRESET": "preset-own", "accelerate": accelerate}
    process = start_training(tmp_path, {**own, "improve_steps": "10000000"})
    assert process.stdout is not None
    next(line for line in process.stdout if line.startswith("Evaluation>"))
    next(line for line in process.stdout if line.startswith("Training>"))
    sent = time.monotonic()
    while process.poll() is None and time.monotonic() - sent < 10:  # whoever is impatient asks again
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    log = process.stdout.read()
    assert process.wait() == 0, log
    assert time.monotonic() - sent < 10
    assert "Stopped by SIGTERM after " in log
    assert log.count("Evaluation>") <= 1, "it went on"
    job = Job(tmp_path, 0, log)
    assert job.metadata()["stopped"] is True
    assert not job.failure
    Policy.load(tmp_path / "model")
    assert not list(tmp_path.rglob(".saving"))
    evaluated = tmp_path / "evaluated"
    give_checkpoint(evaluated, job)
    shutil.copytree(code, evaluated / "code")
    evaluation = run_prepared(evaluated, {**own, "evaluate_steps": "1", "sagemaker_program": "evaluate-coach.py"})
    assert evaluation.status == 0, evaluation.log


NOTEBOOK = json.loads((ROOT / "benchmarks/notebook-hyperparameters.json").read_text(encoding="utf-8"))
"""The hyperparameters of AWS's example notebook."""


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_notebooks_own_hyperparameters_learn_to_climb(tmp_path, seed):
    job = run_prepared(tmp_path, {**NOTEBOOK, "seed": seed})
    assert job.status == 0, job.log
    assert job.metadata()["environment_steps"] == 150_000
    assert job.metadata()["evaluation_reward"] >= 95


@pytest.mark.parametrize("accelerate", ["0", "1"])
def test_an_environment_that_cannot_be_drawn_trains_without_gifs(tmp_path, accelerate):
    write_own_environment(tmp_path, reward="float(action)")
    job = run_prepared(tmp_path, {"RLCOACH_PRESET": "preset-own", "accelerate": accelerate})
    assert job.status == 0, job.log
    assert "GIFs=none, Reason=own:Own has no render()" in job.log
    assert not list((tmp_path / "output").rglob("*.gif"))
    assert (tmp_path / "model").is_dir()
    page = (tmp_path / "output/data/report.html").read_text()
    assert f"On {EPISODES} unseen starts its mean return is" in page
    assert "There are no heat maps: an observation has the shape [1], and a map has two dimensions." in page
    assert "There is no moving picture of an evaluation." in page


def test_a_job_whose_policy_cannot_be_put_on_trial_has_not_failed(tmp_path):
    write_own_environment(tmp_path, reward="1 / (self.steps < 150)")  # only a trial takes so many steps
    job = run_prepared(tmp_path, {"RLCOACH_PRESET": "preset-own", "parallel_environments": "50"})
    assert job.status == 0, job.log
    reason = "ZeroDivisionError: division by zero"
    assert f"Report> Missing=trial of the policy, Reason={reason}" in job.log
    assert f"The finished policy was not put on trial: {reason}." in (tmp_path / "output/data/report.html").read_text()
    assert (tmp_path / "model/policy.json").is_file()
