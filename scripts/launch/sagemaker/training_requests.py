"""The CreateTrainingJob request that the flags of a script make.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

import argparse
from collections.abc import Collection, Mapping
from typing import Any

from launch.aws import roles
from launch.aws.clients import Clients
from launch.aws.storage import address_of, join, split
from launch.cli import options, values
from launch.cli.errors import UsageError
from launch.project import BASE_NAME, ROOT, unique_name
from launch.sagemaker import fields, hosts, inputs, request_files, session

CODE_CHANNEL = "code"
RESERVED = {"checkpoint"}
"""What ``--input`` cannot replace of the channels that a script makes: evaluate.py plays that checkpoint."""
SUBMITTED_SOURCE = f"/opt/ml/input/data/{CODE_CHANNEL}/sourcedir.tar.gz"
TENSORBOARD = "SAGEMAKER_RL_TENSORBOARD"
"""The variable by which the container writes event files (job/tensorboard.py): SageMaker does not tell it of them."""
METRICS = {
    "reward-training": r"^Training> .*Total reward=([-\d.]+)",
    "reward-testing": r"^Testing> .*Total reward=([-\d.]+)",
    "reward-evaluation": r"^Evaluation> .*Evaluation reward=([-\d.e+]+)",
    "episode-training": r"^Training> .*Episode=(\d+)",
    "steps-training": r"^Training> .*Steps=(\d+)",
    "loss-evaluation": r"^Evaluation> .*\bLoss=([-\d.e+]+)",
}
"""What CloudWatch reads from the log; the first two names are the original notebook's."""


def job_name(arguments: argparse.Namespace, suffix: str = "") -> str:
    """Return the job's name: the one given, else a new one, with a suffix before the time of day."""
    return str(arguments.job_name or unique_name(BASE_NAME + suffix))


def request(
    arguments: argparse.Namespace,
    clients: Clients,
    job: str,
    hyperparameters: Mapping[str, str],
    channels: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the request.

    Args:
        arguments: the flags of ``options.add_training_job``, and those that ``train.py`` adds.
        clients: give the account and the role.
        job: the job's name.
        hyperparameters: that the script sets itself; they win over the user's.
        channels: each input channel by its name; the user's source is one more.

    Raises:
        UsageError: A flag has a value that makes no sense.
    """
    given = values.hyperparameters(arguments.parameters, arguments.hyperparameters)
    hyperparameters = {
        **hosts.hyperparameters(arguments),
        **given,
        **hyperparameters,
        **_script_mode(arguments, hyperparameters),
    }
    _check_program(arguments, hyperparameters)
    tensorboard = getattr(arguments, "tensorboard", False)
    events = {TENSORBOARD: "1"} if tensorboard else {}
    variables = {**hosts.variables(arguments), **events, **values.environment(arguments.environment)}
    hosts.warn(arguments, hyperparameters)
    options.check_network(arguments)
    spot = getattr(arguments, "spot", False)
    max_wait = spot_seconds(arguments, spot)
    if spot and arguments.keep_alive:
        raise UsageError(f"--keep-alive is {arguments.keep_alive}, expected without --spot: Spot has no warm pools.")
    tracking = _tracking(arguments)
    channels = {**channels, **inputs.given(arguments, {CODE_CHANNEL, *RESERVED & channels.keys()})}
    home = session.home_address(arguments, clients)  # from here on AWS is asked
    if split(home)[0] == "s3" and not arguments.network_isolation:
        # sagemaker-training then uploads output/intermediate to HOME/JOB/output/intermediate while the job runs
        hyperparameters["sagemaker_s3_output"] = home
    if arguments.source_dir:
        channels = {**channels, CODE_CHANNEL: inputs.channel(CODE_CHANNEL, join(home, job, "source"))}
    checkpoints = _checkpoints_address(arguments, join(home, job, "checkpoints") if spot else None)
    complete = {
        "TrainingJobName": job,
        "RoleArn": roles.execution_role(clients, arguments.role),
        "AlgorithmSpecification": _algorithm(session.image_uri(arguments, "training")),
        "HyperParameters": hyperparameters,
        "InputDataConfig": list(channels.values()),
        "OutputDataConfig": {"S3OutputPath": home, "KmsKeyId": arguments.kms_key},
        "ResourceConfig": _resources(arguments),
        "StoppingCondition": {
            "MaxRuntimeInSeconds": arguments.max_runtime,
            "MaxWaitTimeInSeconds": max_wait,
            "MaxPendingTimeInSeconds": arguments.max_pending,
        },
        "RetryStrategy": {"MaximumRetryAttempts": arguments.retries},
        "VpcConfig": fields.vpc_config(arguments),
        **_switches(arguments, spot),
        "CheckpointConfig": {"S3Uri": checkpoints},
        "TensorBoardOutputConfig": _tensorboard(home) if tensorboard else None,
        **tracking,
        "ProfilerConfig": {"DisableProfiler": True} if arguments.profiler == "off" else None,
        "Environment": variables,
        "Tags": session.tags(arguments),
    }
    return request_files.merge_into(fields.without_empty(complete), "CreateTrainingJob", arguments.request)


def check_count(names: Collection[str]) -> None:
    """Check how many hyperparameters a job has, with those that a script adds.

    Raises:
        UsageError: There are more than SageMaker takes.
    """
    if len(names) > values.MAX_HYPERPARAMETERS:
        added = ", ".join(name for name in names if name.startswith("sagemaker_"))
        among = f", {added} of the script's own among them" if added else ""
        raise UsageError(
            f"There are {len(names)} hyperparameters{among}, expected at most {values.MAX_HYPERPARAMETERS}."
        )


def _algorithm(image: str) -> dict[str, Any]:
    return {
        "TrainingImage": image,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
    }


def _resources(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "InstanceType": options.instance_type(arguments),
        "InstanceCount": arguments.instance_count,
        "VolumeSizeInGB": arguments.volume_gb,
        "VolumeKmsKeyId": arguments.volume_kms_key,
        "KeepAlivePeriodInSeconds": arguments.keep_alive,
    }


def _tracking(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return where the job is tracked: MlflowConfig with ``--mlflow``, else ExperimentConfig.

    Raises:
        UsageError: ``--run`` is given without ``--experiment``.
    """
    if arguments.run and not arguments.experiment:
        raise UsageError(f"--run is {arguments.run!r}, a run of an experiment, expected with --experiment.")
    if arguments.mlflow:
        names = {"MlflowExperimentName": arguments.experiment, "MlflowRunName": arguments.run}
        return {"MlflowConfig": {"MlflowResourceArn": arguments.mlflow, **names}}
    return {"ExperimentConfig": {"ExperimentName": arguments.experiment, "RunName": arguments.run}}


def _tensorboard(home: str) -> dict[str, str]:
    """Return TensorBoardOutputConfig; SageMaker puts the files below ``HOME/JOB/tensorboard-output``."""
    return {"S3OutputPath": home, "LocalPath": "/opt/ml/output/tensorboard"}


def _switches(arguments: argparse.Namespace, spot: bool) -> dict[str, bool | None]:
    return {
        "EnableNetworkIsolation": arguments.network_isolation or None,
        "EnableInterContainerTrafficEncryption": arguments.encrypt_traffic or None,
        "EnableManagedSpotTraining": spot or None,
    }


def spot_seconds(arguments: argparse.Namespace, spot: bool) -> int | None:
    """Return how long a Spot job may wait and run together, in seconds; None for another job.

    Raises:
        UsageError: ``--max-wait`` is given without ``--spot``, or is less than ``--max-runtime``.
    """
    max_wait = getattr(arguments, "max_wait", None)
    if max_wait is not None and (not spot or max_wait < arguments.max_runtime):
        raise UsageError(
            f"--max-wait is {max_wait}, expected with --spot, and no less than --max-runtime {arguments.max_runtime}."
        )
    return (max_wait or int(arguments.max_runtime)) if spot else None


def _checkpoints_address(arguments: argparse.Namespace, default: str | None) -> str | None:
    flag = getattr(arguments, "checkpoint_uri", None)
    if not flag:
        return default
    address = address_of(flag)
    if split(address)[0] == "file" and not options.is_local(arguments):
        raise UsageError(f"--checkpoint-uri is {flag!r}, expected s3://bucket/prefix.")
    return address


def _script_mode(arguments: argparse.Namespace, hyperparameters: Mapping[str, str]) -> dict[str, str]:
    """Return the hyperparameters by which sagemaker-training runs a user's script.

    Args:
        arguments: the flags.
        hyperparameters: the script's own; they may name a program.
    """
    program = {"sagemaker_program": arguments.entry_point} if arguments.entry_point else {}
    if not arguments.source_dir:
        return program
    if not arguments.source_dir.is_dir():
        raise UsageError(f"--source-dir is {arguments.source_dir}, expected a folder.")
    if not (program or "sagemaker_program" in hyperparameters):
        raise UsageError("--source-dir needs --entry-point, the script in it that runs.")
    if program and not (arguments.source_dir / arguments.entry_point).is_file():
        raise UsageError(f"--entry-point is {arguments.entry_point!r}, which is not in {arguments.source_dir}.")
    return {**program, "sagemaker_submit_directory": SUBMITTED_SOURCE}


def _check_program(arguments: argparse.Namespace, hyperparameters: Mapping[str, str]) -> None:
    """Check that this project's image has the script that is to run, where no source of the user's has it."""
    if not arguments.entry_point or arguments.image or "sagemaker_submit_directory" in hyperparameters:
        return
    if not (ROOT / "container_src" / arguments.entry_point).is_file():
        raise UsageError(
            f"--entry-point is {arguments.entry_point!r}, which the image does not have: "
            "--source-dir gives the folder that it is in."
        )
