"""The training image's entry point, before it runs the job's program."""

import subprocess
import sys

from jobs import process_environment

PROGRAM = """
import sys
import sagemaker_rl.training_container, sagemaker_rl.coach_launcher
print(sorted({"numpy", "mxnet", "gym", "rl_coach"} & sys.modules.keys()))
"""


def test_nothing_that_reads_the_environment_is_imported_before_the_launcher_prepares_it(tmp_path):
    """NumPy's BLAS with a thread for each processor takes a third more processor time, and other last bits."""
    command = [sys.executable, "-c", PROGRAM]
    printed = subprocess.run(command, env=process_environment(tmp_path), capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
