"""The logs of jobs and endpoints: which streams are whose, the latest job, and a tuning job's log."""

from datetime import datetime
from typing import Any

from launch import project
from launch.aws import logs, paging
from launch.aws.clients import Clients
from launch.aws.logs import Log
from launch.cli.errors import UsageError
from launch.sagemaker import endpoints
from launch.sagemaker.job_kinds import ENDPOINT, TRAINING, TRANSFORM, TUNING, Kind

GROUPS = {TRAINING: logs.TRAINING_JOBS, TRANSFORM: logs.TRANSFORM_JOBS}
"""The log groups of jobs that have streams of their own."""
LATEST_JOBS: dict[str, Any] = {
    "NameContains": project.BASE_NAME,
    "SortBy": "CreationTime",
    "SortOrder": "Descending",
}
"""The ListTrainingJobs request whose first job is the project's latest."""


def streams(kind: Kind, name: str) -> tuple[str, str]:
    """Return the log group of a job or an endpoint, and the prefix of its streams' names."""
    return (f"{logs.ENDPOINTS}/{name}", "") if kind == ENDPOINT else (GROUPS[kind], f"{name}/")


def open_log(clients: Clients, kind: Kind, name: str, lines_since: datetime | None = None) -> Log:
    """Return the log of a job or an endpoint.

    Args:
        clients: of the account and the region.
        kind: of the job.
        name: its name.
        lines_since: lines that were printed before it are left out.
    """
    if kind == TUNING:
        return TuningLog(clients, name, lines_since)
    # An endpoint's group also has the logs of earlier endpoints of its name.
    endpoint = endpoints.describe(clients, name) if kind == ENDPOINT else None
    return Log(clients, *streams(kind, name), endpoint["CreationTime"] if endpoint else None, lines_since)


class TuningLog(Log):
    """The log of a tuning job: the lines of its training jobs, each after the job's name.

    Args:
        clients: of the account and the region.
        tuning_job: its name.
        lines_since: see ``Log``.
    """

    def __init__(self, clients: Clients, tuning_job: str, lines_since: datetime | None = None) -> None:
        super().__init__(clients, logs.TRAINING_JOBS, f"{tuning_job}-", lines_since=lines_since)
        self._tuning_job = tuning_job
        self._lines_since = lines_since
        self._jobs: dict[str, Log] = {}

    def read(self) -> list[str]:
        """Return the new lines, job by job; a job's name is given without the tuning job's, with which it begins."""
        summaries = paging.entries(
            self._clients.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job,
            "TrainingJobSummaries",
            HyperParameterTuningJobName=self._tuning_job,
            SortBy="CreationTime",
            SortOrder="Ascending",
        )
        lines = []
        for name in [summary["TrainingJobName"] for summary in summaries]:
            if name not in self._jobs:
                self._jobs[name] = open_log(self._clients, TRAINING, name, self._lines_since)
            label = name.removeprefix(f"{self._tuning_job}-")
            lines += [f"[{label}] {line}" for line in self._jobs[name].read()]
        self.last.extend(lines)
        return lines


def latest_job(clients: Clients) -> str:
    """Return the name of the training job of this project that was created last.

    Raises:
        UsageError: There is none.
    """
    jobs = paging.entries(clients.sagemaker.list_training_jobs, "TrainingJobSummaries", **LATEST_JOBS)
    for name in (str(job["TrainingJobName"]) for job in jobs):
        if name.startswith(project.BASE_NAME):
            return name
    raise UsageError(f"There is no training job whose name begins with {project.BASE_NAME}{clients.where}.")
