"""The methods of boto3's ``logs`` client that the scripts use, on the logs of this machine's jobs and endpoints."""

import time
from typing import Any

from launch.aws import logs
from launch.local import records, servers
from launch.local.errors import LocalError
from launch.local.records import ENDPOINTS, TRAINING_JOBS, TRANSFORM_JOBS, JobKind

JOB_GROUPS: dict[str, JobKind] = {logs.TRAINING_JOBS: TRAINING_JOBS, logs.TRANSFORM_JOBS: TRANSFORM_JOBS}
"""Log groups of jobs. An endpoint has a group of its own, ``/aws/sagemaker/Endpoints/NAME``."""
STREAM_OF_VERSION = "AllTraffic/version-"


class LocalLogs:
    """Reads logs as streams of events: a job has one for each host, an endpoint one for each deployment."""

    def describe_log_streams(self, logGroupName: str, logStreamNamePrefix: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if endpoint := _endpoint_of(logGroupName):
            streams = [f"{STREAM_OF_VERSION}{version}" for version in _deployment_logs(endpoint)]
        else:
            job = logStreamNamePrefix.partition("/")[0]
            files = (records.folder_of(JOB_GROUPS[logGroupName], job) / "logs").glob("*.log")
            streams = [f"{job}/{file.stem}" for file in sorted(files)]
        return {"logStreams": [{"logStreamName": stream} for stream in streams]}

    def get_log_events(
        self,
        logGroupName: str,  # noqa: N803
        logStreamName: str,  # noqa: N803
        nextToken: str = "0",  # noqa: N803
        startTime: int | None = None,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        """Return the whole lines after the token, which is a number of bytes.

        Raises:
            LocalError: They are to be selected by their time.
        """
        if startTime is not None:
            message = "the lines of a log of this machine have no times, expected no startTime (--since)"
            raise LocalError("GetLogEvents", "ValidationException", message)
        if endpoint := _endpoint_of(logGroupName):
            lines = _deployment_logs(endpoint).get(int(logStreamName.removeprefix(STREAM_OF_VERSION)), [])
            content = "".join(f"{line}\n" for line in lines).encode()
        else:
            job, _slash, host = logStreamName.partition("/")
            content = (records.folder_of(JOB_GROUPS[logGroupName], job) / "logs" / f"{host}.log").read_bytes()
        start = int(nextToken)
        end = content.rfind(b"\n") + 1  # a line that is still being written comes with the next call
        lines = content[start:end].decode("utf-8", "replace").splitlines()
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
        return {"events": events, "nextForwardToken": str(max(start, end))}


def _endpoint_of(group: str) -> str:
    """Return the name of the endpoint whose log group it is; nothing if it is a group of jobs."""
    return group.removeprefix(f"{logs.ENDPOINTS}/") if group.startswith(f"{logs.ENDPOINTS}/") else ""


def _deployment_logs(endpoint: str) -> dict[int, list[str]]:
    """Return the log of each version: of what serves, of what is being started, and of what failed last."""
    record = records.read(ENDPOINTS, endpoint)
    if record is None:
        return {}
    started = [deployment for deployment in (record.serving, record.next) if deployment and deployment.url]
    logs_by_version = {deployment.version: servers.log_lines(deployment) for deployment in started}
    if record.failed:
        logs_by_version[record.failed.version] = record.failed.lines
    return logs_by_version
