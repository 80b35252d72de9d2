"""Evaluate a trained agent: a job that plays the policy of a checkpoint, without exploration, from unseen starts.

The checkpoint is a training job's (by its name), or a folder of this machine or S3 with Coach's checkpoint files.
A training job's image, source, preset and environment variables are also the evaluation's, if no flag says otherwise;
of a source of its own it runs evaluate-coach.py, or the image's if the source has none.

Examples:
    python scripts/evaluate.py --instance-type local --wait rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/evaluate.py rl-mountain-car-2026-11-23-10-00-00-000000 --episodes 100 --wait
    python scripts/evaluate.py runs/$JOB/output/data/checkpoint
    python scripts/evaluate.py --dry-run s3://my-bucket/checkpoint
"""

from collections.abc import Sequence

from launch.cli import bounds, errors, options
from launch.sagemaker import checkpoints, evaluations, inputs, request_files, session, training_jobs, training_requests


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("checkpoint", help="a training job's name, a folder, or an s3:// address")
    options.add_training_job(parser)
    bounds.add_number(parser, "--episodes", "at least so many (default: the image's)")
    arguments = parser.parse_args(command_line)
    request_files.check(arguments.request, "CreateTrainingJob")
    clients = session.connect(arguments)
    job = training_requests.job_name(arguments, "-evaluation")
    with checkpoints.found(arguments, clients, job) as checkpoint:
        hyperparameters, channels = evaluations.take_over(arguments, clients, checkpoint.job, checkpoint.preset)
        if arguments.episodes:
            hyperparameters |= {"evaluate_episodes": str(arguments.episodes), "evaluate_steps": "1"}
        # Without the slash at its end the address would also be a prefix of that of JOB/checkpoints.
        channels["checkpoint"] = inputs.channel("checkpoint", f"{checkpoint.address.rstrip('/')}/")
        request = training_requests.request(arguments, clients, job, hyperparameters, channels)
        training_jobs.run(arguments, clients, request, checkpoint.uploads)


if __name__ == "__main__":
    errors.run(main)
