"""A job's results: fetching them, the rewards in Coach's CSV and their plot, the latest GIF."""

import csv
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launch.aws.storage import Storage, join
from launch.cli.errors import JobFailed
from launch.local.ml_tree import unpack

CSV_FILE = "worker_0.simple_rl_graph.main_level.main_level.agent_0.csv"
GIF_EPISODE = re.compile(r"episode-(\d+)_")


def fetch(storage: Storage, home: str, folder: Path) -> list[str]:
    """Download a job's files from its address and unpack its output; return the names of what there was."""
    fetched = []
    if storage.find(join(home, "intermediate")):
        storage.download(join(home, "intermediate"), folder / "output" / "intermediate")
        fetched.append("output/intermediate/")
    if storage.find(join(home, "model.tar.gz")):
        storage.download(join(home, "model.tar.gz"), folder / "model.tar.gz")
        fetched.append("model.tar.gz")
    if storage.find(join(home, "output.tar.gz")):
        storage.download(join(home, "output.tar.gz"), folder / "output.tar.gz")
        _unpack_output(folder)
        fetched.append("output/data/")
    return fetched


def fetch_events(storage: Storage, job: Mapping[str, Any], folder: Path) -> list[str]:
    """Download TensorBoard's event files, if a job has any; return the names of what there was.

    Args:
        storage: downloads.
        job: its description, as DescribeTrainingJob gives it.
        folder: to fetch into.
    """
    config = job.get("TensorBoardOutputConfig")
    uri = join(config["S3OutputPath"], job["TrainingJobName"], "tensorboard-output") if config else None
    if uri is None or not storage.find(uri):
        return []
    storage.download(uri, folder / "tensorboard")
    return ["tensorboard/"]


def _unpack_output(folder: Path) -> None:
    """Unpack ``output.tar.gz`` into ``output/data``, in the place of what is there, and remove the archive."""
    archive, staged = folder / "output.tar.gz", folder / ".output"
    shutil.rmtree(staged, ignore_errors=True)
    try:
        unpack(archive, staged)
        (folder / "output").mkdir(exist_ok=True)
        shutil.rmtree(folder / "output" / "data", ignore_errors=True)
        staged.rename(folder / "output" / "data")
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        archive.unlink()


@dataclass
class Rewards:
    """Rewards by episode, as (episode, reward) pairs."""

    training: list[tuple[int, float]] = field(default_factory=list)
    evaluation: list[tuple[int, float]] = field(default_factory=list)


def read_rewards(intermediate: Path) -> Rewards:
    """Read the rewards from a job's ``output/intermediate``.

    Raises:
        JobFailed: There is no CSV.
    """
    path = intermediate / CSV_FILE
    if not path.is_file():
        raise JobFailed(f"The job left no {CSV_FILE} in {intermediate}.")
    rewards = Rewards()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column, values in (("Training Reward", rewards.training), ("Evaluation Reward", rewards.evaluation)):
                if row.get(column):
                    values.append((int(float(row["Episode #"])), float(row[column])))
    return rewards


def plot_rewards(rewards: Rewards, title: str, path: Path) -> None:
    """Draw reward against episode into a PNG file."""
    import matplotlib  # takes long to import, and most scripts do not draw

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4.5), dpi=110, layout="constrained")
    if rewards.training:
        axes.plot(*zip(*rewards.training, strict=True), label="Training Reward", color="tab:blue", alpha=0.7, lw=1.2)
    if rewards.evaluation:
        axes.plot(*zip(*rewards.evaluation, strict=True), "o-", label="Evaluation Reward", color="tab:orange", lw=2)
        episode, reward = rewards.evaluation[-1]
        axes.annotate(f"{reward:.2f}", (episode, reward), xytext=(-6, -16), textcoords="offset points", ha="right")
    axes.set_xlabel("Episode #")
    axes.set_ylabel("Reward of an episode")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path)
    plt.close(figure)


def latest_gif(intermediate: Path) -> Path:
    """Return the GIF of the highest episode number; of several the newest, by the time that its name begins with.

    Raises:
        JobFailed: There is none.
    """
    gifs = [
        (int(match[1]), gif.name)
        for gif in (intermediate / "gifs").glob("*.gif")
        if (match := GIF_EPISODE.search(gif.name))
    ]
    if not gifs:
        raise JobFailed(f"The job left no GIF in {intermediate / 'gifs'}.")
    return intermediate / "gifs" / max(gifs)[1]
