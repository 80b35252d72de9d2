"""The engine that runs processes: what it starts leaves no process."""

import contextlib
import time

import psutil
import pytest
from launch.local.process_engine import ProcessWorkload


@pytest.mark.parametrize("ending", ["by itself", "stopped"])
def test_a_process_takes_its_children_along(tmp_path, ending):
    # The child has its parent's output open, as the upload of a killed training job has.
    program = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    process = ProcessWorkload(["-c", program + ("; time.sleep(60)" if ending == "stopped" else "")], tmp_path)
    lines = process.lines()
    child = int(next(lines))
    started = time.monotonic()
    if ending == "stopped":
        process.stop()
    assert not list(lines)
    process.stop()
    while is_running(child) and time.monotonic() < started + 5:
        time.sleep(0.01)
    assert not is_running(child)
    assert time.monotonic() < started + 10


def test_a_process_has_the_constraints_of_the_image(tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    program = "import os; print(open(os.environ['PIP_CONSTRAINT']).read())"
    lines = list(ProcessWorkload(["-c", program], tmp_path).lines())
    assert {"numpy==1.23.5", "mxnet==1.9.1"} <= set(lines)


def is_running(pid) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
