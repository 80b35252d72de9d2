"""What a worker keeps of the memory that it frees."""

import subprocess
import sys

import pytest
from jobs import CONTAINER_SRC

PROGRAM = """
import resource, sys
import numpy as np
from sagemaker_rl.serving import freed_memory

if sys.argv[1] == "keep":
    freed_memory.keep_some()

def faults(size, times=50):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        blocks = [np.ones(size // 8) for _ in range(20)]
        del blocks
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / times

faults(100_000)
print(faults(100_000), faults(2_000_000, 5))
"""


def faults(argument):
    """Return how many pages 20 small blocks get from the system each time, and 20 large ones."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, argument],
        env={"PYTHONPATH": str(CONTAINER_SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    return map(float, process.stdout.split())


@pytest.mark.skipif(sys.platform != "linux", reason="the C library is another one")
def test_small_blocks_are_kept_and_large_ones_go_back():
    small, large = faults("keep")
    assert small < 20
    assert large > 5_000
    small, _ = faults("do not")
    assert small > 100  # else there would be no need
