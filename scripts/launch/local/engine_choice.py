"""Which engine runs a job or an endpoint on this machine: Docker's, or plain processes where MXNet can run."""

import importlib.util
import os
import platform
import shutil
import sys

from launch import project
from launch.cli.errors import UsageError
from launch.local import images
from launch.local.engines import ENGINE_NAMES

AUTO = "auto"
"""Asks for processes, which start sooner, where they can run, and else for containers."""
UV = "uv python install 3.11 (https://docs.astral.sh/uv)"
DOCKER = "https://docs.docker.com/get-started/get-docker"
PACKAGE_MANAGERS = {
    "apt-get": "apt-get install python3.11-venv",
    "dnf": "dnf install python3.11",
    "zypper": "zypper install python311",
}
"""How distributions install Python 3.11, by the command that tells which one this is."""


def obstacle_to_processes() -> str:
    """Return why the images' entry points cannot run as processes here; empty if they can."""
    if importlib.util.find_spec("mxnet"):
        return ""
    if _is_for_mxnet():
        return "MXNet is not installed in this Python"
    return (
        "MXNet runs on Linux on x86-64 with Python 3.11, and this is "
        f"{platform.system()} on {platform.machine()} with Python {platform.python_version()}"
    )


def choose_for_demo(setting: str) -> tuple[str, str]:
    """Return the name of the engine for ``--engine`` of the demo, and why it is that one; empty if it was asked for.

    Args:
        setting: one of ``ENGINE_NAMES``, or ``AUTO``.

    Raises:
        UsageError: That engine, or with ``AUTO`` any, cannot run here.
    """
    obstacle = obstacle_to_processes()
    if setting == "docker":
        return "docker", ""
    if setting == "process":
        if obstacle:
            raise UsageError(f"--engine is process, but {obstacle}: {_remedy()}.")
        return "process", ""
    if not obstacle:
        return "process", "the packages of the images are installed here"
    try:
        images.connect()
    except UsageError as error:
        raise UsageError(
            f"Jobs run as processes or on a Docker engine, and here is neither: {obstacle} ({_remedy()}); "
            f"{str(error).rstrip('.')} ({DOCKER})."
        ) from None
    return "docker", obstacle


def choose_engine(image: str) -> str:
    """Return the name of the engine that can run an image's entry point: that of RL_LOCAL_ENGINE, if it is set.

    Raises:
        UsageError: No Docker engine answers, or it has not got the image, and the image is none of this project's, or
            its packages are not installed here.
    """
    setting = os.environ.get("RL_LOCAL_ENGINE", "")
    if setting not in ("", *ENGINE_NAMES):
        raise UsageError(f"RL_LOCAL_ENGINE is {setting!r}, expected docker or process.")
    is_ours = image in [project.image_name(kind) for kind in project.KINDS]
    obstacle = obstacle_to_processes()
    if setting == "process":
        if obstacle:
            raise UsageError(f"RL_LOCAL_ENGINE is process, but {obstacle}: {_remedy()}.")
        return "process"
    try:
        client = images.connect()
    except UsageError as error:
        if setting == "docker" or not is_ours:
            raise
        if obstacle:
            raise UsageError(f"{error} Nor can the image's entry point run as a process: {obstacle}.") from None
        print(f"No Docker engine answers: instead of {image}, its entry point runs as a process", file=sys.stderr)
        return "process"
    if not client.images.list(image):
        remedy = "build it with `make images`" if is_ours else f"docker pull --platform linux/amd64 {image}"
        raise UsageError(f"Image {image} is not on this Docker engine: {remedy}.")
    return "docker"


def _is_for_mxnet() -> bool:
    return (platform.system(), platform.machine(), sys.version_info[:2]) == ("Linux", "x86_64", (3, 11))


def _remedy() -> str:
    """Return what would let processes run here."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "only a Docker engine helps on this machine"
    if _is_for_mxnet():
        return "use .venv/bin/python, which make demo sets up"
    commands = [command for tool, command in PACKAGE_MANAGERS.items() if shutil.which(tool)]
    return f"get it by {' or '.join([*commands, UV])}, then make clean demo"
