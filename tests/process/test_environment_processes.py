"""Training jobs whose environment is slow: its copies are stepped in processes."""

import hashlib
import os
import re
import signal

import psutil
import pytest
from jobs import Job, process_environment, run_training, start_training
from own_environments import write_project
from sagemaker_rl import cores

SLOW = (
    "(__import__('time').sleep(0.003), -float(np.square(np.asarray(action, dtype=np.float64) - self.target).sum()))[1]"
)
SHORT = {
    "RLCOACH_PRESET": "preset-own",
    "seed": "1",
    "improve_steps": "1000",
    "evaluation_freq_env_steps": "1000",
    "parallel_environments": "4",
}
RANDOM = {
    "observation": "self.random.normal(size=1).astype(np.float32)",
    "members": "    def seed(self, seed=None):\n        self.random = np.random.default_rng(seed)\n",
}


def train(ml, **hyperparameters: str) -> Job:
    ml.mkdir()
    write_project(ml, reward=SLOW, **RANDOM)
    return run_training(ml, {**SHORT, **hyperparameters})


def digest(job: Job) -> str:
    return hashlib.sha256((job.ml / "model/policy-0000.params").read_bytes()).hexdigest()


def path_line(job: Job) -> str:
    return next(line for line in job.log.splitlines() if line.startswith("Path>"))


def processes_of(ml) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["environ"]) if _belongs_to(process, str(ml))]


def _belongs_to(process: psutil.Process, ml: str) -> bool:
    return (process.info["environ"] or {}).get("SAGEMAKER_BASE_DIR") == ml


def test_a_slow_environment_gives_the_same_model_in_any_number_of_processes(tmp_path):
    assert process_environment(tmp_path / "alone")["SAGEMAKER_BASE_DIR"] == str(tmp_path / "alone")
    alone = train(tmp_path / "alone", environment_processes="1")
    measured = train(tmp_path / "measured")
    three = train(tmp_path / "three", environment_processes="3")
    for job in (alone, measured, three):
        assert job.status == 0, job.log
        assert not processes_of(job.ml)
    assert path_line(alone) == "Path> Path=accelerated, Environments=4"
    assert path_line(three) == "Path> Path=accelerated, Environments=4, Processes=3"
    processes = rf"Processes={min(cores.count(), 4)}, " if cores.count() > 1 else ""
    assert re.fullmatch(
        rf"Path> Path=accelerated, Environments=4, {processes}Step milliseconds=[3-9](\.\d+)?", path_line(measured)
    )
    assert digest(alone) == digest(measured) == digest(three)


@pytest.mark.parametrize(
    ("reward", "sentence", "tracebacks"),
    [
        ("os.kill(os.getpid(), 9)", "A process of the environment own:Own was ended by SIGKILL, as the system does", 0),
        ("np.nan", "Environment own:Own gave the reward nan in its step", 0),
        ("1 / 0", "ZeroDivisionError: division by zero", 2),  # there and here
    ],
)
def test_what_happens_in_a_process_ends_the_job_with_one_sentence_and_all_processes(
    tmp_path, reward, sentence, tracebacks
):
    write_project(tmp_path, reward=f"0.0 if self.steps < 15 else {reward}", **RANDOM)
    source = tmp_path / "code/own.py"
    source.write_text("import os\n" + source.read_text())
    job = run_training(tmp_path, {**SHORT, "environment_processes": "2"})
    assert job.status == 1, job.log
    assert job.failure.startswith(sentence)
    assert job.log.count("Traceback (most recent call last)") == tracebacks
    assert not processes_of(tmp_path)


def test_sigterm_ends_the_job_and_its_processes(tmp_path):
    write_project(tmp_path, reward=SLOW, **RANDOM)
    process = start_training(tmp_path, {**SHORT, "improve_steps": "1000000", "environment_processes": "2"})
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Training>"):
            break
    assert len(processes_of(tmp_path)) >= 3
    for each in processes_of(tmp_path):  # as Ctrl-C and systemd do
        os.kill(each.pid, signal.SIGTERM)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "Stopped by SIGTERM" in log
    assert (tmp_path / "model/policy.json").is_file()
    assert not processes_of(tmp_path)
