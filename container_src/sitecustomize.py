"""Imported by Python itself when it starts (https://docs.python.org/3/library/site.html): what users' programs import.

SageMaker Coach projects bring AWS's package ``sagemaker_rl`` along, a copy that runs in AWS's image only. Their
programs import it, or ``rl_coach``, in their first lines, and Python looks beside the program first. Hence, in every
process that has this folder on its PYTHONPATH:

- ``import sagemaker_rl`` finds the package beside this file, and so does ``import common.sagemaker_rl``;
- ``import rl_coach`` finds Coach with every repair (``sagemaker_rl/coach/repairs.py``).

Neither happens with the environment variable SAGEMAKER_RL_PACKAGE, or the hyperparameter ``sagemaker_rl_package``, set
to ``source``: the program then runs on what it brings along.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import types
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "sagemaker_rl"
CHOICES = ("image", "source")


class PackageFinder(importlib.abc.MetaPathFinder):
    """Finds this image's ``sagemaker_rl`` before any other, and Coach repaired; everything else is left to Python."""

    def __init__(self) -> None:
        self.repairs_coach = True

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == PACKAGE:
            return self._find_package()
        if fullname == "rl_coach" and self.repairs_coach:
            self.repairs_coach = False
            return self._find_repaired_coach()
        parent, separator, below = fullname.partition(f".{PACKAGE}")
        if separator and "." not in parent and below[:1] in ("", ".") and chosen() == "image":
            return importlib.util.spec_from_loader(fullname, ModuleLoader(importlib.import_module(PACKAGE + below)))
        return None

    def _find_package(self) -> importlib.machinery.ModuleSpec | None:
        copies = copied_packages()
        if copies and chosen() == "source":
            print(f"Package> {PACKAGE}={copies[0]}, Reason=sagemaker_rl_package is source", flush=True)
            return None
        if copies:
            print(f"Package> {PACKAGE}={HERE / PACKAGE}, In the place of={copies[0]}", flush=True)
        spec = importlib.machinery.PathFinder.find_spec(PACKAGE, [str(HERE)])
        if spec is not None and spec.submodule_search_locations is not None:
            # Modules that a project has added to its copy are found there.
            spec.submodule_search_locations += [str(folder) for folder in copies]
        return spec

    def _find_repaired_coach(self) -> importlib.machinery.ModuleSpec | None:
        package = importlib.import_module(PACKAGE)
        if Path(str(package.__file__)).parent != HERE / PACKAGE:
            return None
        importlib.import_module(f"{PACKAGE}.coach.presets").import_coach()
        coach = importlib.import_module("rl_coach")
        spec = importlib.util.spec_from_loader("rl_coach", ModuleLoader(coach))
        coach.__spec__ = spec  # what the import system takes of a module that was imported while it was looked for
        return spec


class ModuleLoader(importlib.abc.Loader):
    """Loads a module that is imported already, perhaps under another name."""

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return self.module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self.spec  # which the import system has replaced


def chosen() -> str:
    """Return which package the job's user wants: ``image`` or ``source``."""
    value = os.environ.get("SAGEMAKER_RL_PACKAGE")
    if value is None:
        file = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "input" / "config" / "hyperparameters.json"
        try:
            value = json.loads(file.read_text(encoding="utf-8"))["sagemaker_rl_package"].strip('"')
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return "image"
    if value not in CHOICES:
        sys.exit(f"Error: sagemaker_rl_package is {value!r}, expected one of {', '.join(CHOICES)}.")
    return value


def copied_packages() -> list[Path]:
    """Return the folders of other packages of this name: where Python would look, and one folder below the program."""
    searched = [Path(entry or ".") for entry in sys.path]
    program = searched[0] if searched else Path()
    candidates = [folder / PACKAGE for folder in searched]
    if program not in (HERE, Path(sys.prefix)):
        candidates += sorted(program.glob(f"*/{PACKAGE}"))
    folders = dict.fromkeys(candidate.resolve() for candidate in candidates if _is_package(candidate))
    return [folder for folder in folders if folder != HERE / PACKAGE]


def _is_package(folder: Path) -> bool:
    try:
        return any(folder.glob("*.py"))
    except OSError:  # it may not be read
        return False


sys.meta_path.insert(0, PackageFinder())
if os.getpid() == 1:
    # The kernel delivers no signal to a container's first process before that has a handler, and imports take a while.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
