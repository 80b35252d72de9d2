"""Train an agent: create a SageMaker training job from the training image, or run the same on this machine.

Examples:
    python scripts/train.py --instance-type local --wait
    python scripts/train.py --wait
    python scripts/train.py -p RLCOACH_PRESET=preset-mountain-car-dqn -p seed=1 --instance-type ml.c5.2xlarge
    python scripts/train.py --instance-count 2 --processes-per-host 4
    python scripts/train.py --spot --max-wait 7200 --tag project=cars
    python scripts/train.py --source-dir tests/resources/custom_environment --entry-point train-coach.py
    python scripts/train.py --dry-run                      # the CreateTrainingJob request
"""

from collections.abc import Sequence

from launch.cli import bounds, errors, options
from launch.sagemaker import session, training_jobs, training_requests


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    options.add_training_job(parser)
    parser.add_argument("--spot", action="store_true", help="managed Spot training, with checkpoints to resume from")
    bounds.add_number(parser, "--max-wait", "for Spot capacity, training included", unit="SECONDS")
    bounds.add_number(parser, "--processes-per-host", "ranks that train together on each (%(default)s)", default=1)
    parser.add_argument(
        "--checkpoint-uri", help="synchronized with /opt/ml/checkpoints; a job starts from what is there"
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="have TensorBoard's event files beside the job's output in S3"
    )
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    job = training_requests.job_name(arguments)
    training_jobs.run(arguments, clients, training_requests.request(arguments, clients, job, {}, {}))


if __name__ == "__main__":
    errors.run(main)
