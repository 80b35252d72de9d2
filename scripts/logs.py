"""Print the log of a training or transform job, or of an endpoint.

Examples:
    python scripts/logs.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/logs.py --endpoint-name rl-mountain-car
"""

from collections.abc import Sequence

from launch.aws import logs
from launch.cli import errors, options
from launch.cli.errors import UsageError
from launch.sagemaker import endpoints


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", nargs="?", type=options.name, help="a job's name")
    parser.add_argument("--endpoint-name", type=options.name, help="the endpoint's log instead")
    arguments = parser.parse_args(command_line)
    if bool(arguments.job) == bool(arguments.endpoint_name):
        raise UsageError("Expected a job's name, or --endpoint-name.")
    clients = options.clients(arguments)
    if arguments.job:
        places = [(group, f"{arguments.job}/") for group in (logs.TRAINING_JOBS, logs.TRANSFORM_JOBS)]
    else:
        places = [(f"{logs.ENDPOINTS}/{arguments.endpoint_name}", "")]
    if arguments.dry_run:
        requests = [{"logGroupName": group, "logStreamNamePrefix": prefix} for group, prefix in places]
        options.print_requests([("DescribeLogStreams", request) for request in requests])
        return
    # an endpoint's group also has what others of its name have printed before it
    standing = endpoints.describe(clients, arguments.endpoint_name) if arguments.endpoint_name else None
    since = standing["CreationTime"] if standing else None
    lines = [line for group, prefix in places for line in logs.Log(clients, group, prefix, since).read()]
    if not lines:
        raise UsageError(f"There is no log of {arguments.job or arguments.endpoint_name}{clients.where}.")
    print("\n".join(lines))


if __name__ == "__main__":
    errors.run(main)
