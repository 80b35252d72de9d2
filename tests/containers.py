"""How SageMaker starts a training container, and how a test waits for it."""

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
