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
import signal
import sys
from pathlib import Path

from sagemaker_rl.coach.presets import BUNDLED_CODE
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import failures
from sagemaker_rl.job.hyperparameters import nearest, read_hyperparameters
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP, Stopped
from sagemaker_rl.report.job import write_report

DEFAULT_PROGRAM = "train-coach.py"


def main() -> None:
    """Carry out the command line's one argument, ``train``, and end the process."""
    # Until the job itself listens there is nothing to save.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    command = " ".join(sys.argv[1:])
    if command != "train":
        print(f"Error: The command is {command!r}, expected 'train'.", file=sys.stderr)
        sys.exit(2)
    paths = MLPaths.from_environment()
    # First, because sagemaker-training would report what is wrong here as a "Framework Error" with a traceback.
    if failures.run(lambda: _check(paths), paths.failure):
        write_report(paths)
        sys.exit(1)
    os.environ["SAGEMAKER_TRAINING_MODULE"] = "sagemaker_rl.training_container:run_job"
    from sagemaker_training import trainer

    trainer.train()


def _check(paths: MLPaths) -> None:
    for left_from_before in (paths.failure, paths.failure.with_name("success")):
        with contextlib.suppress(OSError):
            left_from_before.unlink()
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

    STOP.install()
    paths = MLPaths.from_environment()
    reason = failures.run(lambda: _run_program(paths), paths.failure)
    write_report(paths)
    if reason:
        raise errors.ClientError(reason)


def _run_program(paths: MLPaths) -> None:
    hyperparameters = read_hyperparameters(paths.hyperparameters)
    if "sagemaker_submit_directory" in hyperparameters:
        _run_users_program(paths)
    else:
        _run_bundled_program(str(hyperparameters.get("sagemaker_program", DEFAULT_PROGRAM)))


def _run_bundled_program(program: str) -> None:
    known = sorted(file.name for file in BUNDLED_CODE.glob("*-coach.py"))
    if program not in known:
        raise InputError(f"Hyperparameter sagemaker_program is {program!r}, {nearest(program, known)}")
    sys.argv = [str(BUNDLED_CODE / program)]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code not in (0, None):
            raise failures.ProgramFailed(f"{program} ended with exit status {end.code}.") from None


def _run_users_program(paths: MLPaths) -> None:
    """Unpack and run the user's source as sagemaker-training does, and pass SIGTERM on to it."""
    import psutil
    from sagemaker_training import entry_point, environment, errors, files, runner

    env = environment.Environment()
    program = env.user_entry_point
    if not program:
        raise InputError(
            "Hyperparameter sagemaker_program is missing, expected a script in sagemaker_submit_directory."
        )
    try:
        files.download_and_extract(env.module_dir, str(paths.code))
    except Exception as error:  # of S3, of the network, of the archive
        raise InputError(
            f"Hyperparameter sagemaker_submit_directory is {env.module_dir!r}, which cannot be unpacked: {error}"
        ) from None
    if not (paths.code / program).exists():
        raise InputError(f"Hyperparameter sagemaker_program is {program!r}, which is not in {env.module_dir}.")
    helpers = set(psutil.Process().children())  # the upload of intermediate output must outlive the user's program

    def stop(number: int, frame: object) -> None:
        programs = set(psutil.Process().children()) - helpers
        if not programs:
            raise Stopped
        for child in programs:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()

    signal.signal(signal.SIGTERM, stop)
    with_mpi = env.additional_framework_parameters.get("sagemaker_mpi_enabled")
    try:
        entry_point.run(
            env.module_dir,
            program,
            env.to_cmd_args(),
            env.to_env_vars(),
            runner_type=runner.RunnerType.MPI if with_mpi else runner.RunnerType.Process,
        )
    except errors.ExecuteUserScriptError as error:
        raise failures.ProgramFailed(f"{program} ended with exit status {error.return_code}; see the log.") from None
    except errors.ClientError as error:
        raise InputError(str(error)) from None


if __name__ == "__main__":
    main()
