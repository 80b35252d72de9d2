"""``job.json``: what a job says about itself when it begins, for its report."""

import contextlib
import json
import os
from typing import Any

from sagemaker_rl.job import outputs
from sagemaker_rl.job.ml_paths import MLPaths


def introduce(paths: MLPaths, **facts: Any) -> None:
    """Write what the job is: kind, preset, environment, algorithm, seed, settings; and what it runs in."""
    image = os.environ.get("SAGEMAKER_RL_IMAGE", "none: processes on this machine")
    outputs.publish_json(
        paths.intermediate / outputs.JOB_FILE,
        {**facts, "image": image, "git_revision": outputs.git_revision(), "versions": outputs.versions()},
    )


def add(paths: MLPaths, **facts: Any) -> None:
    """Add to what ``introduce`` wrote; where it has written nothing, there is no report to add to."""
    file = paths.intermediate / outputs.JOB_FILE
    with contextlib.suppress(OSError, ValueError):
        outputs.publish_json(file, {**json.loads(file.read_text(encoding="utf-8")), **facts})
