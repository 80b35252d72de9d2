"""Print the log of a training, transform or tuning job, or of an endpoint; by default of the latest training job.

With --follow it goes on until the job ends, shows its changes of status and its results, and ends as train.py --wait.
A tuning job's log is that of its training jobs.

Examples:
    python scripts/logs.py --local
    python scripts/logs.py --follow --tail 20
    python scripts/logs.py --since 10m rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/logs.py --endpoint-name rl-mountain-car --since 2026-11-23T10:00
"""

import argparse
import sys
from collections.abc import Sequence

from launch.aws.clients import Clients
from launch.cli import bounds, dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.sagemaker import following, job_kinds, job_logs, session
from launch.sagemaker.job_kinds import ENDPOINT, TUNING


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", nargs="?", type=values.name, help="a job's name")
    parser.add_argument("--endpoint-name", type=values.name, help="the endpoint's log instead")
    parser.add_argument("--follow", action="store_true", help="go on until the job ends, or until Ctrl-C")
    bounds.add_number(parser, "--tail", "the last lines alone", unit="LINES")
    parser.add_argument(
        "--since", type=values.moment, metavar="TIME", help="only later lines: 90s, 10m, 1h, 2d, or an ISO 8601 time"
    )
    arguments = parser.parse_args(command_line)
    if arguments.job and arguments.endpoint_name:
        raise UsageError("Expected a job's name or --endpoint-name, not both.")
    clients = session.connect(arguments)
    if arguments.dry_run:
        dry_run.print_requests(_requests(arguments))
        return
    if not (arguments.job or arguments.endpoint_name):
        arguments.job = job_logs.latest_job(clients)
        print(f"The latest training job is {arguments.job}", file=sys.stderr, flush=True)
    if arguments.follow:
        name = arguments.endpoint_name or arguments.job
        kind = ENDPOINT if arguments.endpoint_name else job_kinds.find(clients, name)[0]
        log = job_logs.open_log(clients, kind, name, arguments.since)
        following.follow_to_end(clients, kind, name, log, arguments.tail)
    else:
        lines = _lines(arguments, clients)
        passed_over = 0 if arguments.tail is None else max(0, len(lines) - arguments.tail)
        print("".join(f"{line}\n" for line in lines[passed_over:]), end="")


def _requests(arguments: argparse.Namespace) -> list[dry_run.Request]:
    if arguments.endpoint_name:
        streams = [job_logs.streams(ENDPOINT, arguments.endpoint_name)]
    elif arguments.job:
        streams = [job_logs.streams(kind, arguments.job) for kind in job_logs.GROUPS]
    else:
        return [("ListTrainingJobs", job_logs.LATEST_JOBS)]
    return [("DescribeLogStreams", {"logGroupName": group, "logStreamNamePrefix": prefix}) for group, prefix in streams]


def _lines(arguments: argparse.Namespace, clients: Clients) -> list[str]:
    """Return the log as it is now.

    Raises:
        UsageError: There is none.
    """
    kinds = [ENDPOINT] if arguments.endpoint_name else list(job_logs.GROUPS)
    name = arguments.endpoint_name or arguments.job
    logs = [job_logs.open_log(clients, kind, name, arguments.since) for kind in kinds]
    lines = [line for log in logs for line in log.read()]
    if not lines and arguments.job and job_kinds.describe(clients, TUNING, name):
        lines = job_logs.open_log(clients, TUNING, name, arguments.since).read()
    if not lines:
        since = f" since {arguments.since:%Y-%m-%d %H:%M:%S %z}" if arguments.since else ""
        raise UsageError(f"There is no log of {name}{since}{clients.where}.")
    return lines


if __name__ == "__main__":
    errors.run(main)
