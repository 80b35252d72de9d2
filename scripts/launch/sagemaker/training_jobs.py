"""Training jobs: the request that the flags of a script make, and following a job to its end."""

import argparse
import contextlib
import json
import re
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from launch.aws import clients as aws
from launch.aws import roles
from launch.aws.logs import TRAINING_JOBS, Log
from launch.aws.storage import Storage, address_of, join, split
from launch.cli import interruption, options
from launch.cli.command_line import at_least
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import TrainingProgress
from launch.project import unique_name

BASE_NAME = "rl-mountain-car"
DEFAULT_INSTANCE_TYPE = "ml.c5.xlarge"
CODE_CHANNEL = "code"
SUBMITTED = f"/opt/ml/input/data/{CODE_CHANNEL}/sourcedir.tar.gz"
METRICS = {
    "reward-training": r"^Training> .*Total reward=([-\d.]+)",
    "reward-testing": r"^Testing> .*Total reward=([-\d.]+)",
    "reward-evaluation": r"^Evaluation> .*Evaluation reward=([-\d.e+]+)",
    "episode-training": r"^Training> .*Episode=(\d+)",
    "steps-training": r"^Training> .*Steps=(\d+)",
    "loss-evaluation": r"^Evaluation> .*\bLoss=([-\d.e+]+)",
}
"""What CloudWatch reads from the log; the first two names are the original notebook's."""
ENDED = ("Completed", "Failed", "Stopped")


# --- The request -----------------------------------------------------------------------------------------------------
def add_flags(made: argparse.ArgumentParser) -> None:
    """Add what decides where and how a training job runs."""
    options.add_image(made)
    made.add_argument("--job-name", type=options.name, help=f"default: {BASE_NAME} and the time of day")
    options.add_instance_type(made, DEFAULT_INSTANCE_TYPE, "TrainingInstanceType")
    made.add_argument("--instance-count", type=at_least(1), default=1, help="(%(default)s)")
    made.add_argument("--volume-gb", type=at_least(1), default=10, help="size of the volume (%(default)s)")
    made.add_argument("--max-runtime", type=at_least(1), default=3600, metavar="SECONDS", help="(%(default)s)")
    made.add_argument(
        "-p",
        dest="parameters",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a hyperparameter; may be given several times",
    )
    made.add_argument("--hyperparameters", type=Path, metavar="FILE", help="hyperparameters as a JSON object")
    made.add_argument(
        "--env",
        dest="environment",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an environment variable of the container",
    )
    made.add_argument("--source-dir", type=Path, help="folder with your own code (script mode), packed and uploaded")
    made.add_argument("--entry-point", help="the script in --source-dir that runs; without it, one of the image's own")
    made.add_argument("--subnets", nargs="+", metavar="ID", default=[], help="of your VPC")
    made.add_argument("--security-groups", nargs="+", metavar="ID", default=[], help="of your VPC")
    made.add_argument("--network-isolation", action="store_true", help="the container has no network")
    made.add_argument("--kms-key", help="encrypts output, model and uploads; intermediate files as their bucket does")
    made.add_argument("--volume-kms-key", help="encrypts the volume")
    made.add_argument("--encrypt-traffic", action="store_true", help="between several containers")
    made.add_argument("--wait", action="store_true", help="follow the log until the job ends")


def job_name(arguments: argparse.Namespace, suffix: str = "") -> str:
    return str(arguments.job_name or unique_name(BASE_NAME + suffix))


def request(
    arguments: argparse.Namespace,
    clients: aws.Clients,
    job: str,
    own_hyperparameters: Mapping[str, str],
    channels: Mapping[str, str],
) -> dict[str, Any]:
    """Return the CreateTrainingJob request.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html

    Args:
        arguments: with the flags of ``add_flags``.
        clients: who asks.
        job: the job's name.
        own_hyperparameters: which a script sets by itself.
        channels: the address of each input channel.

    Raises:
        UsageError: A flag has a value that makes no sense.
    """
    hyperparameters = {
        **options.hyperparameters(arguments.parameters, arguments.hyperparameters),
        **own_hyperparameters,
        **_script_mode(arguments),
    }
    variables = environment(arguments.environment)
    if bool(arguments.subnets) != bool(arguments.security_groups):
        raise UsageError("--subnets and --security-groups belong together, expected both or none.")
    spot = getattr(arguments, "spot", False)
    max_wait = getattr(arguments, "max_wait", None)
    if max_wait is not None and (not spot or max_wait < arguments.max_runtime):
        raise UsageError(
            f"--max-wait is {max_wait}, expected with --spot, and no less than --max-runtime {arguments.max_runtime}."
        )
    home = options.home(arguments, clients)  # from here on AWS is asked
    if split(home)[0] == "s3" and not arguments.network_isolation:
        # sagemaker-training then uploads output/intermediate to HOME/JOB/output/intermediate while the job runs
        hyperparameters["sagemaker_s3_output"] = home
    if arguments.source_dir:
        channels = {**channels, CODE_CHANNEL: join(home, job, "source")}
    checkpoints = getattr(arguments, "checkpoint_uri", None) or (join(home, job, "checkpoints") if spot else None)
    if checkpoints:
        checkpoints = address_of(checkpoints)
        if split(checkpoints)[0] == "file" and not options.is_local(arguments):
            raise UsageError(f"--checkpoint-uri is {arguments.checkpoint_uri!r}, expected s3://bucket/prefix.")
    whole = {
        "TrainingJobName": job,
        "RoleArn": roles.execution_role(clients, arguments.role),
        "AlgorithmSpecification": {
            "TrainingImage": options.image_uri(arguments, "training"),
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
        },
        "HyperParameters": hyperparameters,
        "InputDataConfig": [
            {
                "ChannelName": name,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": uri,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for name, uri in channels.items()
        ],
        "OutputDataConfig": {"S3OutputPath": home, "KmsKeyId": arguments.kms_key},
        "ResourceConfig": {
            "InstanceType": options.instance_type(arguments),
            "InstanceCount": arguments.instance_count,
            "VolumeSizeInGB": arguments.volume_gb,
            "VolumeKmsKeyId": arguments.volume_kms_key,
        },
        "StoppingCondition": {
            "MaxRuntimeInSeconds": arguments.max_runtime,
            "MaxWaitTimeInSeconds": (max_wait or arguments.max_runtime) if spot else None,
        },
        "VpcConfig": {"SecurityGroupIds": arguments.security_groups, "Subnets": arguments.subnets},
        "EnableNetworkIsolation": arguments.network_isolation or None,
        "EnableInterContainerTrafficEncryption": arguments.encrypt_traffic or None,
        "EnableManagedSpotTraining": spot or None,
        "CheckpointConfig": {"S3Uri": checkpoints} if checkpoints else None,
        "Environment": variables,
        "Tags": arguments.tags,
    }
    return dict(options.without_nothing(whole))


def environment(given: list[str]) -> dict[str, str]:
    """Return variables from ``NAME=VALUE`` texts.

    Raises:
        UsageError: One is not of that form.
    """
    found = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
            raise UsageError(f"--env is {text!r}, expected NAME=VALUE.")
        found[name] = value
    return found


def _script_mode(arguments: argparse.Namespace) -> dict[str, str]:
    program = {"sagemaker_program": arguments.entry_point} if arguments.entry_point else {}
    if not arguments.source_dir:
        return program
    if not arguments.entry_point:
        raise UsageError("--source-dir needs --entry-point, the script in it that runs.")
    if not (arguments.source_dir / arguments.entry_point).is_file():
        raise UsageError(f"--entry-point is {arguments.entry_point!r}, which is not in {arguments.source_dir}.")
    return {**program, "sagemaker_submit_directory": SUBMITTED}


def create(clients: aws.Clients, wanted: dict[str, Any], source: Path | None) -> None:
    """Upload the user's source, if there is any, and create the job."""
    home = wanted["OutputDataConfig"]["S3OutputPath"]
    storage = Storage(clients)
    if split(home)[0] == "s3":
        storage.ensure_bucket(split(home)[1])
    if source is not None:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "sourcedir.tar.gz"
            with tarfile.open(archive, "w:gz") as tar:
                for path in sorted(source.iterdir()):
                    tar.add(path, path.name, filter=lambda member: None if "__pycache__" in member.name else member)
            target = join(home, wanted["TrainingJobName"], "source", archive.name)
            storage.upload(archive, target, wanted["OutputDataConfig"].get("KmsKeyId"))
    roles.once_assumable(clients, clients.sagemaker.create_training_job, wanted)


def run(arguments: argparse.Namespace, clients: aws.Clients, wanted: dict[str, Any]) -> None:
    """Carry out a script: print the request, or create the job and, if asked to, follow it."""
    if arguments.dry_run:
        options.print_requests([("CreateTrainingJob", wanted)])
        return
    options.require_image(arguments, clients, "training")
    job = wanted["TrainingJobName"]
    create(clients, wanted, arguments.source_dir)
    print(f"Created training job {job}", flush=True)
    if wanted.get("EnableNetworkIsolation") and not options.is_local(arguments):
        print("Without a network it uploads no intermediate files: they come with output.tar.gz", flush=True)
    if arguments.wait:
        finish(clients, job)
    else:
        flag = " --local" if options.is_local(arguments) else ""
        print(f"Its results: python scripts/fetch.py{flag} {job}")


# --- Following it ----------------------------------------------------------------------------------------------------
def finish(clients: aws.Clients, job: str) -> None:
    """Follow a job to its end, and print what it reached and where its files are.

    Raises:
        JobFailed: It failed, or was stopped; the message ends with the last lines of its log.
    """
    log = Log(clients, TRAINING_JOBS, f"{job}/")
    try:
        with TrainingProgress() as progress:
            described = _follow(clients, job, log, progress)
    except interruption.Interrupted:
        _ask_whether_to_stop(clients, job)
        raise
    status = described["TrainingJobStatus"]
    if status == "Failed":
        raise JobFailed("\n".join([described.get("FailureReason", f"Training job {job} failed."), *log.last]))
    print(f"{status}: {described.get('SecondaryStatus', status)}, {described.get('TrainingTimeInSeconds', '?')} s")
    for metric in described.get("FinalMetricDataList", []):
        print(f"  {metric['MetricName']:<20}{metric['Value']:>14.4f}")
    model = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    output = join(described["OutputDataConfig"]["S3OutputPath"], job, "output")
    print(f"Model:        {model or 'none'}")
    print(f"Output:       {join(output, 'output.tar.gz')}")
    if "sagemaker_s3_output" in described.get("HyperParameters", {}) or split(output)[0] == "file":
        print(f"Intermediate: {join(output, 'intermediate')}/")
    sys.stdout.flush()


def _follow(clients: aws.Clients, job: str, log: Log, progress: Any) -> dict[str, Any]:
    show: Callable[[str], Any] = print if progress.bar is None else tqdm.write
    shown: list[str] = []
    while True:
        described = clients.sagemaker.describe_training_job(TrainingJobName=job)
        changes = [_said(change) for change in described.get("SecondaryStatusTransitions", [])]
        for number, change in enumerate(changes):
            # of the latest too: that there is no capacity, say, is said within a status
            if number >= len(shown) - 1 and shown[number : number + 1] != [change]:
                show(change)
        shown = changes
        if described["TrainingJobStatus"] in ENDED:
            time.sleep(clients.seconds_that_logs_lag)
        for line in log.read():
            show(line)
            if progress.bar is not None:
                progress(line)
        sys.stdout.flush()
        if described["TrainingJobStatus"] in ENDED:
            return dict(described)
        time.sleep(clients.seconds_between_looks)


def _said(change: dict[str, Any]) -> str:
    message = change.get("StatusMessage") or ""
    return f"{change['Status']}{f': {message}' if message and message != change['Status'] else ''}"


def _ask_whether_to_stop(clients: aws.Clients, job: str) -> None:
    """Ask at a terminal; without one, and by default, the job goes on."""
    answer = ""
    if sys.stdin.isatty():
        with contextlib.suppress(EOFError, interruption.Interrupted):
            answer = input(f"\nStop training job {job} too? [y/N] ")
    if answer.strip().lower() in ("y", "yes"):
        clients.sagemaker.stop_training_job(TrainingJobName=job)
        print(f"Training job {job} is being stopped.")
    else:
        print(f"Training job {job} goes on.")


def wait_for_end(clients: aws.Clients, job: str) -> dict[str, Any]:
    """Wait quietly until a job has ended, and return its description."""
    while True:
        described = clients.sagemaker.describe_training_job(TrainingJobName=job)
        if described["TrainingJobStatus"] in ENDED:
            return dict(described)
        time.sleep(clients.seconds_between_looks)


def describe(clients: aws.Clients, job: str) -> dict[str, Any]:
    """Return the description of a job.

    Raises:
        UsageError: There is none of that name.
    """
    described = aws.found(clients.sagemaker.describe_training_job, TrainingJobName=job)
    if described is None:
        raise UsageError(f"There is no training job {job!r}{clients.where}.")
    return described


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return ``metadata.json`` of a fetched job; empty if there is none."""
    try:
        return dict(json.loads((folder / "output/intermediate/metadata.json").read_text(encoding="utf-8")))
    except OSError:
        return {}
