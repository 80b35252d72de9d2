"""Print the execution role's ARN: the one given, the caller's own, or the project's, which is made if it is not there.

The project's role may read and write one bucket below one prefix, pull the two images, and write its logs and metrics.

Examples:
    python scripts/create_role.py
    python scripts/create_role.py --bucket my-bucket --prefix mountain-car
    python scripts/create_role.py --role AmazonSageMaker-ExecutionRole-20260101T120000
    python scripts/create_role.py --vpc --kms-key arn:aws:kms:eu-west-1:123456789012:key/1234
    python scripts/create_role.py --dry-run                    # the requests, with trust policy and permissions
"""

from collections.abc import Sequence

from launch import errors, options, roles


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__, local=False)
    parser.add_argument("--vpc", action="store_true", help="for jobs and endpoints in a VPC (--subnets)")
    parser.add_argument("--kms-key", dest="kms_keys", metavar="ARN", action="append", default=[], help="a key they use")
    arguments = parser.parse_args(command_line)
    clients = options.clients(arguments)
    existing = roles.execution_role(clients, arguments.role) if arguments.role else roles.callers_role(clients)
    if existing:
        options.print_requests([]) if arguments.dry_run else print(existing)
        return
    name = roles.own_role_name(clients)
    permissions = roles.policy(clients, options.home(arguments, clients), arguments.vpc, arguments.kms_keys)
    requests = roles.requests(clients, name, permissions, arguments.tags)
    if arguments.dry_run:
        options.print_requests(requests)
    else:
        print(roles.make(clients, name, requests))


if __name__ == "__main__":
    errors.run(main)
