"""The launcher that ``train-coach.py`` and ``evaluate-coach.py`` subclass: from hyperparameters to a preset's job.

Its members, and the order in which they are called, are those of AWS's Coach image and of Coach's own ``CoachLauncher``
(rl_coach/coach.py), so that a project written for them runs as it is.
"""

import argparse
import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from sagemaker_rl.coach import arguments, preset_values
from sagemaker_rl.coach.presets import find_preset, import_coach, import_preset, prepare_environment, preset_stem
from sagemaker_rl.configuration_list import ConfigurationList
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import hosts, outputs, ranks
from sagemaker_rl.job.hyperparameters import (
    OF_THE_PLATFORM,
    as_arguments,
    as_text,
    checked_count,
    from_arguments,
    nearest,
    read_hyperparameters,
)
from sagemaker_rl.job.mapped_names import names_in
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP
from sagemaker_rl.report.job import run_and_report

EVALUATE_STEPS = 20_000
"""Environment steps that an evaluation plays at least, unless it is told."""


class CoachConfigurationList(ConfigurationList):
    """The hyperparameters of a Coach preset; a number of steps has its unit after a colon."""


class SageMakerCoachPresetLauncher:
    """Runs one job: picks the preset, puts the hyperparameters in their places, trains or evaluates.

    Subclasses say which preset is the default and which short names lead where, as ``train-coach.py`` does; or they
    override ``map_hyperparameter`` and other members, as launchers for AWS's image do.
    """

    DEFAULT_PRESET: str | None = None
    """What ``default_preset_name`` returns, unless that is overridden."""
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
        "environment_processes",
        "keep_best",
        "early_stopping_patience",
        "resume",
        "num_workers",
    )
    """Names that are about the job and not about the preset."""
    evaluation_names: tuple[str, ...] = ("RLCOACH_PRESET", "seed", "accelerate", "evaluate_steps", "evaluate_episodes")
    """The same, of an evaluation job."""
    graph_manager: Any = None
    _mapped: str = ""

    def __init__(self, hyperparameters: Mapping[str, Any] | None = None, paths: MLPaths | None = None) -> None:
        """Launch the job of this process; or, with arguments, one of these hyperparameters in these folders."""
        if paths is not None:
            self.paths = paths
        if hyperparameters is not None:
            self.given = dict(hyperparameters)

    @functools.cached_property
    def paths(self) -> MLPaths:
        """The job's folders."""
        return MLPaths.from_environment()

    @functools.cached_property
    def given(self) -> dict[str, Any]:
        """The job's hyperparameters, decoded: those of SageMaker's file, and others among the program's arguments."""
        return {**from_arguments(sys.argv[1:]), **read_hyperparameters(self.paths.hyperparameters)}

    @functools.cached_property
    def hyperparameters(self) -> ConfigurationList:
        """What the hyperparameters lead to in the preset; ``get_config_args`` fills it."""
        return CoachConfigurationList()

    def __getattr__(self, name: str) -> Any:
        """Return a member of Coach's launcher that is not defined here, bound to this one."""
        if not name.startswith("_"):
            from rl_coach.coach import CoachLauncher

            with contextlib.suppress(AttributeError):
                return inspect.getattr_static(CoachLauncher, name).__get__(self, type(self))
        raise AttributeError(f"Launcher {type(self).__name__} has no {name!r}.")

    # --- A job, from its beginning to its end ------------------------------------------------------------------------

    @classmethod
    def train_main(cls) -> None:
        """Train as the hyperparameters say; a failure ends the process."""
        launcher = cls()
        launcher.launch()
        for name in ("_save_tf_model", "_save_onnx_model"):
            if getattr(cls, name) is not getattr(SageMakerCoachPresetLauncher, name):
                outputs.metric_line("Launcher", Not_called=name, Reason="the job's policy artifact takes its place")

    @classmethod
    def evaluate_main(cls) -> None:
        """Evaluate the checkpoint in the ``checkpoint`` channel; a failure ends the process."""
        launcher = cls()
        launcher._run(launcher._evaluate)

    def launch(self) -> None:
        """Run the job that ``get_config_args`` describes; a failure ends the process."""
        self._run(lambda: self._start(self._parse()))

    def _run(self, job: Callable[[], None]) -> None:
        STOP.install()
        prepare_environment()
        trains = hosts.trains_here(self.paths)
        if trains and run_and_report(lambda: ranks.run(job, lambda: vars(self).pop("paths")), self.paths):
            sys.exit(1)

    def _evaluate(self) -> None:
        self.job_names = self.evaluation_names
        steps = checked_count("evaluate_steps", self.given.get("evaluate_steps", EVALUATE_STEPS))
        args = self._parse()
        args.evaluate, args.checkpoint_restore_dir = steps, str(self.paths.channel("checkpoint"))
        self._start(args)

    def _parse(self) -> argparse.Namespace:
        """Return the checked namespace that ``get_config_args`` makes of the hyperparameters."""
        self.paths.create_outputs()
        if len(sys.argv) == 1:
            sys.argv += as_arguments(self.given)  # as in script mode, where launchers read them
        import_coach()
        parser = self.get_argument_parser()
        args = arguments.parse(self.get_config_args, parser)
        arguments.check(args, self.get_argument_parser().parse_args([]), self.paths)
        self.preset_name = preset_stem(args.preset)
        return args

    def _start(self, args: argparse.Namespace) -> None:
        """Make the graph manager that ``args`` describe, lead its methods here, and have it run."""
        episodes = checked_count("evaluate_episodes", self.given.get("evaluate_episodes", 1))
        checkpoint = Path(args.checkpoint_restore_dir) if args.checkpoint_restore_dir else None
        evaluates = args.evaluate is not None or (checkpoint is not None and hasattr(args, "evaluate_steps"))
        if checkpoint is not None:
            self._take_up_changes(checkpoint)
        self.graph_manager = self.get_graph_manager_from_args(args)
        self.hyperparameters.refuse_rest(self.roots)
        from sagemaker_rl.training import graph_methods, job_options  # imports NumPy, which takes its time

        graph_methods.GraphMethods(
            self.graph_manager,
            graph_methods.Job(
                paths=self.paths,
                preset=self.preset_name,
                hyperparameters=self.given,
                changes=self.changes,
                options=job_options.Options.of(self.given, args.seed),
                evaluates=evaluates,
                evaluation_episodes=episodes,
                checkpoint=checkpoint,
                settings=preset_values.describe(self.graph_manager, self.short_names, self.hyperparameters.before),
            ),
        )
        self.run_graph_manager(self.graph_manager, args)

    def _take_up_changes(self, checkpoint: Path) -> None:
        """Let what the job of a checkpoint changed in this preset be applied first."""
        from sagemaker_rl.training import checkpoints, generations

        description = checkpoints.describe(generations.find(checkpoint))
        if description.get("preset") != self.preset_name:
            return  # restoring refuses it, in its own words
        own = dict(self.hyperparameters.hp_dict)
        self.hyperparameters.hp_dict.clear()
        self.hyperparameters.hp_dict.update({path: value for path, value in description["changes"] if path not in own})
        self.hyperparameters.hp_dict.update(own)

    # --- What a subclass may decide, in the order of its call --------------------------------------------------------

    roots: tuple[str, ...] = ("rl.",)
    """How paths begin."""

    def get_argument_parser(self) -> argparse.ArgumentParser:
        """Return the parser of Coach's command line, whose defaults ``get_config_args`` begins with."""
        from rl_coach.coach import CoachLauncher

        return cast(argparse.ArgumentParser, CoachLauncher().get_argument_parser())

    def get_config_args(self, parser: argparse.ArgumentParser) -> argparse.Namespace:
        """Return Coach's arguments for this job, by ``parser``'s defaults, and fill ``self.hyperparameters``.

        Raises:
            InputError: A hyperparameter is unknown.
        """
        from rl_coach.base_parameters import Frameworks

        args = parser.parse_args(args=[])
        sagemaker_parser = self.sagemaker_argparser()
        args.preset = self.given.get("RLCOACH_PRESET") or sagemaker_parser.get_default("RLCOACH_PRESET")
        args.framework = Frameworks.mxnet
        args.num_workers = self.given.get("num_workers", 1)
        args.experiment_path = str(self.paths.intermediate)
        args.checkpoint_save_dir = str(self.paths.checkpoint)
        args.no_summary = True
        self.map_given(sagemaker_parser)
        return args

    def map_given(self, sagemaker_parser: argparse.ArgumentParser) -> None:
        """Fill ``self.hyperparameters`` with what is neither the job's own nor added to the parser by a subclass."""
        self.hyperparameters = CoachConfigurationList()
        options = {option.lstrip("-") for action in sagemaker_parser._actions for option in action.option_strings}
        declared = options - set(SageMakerCoachPresetLauncher.job_names)
        for name in self._in_order(self.given.keys() - declared - set(self.job_names)):
            self._mapped = name
            self.map_hyperparameter(name, as_text(self.given[name]))
        self._mapped = ""

    def sagemaker_argparser(self) -> argparse.ArgumentParser:
        """Return a parser of the program's arguments: of those hyperparameters that are not about the preset."""
        parser = argparse.ArgumentParser()
        parser.add_argument("-n", "--num_workers", type=int, default=1, help="processes that train: 1 on MXNet")
        preset = self.given.get("RLCOACH_PRESET") or self.default_preset_name()
        parser.add_argument("-p", "--RLCOACH_PRESET", default=preset, help="name of the preset's file, without .py")
        parser.add_argument("--save_model", type=int, default=1, help="0 to leave no policy artifact")
        return parser

    def default_preset_name(self) -> str:
        """Return the preset of a job that does not set RLCOACH_PRESET: the name of a file."""
        if self.DEFAULT_PRESET is None:
            raise InputError("Hyperparameter RLCOACH_PRESET is missing, expected the name of a preset.")
        return self.DEFAULT_PRESET

    def map_hyperparameter(self, name: str, value: Any) -> None:
        """Store one hyperparameter under its path in the preset; there is no graph manager yet.

        Args:
            name: short, or a path that begins with ``rl.``.
            value: a string.

        Raises:
            InputError: No such name.
        """
        if name in self.short_names:
            for path in preset_values.paths_of(self.short_names[name]):
                self.apply_hyperparameter(path, value, name)
        elif name.startswith(self.roots):
            self.apply_hyperparameter(name, value, name)
        elif self._mapped or name not in {*self.job_names, *self.evaluation_names}:
            # Without _mapped, get_config_args is overridden, and hands on what the job reads for itself.
            raise InputError(f"Hyperparameter {name} is unknown, {nearest(name, self.known_names())}")

    def apply_hyperparameter(self, path: str, value: Any, name: str = "") -> None:
        """Have ``value``, a string or a number, put where ``path`` (``rl.…``, perhaps with ``:UNIT``) leads.

        It is kept until there is a preset; the user called it ``name``.
        """
        self.hyperparameters.store(path, value, name or self._mapped)

    def get_graph_manager_from_args(self, args: argparse.Namespace) -> Any:
        """Return the preset's graph manager with all hyperparameters in place.

        Raises:
            InputError: An unknown preset, or a value that does not fit.
        """
        graph_manager = self.preset_from_name(args.preset)
        arguments.put_into(graph_manager, args)
        self.hyperparameters.apply_subset(graph_manager, "rl.")
        return graph_manager

    def preset_from_name(self, preset_name: str) -> Any:
        """Return the graph manager that a preset's file defines."""
        return import_preset(find_preset(preset_name, self.paths, Path(self.path_of_main_launcher())))

    def path_of_main_launcher(self) -> str:
        """Return the folder of the program that this process runs."""
        file = getattr(sys.modules["__main__"], "__file__", None)
        return str(Path(file).resolve().parent if file else Path.cwd())

    def run_graph_manager(self, graph_manager: Any, args: argparse.Namespace) -> None:
        """Run the job, by ``start_single_threaded``."""
        from rl_coach.base_parameters import TaskParameters

        task_parameters = TaskParameters(
            framework_type=args.framework,
            evaluate_only=args.evaluate,
            use_cpu=True,
            experiment_path=args.experiment_path,
            seed=args.seed,
            checkpoint_save_secs=args.checkpoint_save_secs,
            checkpoint_restore_path=args.checkpoint_restore_dir,
            checkpoint_save_dir=args.checkpoint_save_dir,
        )
        self.start_single_threaded(task_parameters, graph_manager, args)

    def start_single_threaded(self, task_parameters: Any, graph_manager: Any, args: argparse.Namespace) -> None:
        """Create the graph, train or evaluate, and close it; its methods are those of ``training/graph_methods.py``."""
        from rl_coach.core_types import EnvironmentSteps

        graph_manager.create_graph(task_parameters)
        if task_parameters.evaluate_only is not None:
            graph_manager.evaluate(EnvironmentSteps(task_parameters.evaluate_only or EVALUATE_STEPS))
        else:
            graph_manager.improve()
        graph_manager.close()

    def _save_tf_model(self) -> None:
        """AWS's launchers export a TensorFlow model here; with MXNet it is never called."""

    def _save_onnx_model(self) -> None:
        """As ``_save_tf_model``: the policy artifact takes its place."""

    # --- What it is built on -----------------------------------------------------------------------------------------

    def known_names(self) -> list[str]:
        """Return the names that are hyperparameters of this launcher, without the ``rl.…`` paths."""
        overridden = [
            vars(cls)["map_hyperparameter"] for cls in type(self).__mro__ if "map_hyperparameter" in vars(cls)
        ]
        in_code = [name for function in overridden[:-1] for name in names_in(function, type(self))]
        return [*self.job_names, *self.short_names, *in_code]

    @functools.cached_property
    def preset_name(self) -> str:
        """The preset of this job."""
        return preset_stem(self.given.get("RLCOACH_PRESET") or self.default_preset_name())

    @property
    def changes(self) -> list[tuple[str, Any]]:
        """Path and value of all that the hyperparameters have changed in the preset."""
        return self.hyperparameters.applied

    def load_preset(self) -> Any:
        """Return the preset's graph manager with the hyperparameters in place, and run nothing."""
        self.graph_manager = self.get_graph_manager_from_args(self._parse())
        self.hyperparameters.refuse_rest(self.roots)
        return self.graph_manager

    def _in_order(self, names: Iterable[str]) -> list[str]:
        """Return the names that are to be mapped: the short ones in the order of ``short_names``, then paths."""
        ours = [name for name in self.given if name in set(names) and not name.startswith(OF_THE_PLATFORM)]
        places = {name: place for place, name in enumerate(self.short_names)}
        return sorted(ours, key=lambda name: (name.startswith(self.roots), places.get(name, -1)))


class SageMakerCoachLauncher(SageMakerCoachPresetLauncher):
    """The older base class: the job's parts are defined by the subclass, and there is no preset.

    Hyperparameters are paths into the parts: ``agent_params.…``, ``env_params.…``, ``schedule_params.…`` and
    ``vis_params.…``.
    """

    roots = ("agent_params.", "env_params.", "schedule_params.", "vis_params.")

    def default_preset_name(self) -> str:
        """Return the name that checkpoints have: there is no preset."""
        return type(self).__name__

    def define_environment(self) -> Any:
        """Return the parameters of a Coach environment."""
        raise InputError(f"Launcher {type(self).__name__} has no define_environment(), expected one that returns it.")

    def define_agent(self) -> Any:
        """Return the parameters of a Coach agent."""
        raise InputError(f"Launcher {type(self).__name__} has no define_agent(), expected one that returns it.")

    def config_schedule(self, schedule_params: Any) -> None:
        """Set the schedule: how long to heat up, train and evaluate."""

    def config_visualization(self, vis_params: Any) -> None:
        """Set what is recorded."""

    def get_graph_manager_from_args(self, args: argparse.Namespace) -> Any:
        """Return a graph manager of the parts, with all hyperparameters in place."""
        from rl_coach.base_parameters import VisualizationParameters
        from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
        from rl_coach.graph_managers.graph_manager import ScheduleParameters

        visualization, schedule = VisualizationParameters(), ScheduleParameters()
        self.config_visualization(visualization)
        self.config_schedule(schedule)
        agent, environment = self.define_agent(), self.define_environment()
        for root, part in zip(self.roots, (agent, environment, schedule, visualization), strict=True):
            self.hyperparameters.apply_subset(part, root)
        graph_manager = BasicRLGraphManager(agent, environment, schedule, visualization)
        arguments.put_into(graph_manager, args)
        return graph_manager
