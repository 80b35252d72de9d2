"""The peers' Python environments, each of its own, made when it is missing or its requirements have changed."""

import hashlib
import subprocess
import sys
from pathlib import Path

from training_job import BENCHMARKS, ROOT

FOLDER = ROOT / ".venv-peers"
STAMP = "requirements.sha256"
STOCK_COACH = "stock-coach"
STABLE_BASELINES3 = "stable-baselines3"
MULTI_MODEL_SERVER = "multi-model-server"
ASGI = "asgi"
JAX = "jax"

BUILD_REQUIREMENTS = ROOT / "docker" / "build-requirements.txt"
TRAINING_REQUIREMENTS = ROOT / "docker" / "training" / "requirements.txt"
STABLE_BASELINES3_REQUIREMENTS = BENCHMARKS / "peers" / "stable-baselines3.txt"

PIP_INSTALLS: dict[str, list[list[str | Path]]] = {
    # As the Makefile does it: rl-coach and gym are built from source with the pinned setuptools.
    STOCK_COACH: [
        ["--require-hashes", "--requirement", BUILD_REQUIREMENTS],
        ["--no-build-isolation", "--no-deps", "--require-hashes", "--requirement", TRAINING_REQUIREMENTS],
    ],
    MULTI_MODEL_SERVER: [["--requirement", BENCHMARKS / "peers" / "multi-model-server.txt"]],
    ASGI: [["--no-deps", "--requirement", BENCHMARKS / "peers" / "asgi.txt"]],
    JAX: [["--no-deps", "--requirement", BENCHMARKS / "peers" / "jax.txt"]],
    STABLE_BASELINES3: [["--no-deps", "--requirement", STABLE_BASELINES3_REQUIREMENTS]],
}


def python_of(peer: str) -> Path:
    """Return the Python of a peer's environment, which is made first if need be."""
    folder = FOLDER / peer
    python = folder / "bin" / "python"
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in requirements_of(peer))).hexdigest()
    stamp = folder / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest:
        print(f"Setting up {folder.relative_to(ROOT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for arguments in PIP_INSTALLS[peer]:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *arguments], check=True)
        stamp.write_text(digest, encoding="utf-8")
    return python


def requirements_of(peer: str) -> list[Path]:
    """Return the files that say what is in a peer's environment."""
    return [argument for arguments in PIP_INSTALLS[peer] for argument in arguments if isinstance(argument, Path)]
