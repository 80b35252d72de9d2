"""What local mode remembers: a file of JSON for each job, model, endpoint configuration and endpoint of this machine.

Below ``runs/.local/``, so that what one command started is known to the next.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from launch.cli.errors import UsageError
from launch.project import runs_folder

TRAINING_JOBS, TRANSFORM_JOBS = "training-jobs", "transform-jobs"
MODELS, ENDPOINT_CONFIGS, ENDPOINTS = "models", "endpoint-configs", "endpoints"
MADE = (MODELS, ENDPOINT_CONFIGS)
"""What is as it was made, and has no status."""


class Damaged(UsageError):
    """A record cannot be read."""


def folder_of(kind: str, name: str) -> Path:
    """Return a folder for the files of a job or an endpoint."""
    return runs_folder() / ".local" / kind / name


def create(kind: str, name: str, record: dict[str, Any]) -> bool:
    """Remember something new; False if there is one of that name. Nobody sees its folder without its record."""
    folder = folder_of(kind, name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    _write(staged, record)
    try:
        staged.rename(folder)
    except OSError:  # one that is not empty is there
        shutil.rmtree(staged)
        return False
    return True


def write(kind: str, name: str, record: dict[str, Any]) -> None:
    """Remember something as it is now; a reader sees it as it was or as it is."""
    _write(folder_of(kind, name), record)


def _write(folder: Path, record: dict[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".record-", delete=False, encoding="utf-8") as file:
        json.dump(record, file, indent=2)
    os.replace(file.name, folder / "record.json")


def read(kind: str, name: str) -> dict[str, Any] | None:
    """Return what is remembered; None if there is nothing of that name.

    Raises:
        Damaged: It cannot be read.
    """
    file = folder_of(kind, name) / "record.json"
    try:
        record = dict(json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError):
        record = {}
    if not record.keys() >= (
        {"request", "arn", "created"} if kind in MADE else {"request", "arn", "created", "status"}
    ):
        raise Damaged(f"What is remembered of {name} is damaged: {file}.")
    return record


def remove(kind: str, name: str) -> bool:
    """Forget something, its files too; tell whether it was there."""
    folder = folder_of(kind, name)
    if not folder.is_dir():
        return False
    leaving = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        folder.rename(leaving / name)
        return True
    except FileNotFoundError:  # somebody else was quicker
        return False
    finally:
        shutil.rmtree(leaving)


def names(kind: str) -> Iterator[str]:
    """Yield the names of all that is remembered of a kind."""
    for file in sorted((runs_folder() / ".local" / kind).glob("[!.]*/record.json")):
        yield file.parent.name


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def process_mark(pid: int) -> str:
    """Return what tells this process from a later one of the same number; empty if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else f"{pid}:{fields[19]}"


def is_alive(mark: str) -> bool:
    """Tell whether the process of a mark is still there."""
    return bool(mark) and process_mark(int(mark.partition(":")[0])) == mark
