"""The launcher that ``train-coach.py`` and ``evaluate-coach.py`` subclass: from hyperparameters to a Coach preset."""

import contextlib
import ctypes
import gc
import importlib.util
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import failures
from sagemaker_rl.job.hyperparameters import (
    Range,
    apply_to_preset,
    checked_flag,
    checked_number,
    nearest,
    read_from_preset,
    read_hyperparameters,
)
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP

BUNDLED_CODE = Path(__file__).resolve().parent.parent
SEEDS = Range(0, 2**32 - 1)
EVALUATION_SEED = 20_201_122
"""Seed of an evaluation's start states: no training run uses it unless asked to, so they are unseen."""


class SageMakerCoachPresetLauncher:
    """Runs one job: picks the preset, puts the hyperparameters in their places, trains or evaluates.

    Subclasses say which preset is the default and which short names lead where, as ``train-coach.py`` does.
    """

    short_names: Mapping[str, str | tuple[str, ...]] = {}
    """Short hyperparameter name -> path in the preset (``rl.…``), or several paths tied to the one value.

    They are applied in this order, and ``rl.…`` hyperparameters after them.
    """
    job_names: tuple[str, ...] = (
        "RLCOACH_PRESET",
        "seed",
        "save_model",
        "accelerate",
        "parallel_environments",
        "keep_best",
    )
    """Names that are about the job and not about the preset."""

    def __init__(self, hyperparameters: Mapping[str, Any], paths: MLPaths) -> None:
        self.hyperparameters = dict(hyperparameters)
        self.paths = paths
        self.graph_manager: Any = None
        self.changes: list[tuple[str, Any]] = []
        self._in_the_preset: dict[str, Any] = {}

    @classmethod
    def train_main(cls) -> NoReturn:
        """Train as the hyperparameters say, and end the process."""
        cls._main(cls.train)

    @classmethod
    def evaluate_main(cls) -> NoReturn:
        """Evaluate the checkpoint in the ``checkpoint`` channel, and end the process."""
        cls._main(cls.evaluate)

    @classmethod
    def _main(cls, job: Callable[["SageMakerCoachPresetLauncher"], None]) -> NoReturn:
        STOP.install()
        paths = MLPaths.from_environment()
        reason = failures.run(lambda: job(cls(read_hyperparameters(paths.hyperparameters), paths)), paths.failure)
        sys.exit(1 if reason else 0)

    # --- What a subclass decides -------------------------------------------------------------------------------------

    def default_preset_name(self) -> str:
        """Return the preset of a job that does not set RLCOACH_PRESET: the name of a file, without ``.py``."""
        raise InputError("Hyperparameter RLCOACH_PRESET is missing, expected the name of a preset.")

    def map_hyperparameter(self, name: str, value: Any) -> None:
        """Apply one hyperparameter under its short name.

        Raises:
            InputError: No such name, or the value does not fit.
        """
        if name not in self.short_names:
            raise InputError(f"Hyperparameter {name} is unknown, {nearest(name, self.known_names())}")
        paths = self.short_names[name]
        for path in (paths,) if isinstance(paths, str) else paths:
            self.apply_hyperparameter(path, value, name)

    # --- What it is built on -----------------------------------------------------------------------------------------

    def apply_hyperparameter(self, path: str, value: Any, name: str = "") -> None:
        """Set what ``path`` (``rl.…``, perhaps with ``:UNIT``) reaches in the preset; the user called it ``name``.

        Raises:
            InputError: There is no such path, or the value does not fit.
        """
        before = read_from_preset(self.graph_manager, path)
        apply_to_preset(self.graph_manager, path, value, name or path)
        self._in_the_preset.setdefault(path, before)
        self.changes.append((path, value))

    def known_names(self) -> list[str]:
        """Return the names that are hyperparameters of this launcher, without the ``rl.…`` paths."""
        return [*self.job_names, *self.short_names]

    @property
    def preset_name(self) -> str:
        return str(self.hyperparameters.get("RLCOACH_PRESET") or self.default_preset_name())

    @property
    def seed(self) -> int | None:
        if "seed" not in self.hyperparameters:
            return None
        return checked_number("seed", self.hyperparameters["seed"], int, SEEDS)

    def load_preset(self, changes: Iterable[tuple[str, Any]] = ()) -> Any:
        """Return the preset's graph manager with all hyperparameters in place.

        Args:
            changes: paths and values to set before them: those of the job whose checkpoint this one takes up.

        Raises:
            InputError: An unknown preset or hyperparameter, or a value that does not fit.
        """
        rest = {
            name: value
            for name, value in self.hyperparameters.items()
            if not name.startswith("sagemaker_") and name not in self.job_names
        }
        preset_file = find_preset(self.preset_name, self.paths)
        self.graph_manager = import_preset(preset_file)
        for path, value in changes:
            self.apply_hyperparameter(path, value)
        by_path = {name: value for name, value in rest.items() if name.startswith("rl.")}
        own_order = list(self.short_names)
        for name in sorted(rest.keys() - by_path.keys(), key=lambda n: own_order.index(n) if n in own_order else -1):
            self.map_hyperparameter(name, rest[name])
        for path, value in by_path.items():
            self.apply_hyperparameter(path, value)
        return self.graph_manager

    def settings(self) -> list[dict[str, Any]]:
        """Return the preset's values under their short names, and whatever else was changed under its path.

        Each with ``name``, ``value``, what it is in the ``preset``, and whether it was ``changed``.
        """
        named = {name: (paths,) if isinstance(paths, str) else paths for name, paths in self.short_names.items()}
        covered = {path for paths in named.values() for path in paths}
        reached = [(name, paths[0]) for name, paths in named.items()]
        reached += [(path, path) for path in self._in_the_preset if path not in covered]
        found = []
        for name, path in reached:
            value = read_from_preset(self.graph_manager, path)
            if value is not None:
                preset = self._in_the_preset.get(path, value)
                found.append({"name": name, "value": value, "preset": preset, "changed": value != preset})
        return found

    def train(self) -> None:
        """Run a training job; its results are in the folders of ``self.paths``."""
        given = self.hyperparameters
        save_model = checked_flag("save_model", given.get("save_model", 1))
        accelerate = checked_flag("accelerate", given.get("accelerate", 1))
        environments = None
        if "parallel_environments" in given:
            environments = checked_number("parallel_environments", given["parallel_environments"], int, Range(1, 4096))
        keep_best = checked_flag("keep_best", given.get("keep_best", 1))
        seed = self.seed
        self.paths.create_outputs()
        graph_manager = self.load_preset()

        from sagemaker_rl.training import loop as training

        self._introduce("training", seed)
        options = training.Options(seed, save_model, accelerate, environments, keep_best)
        training.train(graph_manager, self.paths, self.preset_name, given, self.changes, options)

    def evaluate(self) -> None:
        """Run an evaluation job; its results are in the folders of ``self.paths``."""
        self.job_names = ("RLCOACH_PRESET", "seed", "accelerate", "evaluate_steps", "evaluate_episodes")
        given = self.hyperparameters
        steps = checked_number("evaluate_steps", given.get("evaluate_steps", 20_000), int, Range(1))
        episodes = checked_number("evaluate_episodes", given.get("evaluate_episodes", 1), int, Range(1))
        accelerate = checked_flag("accelerate", given.get("accelerate", 1))
        seed = EVALUATION_SEED if self.seed is None else self.seed
        self.paths.create_outputs()

        from sagemaker_rl.training import checkpoints, evaluation

        folder = checkpoints.find(self.paths.channel("checkpoint"))
        description = checkpoints.describe(folder)
        of_this_preset = description.get("preset") == self.preset_name  # else restoring refuses it, in its own words
        graph_manager = self.load_preset(description["changes"] if of_this_preset else ())
        self._introduce("evaluation", seed)
        extent = evaluation.Extent(steps, episodes)
        evaluation.evaluate(graph_manager, self.paths, folder, self.preset_name, given, extent, seed, accelerate)

    def _introduce(self, kind: str, seed: int | None) -> None:
        """Say what this job is, for its report."""
        from sagemaker_rl.report import job

        job.introduce(
            self.paths,
            kind=kind,
            preset=self.preset_name,
            environment=str(self.graph_manager.env_params.level),
            algorithm=type(self.graph_manager.agent_params).__name__.removesuffix("AgentParameters"),
            seed=seed,
            settings=self.settings(),
            reward_scale=self._reward_scale(),
        )

    def _reward_scale(self) -> float | None:
        """Return what the algorithm's rewards are times the environment's; None if that is not one number."""
        from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter

        filters = list(self.graph_manager.agent_params.input_filter.reward_filters.values())
        if any(type(each) is not RewardRescaleFilter for each in filters):
            return None
        return math.prod(float(each.rescale_factor) for each in filters)


def find_preset(name: str, paths: MLPaths) -> Path:
    """Return the file of a preset: the user's own, else the bundled one, else Coach's.

    Raises:
        InputError: There is no such preset.
    """
    import rl_coach

    own = list(dict.fromkeys([paths.code, Path.cwd(), BUNDLED_CODE]))
    folders = [*own, Path(rl_coach.__path__[0]) / "presets"]
    if Path(name).name == name:
        for folder in folders:
            if (folder / f"{name}.py").is_file():
                return folder / f"{name}.py"
    known = {file.stem for folder in own for file in folder.glob("preset-*.py")}
    raise InputError(f"Hyperparameter RLCOACH_PRESET is {name!r}, which is no preset here, {nearest(name, known)}")


def import_preset(file: Path) -> Any:
    """Return the ``graph_manager`` that a preset file defines, set to run on MXNet.

    Raises:
        InputError: The file defines none.
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
    # Its 0.1 ms for one observation is half of the threaded engine's; MXNet reads this when it is imported.
    os.environ.setdefault("MXNET_ENGINE_TYPE", "NaiveEngine")
    # Threads take longer to meet than layers of an agent that sees a few numbers take to compute.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _keep_freed_memory()
    os.environ.setdefault("MXNET_ENGINE_INFO", "0")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from sagemaker_rl.coach import repairs as coach_repairs

    coach_repairs.apply()
    from rl_coach.base_parameters import Frameworks
    from rl_coach.logger import screen

    screen.set_use_colors(False)  # so that regular expressions can read the log
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem.replace("-", "_"), file)
    if spec is None or spec.loader is None:
        raise InputError(f"Preset {file} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _silence_old_packages()
    graph_manager = getattr(module, "graph_manager", None)
    if graph_manager is None or not hasattr(graph_manager, "agent_params"):
        raise InputError(f"Preset {file} defines no graph_manager of a single agent, expected a BasicRLGraphManager.")
    for network in graph_manager.agent_params.network_wrappers.values():
        network.framework = Frameworks.mxnet
    return graph_manager


def _keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next array of a batch, instead of asking the system for it anew.

    The pages of a fresh array cost more than what is computed into it; https://man7.org/linux/man-pages/man3/mallopt.3.html.
    """
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            mallopt(parameter, 32 * 1024 * 1024)  # the most it takes


def _silence_old_packages() -> None:
    """Ignore the warnings of packages about how they use each other: nothing that a user could act on."""
    import gym  # noqa: F401 - importing gym and MXNet changes the filters
    import mxnet  # noqa: F401

    for package in ("gym", "mxnet", "pygame", "rl_coach"):
        warnings.filterwarnings("ignore", module=package)
