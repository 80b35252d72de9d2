"""Print the log of a training job, or of an endpoint.

Examples:
    python scripts/logs.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/logs.py --endpoint-name rl-mountain-car
"""

from launch import endpoints, errors, options, training_jobs
from launch.errors import UsageError
from launch.logs import Log


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", nargs="?", type=options.name, help="a training job's name")
    parser.add_argument("--endpoint-name", type=options.name, help="the endpoint's log instead")
    arguments = parser.parse_args()
    if bool(arguments.job) == bool(arguments.endpoint_name):
        raise UsageError("Expected a training job's name, or --endpoint-name.")
    clients = options.clients(arguments)
    if arguments.job:
        group, prefix = training_jobs.LOG_GROUP, f"{arguments.job}/"
    else:
        group, prefix = f"{endpoints.LOG_GROUP}/{arguments.endpoint_name}", ""
    if arguments.dry_run:
        options.print_requests([("DescribeLogStreams", {"logGroupName": group, "logStreamNamePrefix": prefix})])
        return
    lines = Log(clients, group, prefix).read()
    if not lines:
        raise UsageError(f"There is no log of {arguments.job or arguments.endpoint_name}{clients.where}.")
    print("\n".join(lines))


if __name__ == "__main__":
    errors.run(main)
