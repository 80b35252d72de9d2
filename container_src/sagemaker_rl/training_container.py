"""The training image's entry point: ``docker run IMAGE train``.

sagemaker-training does what SageMaker asks of a container (https://github.com/aws/sagemaker-training-toolkit); this
module tells it what to run:

- with the hyperparameter ``sagemaker_submit_directory``, the user's own source (script mode): its
  ``sagemaker_program``, in a process of its own, with ``sagemaker_rl`` importable;
- else the bundled ``sagemaker_program``, ``train-coach.py`` if that is not given either, in this process.
"""

import contextlib
import json
import os
import runpy
import sys
from pathlib import Path

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import failures, hosts, ssh_keys, stopping
from sagemaker_rl.job.hyperparameters import nearest, read_hyperparameters
from sagemaker_rl.job.ml_paths import BUNDLED_CODE, MLPaths
from sagemaker_rl.job.script_mode import run_as_ranks, run_users_program
from sagemaker_rl.report.job import ENTRY_POINT, write_report

DEFAULT_PROGRAM = "train-coach.py"


def main() -> None:
    """Carry out the command line's one argument, ``train``, and end the process."""
    # Until the job itself listens there is nothing to save.
    stopping.handle(lambda number, frame: os._exit(0))
    command = " ".join(sys.argv[1:])
    if command != "train":
        other = "; mountain-car-serving is the image that serves" if command == "serve" else ""
        print(f"Error: The command is {command!r}, expected 'train'{other}.", file=sys.stderr)
        sys.exit(2)
    paths = MLPaths.from_environment()
    # First, because sagemaker-training would report what is wrong here as a "Framework Error" with a traceback.
    if failures.run(lambda: _prepare(paths), paths.failure):
        write_report(paths)
        sys.exit(1)
    os.environ["SAGEMAKER_TRAINING_MODULE"] = ENTRY_POINT
    from sagemaker_training import trainer

    trainer.train()


def _prepare(paths: MLPaths) -> None:
    """Remove what an earlier run left, create the output folders, and check what SageMaker has written."""
    for leftover in (paths.failure, paths.failure.with_name("success")):
        with contextlib.suppress(OSError):
            leftover.unlink()
    paths.create_outputs(with_intermediate=False)
    hyperparameters = read_hyperparameters(paths.hyperparameters)
    upload = str(hyperparameters.get("sagemaker_s3_output") or "s3://")
    if not upload.startswith(("s3://", "file://")):
        raise InputError(f"Hyperparameter sagemaker_s3_output is {upload!r}, expected an s3:// URI.")
    package = hyperparameters.get("sagemaker_rl_package", "image")  # see sitecustomize.py
    if package not in ("image", "source"):
        raise InputError(f"Hyperparameter sagemaker_rl_package is {package!r}, expected image or source.")
    for name in ("resourceconfig.json", "inputdataconfig.json"):
        _check_configuration(paths.config / name)


def _check_configuration(file: Path) -> None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"Configuration file {file} is missing, expected as SageMaker writes it.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"Configuration file {file} cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"Configuration file {file} holds {type(content).__name__}, expected a JSON object.")


def run_job() -> None:
    """Run the job's program; called by sagemaker-training.

    Raises:
        sagemaker_training.errors.ClientError: The program failed; the reason is in the failure file.
    """
    from sagemaker_training import errors

    stopping.STOP.install()
    ssh_keys.hide()
    paths = MLPaths.from_environment()
    reason = failures.run(lambda: _run_program(paths), paths.failure)
    stopping.ignore()  # who asks again while the last files are written is heard already
    if hosts.is_first(paths):
        write_report(paths)
    if reason:
        raise errors.ClientError(reason)


def _run_program(paths: MLPaths) -> None:
    hyperparameters = read_hyperparameters(paths.hyperparameters)
    if "sagemaker_submit_directory" in hyperparameters:
        run_users_program(paths)
        return
    program = _known_program(str(hyperparameters.get("sagemaker_program", DEFAULT_PROGRAM)))
    if hyperparameters.get("sagemaker_mpi_enabled"):
        run_as_ranks(program, paths)
    else:
        _run_bundled_program(program)


def _known_program(program: str) -> str:
    known = sorted(file.name for file in BUNDLED_CODE.glob("*-coach.py"))
    if program not in known:
        raise InputError(f"Hyperparameter sagemaker_program is {program!r}, {nearest(program, known)}")
    return program


def _run_bundled_program(program: str) -> None:
    sys.argv = [str(BUNDLED_CODE / program)]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code not in (0, None):
            raise failures.ProgramFailed(f"{program} ended with exit status {end.code}.") from None


if __name__ == "__main__":
    main()
