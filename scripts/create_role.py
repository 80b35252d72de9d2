"""Print the execution role's ARN: the one given, the caller's own, or the project's, which is made if it is not there.

The project's role may read and write a bucket below a prefix, pull the two images, and write its logs and metrics. What
a run gives is added to what it may already, unless --replace is given; what changes is said on standard error.

Examples:
    python scripts/create_role.py
    python scripts/create_role.py --bucket my-bucket --prefix mountain-car
    python scripts/create_role.py --read s3://data-bucket/cars --read s3://models-bucket
    python scripts/create_role.py --role AmazonSageMaker-ExecutionRole-20260101T120000
    python scripts/create_role.py --vpc --kms-key arn:aws:kms:eu-west-1:123456789012:key/1234
    python scripts/create_role.py --replace --bucket my-bucket --no-vpc    # this, and no more
    python scripts/create_role.py --dry-run                    # the requests, with trust policy and permissions
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence

from launch.aws import roles
from launch.aws.clients import Clients
from launch.aws.role_permissions import Permissions, objects_arn
from launch.cli import dry_run, errors, options, values
from launch.sagemaker import session


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__, local=False)
    parser.add_argument(
        "--read",
        metavar="ADDRESS",
        action="append",
        type=values.s3_address,
        default=[],
        help="s3://bucket/prefix that it reads and does not write; may be given several times",
    )
    parser.add_argument(
        "--vpc",
        action=argparse.BooleanOptionalAction,
        help="for jobs and endpoints in a VPC (--subnets); default: as it is",
    )
    parser.add_argument(
        "--kms-key", dest="kms_keys", metavar="ARN", action="append", type=values.key, default=[], help="a key they use"
    )
    parser.add_argument(
        "--topic",
        dest="topics",
        metavar="ARN",
        action="append",
        type=values.topic,
        default=[],
        help="of SNS, for asynchronous endpoints",
    )
    parser.add_argument("--replace", action="store_true", help="allow what is given and no more; default: add it")
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    existing = roles.execution_role(clients, arguments.role) if arguments.role else roles.callers_role(clients)
    if existing:
        if any((arguments.read, arguments.kms_keys, arguments.topics, arguments.replace, arguments.vpc is not None)):
            print(f"{existing}: is not this project's role, and is left as it is", file=sys.stderr)
        if arguments.dry_run:
            dry_run.print_requests([])
        else:
            print(existing)
        return
    role = roles.Role.find(clients, roles.project_role_name(clients))
    permissions = _permissions(arguments, clients, Permissions.of(role.policy))
    requests, changes = role.update(clients, permissions, arguments.tags)
    for line in [*changes, *([] if requests else ["nothing changes"])]:
        print(f"{role.name}: {line}", file=sys.stderr)
    if arguments.dry_run:
        dry_run.print_requests(requests)
    else:
        print(roles.create_or_update(clients, role.name, requests))


def _permissions(arguments: argparse.Namespace, clients: Clients, present: Permissions) -> Permissions:
    """Return what the flags ask for, added to what the role may already unless it is to be replaced."""
    before = Permissions() if arguments.replace else present
    # A role that has its bucket gets another one only if that is named.
    wants_files = arguments.bucket or arguments.prefix or not before.files
    home = [session.home_address(arguments, clients)] if wants_files else []
    files, read = (
        tuple(objects_arn(clients.partition, address) for address in addresses) for addresses in (home, arguments.read)
    )
    given = Permissions(files, read, tuple(arguments.kms_keys), tuple(arguments.topics), bool(arguments.vpc))
    together = before.and_also(given)
    return together if arguments.vpc is None else dataclasses.replace(together, vpc=arguments.vpc)


if __name__ == "__main__":
    errors.run(main)
