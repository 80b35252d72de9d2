"""What takes the place of bash as a container's first process: signals reach who listens; the command's exit status."""

import os
import signal
import subprocess
import sys

import pytest
from jobs import CONTAINER_SRC, process_environment

LISTENS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(print("heard") or 4))
print("ready", flush=True)
time.sleep(60)
"""
PASSES_NOTHING_ON = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {LISTENS!r}]))"


def start(tmp_path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sagemaker_rl.job.first_process", *command],
        env=process_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_signal_reaches_the_program_that_listens_below_others_that_do_not(tmp_path):
    (tmp_path / "driver.py").write_text(PASSES_NOTHING_ON)
    process = start(tmp_path, "bash", "-c", f"{sys.executable} {tmp_path}/driver.py; echo after $?; exit 5")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "heard\nafter 4\n"
    assert process.wait(10) == 5


@pytest.mark.parametrize(("command", "status"), [("exit 3", 3), ("true", 0), ("kill -9 $$", 137)])
def test_the_exit_status_is_the_commands(tmp_path, command, status):
    assert start(tmp_path, "bash", "-c", command).wait(10) == status


def test_a_signal_that_nobody_listens_to_ends_all(tmp_path):
    process = start(tmp_path, "bash", "-c", "sleep 60 & echo ready; wait")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM


def test_bash_below_the_first_process_stays_what_it_is():
    environment = {**os.environ, "BASH_ENV": str(CONTAINER_SRC / "first_process.sh")}
    done = subprocess.run(["bash", "-c", "echo $$"], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1
