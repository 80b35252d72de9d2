"""Stop a training or transform job: a training job saves its checkpoint and model first, as at SIGTERM.

Examples:
    python scripts/stop.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/stop.py rl-mountain-car-2026-11-23-10-00-00-000000
"""

from collections.abc import Sequence

from launch.aws import clients as aws
from launch.cli import errors, options
from launch.cli.errors import UsageError


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", type=options.name, help="the job's name")
    arguments = parser.parse_args(command_line)
    clients = options.clients(arguments)
    kind, status = find(clients, arguments.job)
    if arguments.dry_run:
        options.print_requests([(f"Stop{kind.title()}Job", {f"{kind.title()}JobName": arguments.job})])
        return
    if status != "InProgress":
        raise UsageError(f"{kind.title()} job {arguments.job} is {status}, expected InProgress.")
    if kind == "training":
        clients.sagemaker.stop_training_job(TrainingJobName=arguments.job)
    else:
        clients.sagemaker.stop_transform_job(TransformJobName=arguments.job)
    print(f"{kind.title()} job {arguments.job} is being stopped.")


def find(clients: aws.Clients, job: str) -> tuple[str, str]:
    """Return which of the two kinds of job it is, and its status.

    Raises:
        UsageError: There is none of that name.
    """
    if training := aws.found(clients.sagemaker.describe_training_job, TrainingJobName=job):
        return "training", training["TrainingJobStatus"]
    if transform := aws.found(clients.sagemaker.describe_transform_job, TransformJobName=job):
        return "transform", transform["TransformJobStatus"]
    raise UsageError(f"There is no training or transform job {job!r}{clients.where}.")


if __name__ == "__main__":
    errors.run(main)
