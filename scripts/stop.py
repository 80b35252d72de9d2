"""Stop a training, transform or tuning job: a training job saves its checkpoint and model first, as at SIGTERM.

Examples:
    python scripts/stop.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/stop.py rl-mountain-car-2026-11-23-10-00-00-000000
"""

from collections.abc import Sequence

from launch.cli import dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.sagemaker import job_kinds, session


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", type=values.name, help="the job's name")
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    kind, description = job_kinds.find(clients, arguments.job)
    request = {f"{kind.api_name}Name": arguments.job}
    if arguments.dry_run:
        dry_run.print_requests([(f"Stop{kind.api_name}", request)])
        return
    status = kind.status_of(description)
    if status != "InProgress":
        raise UsageError(f"{kind.title} {arguments.job} is {status}, expected InProgress.")
    getattr(clients.sagemaker, kind.stop)(**request)
    print(f"{kind.title} {arguments.job} is being stopped.")


if __name__ == "__main__":
    errors.run(main)
