"""Presets: Python files that define a Coach ``graph_manager``; found by name, and imported to run on MXNet."""

import contextlib
import ctypes
import gc
import importlib.machinery
import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from sagemaker_rl import blas
from sagemaker_rl.coach.agents import check_runs_on_mxnet
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.hyperparameters import nearest
from sagemaker_rl.job.ml_paths import BUNDLED_CODE, MLPaths
from sagemaker_rl.job.stopping import STOP


def preset_stem(name: Any) -> str:
    """Return a preset's name as jobs and checkpoints have it: without ``.py`` and what Coach writes after it.

    Raises:
        InputError: It is no name.
    """
    if not isinstance(name, str):
        raise InputError(f"Hyperparameter RLCOACH_PRESET is {name!r}, expected the name of a preset.")
    return name.removesuffix(":graph_manager").removesuffix(".py")


def find_preset(name: str, paths: MLPaths, launcher: Path | None = None) -> Path:
    """Return the file of a preset: the one beside the launcher, else the user's own, the bundled one, Coach's.

    Args:
        name: of the file, with or without ``.py``; perhaps in a folder beside the launcher.
        paths: of the job.
        launcher: the folder of the program that asks.

    Raises:
        InputError: There is no such preset.
    """
    own = list(dict.fromkeys([*([launcher] if launcher else []), paths.code, Path.cwd(), BUNDLED_CODE]))
    relative = os.path.normpath(f"{preset_stem(name)}.py")
    if not relative.startswith((os.pardir, os.sep)):
        for folder in [*own, *_coachs_presets()]:
            if (folder / relative).is_file():
                return folder / relative
    known = {file.stem for folder in own for file in folder.glob("preset-*.py")}
    raise InputError(f"Hyperparameter RLCOACH_PRESET is {name!r}, which is no preset here, {nearest(name, known)}")


def _coachs_presets() -> list[Path]:
    """Return the folder of Coach's own presets, without an import of Coach, which takes long."""
    coach = importlib.machinery.PathFinder.find_spec("rl_coach")
    return [Path(place) / "presets" for place in (coach.submodule_search_locations if coach else None) or ()]


def import_coach() -> None:
    """Import Coach with every repair; ``Stopped`` is raised afterwards only."""
    enabled = gc.isenabled()
    gc.disable()  # MXNet creates many objects while it is imported, and none of them becomes garbage
    try:
        with STOP.deferred():  # raised inside an import, it might be swallowed there
            prepare_environment()
            from sagemaker_rl.coach import repairs  # imports NumPy, which reads the environment

            repairs.apply()
            from rl_coach.logger import screen

            screen.set_use_colors(False)  # so that regular expressions can read the log
            warning, screen.warning = screen.warning, lambda *text: None
            try:
                import rl_coach.coach  # noqa: F401 - it warns of packages that no job needs
            finally:
                screen.warning = warning
    finally:
        if enabled:
            gc.enable()
    STOP.check()


def import_preset(file: Path) -> Any:
    """Return the ``graph_manager`` that a preset file defines, set to run on MXNet.

    Raises:
        InputError: The file defines none, or one that cannot run on MXNet.
    """
    gc.disable()  # MXNet creates many objects while it is imported, and none of them becomes garbage
    try:
        with STOP.deferred():  # raised inside an import, it might be swallowed there
            graph_manager = _import_preset(file)
    finally:
        gc.enable()
        gc.freeze()
    STOP.check()
    return graph_manager


def _import_preset(file: Path) -> Any:
    import_coach()
    from rl_coach.base_parameters import Frameworks

    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem.replace("-", "_"), file)
    if spec is None or spec.loader is None:
        raise InputError(f"Preset {file} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "tensorflow":
            raise
        raise InputError(
            f"Preset {file.stem} imports TensorFlow, but Coach runs on MXNet here: expected an agent and heads that "
            "Coach has for MXNet."
        ) from None
    _ignore_warnings_of_packages()
    graph_manager = getattr(module, "graph_manager", None)
    if graph_manager is None or not hasattr(graph_manager, "agent_params"):
        raise InputError(f"Preset {file} defines no graph_manager of a single agent, expected a BasicRLGraphManager.")
    check_runs_on_mxnet(graph_manager)
    for network in graph_manager.agent_params.network_wrappers.values():
        network.framework = Frameworks.mxnet
    return graph_manager


def prepare_environment() -> None:
    """Set what NumPy, MXNet and pygame read when they are imported, where the user has not set it.

    Call it before the first import of any of them. Launchers in AWS's form read COACH_BACKEND.
    """
    os.environ.setdefault("COACH_BACKEND", "mxnet")
    # Its 0.1 ms for one observation is half of the threaded engine's.
    os.environ.setdefault("MXNET_ENGINE_TYPE", "NaiveEngine")
    blas.prepare_environment()
    _keep_freed_memory()
    os.environ.setdefault("MXNET_ENGINE_INFO", "0")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


def _keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next array of a batch.

    New pages from the system cost more time than what is computed into them
    (https://man7.org/linux/man-pages/man3/mallopt.3.html).
    """
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            mallopt(parameter, 32 * 1024 * 1024)  # the most it takes


def _ignore_warnings_of_packages() -> None:
    """Ignore the warnings of packages about each other, which no user can act on."""
    import gym  # noqa: F401 - importing gym changes the filters, and so has MXNet done, which import_coach imports
    import numpy as np

    for package in ("gym", "mxnet", "pygame", "rl_coach"):
        warnings.filterwarnings("ignore", module=package)
    # Of arrays that Coach's signals make of batches of two lengths.
    warnings.filterwarnings("ignore", category=np.VisibleDeprecationWarning, module="numpy")
