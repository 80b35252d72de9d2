"""Fetch what a training or evaluation job left, and draw its rewards: waits for the job, downloads, unpacks, plots.

Into runs/JOB/: output/intermediate/ (Coach's CSV, GIFs), output/data/ (checkpoint), model.tar.gz, report.html,
reward.png, episode.gif, the GIF of the latest episode, and tensorboard/ of a job with --tensorboard. Of a tuning job:
report.html, which compares its training jobs.

Examples:
    python scripts/fetch.py --local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/fetch.py rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/fetch.py --no-wait rl-mountain-car-2026-11-23-10-00-00-000000     # what is there so far
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.aws import logs
from launch.aws.clients import Clients
from launch.aws.storage import Storage, join
from launch.cli import errors, options, values
from launch.cli.errors import JobFailed, UsageError
from launch.cli.progress import waiting_for
from launch.project import runs_folder
from launch.sagemaker import following, report, results, session, training_jobs, tuning_following
from launch.sagemaker.job_kinds import ENDED


def main(command_line: Sequence[str] | None = None) -> None:
    parser = options.parser(__doc__)
    parser.add_argument("job", type=values.name, help="the job's name")
    parser.add_argument("--output", type=Path, help="folder to fetch into; default: runs/JOB")
    parser.add_argument("--no-wait", action="store_true", help="fetch what is there now")
    arguments = parser.parse_args(command_line)
    clients = session.connect(arguments)
    job = following.training_job(clients, arguments.job)
    if job is None:
        fetch_tuning_job(arguments, clients)
        return
    home = join(job["OutputDataConfig"]["S3OutputPath"], arguments.job, "output")
    folder = arguments.output or runs_folder() / arguments.job
    if arguments.dry_run:
        print(json.dumps([{"Download": {"From": f"{home}/", "To": str(folder)}}], indent=2))
        return
    if not arguments.no_wait and job["TrainingJobStatus"] not in ENDED:
        print(f"Waiting for {arguments.job}, which is {job['SecondaryStatus']}", flush=True)
        job = training_jobs.wait_for_end(clients, arguments.job)
    with waiting_for(f"the files of {arguments.job}"):
        fetched = results.fetch(Storage(clients), home, folder)
        fetched += results.fetch_events(Storage(clients), job, folder)
        draw(arguments, job, folder)
        report.write_description(job, folder)
        report.write([folder], folder / "report.html")
    print(f"{folder / 'report.html'}: open it in a browser")
    nothing = "nothing" if job["TrainingJobStatus"] in ENDED else "nothing yet"
    print(f"{job['TrainingJobStatus']}: {folder} has {', '.join(fetched) or nothing}")
    if job["TrainingJobStatus"] == "Failed":  # what there is of a job that was stopped is fetched
        lines = logs.tail(clients, logs.TRAINING_JOBS, f"{arguments.job}/")
        raise JobFailed("\n".join([job.get("FailureReason", "The job failed."), *lines]))


def fetch_tuning_job(arguments: argparse.Namespace, clients: Clients) -> None:
    """Wait for a tuning job, print the table of its training jobs, and write their report.

    Raises:
        UsageError: There is none of that name, or its files are to go elsewhere.
        JobFailed: It failed.
    """
    if tuning_following.describe(clients, arguments.job) is None:
        raise UsageError(f"There is no training or tuning job {arguments.job!r}{clients.where}.")
    if arguments.output:
        raise UsageError("--output is of a training job, and the files of a tuning job's go to folders of their own.")
    if arguments.dry_run:
        print(json.dumps([{"Report": {"Of": arguments.job}}], indent=2))
        return
    tuning_following.show_results(clients, arguments.job, wait=not arguments.no_wait)


def draw(arguments: argparse.Namespace, job: dict[str, Any], folder: Path) -> None:
    """Draw the rewards, and copy the latest GIF, where the job has them."""
    intermediate = folder / "output" / "intermediate"
    if (intermediate / results.CSV_FILE).is_file():
        title = job.get("HyperParameters", {}).get("RLCOACH_PRESET", arguments.job)
        rewards = results.read_rewards(intermediate)
        results.plot_rewards(rewards, title, folder / "reward.png")
        episodes, evaluations = (
            f"{len(points)} {name}{'' if len(points) == 1 else 's'}"
            for points, name in ((rewards.training, "episode"), (rewards.evaluation, "evaluation"))
        )
        print(f"{folder / 'reward.png'}: {episodes}, {evaluations}")
    try:
        gif = results.latest_gif(intermediate)
    except JobFailed:
        return
    shutil.copyfile(gif, folder / "episode.gif")
    print(f"{folder / 'episode.gif'}: {gif.name}", flush=True)


if __name__ == "__main__":
    errors.run(main)
