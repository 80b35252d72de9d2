"""Training jobs of several hosts, or of several processes on each: what is asked of sagemaker-training, and of whom.

The hyperparameters are those of the SageMaker SDK's ``distribution={"mpi": …}``
(https://sagemaker.readthedocs.io/en/stable/api/training/distributed.html).
"""

import argparse
import importlib.util
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from launch.cli import options
from launch.project import ROOT

SHARED_VALUE = "SAGEMAKER_RL_SSH_SECRET"
"""The environment variable from which hosts make the keys of their job (docs/scale-out.md)."""
OTHERS = re.compile(
    r"\b(mpi4py|horovod|OMPI_COMM_WORLD\w*|sagemaker_rl|SM_HOSTS|SM_CURRENT_HOST|resourceconfig|current_host|MASTER_ADDR)\b"
)
"""What programs name that know ranks or hosts: the training image looks for the same (job/script_mode.py)."""
AGENT = re.compile(r"\brl_coach\.agents\.(\w+_agent)\b")
WITH_RANKS = ("clipped_ppo_agent", "dqn_agent")
"""Agents that the fast path trains; others are stock Coach's, which knows no ranks."""


def hyperparameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the hyperparameters by which hosts and processes train together; none for one process."""
    processes = getattr(arguments, "processes_per_host", None)
    if processes is None or (arguments.instance_count == 1 and processes == 1):
        return {}
    return {"sagemaker_mpi_enabled": "true", "sagemaker_mpi_num_of_processes_per_host": str(processes)}


def variables(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what the hosts of a job have to share, and nobody else may know."""
    return {SHARED_VALUE: secrets.token_urlsafe(32)} if arguments.instance_count > 1 else {}


def warn(arguments: argparse.Namespace, given: Mapping[str, str]) -> None:
    """Say before a job is paid for that only its first process works, where that can be known here.

    Args:
        arguments: the flags.
        given: all hyperparameters.
    """
    processes = arguments.instance_count * (getattr(arguments, "processes_per_host", None) or 1)
    reason = _why_first_alone(arguments, given) if processes > 1 else None
    if reason is None:
        return
    costs = arguments.instance_count > 1 and not options.is_local(arguments)
    paid = f", and all {arguments.instance_count} instances are paid for" if costs else ""
    print(f"Only the first process, on algo-1, trains{paid}: {reason}.", file=sys.stderr, flush=True)


def _why_first_alone(arguments: argparse.Namespace, given: Mapping[str, str]) -> str | None:
    if getattr(arguments, "processes_per_host", None) is None:
        return "an evaluation is played by one process"
    if given.get("accelerate") == "0":
        return "with accelerate=0 stock Coach trains, which knows no ranks"
    source: Path | None = arguments.source_dir
    if source and not any(OTHERS.search(text) for text in _texts(source)):
        return f"{arguments.entry_point} in {source} does not know of others"
    preset = given.get("RLCOACH_PRESET", "").removesuffix(".py")
    for folder in _preset_folders(source):
        file = folder / f"{preset}.py"
        if preset and file.is_file():
            agents = AGENT.findall(file.read_text(encoding="utf-8", errors="replace"))
            if agents and not set(agents) & set(WITH_RANKS):
                return f"{preset} is of {agents[0]}, which stock Coach trains, and that knows no ranks"
            break
    return None


def _texts(source: Path) -> Iterator[str]:
    for file in source.rglob("*"):
        if file.suffix in (".py", ".sh") and file.is_file():
            yield file.read_text(encoding="utf-8", errors="replace")


def _preset_folders(source: Path | None) -> Iterator[Path]:
    if source:
        yield source
    yield ROOT / "container_src"
    found = importlib.util.find_spec("rl_coach")
    for place in (found.submodule_search_locations or []) if found else []:
        yield Path(place) / "presets"
