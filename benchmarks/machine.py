"""What the benchmarks ran on."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import peer_environments
from training_job import ROOT

PACKAGES = (
    "mxnet",
    "rl-coach-slim",
    "gym",
    "numpy",
    "torch",
    "stable-baselines3",
    "gymnasium",
    "multi-model-server",
    "sagemaker-inference",
    "uvicorn",
)
LIST_VERSIONS = """
import json, sys
from importlib import metadata
versions = {distribution.metadata["Name"].lower().replace("_", "-"): distribution.version
            for distribution in metadata.distributions()}
print(json.dumps({name: versions[name] for name in sys.argv[1:] if name in versions}))
"""


def describe(peers: list[str], known_packages: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return CPU, cores, memory, and versions: in our environment, in those of ``peers``, and those known before."""
    pythons = {"ours": Path(sys.executable), **{peer: peer_environments.python_of(peer) for peer in peers}}
    return {
        "cpu": _first_match(Path("/proc/cpuinfo"), r"model name\s*: (.*)"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(_first_match(Path("/proc/meminfo"), r"MemTotal:\s*(\d+) kB")) / 2**20, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": known_packages | {name: _versions(python) for name, python in pythons.items()},
    }


def _first_match(file: Path, pattern: str) -> str:
    match = re.search(pattern, file.read_text(encoding="utf-8"))
    return match[1] if match else "0"


def _versions(python: Path) -> dict[str, str]:
    output = subprocess.run([python, "-c", LIST_VERSIONS, *PACKAGES], check=True, capture_output=True).stdout
    return dict(json.loads(output))


def git_revision() -> str:
    """Return the revision that is checked out, with ``-dirty`` if what ships or what measures it differs from that."""
    revision = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "container_src", "docker", "benchmarks/*.py", "benchmarks/peers")
    return f"{revision}-dirty" if changed else revision


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
