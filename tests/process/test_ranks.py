"""Training jobs of several ranks on one host: what they leave, and how they end."""

import hashlib
import re
import shutil
import signal
import time

import psutil
import pytest
from jobs import ROOT, Job, run_training, start_training
from sagemaker_rl.training import generations

CORRIDOR = {"RLCOACH_PRESET": "preset-corridor", "seed": "3", "improve_steps": "4096", "parallel_environments": "5"}
OWN = ROOT / "tests/resources/custom_environment"
LONG = {**CORRIDOR, "improve_steps": "10000000"}

pytestmark = pytest.mark.usefixtures("mpirun")


def on(ranks: int) -> dict[str, str]:
    return {"sagemaker_mpi_enabled": "true", "sagemaker_mpi_num_of_processes_per_host": str(ranks)}


def train(ml, ranks: int | None, parameters: dict[str, str]) -> Job:
    shutil.copytree(OWN, ml / "code", dirs_exist_ok=True)
    return run_training(ml, {**parameters, **(on(ranks) if ranks else {})})


def digest(job: Job) -> str:
    return hashlib.sha256((job.ml / "model/policy-0000.params").read_bytes()).hexdigest()


def ranks_of(ml) -> list[psutil.Process]:
    """Return the ranks of a job that runs, by their number."""
    found = {}
    for process in psutil.process_iter(["environ"]):
        variables = process.info["environ"] or {}
        if variables.get("SAGEMAKER_BASE_DIR") == str(ml) and "OMPI_COMM_WORLD_RANK" in variables:
            found[int(variables["OMPI_COMM_WORLD_RANK"])] = process
    return [found[number] for number in sorted(found)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    job = train(tmp_path_factory.mktemp("alone"), None, CORRIDOR)
    assert job.status == 0, job.log
    return job


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    job = train(tmp_path_factory.mktemp("two"), 2, CORRIDOR)
    assert job.status == 0, job.log
    return job


def test_a_job_of_two_ranks_leaves_what_a_job_of_one_process_leaves(alone, two):
    def results(job):
        return {
            str(file.relative_to(job.ml)) for file in job.ml.rglob("*") if file.is_file() and "gifs" not in str(file)
        }

    assert digest(two) == digest(alone)
    extra = {file for file in results(two) - results(alone) if not file.startswith("code/")}
    assert (extra, results(alone) - results(two)) == (set(), set())
    counted = ("environment_steps", "episodes", "training_iterations", "evaluation_reward", "policy_steps")
    assert [two.metadata()[name] for name in counted] == [alone.metadata()[name] for name in counted]
    assert len(list((two.ml / "output/intermediate").rglob("*.gif"))) > 0
    assert not ranks_of(two.ml)


def test_the_log_of_two_ranks_is_that_of_one(alone, two):
    def lines(job):
        kept = re.findall(r"^(?:Training|Testing|Evaluation|Schedule|Policy training)> .*$", job.log, re.MULTILINE)
        return [re.sub(r"Seconds=[\d.]+|Time.*", "", line) for line in kept]

    assert lines(two) == lines(alone)
    assert re.search(r"^Path> Path=accelerated, Environments=5, Ranks=2$", two.log, re.MULTILINE), two.log


def test_a_job_that_is_stopped_goes_on_with_another_number_of_ranks(alone, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    shutil.copytree(OWN, tmp_path / "code")
    process = start_training(tmp_path, {**CORRIDOR, **on(2)})
    next(line for line in process.stdout if line.startswith(f"Checkpoint> Saved in={tmp_path}/checkpoints"))
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert re.search(r"^Stopped by SIGTERM after \d+ environment steps\.$", log, re.MULTILINE), log
    assert generations.newest(tmp_path / "checkpoints")
    again = train(tmp_path, 3, CORRIDOR)
    assert again.status == 0, again.log
    assert "Checkpoint> Going on from=" in again.log
    assert "Ranks=3" in again.log
    assert digest(again) == digest(alone)


def test_a_rank_that_is_killed_ends_the_job_with_one_sentence_and_a_whole_checkpoint(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    shutil.copytree(OWN, tmp_path / "code")
    process = start_training(tmp_path, {**LONG, **on(2)})
    next(line for line in process.stdout if line.startswith(f"Checkpoint> Saved in={tmp_path}/checkpoints"))
    ranks_of(tmp_path)[1].kill()
    killed = time.monotonic()
    log, _ = process.communicate(timeout=60)
    assert time.monotonic() - killed < 30
    assert process.returncode == 1
    failure = (tmp_path / "output/failure").read_text()
    assert re.fullmatch(r"Rank 1 of train-coach\.py on \S+ was killed by signal 9, perhaps out of memory\.", failure)
    assert "Traceback" not in log
    assert generations.newest(tmp_path / "checkpoints")
    assert not ranks_of(tmp_path)


@pytest.mark.parametrize(
    ("parameters", "failure"),
    [
        ({"discount": "7"}, "Hyperparameter discount is 7, expected a number between 0 and 1."),
        (
            {"sagemaker_mpi_num_of_processes_per_host": "0"},
            "Hyperparameter sagemaker_mpi_num_of_processes_per_host is 0, expected 1 or more.",
        ),
    ],
)
def test_a_mistake_is_told_once(tmp_path, parameters, failure):
    shutil.copytree(OWN, tmp_path / "code")
    job = run_training(tmp_path, {**LONG, **on(2), **parameters})
    assert job.status == 1
    assert job.failure == failure
    assert job.log.count("Error: ") == 1, job.log
    assert "Traceback" not in job.log


def test_an_environment_that_fails_on_one_rank_says_why(tmp_path):
    shutil.copytree(OWN, tmp_path / "code")
    environment = tmp_path / "code/corridor.py"
    fault = (
        'if __import__("os").environ["OMPI_COMM_WORLD_RANK"] == "1":\n            raise ValueError("no road here")\n'
    )
    source = environment.read_text()
    place = re.search(r"def step\(self, action\).*:\n", source)
    environment.write_text(f"{source[: place.end()]}        {fault}{source[place.end() :]}")
    job = run_training(tmp_path, {**CORRIDOR, **on(2)})
    assert job.status == 1
    assert job.failure == "ValueError: no road here"
    assert not ranks_of(tmp_path)


def test_stock_coach_trains_on_the_first_rank_alone(tmp_path):
    short = {**CORRIDOR, "accelerate": "0", "improve_steps": "1000"}
    job = train(tmp_path, 2, short)
    assert job.status == 0, job.log
    reason = "Training on=the first rank, on algo-1, alone, Reason=stock Coach knows no ranks"
    assert f"Hosts> Ranks=2, {reason}" in job.log.splitlines()
    assert job.metadata()["environment_steps"] == 1000
    assert job.log.count("Evaluation>") == 1


def test_a_host_without_mpi_has_nothing_to_do(tmp_path):
    process = start_training(tmp_path, CORRIDOR, host="algo-2", hosts=["algo-1", "algo-2"])
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 0, log
    reason = "Reason=hyperparameter sagemaker_mpi_enabled is not set"
    assert f"Hosts> Hosts=2, Training on=algo-1 alone, {reason}" in log.splitlines()
    assert "Schedule>" not in log
    assert not list((tmp_path / "model").iterdir())
    assert not (tmp_path / "output/data/report.html").exists()


def test_ranks_end_with_the_process_that_started_them(tmp_path):
    shutil.copytree(OWN, tmp_path / "code")
    process = start_training(tmp_path, {**LONG, **on(2)})
    next(line for line in process.stdout if line.startswith("Evaluation>"))
    process.kill()
    deadline = time.monotonic() + 20
    while ranks_of(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.communicate()
