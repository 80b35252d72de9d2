"""Delete an endpoint and what belongs to it: configuration, models, scaling target, alarms. Shows what, and asks.

With --target-model it removes one model from a multi-model endpoint, which serves the others.

Examples:
    python scripts/delete.py --local
    python scripts/delete.py --endpoint-name rl-mountain-car --yes
    python scripts/delete.py --endpoint-name cars --target-model my-car
    python scripts/delete.py --dry-run
"""

import argparse
from collections.abc import Sequence

from launch.aws.clients import Clients
from launch.aws.storage import Storage, split
from launch.cli import confirmation, dry_run, errors, options
from launch.sagemaker import endpoint_resources, multi_model, session


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    options.add_endpoint_name(parser)
    parser.add_argument(
        "--target-model", type=multi_model.target, metavar="NAME", help="only this model of a multi-model endpoint"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    if arguments.target_model:
        _delete_model(arguments, clients)
        return
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


def _delete_model(arguments: argparse.Namespace, clients: Clients) -> None:
    """Delete one model of a multi-model endpoint."""
    endpoint, model = arguments.endpoint_name, arguments.target_model
    address = multi_model.require_model(clients, endpoint, model)
    if arguments.dry_run:
        _, bucket, key = split(address)
        dry_run.print_requests([("DeleteObject", {"Bucket": bucket, "Key": key})])
        return
    print(f"Of {endpoint}{clients.where} this is deleted:\n  {address}")
    if not arguments.yes and not confirmation.ask_to_delete():
        print("Nothing was deleted.")
        return
    Storage(clients).delete(address)
    print(f"Deleted {model}; instances that have loaded it may answer by it for a while")


if __name__ == "__main__":
    errors.run(main)
