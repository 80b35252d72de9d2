"""Logs in CloudWatch: what a job, an endpoint or a build prints.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

from collections import deque

from botocore.exceptions import ClientError

from launch import aws

TRAINING_JOBS, TRANSFORM_JOBS = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs"
ENDPOINTS = "/aws/sagemaker/Endpoints"
LAST_LINES = 15
"""Of what failed: they say why."""


class Log:
    """The log of a job, an endpoint or a build, read as it grows; ``last`` has its last lines.

    Args:
        clients: whose logs.
        group: of CloudWatch.
        prefix: of the streams' names: of a job its name and a slash; empty for all of them.
    """

    def __init__(self, clients: aws.Clients, group: str, prefix: str) -> None:
        self._logs = clients.logs
        self._group = group
        self._prefix = prefix
        self._tokens: dict[str, str] = {}
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def read(self) -> list[str]:
        """Return the lines that are new; with several containers each after its stream's name."""
        try:
            below = {"logStreamNamePrefix": self._prefix} if self._prefix else {}
            found = self._logs.describe_log_streams(logGroupName=self._group, **below)
        except ClientError as error:
            if aws.is_not_found(error):  # nothing has been logged yet
                return []
            raise
        streams = [stream["logStreamName"] for stream in found["logStreams"]]
        lines = []
        for stream in streams:
            label = f"[{stream.rpartition('/')[2][:12]}] " if len(streams) > 1 else ""
            lines += [label + line for line in self._read_stream(stream)]
        self.last.extend(lines)
        return lines

    def _read_stream(self, stream: str) -> list[str]:
        lines: list[str] = []
        while True:
            token = self._tokens.get(stream)
            more = {"nextToken": token} if token else {}
            page = self._logs.get_log_events(logGroupName=self._group, logStreamName=stream, startFromHead=True, **more)
            lines += [str(event["message"]).rstrip("\n") for event in page["events"]]
            self._tokens[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token or not page["events"]:
                return lines
