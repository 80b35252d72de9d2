"""A training job: Coach's improve loop, with checkpoints, metrics, a clean stop and the policy at its end."""

import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sagemaker_rl.coach.agents import check_action_space, check_changes
from sagemaker_rl.coach.graph import agent_of, create_graph
from sagemaker_rl.coach.signals import LOSSES
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs, ranks, tensorboard
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP, Stopped
from sagemaker_rl.policy import export
from sagemaker_rl.training import checkpoints, resume, trial
from sagemaker_rl.training.best_policy import BestPolicy
from sagemaker_rl.training.choice import choose_run
from sagemaker_rl.training.early_stopping import EarlyStopping
from sagemaker_rl.training.job_options import Options
from sagemaker_rl.training.schedule import check_schedule
from sagemaker_rl.training.state_file import DamagedState, State

TAKEN_UP = (
    "environment_steps",
    "episodes",
    "training_iterations",
    "train_seconds",
    "evaluation_reward",
    "policy_steps",
)
"""What of a job's progress a job that goes on where it was begins with."""
EXTENTS = {"EnvironmentEpisodes": "Improve_episodes", "Time": "Improve_seconds"}
"""What the log calls the length of a training that is not in units that count environment steps."""


@dataclass
class Progress:
    """What has been done so far: ``metadata.json``, and a part of ``policy.json``.

    ``evaluation_reward`` is the mean return of the last evaluation; at the end, with ``keep_best``, of the policy that
    is kept, which had been trained for ``policy_steps`` environment steps.
    """

    preset: str
    hyperparameters: dict[str, Any]
    seed: int | None
    environment_steps: int = 0
    episodes: int = 0
    training_iterations: int = 0
    train_seconds: float = 0.0
    evaluation_reward: float | None = None
    policy_steps: int = 0
    stopped: bool = False


def create(graph_manager: Any, paths: MLPaths, changes: list[tuple[str, Any]], options: Options) -> Options:
    """Check the preset's schedule, and create what is trained.

    Args:
        graph_manager: the preset's, with hyperparameters in place, its graph not created yet.
        paths: where results go.
        changes: what hyperparameters changed in the preset, as (path, value).
        options: of the job.

    Returns:
        The options, with ``save_model`` decided.

    Raises:
        InputError: The preset asks for something that cannot be done.
    """
    check_changes(changes)
    if options.seed is None and ranks.are_several():
        options = replace(options, seed=ranks.of_this_job().decide(secrets.randbits(31)))
    EarlyStopping(graph_manager, options.early_stopping_patience)  # refuses what cannot be
    check_schedule(graph_manager, options.parallel_environments, changes)
    create_graph(graph_manager, paths.intermediate, options.seed)
    agent = agent_of(graph_manager)
    check_action_space(agent, str(graph_manager.env_params.level))
    return replace(options, save_model=_decide_save_model(agent, options.save_model))


def train(
    graph_manager: Any,
    paths: MLPaths,
    preset: str,
    hyperparameters: dict[str, Any],
    changes: list[tuple[str, Any]],
    options: Options,
    number: int = 0,
) -> None:
    """Train as the preset's schedule says; the results are in the folders of ``paths``.

    Args:
        graph_manager: the preset's, its graph created.
        paths: where results go.
        preset: its name.
        hyperparameters: as the user gave them, for the record.
        changes: what they changed in the preset, for the checkpoint.
        options: of the job.
        number: of the trainings before it in the same job.
    """
    progress = Progress(preset, hyperparameters, options.seed)
    TrainingJob(graph_manager, paths, progress, changes, options, number).run()


def _decide_save_model(agent: Any, save_model: bool | None) -> bool:
    """Return whether the job writes a policy artifact; say in the log why a policy has none.

    Raises:
        InputError: It is asked for, and cannot be written.
    """
    if save_model is False:
        return False
    reason = export.reason_not_exportable(agent)
    if reason is None:
        return True
    if save_model:
        raise InputError(f"Hyperparameter save_model is 1, but {reason}.")
    outputs.metric_line("Model", Model="none", Reason=reason)
    return False


class TrainingJob:
    """The run of one training job on a graph that has been created."""

    def __init__(
        self,
        graph_manager: Any,
        paths: MLPaths,
        progress: Progress,
        changes: list[tuple[str, Any]],
        options: Options,
        number: int = 0,
    ) -> None:
        self.graph_manager = graph_manager
        self.agent = agent_of(graph_manager)
        self.paths = paths
        self.progress = progress
        self.changes = changes
        self.options = options
        self.number = number
        """Of the trainings before it in the same job: a launcher may begin several."""
        self.early_stopping = EarlyStopping(graph_manager, options.early_stopping_patience, changes)
        self.ranks = ranks.of_this_job()
        self.events = tensorboard.event_file(paths.intermediate.parent, Path(self.agent.agent_logger.csv_path))
        self.keeper = resume.Keeper(graph_manager, paths, progress.preset, changes, self.ranks)
        self.goes_on = False
        """Whether it goes on where another one was."""
        self.began_at = 0
        """What Coach's counter of the unit of ``improve_steps`` had when this training began."""
        self.finished_after: int | None = None
        """The ``improve_steps`` with which it was finished; None if it was not."""
        self.started = time.monotonic()

    def run(self) -> None:
        """Go on from a synchronized checkpoint, train, and write the model and the trial of its policy."""
        options, paths = self.options, self.paths
        saved = self._find_state()
        improve_steps = self.graph_manager.improve_steps
        outputs.metric_line(
            "Schedule",
            Preset=self.progress.preset,
            **{EXTENTS.get(type(improve_steps).__name__, "Improve_steps"): improve_steps.num_steps},
            Seed=options.seed,
            Agent=type(self.agent).__name__,
        )
        run = choose_run(
            self.graph_manager,
            paths,
            options.seed,
            options.accelerate,
            options.parallel_environments,
            environment_processes=options.environment_processes,
            ranks=self.ranks,
        )
        if run is None:
            return
        self.ranks = run.ranks
        best = BestPolicy(self.graph_manager)
        if saved is not None:
            self._go_on(run, best, *saved)
            if saved[1].get("training", 0) > self.number:  # the launcher's next one was interrupted
                return
        with STOP.deferred():
            try:
                self._improve(run, best)
            except Stopped as stopped:
                self.progress.stopped = True
                self._save_checkpoint()  # of the last policy
                if run.is_at_rest:
                    self._save_state(run, best)
                print(f"Stopped by {stopped} after {self._steps_trained()} environment steps.", flush=True)
            has_ended = self.keeper.has_folder and not self.progress.stopped
            state = self._state(run, best) if has_ended else None  # of the last policy
            run.close()
            if options.keep_best:
                self._restore_best(best)
            if not (paths.checkpoint / checkpoints.STATE_FILE).is_file():  # there was nothing left to train
                self._save_checkpoint()
            if state is not None:
                self.keeper.save(lambda: state)
            self.keeper.report()
            self._record_progress()
            self._export()
            if options.save_model:
                print(f"Model> Saved in={paths.model}", flush=True)
            if self.ranks.rank == 0:
                trial.put_on_trial(self.graph_manager, paths, trial.SHARE_OF_TRAINING * self.progress.train_seconds)

    def _find_state(self) -> tuple[Path, State] | None:
        """Return folder and state of the checkpoint to go on from; None to begin with its weights, or with nothing."""
        folder = self.keeper.find()
        hyperparameters = self.progress.hyperparameters
        if folder is not None and (self.options.resume == "exact" or resume.is_of_same_job(folder, hyperparameters)):
            state = resume.read(folder)
            if state.get("training", 0) < self.number:  # the launcher's one before, of which everything is here
                return None
            resume.check_hyperparameters(folder, state, self.progress.preset, hyperparameters)
            print(f"Checkpoint> Going on from={folder}", flush=True)
            return folder, state
        folder = folder or self.paths.synced_checkpoint
        if (folder / checkpoints.STATE_FILE).is_file():
            print(f"Checkpoint> Starting from the weights in={folder}", flush=True)
            checkpoints.restore(self.graph_manager, folder, self.progress.preset)
        return None

    def _state(self, run: Any, best: BestPolicy) -> State:
        """Return all that a job needs to go on where this one is."""
        return {
            "version": resume.VERSION,
            **vars(self.progress),
            "training": self.number,
            "train_seconds": time.monotonic() - self.started,
            "best": best.state(),
            "began_at": self.began_at,
            "finished_after": self.finished_after,
            "path": type(run).__name__,
            "checkpoint_id": self.graph_manager.checkpoint_id,
            "run": run.state(),
        }

    def _go_on(self, run: Any, best: BestPolicy, folder: Path, state: State) -> None:
        """Take up what an interrupted job left in a checkpoint's folder.

        Raises:
            InputError: It is another job's.
        """
        try:
            if state.get("version") != resume.VERSION:
                raise DamagedState(f"it is of version {state.get('version')}, and this image writes {resume.VERSION}")
            if state["path"] != type(run).__name__:
                raise DamagedState(f"it was run by {state['path']}, and this one is by {type(run).__name__}")
            run.restore(state["run"])
            best.remember(state["best"])
            for name in TAKEN_UP:
                setattr(self.progress, name, state[name])
            self.goes_on = True
            self.started = time.monotonic() - self.progress.train_seconds
            self.began_at, self.finished_after = state["began_at"], state["finished_after"]
            self.graph_manager.checkpoint_id = state["checkpoint_id"]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # DamagedState among them
            raise resume.not_to_be_gone_on_from(folder, str(error)) from None

    def _improve(self, run: Any, best: BestPolicy) -> None:
        """Do what Coach's ``GraphManager.improve`` does, with a checkpoint and a metric line after every evaluation."""
        from rl_coach.core_types import RunPhase

        graph_manager = self.graph_manager
        counter = graph_manager.total_steps_counters[RunPhase.TRAIN]
        self.ranks.questions["checkpoint"] = lambda: self.keeper.is_due(resume.SECONDS_BETWEEN)
        run.at_rest = lambda: self._save_state(run, best) if self.ranks.agreed("checkpoint") else None
        improve_steps = graph_manager.improve_steps
        if not self.goes_on:
            self.began_at = counter[type(improve_steps)]
            run.sync()
        if not self.goes_on or run.is_heating_up:
            run.heatup(graph_manager.heatup_steps)
        end = type(improve_steps)(self.began_at + improve_steps.num_steps)
        done = self.finished_after is not None and improve_steps.num_steps <= self.finished_after
        done = done or self.early_stopping.is_due(best)
        while not done and (self._goes_on(counter, end) or run.phase_end is not None):  # its evaluation is due
            try:
                run.train_and_act(graph_manager.steps_between_evaluation_periods)
            finally:
                checkpoints.check_finite(graph_manager)  # stock Coach cannot act on NaN, and says something else
            done = run.evaluate(graph_manager.evaluation_steps)
            self.progress.train_seconds = time.monotonic() - self.started
            is_best = self._record_evaluation(best)
            self._save_checkpoint()
            self._record_progress()
            if is_best or not self.options.keep_best:
                self._export()  # also for a job that is killed
            self._print_evaluation(run.take_losses())
            run.phase_end = None
            if self.ranks.any_of(self.keeper.is_due()):
                self._save_state(run, best)
            done = done or self.early_stopping.is_due(best)
        if self.early_stopping.is_due(best):
            outputs.metric_line("Early stopping", Evaluations_without_a_better_one=best.evaluations_since)
        else:
            self.finished_after = improve_steps.num_steps

    def _goes_on(self, counter: Any, end: Any) -> bool:
        """Tell whether Coach's counter has not come to ``end`` yet; of seconds, by the first rank's clock."""
        return self.ranks.decide(bool(counter < end))

    def _save_state(self, run: Any, best: BestPolicy) -> None:
        self.keeper.save(lambda: self._state(run, best))

    def _export(self) -> None:
        """Write the model, if the job is to."""
        if self.options.save_model:
            export.export_policy(self.agent, self.graph_manager, self.paths.model, vars(self.progress))

    def _record_evaluation(self, best: BestPolicy) -> bool:
        """Record what the last evaluation found; ``best`` keeps the policy if none was better: return whether it does.

        Without an evaluation, it does not.
        """
        episodes = self.agent.num_evaluation_episodes_completed
        if episodes:
            self.progress.evaluation_reward = float(
                self.agent.accumulated_rewards_across_evaluation_episodes / episodes
            )
        self.progress.policy_steps = self._steps_trained()
        return best.consider(self.progress.evaluation_reward, self.progress.policy_steps)

    def _print_evaluation(self, losses: dict[str, float | None]) -> None:
        outputs.metric_line(
            "Evaluation",
            Evaluation_reward=self.progress.evaluation_reward,
            Episode=self.progress.episodes,
            Steps=self.progress.environment_steps,
            Training_iteration=self.progress.training_iterations,
            **{_metric_name(name): losses.get(name) for name in LOSSES},
            Seconds=round(self.progress.train_seconds, 1),
        )

    def _restore_best(self, best: BestPolicy) -> None:
        """Give the agent the best policy again, if training has gone on since."""
        if best.reward is None or best.steps >= self._steps_trained():
            return
        best.restore()
        self.progress.evaluation_reward, self.progress.policy_steps = best.reward, best.steps
        outputs.metric_line("Best", Evaluation_reward=best.reward, Steps=best.steps)
        if not self.progress.stopped:
            self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        checkpoints.save(self.graph_manager, self.paths.checkpoint, self.progress.preset, self.changes)

    def _steps_trained(self) -> int:
        """Return the environment steps taken in training so far."""
        from rl_coach.core_types import EnvironmentSteps, RunPhase

        return int(self.graph_manager.total_steps_counters[RunPhase.TRAIN][EnvironmentSteps])

    def _record_progress(self) -> None:
        self.progress.environment_steps = self._steps_trained()
        self.progress.episodes = self.agent.current_episode
        self.progress.training_iterations = self.agent.training_iteration
        outputs.publish_json(
            self.paths.intermediate / outputs.METADATA_FILE,
            {**vars(self.progress), "versions": outputs.versions(), "git_revision": outputs.git_revision()},
        )
        if self.events and self.ranks.rank == 0:
            self.events.update()


def _metric_name(signal: str) -> str:
    """Return ``Value_loss`` for ``Value Loss``, but ``KL_divergence`` for ``KL Divergence``."""
    first, *rest = signal.split(" ")
    return "_".join([first, *(word.lower() for word in rest)])
