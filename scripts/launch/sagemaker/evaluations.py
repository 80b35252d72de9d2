"""What an evaluation takes over from the training job that it judges: image, source, preset, channels and variables.

A job says by its hyperparameters which source it ran (script mode), whoever created it: ``train.py``, or an estimator
of SageMaker's SDK, which writes each value as JSON.
"""

import argparse
import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from launch.aws.clients import Clients
from launch.aws.storage import Storage, join
from launch.cli import values
from launch.cli.errors import UsageError
from launch.sagemaker import hosts, training_requests

PROGRAM = "evaluate-coach.py"
"""The image's own evaluation script; by AWS's convention also the name of one in a user's source."""
CHANNELS = PurePosixPath("/opt/ml/input/data")
OF_THE_TRAINING = (hosts.SHARED_VALUE, training_requests.TENSORBOARD)
"""Variables of a training job that mean nothing to an evaluation: several hosts of one have a secret of their own."""
PACKAGE_CHOICE = "sagemaker_rl_package"


def take_over(
    arguments: argparse.Namespace, clients: Clients, job: Mapping[str, Any], preset: str | None
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Return the hyperparameters of an evaluation, and the input channels that it has from a training job.

    Args:
        arguments: of ``evaluate.py``. The job's image and environment variables are put into them where the user gives
            no others.
        clients: to look into the job's source.
        job: its description, as DescribeTrainingJob gives it; empty if the checkpoint is none of a job's.
        preset: the one that the checkpoint names, if it names one.

    Raises:
        UsageError: The job's source is gone or damaged, or ``--entry-point`` is not in it.
    """
    given = values.hyperparameters(arguments.parameters, arguments.hyperparameters)
    trained = {name: decoded(value) for name, value in job.get("HyperParameters", {}).items()}
    channels = {channel["ChannelName"]: channel for channel in job.get("InputDataConfig", [])}
    arguments.image = arguments.image or job.get("AlgorithmSpecification", {}).get("TrainingImage")
    variables = [f"{name}={value}" for name, value in job.get("Environment", {}).items() if name not in OF_THE_TRAINING]
    arguments.environment = [*variables, *arguments.environment]
    source = trained.get("sagemaker_submit_directory")
    program = trained.get("sagemaker_program", "") if source else ""
    hyperparameters = {}
    if arguments.source_dir:
        hyperparameters["sagemaker_program"] = arguments.entry_point or _script(
            program, lambda name: (arguments.source_dir / name).is_file()
        )
    elif source:
        hyperparameters["sagemaker_submit_directory"] = source
        hyperparameters["sagemaker_program"] = _program_in(arguments, clients, job, source, program)
    else:
        hyperparameters["sagemaker_program"] = arguments.entry_point or PROGRAM
    kept = {"RLCOACH_PRESET": preset or trained.get("RLCOACH_PRESET"), PACKAGE_CHOICE: trained.get(PACKAGE_CHOICE)}
    hyperparameters |= {name: value for name, value in kept.items() if value and name not in given}
    return hyperparameters, channels


def decoded(value: str) -> str:
    """Return a hyperparameter as its user gave it: an estimator of the SDK writes a string as JSON."""
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, str) else value


def _script(trained_by: str, exists: Callable[[str], bool]) -> str:
    """Return the path of the evaluation script in a source: beside the training program, or at the top.

    If there is none, it is the path where the container puts the image's: the presets are beside that.
    """
    beside = str(PurePosixPath(trained_by).parent / PROGRAM)
    return PROGRAM if exists(PROGRAM) and not exists(beside) else beside


def _program_in(
    arguments: argparse.Namespace, clients: Clients, job: Mapping[str, Any], source: str, trained_by: str
) -> str:
    """Return the program to run in a job's source: ``--entry-point``, or the evaluation script.

    Raises:
        UsageError: The source is gone or damaged, or ``--entry-point`` is not in it.
    """
    name = job["TrainingJobName"]
    storage = Storage(clients)
    address = _address(storage, job, source)
    if address is None:  # a folder of the job's image
        return str(arguments.entry_point or _script(trained_by, lambda path: False))
    if not storage.find(address):
        raise UsageError(
            f"The source of training job {name} is gone: there is nothing at {address}; --source-dir gives another."
        )
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / "sourcedir.tar.gz"
        storage.download(address, packed)
        try:
            with tarfile.open(packed, "r:gz") as archive:
                files = {str(PurePosixPath(path)) for path in archive.getnames()}
        except (OSError, EOFError, tarfile.TarError) as error:
            raise UsageError(f"The source of training job {name}, {address}, cannot be unpacked: {error}.") from None
    if arguments.entry_point and str(PurePosixPath(arguments.entry_point)) not in files:
        raise UsageError(f"--entry-point is {arguments.entry_point!r}, which is not in {address}.")
    return str(arguments.entry_point or _script(trained_by, files.__contains__))


def _address(storage: Storage, job: Mapping[str, Any], source: str) -> str | None:
    """Return the address of a job's packed source; None if it came in the image.

    Args:
        storage: to look at the channel that it came by.
        job: the job's description.
        source: its ``sagemaker_submit_directory``: an address, or a path in the container.
    """
    if "://" in source:
        return source
    path = PurePosixPath(source)
    if not path.is_relative_to(CHANNELS) or path == CHANNELS:
        return None
    name, *below = path.relative_to(CHANNELS).parts
    for channel in job.get("InputDataConfig", []):
        if channel["ChannelName"] == name:
            prefix = channel["DataSource"]["S3DataSource"]["S3Uri"]
            is_file = [file.path for file in storage.find(prefix)] == [""]
            return prefix if is_file else join(prefix, *below)
    return None
