"""Logs in CloudWatch: what a job, an endpoint or a build prints.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

import time
from collections import deque
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from launch.aws import clients as aws

TRAINING_JOBS, TRANSFORM_JOBS = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs"
ENDPOINTS = "/aws/sagemaker/Endpoints"
LAST_LINES = 15
"""Of what failed: they say why."""
EMPTY_PAGES = 100
"""So many in a row are taken for the end of a stream, until it is read again."""


class Log:
    """The log of a job, an endpoint or a build, read as it grows; ``last`` has its last lines.

    Args:
        clients: whose logs.
        group: of CloudWatch.
        prefix: of the streams' names: of a job its name and a slash; empty for all of them.
        since: of which moment and after it the streams are: an endpoint's group outlives it, with all its streams.
    """

    def __init__(self, clients: aws.Clients, group: str, prefix: str, since: datetime | None = None) -> None:
        self._logs = clients.logs
        self._group = group
        self._prefix = prefix
        self._since = since
        self._tokens: dict[str, str] = {}
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def read(self) -> list[str]:
        """Return the lines that are new; with several containers by their time, each after its stream's name."""
        streams = self._streams()
        events: list[tuple[int, str]] = []
        for stream in streams:
            label = f"[{stream.rpartition('/')[2][:12]}] " if len(streams) > 1 else ""
            events += [(moment, label + line) for moment, line in self._read_stream(stream)]
        if len(streams) > 1:
            events.sort(key=lambda event: event[0])
        lines = [line for _, line in events]
        self.last.extend(lines)
        return lines

    def _streams(self) -> list[str]:
        below = {"logStreamNamePrefix": self._prefix} if self._prefix else {}
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            try:
                page = self._logs.describe_log_streams(logGroupName=self._group, **below, **more)
            except ClientError as error:
                if aws.is_not_found(error):  # nothing has been logged yet
                    return []
                raise
            found += page["logStreams"]
            if not page.get("nextToken"):
                break
            more = {"nextToken": page["nextToken"]}
        earliest = int(1000 * self._since.timestamp()) if self._since else 0
        return [each["logStreamName"] for each in found if each.get("creationTime", earliest) >= earliest]

    def _read_stream(self, stream: str) -> list[tuple[int, str]]:
        """Return time and text of each new line.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html: an empty page is
        not the end, a token that comes back is.
        """
        events: list[tuple[int, str]] = []
        empty = 0
        while empty < EMPTY_PAGES:
            token = self._tokens.get(stream)
            more = {"nextToken": token} if token else {}
            page = self._logs.get_log_events(logGroupName=self._group, logStreamName=stream, startFromHead=True, **more)
            events += [(int(event.get("timestamp", 0)), str(event["message"]).rstrip("\n")) for event in page["events"]]
            self._tokens[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token:
                break
            empty = 0 if page["events"] else empty + 1
        return events


def tail(clients: aws.Clients, group: str, prefix: str, since: datetime | None = None) -> list[str]:
    """Return the last lines of what has ended; none if they cannot be read: they are not what went wrong."""
    time.sleep(clients.seconds_that_logs_lag)
    log = Log(clients, group, prefix, since)
    try:
        log.read()
    except (ClientError, BotoCoreError):
        return []
    return list(log.last)
