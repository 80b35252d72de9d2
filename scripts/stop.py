"""Stop a training job: it saves its checkpoint and model first, as at SIGTERM.

Examples:
    python scripts/stop.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/stop.py rl-mountain-car-2026-11-23-10-00-00-000000
"""

from launch import errors, options, training_jobs
from launch.errors import UsageError


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", type=options.name, help="the job's name")
    arguments = parser.parse_args()
    clients = options.clients(arguments)
    if arguments.dry_run:
        options.print_requests([("StopTrainingJob", {"TrainingJobName": arguments.job})])
        return
    status = training_jobs.describe(clients, arguments.job)["TrainingJobStatus"]
    if status != "InProgress":
        raise UsageError(f"Training job {arguments.job} is {status}, expected InProgress.")
    clients.sagemaker.stop_training_job(TrainingJobName=arguments.job)
    print(f"Training job {arguments.job} is being stopped.")


if __name__ == "__main__":
    errors.run(main)
