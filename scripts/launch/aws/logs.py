"""Logs in CloudWatch: the lines that a job, an endpoint or a build has printed.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

import time
from collections import deque
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients

TRAINING_JOBS, TRANSFORM_JOBS = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs"
ENDPOINTS = "/aws/sagemaker/Endpoints"
LAST_LINES = 15
"""Of a log, which an error message quotes."""
EMPTY_PAGES = 100
"""So many in a row count as the end of a stream, until the next read."""


class Log:
    """The log of a job, an endpoint or a build, read as it grows; ``last`` has its last lines.

    Args:
        clients: give the client of CloudWatch Logs.
        group: the log group.
        prefix: of the streams' names: for a job its name and a slash; empty for all streams.
        since: streams created before it are left out: an endpoint's group keeps the streams of earlier endpoints.
    """

    def __init__(self, clients: Clients, group: str, prefix: str, since: datetime | None = None) -> None:
        self._logs = clients.logs
        self._group = group
        self._prefix = prefix
        self._since = since
        self._tokens: dict[str, str] = {}
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def read(self) -> list[str]:
        """Return the new lines; of several streams, in the order of time, each line after its stream's name."""
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
        selection = {"logStreamNamePrefix": self._prefix} if self._prefix else {}
        streams: list[dict[str, Any]] = []
        next_page: dict[str, str] = {}
        while True:
            try:
                page = self._logs.describe_log_streams(logGroupName=self._group, **selection, **next_page)
            except ClientError as error:
                if aws_errors.is_not_found(error):  # nothing has been logged yet
                    return []
                raise
            streams += page["logStreams"]
            if not page.get("nextToken"):
                break
            next_page = {"nextToken": page["nextToken"]}
        earliest = int(1000 * self._since.timestamp()) if self._since else 0
        return [stream["logStreamName"] for stream in streams if stream.get("creationTime", earliest) >= earliest]

    def _read_stream(self, stream: str) -> list[tuple[int, str]]:
        """Return the time, in ms since 1970, and the text of each new line.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html: an empty page is
        not the end; the same token again is.
        """
        events: list[tuple[int, str]] = []
        empty = 0
        while empty < EMPTY_PAGES:
            token = self._tokens.get(stream)
            start = {"nextToken": token} if token else {}
            page = self._logs.get_log_events(
                logGroupName=self._group, logStreamName=stream, startFromHead=True, **start
            )
            events += [(int(event.get("timestamp", 0)), str(event["message"]).rstrip("\n")) for event in page["events"]]
            self._tokens[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token:
                break
            empty = 0 if page["events"] else empty + 1
        return events


def tail(clients: Clients, group: str, prefix: str, since: datetime | None = None) -> list[str]:
    """Return the last lines of the log of a job or an endpoint that failed; none if they cannot be read."""
    time.sleep(clients.seconds_that_logs_lag)
    log = Log(clients, group, prefix, since)
    try:
        log.read()
    except (ClientError, BotoCoreError):
        return []
    return list(log.last)
