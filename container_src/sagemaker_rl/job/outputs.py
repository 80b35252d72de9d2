"""What a job leaves in ``output/intermediate`` and on standard output while it runs.

Coach writes its CSV and GIFs there and prints a line per episode (``Training> …``, ``Testing> …``). This module adds
one ``Evaluation> …`` line per evaluation, with the losses since the one before, and the job's metadata.
"""

import json
import math
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from sagemaker_rl.job.atomic_files import replacing

JOB_FILE = "job.json"
"""What a job says about itself when it begins (job/introduction.py)."""
METADATA_FILE = "metadata.json"
"""How far it has come."""
EVALUATION_FILE = "evaluation.json"
"""The result of an evaluation job."""
PACKAGES = ("mxnet", "rl-coach-slim", "gym", "gymnasium", "numpy", "sagemaker-training")


def versions() -> dict[str, str]:
    """Return the versions of what the job runs on."""
    return {"python": platform.python_version(), **{package: metadata.version(package) for package in PACKAGES}}


def git_revision() -> str:
    """Return the revision of this project that the image was built from."""
    return os.environ.get("GIT_REVISION", "unknown")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` as JSON (NaN as null); the file appears whole or not at all."""
    write_text(path, _as_json(content))


def write_text(path: Path, content: str) -> None:
    """Write a file that appears whole or not at all."""
    with replacing(path) as staged:
        staged.write_text(content, encoding="utf-8")


def publish_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` as JSON into ``output/intermediate``.

    Under its own name at once: sagemaker-training uploads a file there when it is closed after writing, and does not
    notice one that is renamed (its intermediate_output.py).
    """
    path.write_text(_as_json(content), encoding="utf-8")


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(_finite(content), indent=2) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def metric_line(name: str, **values: Any) -> None:
    """Print ``name> key=value, …`` in Coach's own form; underscores in keys become spaces, None is left out."""
    parts = [f"{key.replace('_', ' ')}={_short(value)}" for key, value in values.items() if value is not None]
    print(f"{name}> {', '.join(parts)}", flush=True)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
