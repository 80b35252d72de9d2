"""How SageMaker starts a training container, and how a test waits for it."""

import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docker.models.containers import Container

HOST = "algo-1"


def start_train(run: Callable[..., Container], ml: Path, **options: Any) -> Container:
    volumes = {str(ml): {"bind": "/opt/ml", "mode": "rw"}}
    named = {"network_mode": "none", "hostname": HOST, "extra_hosts": {HOST: "127.0.0.1"}, "volumes": volumes}
    return run("training", "train", **{**named, **options})


def wait_for_line(container: Container, start: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(line.startswith(start) for line in container.logs().decode().splitlines()):
            return
        time.sleep(0.2)
    raise AssertionError(f"no line starts with {start!r}:\n{container.logs().decode()}")


def script_mode(ml: Path, source: Path, program: str, requirements: str = "", **hyperparameters: str) -> dict[str, str]:
    """Pack a source folder as a launch script does, and return the hyperparameters that name it."""
    code = ml / "input/data/code"
    code.mkdir(parents=True)
    copy = shutil.copytree(source, ml / "source")
    if requirements:
        (copy / "requirements.txt").write_text(requirements, encoding="utf-8")
    with tarfile.open(code / "sourcedir.tar.gz", "w:gz") as tar:
        for file in sorted(copy.iterdir()):
            tar.add(file, file.name)
    submitted = "/opt/ml/input/data/code/sourcedir.tar.gz"
    return {"sagemaker_submit_directory": submitted, "sagemaker_program": program, **hyperparameters}
