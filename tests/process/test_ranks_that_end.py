"""Ranks that a shell script starts, that are through before the first is, or that the user's code ends."""

import re
import shutil
import signal
import tarfile
import time

import pytest
from jobs import ROOT, run_training, start_training
from sagemaker_rl.training import generations

OWN = ROOT / "tests/resources/custom_environment"
PARAMETERS = {
    "RLCOACH_PRESET": "preset-corridor",
    "seed": "3",
    "improve_steps": "10000000",
    "sagemaker_mpi_enabled": "true",
    "sagemaker_mpi_num_of_processes_per_host": "2",
}
IN_STEP = re.compile(r"def step\(self, action\).*:\n")

pytestmark = pytest.mark.usefixtures("mpirun")


def write_source(folder, fault: str) -> None:
    """Put the corridor into ``folder``, where the second rank meets a fault in its first step."""
    shutil.copytree(OWN, folder)
    environment = folder / "corridor.py"
    source = environment.read_text()
    end = IN_STEP.search(source).end()
    check = f'        if __import__("os").environ["OMPI_COMM_WORLD_RANK"] == "1":\n            {fault}\n'
    environment.write_text(f"{source[:end]}{check}{source[end:]}")


def from_a_shell(tmp_path, fault: str) -> dict[str, str]:
    """Return hyperparameters of a job whose program is a shell script that starts the launcher."""
    write_source(tmp_path / "source", fault)
    script = tmp_path / "source/train.sh"
    script.write_text("#!/bin/sh\npython train-coach.py\n")
    script.chmod(0o755)
    with tarfile.open(tmp_path / "sourcedir.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "source", ".")
    source = {
        "sagemaker_submit_directory": str(tmp_path / "sourcedir.tar.gz"),
        "sagemaker_program": "train.sh",
    }
    return {**PARAMETERS, **source}


def test_a_rank_that_a_shell_script_started_ends_the_job_when_it_fails(tmp_path):
    job = run_training(tmp_path, from_a_shell(tmp_path, 'raise ValueError("no road here")'))
    assert job.status == 1
    assert job.failure == "ValueError: no road here"


def test_ranks_that_a_shell_script_started_save_when_they_are_stopped(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    process = start_training(tmp_path, from_a_shell(tmp_path, "pass"))
    next(line for line in process.stdout if line.startswith("Policy training>"))
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=120)
    assert process.returncode == 0, log
    assert re.search(r"^Stopped by SIGTERM after \d+ environment steps\.$", log, re.MULTILINE), log
    assert generations.newest(tmp_path / "checkpoints")


@pytest.mark.parametrize(
    ("parameters", "line", "expected"),
    [
        ({"accelerate": "0"}, "Training> ", r"^Stopped by SIGTERM after \d+ environment steps\.$"),
        (
            {"improve_steps": "500"},
            "Model> Saved",
            r"^Report> Missing=trial of the policy, Reason=the job was stopped$",
        ),
    ],
)
def test_a_rank_that_has_nothing_left_to_do_is_no_reason_to_end_the_first(tmp_path, parameters, line, expected):
    write_source(tmp_path / "code", "pass")
    environment = tmp_path / "code/corridor.py"
    environment.write_text(
        environment.read_text().replace("self.steps += 1", "__import__('time').sleep(0.01)\n        self.steps += 1")
    )
    process = start_training(tmp_path, {**PARAMETERS, **parameters})
    next(each for each in process.stdout if each.startswith(line))
    time.sleep(1)  # in which the other rank ends
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=120)
    assert process.returncode == 0, log
    assert re.search(expected, log, re.MULTILINE), log
    assert "mpirun" not in log  # it would end the first within seconds, saved or not


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ('__import__("sys").exit(0)', r"Rank 1 was ended by sys\.exit\(\) while others went on\."),
        (
            '__import__("os")._exit(0)',
            r"Rank 1 of train-coach\.py on \S+ ended by itself, with exit status 0, while others went on\.",
        ),
    ],
)
def test_a_rank_that_is_ended_as_if_all_were_done_ends_the_job(tmp_path, fault, failure):
    write_source(tmp_path / "code", fault)
    job = run_training(tmp_path, PARAMETERS)
    assert job.status == 1
    assert re.fullmatch(failure, job.failure), job.log
    assert "Traceback" not in job.log
