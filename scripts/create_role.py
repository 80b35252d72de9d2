"""Print the execution role's ARN: the one given, the caller's own, or the project's, which is made if it is not there.

The project's role may read and write one bucket below one prefix, pull the two images, and write its logs and metrics.

Examples:
    python scripts/create_role.py
    python scripts/create_role.py --bucket my-bucket --prefix mountain-car
    python scripts/create_role.py --role AmazonSageMaker-ExecutionRole-20260101T120000
    python scripts/create_role.py --vpc --kms-key arn:aws:kms:eu-west-1:123456789012:key/1234
    python scripts/create_role.py --dry-run                    # the requests, with trust policy and permissions
"""

import argparse
from collections.abc import Sequence

from launch.aws import roles
from launch.cli import dry_run, errors, options, values
from launch.sagemaker import session


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__, local=False)
    parser.add_argument(
        "--vpc",
        action=argparse.BooleanOptionalAction,
        help="for jobs and endpoints in a VPC (--subnets); default: as it is",
    )
    parser.add_argument(
        "--kms-key", dest="kms_keys", metavar="ARN", action="append", help="a key they use; default: those there are"
    )
    parser.add_argument(
        "--topic",
        dest="topics",
        metavar="ARN",
        action="append",
        type=values.topic,
        help="of SNS, for asynchronous endpoints; default: those there are",
    )
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    existing = roles.execution_role(clients, arguments.role) if arguments.role else roles.callers_role(clients)
    if existing:
        if arguments.dry_run:
            dry_run.print_requests([])
        else:
            print(existing)
        return
    name = roles.project_role_name(clients)
    vpc, keys, topics = roles.optional_permissions(clients, name)
    if arguments.vpc is not None:
        vpc = arguments.vpc
    home = session.home_address(arguments, clients)
    permissions = roles.policy(clients, home, vpc, arguments.kms_keys or keys, arguments.topics or topics)
    requests = roles.requests(clients, name, permissions, arguments.tags)
    if arguments.dry_run:
        dry_run.print_requests(requests)
    else:
        print(roles.create_or_update(clients, name, requests))


if __name__ == "__main__":
    errors.run(main)
