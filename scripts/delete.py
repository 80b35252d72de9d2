"""Delete an endpoint and what belongs to it: configuration, models, scaling target. Shows what, and asks.

Examples:
    python scripts/delete.py --local
    python scripts/delete.py --endpoint-name rl-mountain-car --yes
    python scripts/delete.py --dry-run
"""

from collections.abc import Sequence

from launch.cli import confirmation, dry_run, errors, options
from launch.sagemaker import endpoint_resources, session


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    options.add_endpoint_name(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    existing = endpoint_resources.find(clients, arguments.endpoint_name)
    if arguments.dry_run:
        dry_run.print_requests([endpoint_resources.DELETE_REQUESTS[kind](name) for kind, name in existing])
        return
    if not existing:
        print(f"There is nothing left of {arguments.endpoint_name}{clients.where}")
        return
    print(f"Of {arguments.endpoint_name}{clients.where} there is:")
    for kind, name in existing:
        print(f"  {kind} {name}")
    if not arguments.yes and not confirmation.ask_to_delete():
        print("Nothing was deleted.")
        return
    for kind, name in existing:
        existed = endpoint_resources.delete(clients, endpoint_resources.EndpointResource(kind, name))
        print(f"Deleted {kind} {name}" if existed else f"There is no {kind} {name} any more", flush=True)


if __name__ == "__main__":
    errors.run(main)
