"""The training image's entry point: ``docker run IMAGE train``.

sagemaker-training does what SageMaker asks of a container (https://github.com/aws/sagemaker-training-toolkit); this
module tells it what to run:

- with the hyperparameter ``sagemaker_submit_directory``, the user's own source (script mode): its
  ``sagemaker_program``, in a process of its own, with ``sagemaker_rl`` importable;
- else the bundled ``sagemaker_program``, ``train-coach.py`` if that is not given either, in this process.
"""

import os
import runpy
import signal
import sys

from sagemaker_rl import failures
from sagemaker_rl.coach_launcher import BUNDLED_CODE
from sagemaker_rl.errors import InputError
from sagemaker_rl.hyperparameters import nearest, read_hyperparameters
from sagemaker_rl.ml_paths import MLPaths

DEFAULT_PROGRAM = "train-coach.py"


def main() -> None:
    """Carry out the command line's one argument, ``train``, and end the process."""
    command = " ".join(sys.argv[1:])
    if command != "train":
        print(f"Error: The command is {command!r}, expected 'train'.", file=sys.stderr)
        sys.exit(2)
    paths = MLPaths.from_environment()
    # First, because sagemaker-training would report what is wrong with them as a "Framework Error" with a traceback.
    status = failures.run(lambda: _check(paths), paths.failure)
    if status:
        sys.exit(status)
    os.environ["SAGEMAKER_TRAINING_MODULE"] = "sagemaker_rl.training_container:run_job"
    from sagemaker_training import trainer

    trainer.train()


def _check(paths: MLPaths) -> None:
    paths.create_outputs()
    read_hyperparameters(paths.hyperparameters)


def run_job() -> None:
    """Run the job's program; called by sagemaker-training.

    Raises:
        sagemaker_training.errors.ClientError: The program failed; the reason is in the failure file.
    """
    from sagemaker_training import errors

    paths = MLPaths.from_environment()
    status = failures.run(lambda: _run_program(paths), paths.failure)
    if status:
        raise errors.ClientError(paths.failure.read_text(encoding="utf-8"))


def _run_program(paths: MLPaths) -> None:
    hyperparameters = read_hyperparameters(paths.hyperparameters)
    if "sagemaker_submit_directory" in hyperparameters:
        _run_users_program()
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


def _run_users_program() -> None:
    """Unpack and run the user's source as sagemaker-training does, and pass SIGTERM on to it."""
    import psutil
    from sagemaker_training import entry_point, environment, errors, runner

    env = environment.Environment()
    program = env.user_entry_point
    if not program:
        raise InputError(
            "Hyperparameter sagemaker_program is missing, expected a script in sagemaker_submit_directory."
        )
    with_mpi = env.additional_framework_parameters.get("sagemaker_mpi_enabled")
    helpers = set(psutil.Process().children())  # the upload of intermediate output must outlive the user's program

    def stop(number: int, frame: object) -> None:
        for child in set(psutil.Process().children()) - helpers:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
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
    except (OSError, ValueError) as error:
        raise InputError(f"Hyperparameter sagemaker_submit_directory is {env.module_dir!r}: {error}.") from None


if __name__ == "__main__":
    main()
