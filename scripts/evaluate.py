"""Evaluate a trained agent: a job that plays the policy of a checkpoint, without exploration, from unseen starts.

The checkpoint is a training job's (by its name), or a folder of this machine or S3 with Coach's checkpoint files.

Examples:
    python scripts/evaluate.py --instance-type local --wait rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/evaluate.py rl-mountain-car-2026-11-23-10-00-00-000000 --episodes 100 --wait
    python scripts/evaluate.py ./my-checkpoint -p RLCOACH_PRESET=preset-mountain-car-dqn
    python scripts/evaluate.py --dry-run s3://my-bucket/checkpoint
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from launch.aws import clients as aws
from launch.aws.storage import Storage, address_of, join, split
from launch.cli import errors, options
from launch.cli.command_line import at_least
from launch.cli.errors import UsageError
from launch.local.ml_tree import unpack
from launch.sagemaker import training_jobs


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("checkpoint", help="a training job's name, a folder, or an s3:// address")
    training_jobs.add_flags(parser)
    parser.add_argument("--episodes", type=at_least(1), help="at least so many (default: the image's)")
    arguments = parser.parse_args(command_line)
    clients = options.clients(arguments)
    job = training_jobs.job_name(arguments, "-evaluation")
    own = {} if arguments.entry_point else {"sagemaker_program": "evaluate-coach.py"}
    if arguments.episodes:
        own |= {"evaluate_episodes": str(arguments.episodes), "evaluate_steps": "1"}
    checkpoint, preset = find_checkpoint(arguments, clients, job)
    if preset and not any(text.startswith("RLCOACH_PRESET=") for text in arguments.parameters):
        own["RLCOACH_PRESET"] = preset
    # as a prefix, without the slash, it would be the one of JOB/checkpoints too
    request = training_jobs.request(arguments, clients, job, own, {"checkpoint": f"{checkpoint.rstrip('/')}/"})
    training_jobs.run(arguments, clients, request)


def find_checkpoint(arguments: argparse.Namespace, clients: aws.Clients, job: str) -> tuple[str, str | None]:
    """Return the address of the checkpoint for the job's channel, where it is put if need be, and the preset's name.

    Raises:
        UsageError: There is no such checkpoint.
    """
    text = arguments.checkpoint
    storage = Storage(clients)
    home = options.home(arguments, clients)
    if text.startswith("s3://"):
        if not storage.find(text):
            raise UsageError(f"There is nothing at {text}.")
        return text, None
    folder = Path(text.removeprefix("file://"))
    if folder.is_dir():
        if not any(folder.glob("*.coach_checkpoint")) and not (folder / ".coach_checkpoint").exists():
            raise UsageError(f"The checkpoint is {text!r}, expected a folder with Coach's .coach_checkpoint in it.")
        return _put(arguments, storage, folder, join(home, job, "checkpoint")), None
    if "/" in text:
        raise UsageError(f"There is no folder {text}, nor can a training job have that name.")
    trained = training_jobs.describe(clients, text)
    preset = trained.get("HyperParameters", {}).get("RLCOACH_PRESET")
    archive = join(trained["OutputDataConfig"]["S3OutputPath"], text, "output", "output.tar.gz")
    status = trained["TrainingJobStatus"]
    nothing = UsageError(f"Training job {text} is {status} and has no checkpoint, expected one that has.")
    if status not in training_jobs.ENDED or not storage.find(archive):
        raise nothing
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / "output.tar.gz"
        storage.download(archive, packed)
        unpack(packed, Path(temporary) / "output", archive)
        folder = Path(temporary) / "output" / "checkpoint"
        if not folder.is_dir():
            raise nothing
        # a place that outlives the temporary folder, on this machine too
        return _put(arguments, storage, folder, join(home, text, "checkpoint"), keep=False), preset


def _put(arguments: argparse.Namespace, storage: Storage, folder: Path, target: str, keep: bool = True) -> str:
    if split(target)[0] == "file" and keep:
        return address_of(str(folder))
    if not arguments.dry_run:
        if split(target)[0] == "s3":
            storage.ensure_bucket(split(target)[1])
        storage.upload(folder, target, arguments.kms_key)
    return target


if __name__ == "__main__":
    errors.run(main)
