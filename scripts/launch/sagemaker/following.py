"""Following a training job to its end: its changes of status, its log, its results; and asking at Ctrl-C."""

import contextlib
import functools
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from launch.aws import consistency
from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.aws.logs import TRAINING_JOBS, Log
from launch.aws.storage import join, split
from launch.cli import interruption
from launch.cli.errors import JobFailed
from launch.cli.progress import TrainingProgress

ENDED = ("Completed", "Failed", "Stopped")
"""The statuses of jobs, training and transform, that have ended."""


def training_job(clients: Clients, job: str) -> dict[str, Any] | None:
    """Return the description of a training job; None if there is none of that name."""
    return aws_errors.describe_if_exists(clients.sagemaker.describe_training_job, TrainingJobName=job)


def follow_to_end(clients: Clients, job: str) -> None:
    """Follow a job to its end, and print what it reached and where its files are.

    Raises:
        JobFailed: It failed; the message ends with the last lines of its log.
    """
    log = Log(clients, TRAINING_JOBS, f"{job}/")
    try:
        with TrainingProgress() as progress:
            description = _follow(clients, job, log, progress)
    except interruption.Interrupted:
        stop = functools.partial(clients.sagemaker.stop_training_job, TrainingJobName=job)
        ask_whether_to_stop(f"training job {job}", stop)
        raise
    if description["TrainingJobStatus"] == "Failed":
        raise JobFailed("\n".join([description.get("FailureReason", f"Training job {job} failed."), *log.last]))
    _print_results(job, description)


def _follow(clients: Clients, job: str, log: Log, progress: TrainingProgress) -> dict[str, Any]:
    """Print a job's changes of status and its log until it ends; return its description then."""
    show: Callable[[str], Any] = print if progress.bar is None else tqdm.write
    shown: list[str] = []
    while True:
        description = consistency.once_found(clients, lambda: training_job(clients, job))
        if description is None:
            raise JobFailed(f"There is no training job {job}{clients.where} any more.")
        changes = [_sentence(change) for change in description.get("SecondaryStatusTransitions", [])]
        for number, change in enumerate(changes):
            # The latest one may change its message: SageMaker says within a status that there is no capacity.
            if number >= len(shown) - 1 and shown[number : number + 1] != [change]:
                show(change)
        shown = changes
        has_ended = description["TrainingJobStatus"] in ENDED
        for line in itertools.chain(log.read(), log.read_rest() if has_ended else ()):
            show(line)
            if progress.bar is not None:
                progress(line)
        sys.stdout.flush()
        if has_ended:
            return description
        time.sleep(clients.seconds_between_polls)


def _sentence(change: dict[str, Any]) -> str:
    message = change.get("StatusMessage") or ""
    return f"{change['Status']}{f': {message}' if message and message != change['Status'] else ''}"


def _print_results(job: str, description: dict[str, Any]) -> None:
    status = description["TrainingJobStatus"]
    print(f"{status}: {description.get('SecondaryStatus', status)}, {description.get('TrainingTimeInSeconds', '?')} s")
    for metric in description.get("FinalMetricDataList", []):
        print(f"  {metric['MetricName']:<20}{metric['Value']:>14.4f}")
    model = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    output = join(description["OutputDataConfig"]["S3OutputPath"], job, "output")
    print(f"Model:        {model or 'none'}")
    print(f"Output:       {join(output, 'output.tar.gz')}")
    if "sagemaker_s3_output" in description.get("HyperParameters", {}) or split(output)[0] == "file":
        print(f"Intermediate: {join(output, 'intermediate')}/")
    sys.stdout.flush()


def ask_whether_to_stop(job: str, stop: Callable[[], Any]) -> None:
    """Ask at a terminal; without one, and by default, the job goes on.

    Args:
        job: its kind and name, in a sentence.
        stop: asks SageMaker to stop it.
    """
    answer = ""
    if sys.stdin.isatty():
        with contextlib.suppress(EOFError, interruption.Interrupted):
            answer = input(f"\nStop {job} too? [y/N] ")
    goes_on = answer.strip().lower() not in ("y", "yes")
    if not goes_on:
        stop()
    print(f"{job[0].upper()}{job[1:]} {'goes on' if goes_on else 'is being stopped'}.")
