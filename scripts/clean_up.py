"""Remove all that these scripts have made in a region of an account. Shows what, and asks.

That is endpoints with what belongs to them, model packages, experiments, images and their repositories, CodeBuild's
stack, logs, files in S3, the bucket if the scripts have made it and nothing else is in it, and the role. It is told by
the project's tag and names: docs/aws.md. What cannot be looked for or removed is said, and the rest goes on. Nothing
can be undone.

Examples:
    python scripts/clean_up.py --dry-run
    python scripts/clean_up.py
    python scripts/clean_up.py --bucket my-bucket --prefix mountain-car --yes     # all files below this prefix
"""

import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError
from launch.aws import builds
from launch.aws import errors as aws_errors
from launch.cli import confirmation, dry_run, errors, options, values
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for
from launch.sagemaker import leftovers, session
from launch.sagemaker.leftovers import Leftover, Scope

REFUSED = (ClientError, BotoCoreError, JobFailed, UsageError)


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__, local=False)
    parser.add_argument("--stack-name", default=builds.DEFAULT_STACK, help="of CodeBuild's stack (%(default)s)")
    parser.add_argument(
        "--endpoint-name",
        dest="endpoints",
        metavar="NAME",
        action="append",
        type=values.name,
        default=[],
        help="one of another name than the project's that is gone, and has left logs and files; may be repeated",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    home = session.home_address(arguments, clients).rstrip("/")
    found, unknown = _find(Scope(clients, home, arguments.stack_name, arguments.endpoints))
    if arguments.dry_run:
        dry_run.print_requests([request for leftover in found for request in leftover.requests])
    elif found:
        print(f"Of this project there is{clients.where}:")
        for leftover in found:
            print(f"  {leftover.name}")
        if not arguments.yes and not confirmation.ask_to_delete():
            print("Nothing was deleted.")
            return
        unknown += _delete(found)
    elif not unknown:
        print(f"There is nothing left of this project{clients.where}")
    if unknown:
        raise JobFailed(f"There may be more left: {', '.join(unknown)}.")


def _find(scope: Scope) -> tuple[list[Leftover], list[str]]:
    """Return what there is, and the kinds that could not be looked for."""
    found: list[Leftover] = []
    unknown = []
    for kind, find in leftovers.FINDERS.items():
        try:
            with waiting_for(f"a list of {kind}"):
                found += find(scope)
        except REFUSED as error:
            print(f"Could not look for {kind}: {aws_errors.explain(error) or error}", file=sys.stderr, flush=True)
            unknown.append(kind)
    return found, unknown


def _delete(found: list[Leftover]) -> list[str]:
    """Delete what was found; return the names of what is left."""
    left = []
    for leftover in found:
        try:
            with waiting_for(f"the deletion of {leftover.name}"):
                leftover.delete()
            print(f"Deleted {leftover.name}", flush=True)
        except REFUSED as error:
            if isinstance(error, ClientError) and aws_errors.is_not_found(error):
                print(f"There is no {leftover.name} any more", flush=True)
                continue
            if isinstance(error, ClientError) and aws_errors.code_of(error) == "BucketNotEmpty":
                print(f"Left {leftover.name}: it is not", flush=True)
                continue
            print(f"Left {leftover.name}: {aws_errors.explain(error) or error}", file=sys.stderr, flush=True)
            left.append(leftover.name)
    return left


if __name__ == "__main__":
    errors.run(main)
