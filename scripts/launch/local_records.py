"""What local mode remembers: a file of JSON for each job, model, endpoint configuration and endpoint of this machine.

Below ``runs/.local/``, so that what one command started is known to the next.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from launch.project import runs_folder

TRAINING_JOBS, TRANSFORM_JOBS = "training-jobs", "transform-jobs"
MODELS, ENDPOINT_CONFIGS, ENDPOINTS = "models", "endpoint-configs", "endpoints"


def folder_of(kind: str, name: str) -> Path:
    """Return a folder for the files of a job or an endpoint."""
    return runs_folder() / ".local" / kind / name


def create(kind: str, name: str, record: dict[str, Any]) -> bool:
    """Remember something new; False if there is one of that name."""
    folder = folder_of(kind, name)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    write(kind, name, record)
    return True


def write(kind: str, name: str, record: dict[str, Any]) -> None:
    """Remember something as it is now; a reader sees it as it was or as it is."""
    folder = folder_of(kind, name)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".record-", delete=False, encoding="utf-8") as file:
        json.dump(record, file, indent=2)
    os.replace(file.name, folder / "record.json")


def read(kind: str, name: str) -> dict[str, Any] | None:
    """Return what is remembered; None if there is nothing of that name."""
    try:
        return dict(json.loads((folder_of(kind, name) / "record.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None


def names(kind: str) -> Iterator[str]:
    """Yield the names of all that is remembered of a kind."""
    for file in sorted((runs_folder() / ".local" / kind).glob("*/record.json")):
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
