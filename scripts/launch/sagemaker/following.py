"""Following a job or an endpoint: its changes of status, its log, a training job's results; and asking at Ctrl-C."""

import contextlib
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from launch.aws import consistency
from launch.aws.clients import Clients
from launch.aws.logs import TRAINING_JOBS, Log
from launch.aws.storage import join, split
from launch.cli import interruption
from launch.cli.errors import JobFailed, JobStopped
from launch.cli.progress import TrainingProgress, waiting_for
from launch.sagemaker import job_kinds
from launch.sagemaker.job_kinds import ENDED, TRAINING, Kind


def training_job(clients: Clients, job: str) -> dict[str, Any] | None:
    """Return the description of a training job; None if there is none of that name."""
    return job_kinds.describe(clients, TRAINING, job)


def follow_own(clients: Clients, job: str) -> None:
    """Follow a training job that this script has created to its end; at Ctrl-C ask whether it is to be stopped.

    Raises:
        JobFailed, JobStopped: See ``follow_to_end``.
    """
    try:
        follow_to_end(clients, TRAINING, job, Log(clients, TRAINING_JOBS, f"{job}/"))
    except interruption.Interrupted:
        ask_whether_to_stop(clients, TRAINING, job)
        raise


def follow_to_end(clients: Clients, kind: Kind, name: str, log: Log, tail: int | None = None) -> None:
    """Follow a job or an endpoint to its end; of a training job print what it reached and where its files are.

    Args:
        clients: of the account and the region.
        kind: of the job.
        name: its name.
        log: its log, of which nothing has been read yet.
        tail: how many of the lines to show that it has by now; None for all.

    Raises:
        JobFailed: It failed.
        JobStopped: It was stopped.
    """
    with waiting_for(f"{kind.title.lower()} {name}"):
        if kind == TRAINING:
            with TrainingProgress() as progress:
                description = _follow(clients, kind, name, log, tail, progress)
        else:
            description = _follow(clients, kind, name, log, tail)
    if kind == TRAINING and kind.status_of(description) != "Failed":
        _print_results(name, description)
    check_completed(kind, name, description)


def check_completed(kind: Kind, name: str, description: dict[str, Any]) -> None:
    """Check how a job has ended.

    Raises:
        JobFailed: It failed.
        JobStopped: It was stopped.
    """
    status = kind.status_of(description)
    if status == "Failed":
        raise JobFailed(description.get("FailureReason", f"{kind.title} {name} failed."))
    if status == "Stopped":
        how = description.get("SecondaryStatus", status)
        raise JobStopped(f"{kind.title} {name} ended before its work was done ({how}).")


def _follow(
    clients: Clients, kind: Kind, name: str, log: Log, tail: int | None, progress: TrainingProgress | None = None
) -> dict[str, Any]:
    """Print changes of status and the log until the end; return the description then."""
    bar = progress.bar if progress else None
    show: Callable[[str], Any] = print if bar is None else tqdm.write
    shown: list[str] = []
    while True:
        description = consistency.once_found(clients, lambda: job_kinds.describe(clients, kind, name))
        if description is None:
            raise JobFailed(f"There is no {kind.title.lower()} {name}{clients.where} any more.")
        changes = _changes(kind, description)
        for number, change in enumerate(changes):
            # The latest one may change its message: SageMaker says within a status that there is no capacity.
            if number >= len(shown) - 1 and shown[number : number + 1] != [change]:
                show(change)
        shown = changes
        has_ended = kind.status_of(description) in ENDED
        present = log.read()
        passed_over = 0 if tail is None else max(0, len(present) - tail)
        tail = None
        for number, line in enumerate(itertools.chain(present, log.read_rest() if has_ended else ())):
            if number >= passed_over:
                show(line)
            if progress and bar is not None:
                progress(line)
        sys.stdout.flush()
        if has_ended:
            return description
        time.sleep(clients.seconds_between_polls)


def _changes(kind: Kind, description: dict[str, Any]) -> list[str]:
    """Return a training job's changes of status, with their messages; of another kind the present status."""
    if kind != TRAINING:
        return [kind.status_of(description)]
    return [_sentence(change) for change in description.get("SecondaryStatusTransitions", [])]


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


def ask_whether_to_stop(clients: Clients, kind: Kind, name: str) -> None:
    """Ask at a terminal; without one, and by default, the job goes on."""
    answer = ""
    if sys.stdin.isatty():
        with contextlib.suppress(EOFError, interruption.Interrupted):
            answer = input(f"\nStop {kind.title.lower()} {name} too? [y/N] ")
    if answer.strip().lower() in ("y", "yes"):
        getattr(clients.sagemaker, kind.stop)(**{f"{kind.api_name}Name": name})
        print(f"{kind.title} {name} is being stopped.")
    else:
        print(f"{kind.title} {name} goes on. Follow it again: python scripts/logs.py --follow{clients.flags} {name}")
