"""``code/requirements.txt`` of a model, installed before the workers start, as sagemaker-inference does.

https://github.com/aws/sagemaker-inference-toolkit (model_server.py). Its own server installs into the image's Python
environment, which a container's user may not be allowed to write. Here pip runs in a virtual environment of its own,
in a temporary folder, that sees the packages of the image: what is there already is not installed again, and nothing
that the image depends on is replaced.
"""

import contextlib
import importlib
import os
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NoReturn
from venv import EnvBuilder

from sagemaker_rl.errors import InputError
from sagemaker_rl.pip_failures import installation_reason, shown_lines
from sagemaker_rl.policy.artifact import require_file
from sagemaker_rl.serving.log import log

FILE = "code/requirements.txt"
OWN_IMAGE = "install it in an image of your own (docs/serving.md)"
MAX_OUTPUT = 4000
"""Characters of pip's output in the log, the last ones, if it fails."""
INSTALLED = "Successfully installed "

_folders: list[Path] = []


def install(model_dir: Path) -> None:
    """Install a model's requirements, if it has some, and have this process and its children find them.

    Args:
        model_dir: the unpacked model.tar.gz.

    Raises:
        PolicyError: The file is none that can be read.
        InputError: pip refuses it, or there is no folder to install into; the log has pip's output.
    """
    file = model_dir / FILE
    try:
        require_file(file)
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    if os.environ.get("CA_REPOSITORY_ARN"):
        log("warning", "CA_REPOSITORY_ARN is not read: PIP_INDEX_URL names the package index.")
    asked = ", ".join(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    log("info", f"Installing {FILE}: {asked[:500]}")
    start_time = time.monotonic()
    folder = _make_environment()
    status, stdout, stderr = _run_pip(folder, file)
    if status:
        log("error", "pip has failed.", output=(stdout + stderr)[-MAX_OUTPUT:])
        raise InputError(installation_reason(FILE, stdout, stderr, OWN_IMAGE))
    installed = [line for line in shown_lines(stdout) if line.startswith(INSTALLED)]
    outcome = installed[-1].removeprefix(INSTALLED).strip() if installed else "nothing that was not there"
    log("info", f"{FILE} is installed, after {time.monotonic() - start_time:.1f} seconds: {outcome}")
    _use_environment(folder)


def remove() -> None:
    """Remove what was installed: the process is about to end."""
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def _make_environment() -> Path:
    """Return a new virtual environment that sees the packages of this one, pip among them."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="requirements-"))
        _folders.append(folder)
        EnvBuilder(symlinks=True).create(folder)
        (_packages(folder) / "image.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{FILE} cannot be installed: no folder for temporary files can be written ({error.strerror}); "
            "name one by the environment variable TMPDIR, or mount one at /tmp."
        ) from None
    return folder


def _packages(folder: Path) -> Path:
    """Return where a virtual environment has its packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))


def _run_pip(folder: Path, file: Path) -> tuple[int, str, str]:
    """Run pip to its end; return its exit status, and what it printed to standard output and standard error."""
    command = [str(folder / "bin/python"), "-I", "-m", "pip", "install", "--requirement", str(file)]
    command += ["--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    temporary = folder / "tmp"
    temporary.mkdir()
    with subprocess.Popen(
        command,
        cwd=file.parent,  # for lines that name files beside it
        env={**os.environ, "TMPDIR": str(temporary)},  # what it leaves there if it is killed goes with the rest
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as pip:

        def end(number: int, frame: object) -> NoReturn:
            pip.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pip.pid, 0)  # what it writes still would stay
            remove()
            os._exit(0)

        before = signal.signal(signal.SIGTERM, end)
        try:
            stdout, stderr = pip.communicate()
        finally:
            signal.signal(signal.SIGTERM, before)
    return pip.returncode, stdout, stderr


def _use_environment(folder: Path) -> None:
    """Have modules be found in a virtual environment, before those of the image and after Python's own."""
    known = list(sys.path)
    site.addsitedir(str(_packages(folder)))
    added = [path for path in sys.path if path not in known]
    place = min((known.index(path) for path in site.getsitepackages() if path in known), default=len(known))
    sys.path[:] = [*known[:place], *added, *known[place:]]
    importlib.invalidate_caches()
    # for the programs that a user's functions start
    os.environ["PATH"] = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
    python_path = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    os.environ["PYTHONPATH"] = os.pathsep.join([*python_path, *added])
