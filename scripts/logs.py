"""Print the log of a training or transform job, or of an endpoint.

Examples:
    python scripts/logs.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/logs.py --endpoint-name rl-mountain-car
"""

from collections.abc import Sequence

from launch.aws import logs
from launch.cli import dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.sagemaker import endpoints, session


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", nargs="?", type=values.name, help="a job's name")
    parser.add_argument("--endpoint-name", type=values.name, help="the endpoint's log instead")
    arguments = parser.parse_args(command_line)
    if bool(arguments.job) == bool(arguments.endpoint_name):
        raise UsageError("Expected a job's name, or --endpoint-name.")
    clients = session.connect(arguments)
    if arguments.job:
        streams = [(group, f"{arguments.job}/") for group in (logs.TRAINING_JOBS, logs.TRANSFORM_JOBS)]
    else:
        streams = [(f"{logs.ENDPOINTS}/{arguments.endpoint_name}", "")]
    if arguments.dry_run:
        requests = [{"logGroupName": group, "logStreamNamePrefix": prefix} for group, prefix in streams]
        dry_run.print_requests([("DescribeLogStreams", request) for request in requests])
        return
    # An endpoint's group also has the logs of earlier endpoints of its name.
    endpoint = endpoints.describe(clients, arguments.endpoint_name) if arguments.endpoint_name else None
    since = endpoint["CreationTime"] if endpoint else None
    lines = [line for group, prefix in streams for line in logs.Log(clients, group, prefix, since).read()]
    if not lines:
        raise UsageError(f"There is no log of {arguments.job or arguments.endpoint_name}{clients.where}.")
    print("\n".join(lines))


if __name__ == "__main__":
    errors.run(main)
