"""Print the execution role's ARN: the one given, the caller's own, or the project's, which is made if it is not there.

The project's role may read and write one bucket below one prefix, pull the two images, and write its logs and metrics.

Examples:
    scripts/create_role.py
    scripts/create_role.py --bucket my-bucket --prefix mountain-car
    scripts/create_role.py --role AmazonSageMaker-ExecutionRole-20260101T120000
    scripts/create_role.py --dry-run                    # the requests, with trust policy and permissions
"""

from launch import errors, options, roles


def main() -> None:
    arguments = options.parser(__doc__, local=False).parse_args()
    clients = options.clients(arguments)
    existing = roles.execution_role(clients, arguments.role) if arguments.role else roles.callers_role(clients)
    name, home = roles.own_role_name(clients), options.home(arguments, clients)
    if arguments.dry_run:
        options.print_requests([] if existing else roles.requests(clients, name, home, arguments.tags))
        return
    print(existing or roles.make(clients, name, home, arguments.tags))


if __name__ == "__main__":
    errors.run(main)
