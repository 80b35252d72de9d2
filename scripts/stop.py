"""Stop a training, tuning or transform job: a training job saves its checkpoint and model first, as at SIGTERM.

Examples:
    python scripts/stop.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/stop.py rl-mountain-car-2026-11-23-10-00-00-000000
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from launch.aws import errors as aws_errors
from launch.aws.clients import Clients
from launch.cli import dry_run, errors, options, values
from launch.cli.errors import UsageError
from launch.sagemaker import session


class JobKind(NamedTuple):
    """A kind of job: its name in the output, its name in the API, and the methods of the client."""

    title: str
    api_name: str
    describe: str
    stop: str


KINDS = (
    JobKind("Training job", "TrainingJob", "describe_training_job", "stop_training_job"),
    JobKind(
        "Tuning job",
        "HyperParameterTuningJob",
        "describe_hyper_parameter_tuning_job",
        "stop_hyper_parameter_tuning_job",
    ),
    JobKind("Transform job", "TransformJob", "describe_transform_job", "stop_transform_job"),
)


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", type=values.name, help="the job's name")
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    kind, description = find(clients, arguments.job)
    request = {f"{kind.api_name}Name": arguments.job}
    if arguments.dry_run:
        dry_run.print_requests([(f"Stop{kind.api_name}", request)])
        return
    status = description[f"{kind.api_name}Status"]
    if status != "InProgress":
        raise UsageError(f"{kind.title} {arguments.job} is {status}, expected InProgress.")
    getattr(clients.sagemaker, kind.stop)(**request)
    print(f"{kind.title} {arguments.job} is being stopped.")


def find(clients: Clients, job: str) -> tuple[JobKind, dict[str, Any]]:
    """Return which kind of job it is, and its description.

    Raises:
        UsageError: There is none of that name.
    """
    for kind in KINDS:
        describe = getattr(clients.sagemaker, kind.describe)
        if description := aws_errors.describe_if_exists(describe, **{f"{kind.api_name}Name": job}):
            return kind, description
    raise UsageError(f"There is no training, tuning or transform job {job!r}{clients.where}.")


if __name__ == "__main__":
    errors.run(main)
