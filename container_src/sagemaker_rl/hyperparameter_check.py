"""Checks the hyperparameters of a job that is not run: ``python -m sagemaker_rl.hyperparameter_check train-coach.py``.

They are read from standard input: a list of objects of strings as in ``hyperparameters.json``, an object for each job.
The first mistake is the last line on standard output, in the job's own sentence, and ends the process with status 2.
Coach is imported only for ``rl.`` paths, which lead to whatever a preset holds: that takes a second. MXNet is not.
"""

import contextlib
import io
import json
import runpy
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagemaker_rl.coach import arguments, preset_values
from sagemaker_rl.coach.presets import find_preset, prepare_environment
from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.hyperparameters import RANGES, checked_count, decode
from sagemaker_rl.job.ml_paths import BUNDLED_CODE, MLPaths
from sagemaker_rl.training.job_options import Options

EVALUATION = "evaluate-coach.py"
MISTAKE = 2
"""The exit status if a hyperparameter is not as a job expects it."""


def main() -> None:
    """Check what standard input has, for the program of this project that the command line names."""
    (program,) = sys.argv[1:]
    del sys.argv[1:]  # a launcher reads the command line of its own program
    try:
        with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
            for job in json.load(sys.stdin):
                check(program, {name: decode(value) for name, value in job.items()}, Path(folder))
    except InputError as error:
        print(error)
        sys.exit(MISTAKE)


def check(program: str, given: Mapping[str, Any], folder: Path) -> None:
    """Check a job's hyperparameters.

    Args:
        program: ``train-coach.py`` or ``evaluate-coach.py``.
        given: the hyperparameters, decoded.
        folder: stands for ``/opt/ml``.

    Raises:
        InputError: One is unknown, or its value does not fit.
    """
    launcher_class = runpy.run_path(str(BUNDLED_CODE / program), run_name="launcher")["MyLauncher"]
    launcher: SageMakerCoachPresetLauncher = launcher_class(given, MLPaths(folder))
    if program == EVALUATION:
        launcher.job_names = launcher.evaluation_names
    for name in RANGES.keys() & given.keys():
        checked_count(name, given[name])
    Options.of(given)
    arguments.check_workers(given.get("num_workers"))
    launcher.map_given(launcher.sagemaker_argparser())
    stored = launcher.hyperparameters
    for path, value in stored.hp_dict.items():
        preset_values.check_value(path, decode(value), stored.name_of(path))
    find_preset(launcher.preset_name, launcher.paths, BUNDLED_CODE)
    if program != EVALUATION and any(name.startswith(launcher.roots) for name in given):
        prepare_environment()
        from sagemaker_rl.coach import repairs  # imports NumPy, which reads the environment

        repairs.apply(networks=False)  # of which this process makes none; the launcher would import MXNet for them
        launcher.load_preset()


if __name__ == "__main__":
    main()
