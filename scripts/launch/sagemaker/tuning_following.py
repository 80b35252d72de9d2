"""Tuning jobs: describing one and its training jobs, following one to its end, a table of them, and their report.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-monitor.html
"""

import sys
import time
from pathlib import Path
from typing import Any

from launch.aws import consistency, paging
from launch.aws.clients import Clients
from launch.cli import interruption
from launch.cli.errors import JobFailed
from launch.project import runs_folder
from launch.sagemaker import job_kinds, report
from launch.sagemaker.following import ask_whether_to_stop, check_completed
from launch.sagemaker.job_kinds import ENDED, TUNING

SECONDS_OF_SILENCE = 15.0
LINES_OF_TABLE = 10

Job = dict[str, Any]
"""HyperParameterTrainingJobSummary."""


def describe(clients: Clients, name: str) -> dict[str, Any] | None:
    """Return the description of a tuning job; None if there is none of that name."""
    return job_kinds.describe(clients, TUNING, name)


def training_jobs_of(clients: Clients, name: str) -> list[Job]:
    """Return the training jobs of a tuning job, the oldest first."""
    operation = clients.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job
    query: dict[str, Any] = {"SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": 100}
    return list(paging.entries(operation, "TrainingJobSummaries", HyperParameterTuningJobName=name, **query))


def objective_value(job: Job) -> float | None:
    """Return a training job's last value of the objective; None if it has none."""
    metric = job.get("FinalHyperParameterTuningJobObjectiveMetric")
    return float(metric["Value"]) if metric else None


def ranked(description: dict[str, Any], jobs: list[Job]) -> list[Job]:
    """Return training jobs in the order of their objective, the best first; those without one are the last."""
    sign = -1 if _objective(description)["Type"] == "Maximize" else 1

    def key(job: Job) -> tuple[bool, float]:
        value = objective_value(job)
        return (value is None, 0.0 if value is None else sign * value)

    return sorted(jobs, key=key)


def follow_to_end(clients: Clients, name: str) -> None:
    """Follow a tuning job to its end; print the table of its training jobs, and write their report.

    Raises:
        JobFailed: It failed.
        JobStopped: It was stopped.
    """
    try:
        description, jobs = _follow(clients, name)
    except interruption.Interrupted:
        ask_whether_to_stop(clients, TUNING, name)
        raise
    _print_results(clients, name, description, jobs)


def show_results(clients: Clients, name: str, wait: bool) -> None:
    """Print what became of a tuning job, or what there is so far: the table, the report, the best job.

    Raises:
        JobFailed: It failed.
        JobStopped: It was stopped.
    """
    if wait:
        description, jobs = _follow(clients, name)
    else:
        description, jobs = describe(clients, name) or {}, training_jobs_of(clients, name)
    _print_results(clients, name, description, jobs)


def _print_results(clients: Clients, name: str, description: dict[str, Any], jobs: list[Job]) -> None:
    status = description["HyperParameterTuningJobStatus"]
    jobs = ranked(description, jobs)
    print(f"{status}: {len(jobs)} training jobs")
    for line in table(description, jobs):
        print(line)
    sys.stdout.flush()
    if jobs:
        print(f"Report: {write_report(clients, name, jobs)}", flush=True)
    if (best := description.get("BestTrainingJob")) and status != "Failed":
        print(f"Best: {best['TrainingJobName']}, {_describe_values(best)}", flush=True)
    check_completed(TUNING, name, description)


def table(description: dict[str, Any], jobs: list[Job]) -> list[str]:
    """Return the lines of a table of the best training jobs: objective, status, values, name."""
    names = list(dict.fromkeys(name for job in jobs for name in job["TunedHyperParameters"]))
    rows = [[_objective(description)["MetricName"], "status", *names, "training job"]]
    for job in jobs[:LINES_OF_TABLE]:
        value = objective_value(job)
        values = [_short(job["TunedHyperParameters"].get(name, "")) for name in names]
        rows.append(
            ["" if value is None else f"{value:.6g}", job["TrainingJobStatus"], *values, job["TrainingJobName"]]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    more = len(jobs) - LINES_OF_TABLE
    return [*lines, f"  and {more} more"] if more > 0 else lines


def write_report(clients: Clients, name: str, jobs: list[Job]) -> Path:
    """Fetch the files of the best training jobs, as many as a report has, and write the report that compares them."""
    folders = []
    for job in jobs[: report.MAX_RUNS]:
        print(f"Fetching the files of {job['TrainingJobName']}", flush=True)
        folders.append(report.fetch_job(clients, job["TrainingJobName"]))
    file = runs_folder() / name / "report.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    report.write(folders, file)
    return file


# --- While it runs ---------------------------------------------------------------------------------------------------
def _follow(clients: Clients, name: str) -> tuple[dict[str, Any], list[Job]]:
    """Print a line for each change until a tuning job ends; return its description then, and its training jobs."""
    statuses: dict[str, str] = {}
    begun = last_line = time.monotonic()
    while True:
        description = consistency.once_found(clients, lambda: describe(clients, name))
        if description is None:
            raise JobFailed(f"There is no tuning job {name}{clients.where} any more.")
        jobs = training_jobs_of(clients, name)
        lines = _changes(description, jobs, statuses)
        now = time.monotonic()
        has_ended = description["HyperParameterTuningJobStatus"] in ENDED
        if not lines and not has_ended and now - last_line > SECONDS_OF_SILENCE:
            status = description["HyperParameterTuningJobStatus"]
            lines = [f"{status} for {now - begun:.0f} s: {_progress(description, jobs)}"]
        for line in lines:
            print(line)
            last_line = now
        sys.stdout.flush()
        if has_ended:
            return description, jobs
        time.sleep(clients.seconds_between_polls)


def _changes(description: dict[str, Any], jobs: list[Job], statuses: dict[str, str]) -> list[str]:
    """Return a line for each training job that is new or has another status; note the statuses."""
    lines = []
    for job in jobs:
        name, status = job["TrainingJobName"], job["TrainingJobStatus"]
        if statuses.get(name) == status:
            continue
        statuses[name] = status
        line = f"{name} {status}: {_describe_values(job)}"
        if reason := job.get("FailureReason"):
            line += f": {reason}"
        if status in ENDED:
            line += f" ({_progress(description, jobs)})"
        lines.append(line)
    return lines


def _progress(description: dict[str, Any], jobs: list[Job]) -> str:
    ended = sum(job["TrainingJobStatus"] in ENDED for job in jobs)
    limit = description["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxNumberOfTrainingJobs", "?")
    best = next((job for job in ranked(description, jobs) if objective_value(job) is not None), None)
    so_far = f", the best so far {objective_value(best):.6g} of {best['TrainingJobName']}" if best else ""
    return f"{ended} of {limit} training jobs have ended{so_far}"


def _describe_values(job: Job) -> str:
    metric = job.get("FinalHyperParameterTuningJobObjectiveMetric")
    result = [f"{metric['MetricName']} {metric['Value']:.6g}"] if metric else []
    return ", ".join([*result, *(f"{name}={_short(value)}" for name, value in job["TunedHyperParameters"].items())])


def _short(value: str) -> str:
    """Return a number with six digits, and what is none as it is."""
    try:
        return f"{float(value):.6g}" if "." in value else value
    except ValueError:
        return value


def _objective(description: dict[str, Any]) -> dict[str, str]:
    return dict(description["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"])
