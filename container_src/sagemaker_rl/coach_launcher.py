"""The launcher that ``train-coach.py`` and ``evaluate-coach.py`` subclass: from hyperparameters to a preset's job."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from sagemaker_rl.coach import preset_values
from sagemaker_rl.coach.presets import find_preset, import_preset, prepare_environment
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import failures, introduction
from sagemaker_rl.job.hyperparameters import Range, checked_flag, checked_number, nearest, read_hyperparameters
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP

SEEDS = Range(0, 2**32 - 1)


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
        prepare_environment()
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
        for path in _paths(self.short_names[name]):
            self.apply_hyperparameter(path, value, name)

    # --- What it is built on -----------------------------------------------------------------------------------------

    def apply_hyperparameter(self, path: str, value: Any, name: str = "") -> None:
        """Set what ``path`` (``rl.…``, perhaps with ``:UNIT``) reaches in the preset; the user called it ``name``.

        Raises:
            InputError: There is no such path, or the value does not fit.
        """
        before = preset_values.read_value(self.graph_manager, path)
        preset_values.set_value(self.graph_manager, path, value, name or path)
        self._in_the_preset.setdefault(path, before)
        self.changes.append((path, value))

    def known_names(self) -> list[str]:
        """Return the names that are hyperparameters of this launcher, without the ``rl.…`` paths."""
        return [*self.job_names, *self.short_names]

    @property
    def preset_name(self) -> str:
        """The preset of this job."""
        return str(self.hyperparameters.get("RLCOACH_PRESET") or self.default_preset_name())

    @property
    def seed(self) -> int | None:
        """The hyperparameter ``seed``; None if it is not given."""
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
        of_preset = {
            name: value
            for name, value in self.hyperparameters.items()
            if not name.startswith("sagemaker_") and name not in self.job_names
        }
        by_path = {name: value for name, value in of_preset.items() if name.startswith("rl.")}
        order = {name: index for index, name in enumerate(self.short_names)}
        by_name = sorted(of_preset.keys() - by_path.keys(), key=lambda name: order.get(name, -1))
        self.graph_manager = import_preset(find_preset(self.preset_name, self.paths))
        for path, value in changes:
            self.apply_hyperparameter(path, value)
        for name in by_name:
            self.map_hyperparameter(name, of_preset[name])
        for path, value in by_path.items():
            self.apply_hyperparameter(path, value)
        return self.graph_manager

    def settings(self) -> list[dict[str, Any]]:
        """Return the preset's values under their short names, and whatever else was changed under its path.

        Each with ``name``, ``value``, what it is in the ``preset``, and whether it was ``changed``.
        """
        first_paths = [(name, _paths(paths)[0]) for name, paths in self.short_names.items()]
        named = {path for paths in self.short_names.values() for path in _paths(paths)}
        settings = []
        for name, path in [*first_paths, *((path, path) for path in self._in_the_preset if path not in named)]:
            value = preset_values.read_value(self.graph_manager, path)
            if value is not None:
                preset = self._in_the_preset.get(path, value)
                settings.append({"name": name, "value": value, "preset": preset, "changed": value != preset})
        return settings

    def train(self) -> None:
        """Run a training job; its results are in the folders of ``self.paths``."""
        given = self.hyperparameters
        save_model = checked_flag("save_model", given["save_model"]) if "save_model" in given else None
        accelerate = checked_flag("accelerate", given.get("accelerate", 1))
        environments = None
        if "parallel_environments" in given:
            environments = checked_number("parallel_environments", given["parallel_environments"], int, Range(1, 4096))
        keep_best = checked_flag("keep_best", given.get("keep_best", 1))
        seed = self.seed
        self.paths.create_outputs()
        graph_manager = self.load_preset()

        from sagemaker_rl.training import loop  # imports Coach, which load_preset repairs

        self._introduce("training", seed)
        options = loop.Options(seed, save_model, accelerate, environments, keep_best)
        loop.train(graph_manager, self.paths, self.preset_name, given, self.changes, options)

    def evaluate(self) -> None:
        """Run an evaluation job; its results are in the folders of ``self.paths``."""
        self.job_names = ("RLCOACH_PRESET", "seed", "accelerate", "evaluate_steps", "evaluate_episodes")
        given = self.hyperparameters
        steps = checked_number("evaluate_steps", given.get("evaluate_steps", 20_000), int, Range(1))
        episodes = checked_number("evaluate_episodes", given.get("evaluate_episodes", 1), int, Range(1))
        accelerate = checked_flag("accelerate", given.get("accelerate", 1))
        seed = self.seed
        self.paths.create_outputs()

        from sagemaker_rl.training import checkpoints  # imports NumPy, which takes its time

        folder = checkpoints.find(self.paths.channel("checkpoint"))
        description = checkpoints.describe(folder)
        of_this_preset = description.get("preset") == self.preset_name  # else restoring refuses it, in its own words
        graph_manager = self.load_preset(description["changes"] if of_this_preset else ())

        from sagemaker_rl.training import evaluation, trial  # as in train

        seed = trial.EVALUATION_SEED if seed is None else seed
        self._introduce("evaluation", seed)
        extent = evaluation.Extent(steps, episodes)
        evaluation.evaluate(graph_manager, self.paths, folder, self.preset_name, given, extent, seed, accelerate)

    def _introduce(self, kind: str, seed: int | None) -> None:
        """Say what this job is, for its report."""
        introduction.introduce(
            self.paths,
            kind=kind,
            preset=self.preset_name,
            environment=str(self.graph_manager.env_params.level),
            algorithm=type(self.graph_manager.agent_params).__name__.removesuffix("AgentParameters"),
            seed=seed,
            settings=self.settings(),
            reward_scale=preset_values.reward_scale(self.graph_manager),
        )


def _paths(short_name: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths that a short name leads to."""
    return (short_name,) if isinstance(short_name, str) else short_name
