"""Logs in CloudWatch: the lines that a job, an endpoint or a build has printed.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from launch.aws import errors as aws_errors
from launch.aws import paging
from launch.aws.clients import Clients

TRAINING_JOBS, TRANSFORM_JOBS = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs"
ENDPOINTS = "/aws/sagemaker/Endpoints"
LAST_LINES = 15
"""Of a log, which an error message quotes."""
READS_AFTER_THE_END = 20
"""At most, of a log that should have ended: another container may go on printing into it."""
EMPTY_PAGES = 100
"""So many in a row count as the end of a stream, until the next read."""


class Log:
    """The log of a job, an endpoint or a build, read as it grows; ``last`` has its last lines.

    Args:
        clients: give the client of CloudWatch Logs.
        group: the log group.
        prefix: of the streams' names: for a job its name and a slash; empty for all streams.
        since: streams created before it are left out: an endpoint's group keeps the streams of earlier endpoints.
        lines_since: so are lines that were printed before this.
    """

    def __init__(
        self,
        clients: Clients,
        group: str,
        prefix: str,
        since: datetime | None = None,
        lines_since: datetime | None = None,
    ) -> None:
        self._clients = clients
        self._logs = clients.logs
        self._group = group
        self._prefix = prefix
        self._since = since
        self._selection = {"startTime": int(1000 * lines_since.timestamp())} if lines_since else {}
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

    def read_rest(self) -> Iterator[str]:
        """Yield the lines that arrive after the end of what has printed them, until no more do."""
        for _ in range(READS_AFTER_THE_END):
            time.sleep(self._clients.seconds_that_logs_lag)
            lines = self.read()
            if not lines:
                return
            yield from lines

    def _streams(self) -> list[str]:
        selection = {"logStreamNamePrefix": self._prefix} if self._prefix else {}
        pages = paging.entries(
            self._logs.describe_log_streams, "logStreams", "nextToken", logGroupName=self._group, **selection
        )
        try:
            streams = list(pages)
        except ClientError as error:
            if aws_errors.is_not_found(error):  # nothing has been logged yet
                return []
            raise
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
                logGroupName=self._group, logStreamName=stream, startFromHead=True, **self._selection, **start
            )
            events += [(int(event.get("timestamp", 0)), str(event["message"]).rstrip("\n")) for event in page["events"]]
            self._tokens[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token:
                break
            empty = 0 if page["events"] else empty + 1
        return events


def tail(clients: Clients, group: str, prefix: str, since: datetime | None = None) -> list[str]:
    """Return the last lines of the log of a job or an endpoint that failed; none if they cannot be read.

    The job may have failed just now: what it printed last is waited for.
    """
    log = Log(clients, group, prefix, since)
    with contextlib.suppress(ClientError, BotoCoreError):
        log.read()
        for _ in log.read_rest():
            pass
    return list(log.last)
