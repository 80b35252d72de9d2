"""A training job: Coach's improve loop, with checkpoints, metrics, a clean stop and the policy at its end."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_rl.coach import repairs as coach_repairs
from sagemaker_rl.coach.environments import check_steps
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.stopping import STOP, Stopped
from sagemaker_rl.policy import export
from sagemaker_rl.report import job
from sagemaker_rl.training import checkpoints
from sagemaker_rl.training.best_policy import BestPolicy


@dataclass
class Progress:
    """What has been done so far.

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


@dataclass(frozen=True)
class Options:
    """What a job says about itself and not about its preset."""

    seed: int | None = None
    """Of everything random; None for a different run each time."""
    save_model: bool = True
    """Whether to write the policy artifact."""
    accelerate: bool = True
    """Whether to take the fast path where it does all that the preset asks for."""
    parallel_environments: int | None = None
    """How many copies of the environment the fast path steps together, at most; None for the algorithm's default."""
    keep_best: bool = True
    """Whether to end with the policy of the best evaluation, else with the last."""


class StockRun:
    """Stock Coach: its graph manager, and what the improve loop needs beside it."""

    def __init__(self, graph_manager: Any, agent: Any) -> None:
        self.sync = graph_manager.sync
        self.heatup = graph_manager.heatup
        self.train_and_act = graph_manager.train_and_act
        self.evaluate = graph_manager.evaluate
        self._agent = agent
        self._means = outputs.SignalMeans(agent)

    def take_losses(self) -> dict[str, float | None]:
        """Return the means of the losses since the last call, under Coach's names."""
        return self._means.take(LOSSES)

    def close(self) -> None:
        """Write what the CSV still lacks."""
        outputs.close_csv(self._agent)


LOSSES = ("Loss", "Value Loss", "Policy Loss", "Entropy", "KL Divergence")


def train(
    graph_manager: Any,
    paths: MLPaths,
    preset: str,
    hyperparameters: dict[str, Any],
    changes: list[tuple[str, Any]],
    options: Options,
) -> None:
    """Train as the preset's schedule says.

    Args:
        graph_manager: the preset's, with hyperparameters in place, its graph not created yet.
        paths: where results go.
        preset: its name.
        hyperparameters: as the user gave them, for the record.
        changes: what they changed in the preset, for the checkpoint.
        options: of the job.

    Raises:
        InputError: The preset asks for something that cannot be done.
    """
    check_schedule(graph_manager, options.parallel_environments)
    create_graph(graph_manager, paths.intermediate, options.seed)
    agent = graph_manager.level_managers[0].acting_agent()
    if options.save_model:
        export.check_exportable(agent)
    checkpoint_folders = [paths.checkpoint]

    def save_checkpoint() -> None:
        checkpoints.save(graph_manager, checkpoint_folders, preset, changes)

    if paths.synced_checkpoint.is_dir():
        checkpoint_folders.append(paths.synced_checkpoint)
        if (paths.synced_checkpoint / checkpoints.STATE_FILE).is_file():
            print(f"Checkpoint> Starting from the weights in={paths.synced_checkpoint}", flush=True)
            checkpoints.restore(graph_manager, paths.synced_checkpoint, preset)

    progress = Progress(preset, hyperparameters, options.seed)
    outputs.metric_line(
        "Schedule",
        Preset=preset,
        Improve_steps=graph_manager.improve_steps.num_steps,
        Seed=options.seed,
        Agent=type(agent).__name__,
    )
    run = choose_run(graph_manager, agent, options, paths)
    best = BestPolicy(graph_manager)
    with STOP.deferred():
        try:
            _improve(run, graph_manager, agent, progress, save_checkpoint, paths, best)
        except Stopped:
            progress.stopped = True
            save_checkpoint()  # of the last policy, to go on from
            print(f"Stopped by SIGTERM after {progress_steps(graph_manager)} environment steps.", flush=True)
        run.close()
        if options.keep_best and best.reward is not None and best.steps < progress_steps(graph_manager):
            best.restore()
            progress.evaluation_reward, progress.policy_steps = best.reward, best.steps
            outputs.metric_line("Best", Evaluation_reward=best.reward, Steps=best.steps)
            if not progress.stopped:
                save_checkpoint()
        _record(graph_manager, agent, progress, paths)
        if options.save_model:
            export.export_policy(agent, graph_manager, paths.model, vars(progress))
            print(f"Model> Saved in={paths.model}", flush=True)
        job.put_on_trial(agent, graph_manager, paths)
    graph_manager.close()


def choose_run(graph_manager: Any, agent: Any, options: Options, paths: MLPaths) -> Any:
    """Return the fast path, or stock Coach if that is asked for or the fast path does not do all that is; say which."""
    from sagemaker_rl.training.accelerated.support import reason_for_stock

    reason = reason_for_stock(graph_manager) if options.accelerate else "accelerate is 0"
    if reason is None:
        from sagemaker_rl.training.accelerated.dqn import DQNRun
        from sagemaker_rl.training.accelerated.ppo import PPORun

        kind = PPORun if type(agent).__name__ == "ClippedPPOAgent" else DQNRun
        run = kind(graph_manager, options.parallel_environments, options.seed, STOP.check)
        outputs.metric_line("Path", Path="accelerated", Environments=run.envs.num_envs)
        job.add(paths, path=f"accelerated, environments at a time: {run.envs.num_envs}")
        return run
    outputs.metric_line("Path", Path="stock Coach", Reason=reason)
    job.add(paths, path=f"stock Coach: {reason}")
    STOP.guard(graph_manager.environments[0], "step")
    for network in agent.networks.values():
        STOP.guard(network, "train_and_sync_networks")
    return StockRun(graph_manager, agent)


def create_graph(graph_manager: Any, experiment_path: Path, seed: int | None, evaluate_only: int | None = None) -> None:
    """Create the preset's environment, agent and networks.

    Raises:
        InputError: The environment cannot be found.
    """
    from rl_coach.base_parameters import Frameworks, TaskParameters

    outputs.direct_coach_to(experiment_path)
    parameters = TaskParameters(
        framework_type=Frameworks.mxnet,
        evaluate_only=evaluate_only,
        experiment_path=str(experiment_path),
        seed=seed,
        use_cpu=True,
    )
    # Coach seeds gym's environment, `random`, `numpy.random` and `mxnet.random` with it.
    try:
        graph_manager.create_graph(parameters)
    except ModuleNotFoundError as error:
        level = str(graph_manager.env_params.level)
        if error.name == level.partition(":")[0]:
            raise InputError(f"Environment {level} cannot be imported: there is no module {error.name!r}.") from None
        raise
    coach_repairs.forget_placeholders()
    for environment in graph_manager.environments:
        if hasattr(environment, "env"):  # gym's
            check_steps(environment.env, str(graph_manager.env_params.level))
            _film_only_what_renders(graph_manager, environment)


def _film_only_what_renders(graph_manager: Any, environment: Any) -> None:
    """Do without GIFs of an environment that has no ``render`` of its own, and say so."""
    import gym

    visualization = environment.visualization_parameters
    kinds = set(type(environment.env.unwrapped).__mro__) - set(gym.Env.__mro__)
    if visualization.dump_gifs and not any("render" in vars(kind) for kind in kinds):
        agent = graph_manager.level_managers[0].acting_agent()
        visualization.dump_gifs = agent.ap.visualization.dump_gifs = False
        outputs.metric_line("GIFs", GIFs="none", Reason=f"{graph_manager.env_params.level} has no render()")


def check_schedule(graph_manager: Any, environments: int | None) -> None:
    """Raise InputError if there is too little data for what is asked for: Coach would train on nothing, or never.

    Args:
        graph_manager: the preset's, with hyperparameters in place.
        environments: how many are to be stepped together; None if nobody said.
    """
    from rl_coach.core_types import EnvironmentSteps

    algorithm = graph_manager.agent_params.algorithm
    playing = algorithm.num_consecutive_playing_steps
    if not isinstance(playing, EnvironmentSteps):
        return
    batch_size = graph_manager.agent_params.network_wrappers["main"].batch_size
    if hasattr(algorithm, "optimization_epochs") and batch_size > playing.num_steps:
        raise InputError(
            f"Hyperparameter training_batch_size is {batch_size}, expected at most the {playing.num_steps} "
            "environment steps between two trainings (training_freq_env_steps)."
        )
    if environments is not None and environments > playing.num_steps:
        raise InputError(
            f"Hyperparameter parallel_environments is {environments}, expected at most the {playing.num_steps} "
            "environment steps between two trainings."
        )
    improve, period = graph_manager.improve_steps, graph_manager.steps_between_evaluation_periods
    if isinstance(improve, EnvironmentSteps) and isinstance(period, EnvironmentSteps):
        steps = math.ceil(improve.num_steps / period.num_steps) * period.num_steps  # Coach's whole periods
        if steps < playing.num_steps:
            raise InputError(
                f"Hyperparameter improve_steps is {improve.num_steps}, expected at least the {playing.num_steps} "
                "environment steps between two trainings: nothing would be learnt."
            )


def progress_steps(graph_manager: Any) -> int:
    """Return the environment steps taken in training so far."""
    from rl_coach.core_types import EnvironmentSteps, RunPhase

    return int(graph_manager.total_steps_counters[RunPhase.TRAIN][EnvironmentSteps])


def _improve(
    run: Any,
    graph_manager: Any,
    agent: Any,
    progress: Progress,
    save_checkpoint: Callable[[], None],
    paths: MLPaths,
    best: BestPolicy,
) -> None:
    """Coach's ``GraphManager.improve``, with a checkpoint and a metric line after every evaluation."""
    from rl_coach.core_types import RunPhase

    started = time.monotonic()
    run.sync()
    run.heatup(graph_manager.heatup_steps)
    end = graph_manager.total_steps_counters[RunPhase.TRAIN] + graph_manager.improve_steps
    done = False
    while not done and graph_manager.total_steps_counters[RunPhase.TRAIN] < end:
        run.train_and_act(graph_manager.steps_between_evaluation_periods)
        checkpoints.check_finite(graph_manager)
        done = run.evaluate(graph_manager.evaluation_steps)
        if agent.num_evaluation_episodes_completed:
            progress.evaluation_reward = float(
                agent.accumulated_rewards_across_evaluation_episodes / agent.num_evaluation_episodes_completed
            )
        progress.train_seconds = time.monotonic() - started
        progress.policy_steps = progress_steps(graph_manager)
        best.consider(progress.evaluation_reward, progress.policy_steps)
        save_checkpoint()
        _record(graph_manager, agent, progress, paths)
        losses = run.take_losses()
        outputs.metric_line(
            "Evaluation",
            Evaluation_reward=progress.evaluation_reward,
            Episode=progress.episodes,
            Steps=progress.environment_steps,
            Training_iteration=progress.training_iterations,
            **{_metric_name(name): losses.get(name) for name in LOSSES},
            Seconds=round(progress.train_seconds, 1),
        )


def _metric_name(signal: str) -> str:
    """Return ``Value loss`` for ``Value Loss``, but ``KL divergence`` for ``KL Divergence``."""
    first, *rest = signal.split(" ")
    return "_".join([first, *(word.lower() for word in rest)])


def _record(graph_manager: Any, agent: Any, progress: Progress, paths: MLPaths) -> None:
    progress.environment_steps = progress_steps(graph_manager)
    progress.episodes = agent.current_episode
    progress.training_iterations = agent.training_iteration
    outputs.publish_json(
        paths.intermediate / outputs.METADATA_FILE,
        {**vars(progress), "versions": outputs.versions(), "git_revision": outputs.git_revision()},
    )
