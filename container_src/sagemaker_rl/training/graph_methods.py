"""Coach's graph manager, as launchers run it: ``create_graph``, ``improve`` and ``evaluate`` do what a job does.

A launcher may run the graph itself (``start_single_threaded`` of rl_coach/coach.py). On the one object that it is given
these methods lead to this project's training and evaluation, so that it leaves what any job leaves.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_rl.coach import preset_values
from sagemaker_rl.coach.graph import create_graph
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import introduction, ranks
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.training import checkpoints, evaluation, generations, loop, trial
from sagemaker_rl.training.job_options import Options


@dataclass(frozen=True)
class Job:
    """What the methods need to know of the job."""

    paths: MLPaths
    preset: str
    """Its name."""
    hyperparameters: dict[str, Any]
    """As the user gave them, for the record."""
    changes: list[tuple[str, Any]]
    """What they changed in the preset, for the checkpoint."""
    options: Options
    evaluates: bool
    """Whether it is an evaluation job."""
    evaluation_episodes: int
    """How many an evaluation job plays at least."""
    checkpoint: Path | None
    """The folder to start from, or that of the evaluation."""
    settings: list[dict[str, Any]]
    """The preset's values, for the report."""


class GraphMethods:
    """The methods of one graph manager, while ``installed``."""

    def __init__(self, graph_manager: Any, job: Job) -> None:
        self._graph_manager = graph_manager
        self._job = job
        self._seed = job.options.seed
        self._options = job.options
        self._trainings = 0
        self._install()

    def _install(self) -> None:
        for method in (self.create_graph, self.improve, self.evaluate):
            setattr(self._graph_manager, method.__name__, method)

    @contextlib.contextmanager
    def _coachs_own(self) -> Iterator[Any]:
        """Give the graph manager its own methods back while the context is open."""
        for name in ("create_graph", "improve", "evaluate"):
            vars(self._graph_manager).pop(name, None)
        try:
            yield self._graph_manager
        finally:
            self._install()

    def create_graph(self, task_parameters: Any = None) -> Any:
        """Create the preset's environment, agent and networks, and restore the job's checkpoint.

        Args:
            task_parameters: Coach's TaskParameters; ``evaluate_only`` and ``checkpoint_restore_path`` are of interest.

        Raises:
            InputError: The preset asks for what cannot be done, or the checkpoint is not one of it.
        """
        job = self._job
        restore_path = getattr(task_parameters, "checkpoint_restore_path", None) or job.checkpoint
        if job.evaluates and self._seed is None:
            self._seed = trial.EVALUATION_SEED
        self._introduce()
        with self._coachs_own() as graph_manager:
            if job.evaluates:
                steps = getattr(task_parameters, "evaluate_only", None) or 1
                create_graph(graph_manager, job.paths.intermediate, self._seed, evaluate_only=steps)
            else:
                self._options = loop.create(graph_manager, job.paths, job.changes, job.options)
            if restore_path:
                folder = generations.find(job.paths.resolve(restore_path))
                checkpoints.restore(graph_manager, folder, job.preset)
                graph_manager.task_parameters.checkpoint_restore_path = None  # done
            return graph_manager

    def improve(self) -> None:
        """Train as the preset's schedule says."""
        job = self._job
        self._create_if_needed()
        with self._coachs_own() as graph_manager:
            loop.train(
                graph_manager, job.paths, job.preset, job.hyperparameters, job.changes, self._options, self._trainings
            )
        self._trainings += 1

    def evaluate(self, steps: Any) -> bool:
        """Play the policy as Coach's evaluations do, for at least so many steps, in whole episodes.

        Args:
            steps: Coach's EnvironmentSteps or EnvironmentEpisodes.

        Returns:
            False: an evaluation ends no training here.

        Raises:
            InputError: ``steps`` are in another unit, or less than 1.
        """
        from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps

        if not isinstance(steps, EnvironmentSteps | EnvironmentEpisodes) or steps.num_steps < 1:
            raise InputError(
                f"The launcher evaluates for {type(steps).__name__}({getattr(steps, 'num_steps', steps)}), "
                "expected EnvironmentSteps or EnvironmentEpisodes of 1 or more."
            )
        job = self._job
        if ranks.only_first_trains("an evaluation is played by one process"):
            return False
        self._create_if_needed()
        extent = evaluation.Extent(int(steps.num_steps), job.evaluation_episodes)
        if isinstance(steps, EnvironmentEpisodes):
            extent = evaluation.Extent(1, int(steps.num_steps))
        with self._coachs_own() as graph_manager:
            evaluation.evaluate(
                graph_manager, job.paths, job.preset, job.hyperparameters, extent, self._seed, job.options.accelerate
            )
        return False

    def _create_if_needed(self) -> None:
        if self._graph_manager.graph_creation_time is None:
            self.create_graph()

    def _introduce(self) -> None:
        """Say what this job is, for its report."""
        graph_manager = self._graph_manager
        introduction.introduce(
            self._job.paths,
            kind="evaluation" if self._job.evaluates else "training",
            preset=self._job.preset,
            environment=str(graph_manager.env_params.level),
            algorithm=type(graph_manager.agent_params).__name__.removesuffix("AgentParameters"),
            seed=self._seed,
            settings=self._job.settings,
            reward_scale=preset_values.reward_scale(graph_manager),
        )
