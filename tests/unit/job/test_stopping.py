"""SIGTERM at the moments at which Python cannot raise anything."""

import subprocess
import sys

import pytest
from jobs import CONTAINER_SRC

PROGRAM = """
import os, signal
from sagemaker_rl.job.stopping import STOP, Stopped
STOP.install()

def hook():
    signal.raise_signal(signal.SIGTERM)
    return None

class Ends:
    def __del__(self):
        {in_finalizer}

if {forks}:
    os.register_at_fork(after_in_parent=hook)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
else:
    Ends()
try:
    STOP.check()
except Stopped:
    print("stopped")
"""


@pytest.mark.parametrize(
    ("forks", "in_finalizer", "complaint"),
    [(True, "pass", ""), (False, "hook()", ""), (False, "hook(); 1 / 0", ""), (False, "1 / 0; hook()", "division")],
)
def test_what_swallows_the_stop_leaves_it_to_the_next_check(forks, in_finalizer, complaint):
    program = PROGRAM.format(forks=forks, in_finalizer=in_finalizer)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CONTAINER_SRC, capture_output=True, text=True, timeout=20
    )
    assert done.stdout == ("" if complaint else "stopped\n")
    assert (complaint in done.stderr) if complaint else done.stderr == ""
