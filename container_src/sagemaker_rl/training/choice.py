"""Which code runs a job: the fast path (``accelerated``), or stock Coach."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

from sagemaker_rl.coach import signals, written_files
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.job import introduction, outputs
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.ranks import Ranks, only_first_trains
from sagemaker_rl.job.stopping import STOP, Stopped
from sagemaker_rl.training import stock_state
from sagemaker_rl.training.state_file import State

PATIENCE = 20.0
"""Seconds in which a job that is to stop ends the training it is in, so that it can go on from there."""
CALLS_TO_AGREE = 100
"""Gradient steps after which ranks ask each other whether they have been told to stop: it costs a message."""


class StockRun:
    """Stock Coach: its graph manager, and what the improve loop needs beside it."""

    is_heating_up = False
    phase_end: float | None = None
    _interrupted_end: float | None = None
    is_at_rest = True
    at_rest: Callable[[], None]
    ranks = Ranks()

    def __init__(self, graph_manager: Any) -> None:
        self.sync = graph_manager.sync
        self.heatup = graph_manager.heatup
        self.evaluate = graph_manager.evaluate
        self._graph_manager = graph_manager
        self._agent = agent_of(graph_manager)
        self._means = signals.SignalMeans(self._agent)
        STOP.guard(graph_manager.environments[0], "step")
        for network in self._agent.networks.values():
            STOP.guard(network.online_network, "accumulate_gradients")  # every gradient step of every agent

    def train_and_act(self, steps: Any) -> None:
        """Play and train for Coach's ``steps``, or for what is left of those of an interrupted job."""
        from rl_coach.core_types import RunPhase

        counter = self._graph_manager.total_steps_counters[RunPhase.TRAIN]
        end = (counter + steps).num_steps if self._interrupted_end is None else self._interrupted_end
        self.phase_end, self._interrupted_end = end, None
        self._graph_manager.train_and_act(type(steps)(max(0, end - counter[type(steps)])))

    def state(self) -> State:
        """Return what another run of the same preset goes on with, in a new episode."""
        return {**stock_state.state_of(self._graph_manager), "phase_end": self.phase_end}

    def restore(self, state: State) -> None:
        """Go on from a state.

        Raises:
            DamagedState: It is another preset's.
        """
        stock_state.restore(self._graph_manager, state)
        self.phase_end = self._interrupted_end = state["phase_end"]
        self._means.episodes_seen = self._agent.current_episode

    def play_at_least(self, steps: int, episodes: int) -> list[float]:
        """Play whole episodes, at least so many environment steps and so many episodes; return their returns."""
        from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, RunPhase

        counter = self._graph_manager.total_steps_counters[RunPhase.TEST]
        returns: list[float] = []
        with self._graph_manager.phase_context(RunPhase.TEST):
            self._graph_manager.reset_internal_state(force_environment_reset=True)
            end = counter[EnvironmentSteps] + steps
            while counter[EnvironmentSteps] < end or len(returns) < episodes:
                self._graph_manager.act(EnvironmentEpisodes(1))
                returns.append(float(self._agent.total_reward_in_current_episode))
        return returns

    def take_losses(self) -> dict[str, float | None]:
        """Return the means of the losses since the last call, under Coach's names."""
        return self._means.take(signals.LOSSES)

    def close(self) -> None:
        """Write what the CSV still lacks."""
        signals.close_csv(self._agent)


def choose_run(
    graph_manager: Any,
    paths: MLPaths,
    seed: int | None,
    accelerate: bool,
    parallel_environments: int | None,
    trains: bool = True,
    environment_processes: int | None = None,
    ranks: Ranks | None = None,
) -> Any:
    """Return what runs the job, and say which path it is, in the log and for the report.

    Args:
        graph_manager: its graph created.
        paths: of the job.
        seed: of everything random on the fast path.
        accelerate: whether to take the fast path where it does all that the preset asks for.
        parallel_environments: how many the fast path steps together at most, also of an environment that writes files;
            None for the algorithm's default, and for one copy of such an environment.
        trains: whether it is to train, and not only to evaluate, which one copy does in any case.
        environment_processes: in how many the fast path steps the copies of an environment; None to decide by what a
            step takes.
        ranks: that train together; None for this process alone.

    Returns:
        An ``AcceleratedRun``, or a ``StockRun``; the improve loop calls both alike. None on a rank that has nothing to
        do, as stock Coach trains on the first alone.
    """
    ranks = ranks or Ranks()
    _say_noise(agent_of(graph_manager).exploration_policy)
    from sagemaker_rl.training.accelerated import support  # after the preset has set up and imported MXNet

    reason = support.reason_for_stock(graph_manager) if accelerate else "accelerate is 0"
    if reason is None and parallel_environments is None:
        reason = _reason_for_one_copy(graph_manager.environments[0], trains)
    reason = ranks.decide(reason)
    if reason is not None:
        if ranks.size > 1 and only_first_trains("stock Coach knows no ranks"):
            return None
        outputs.metric_line("Path", Path="stock Coach", Reason=reason)
        introduction.add(paths, path=f"stock Coach: {reason}")
        return StockRun(graph_manager)
    copies = parallel_environments if trains else 1
    processes = environment_processes if trains else 1
    check, check_late = _stop_checks(ranks)
    run = support.run_class_of(graph_manager)(graph_manager, copies, seed, check, processes, ranks)
    run.check_stop_late = check_late
    outputs.metric_line(
        "Path",
        Path="accelerated",
        Environments=run.envs.num_envs,
        Ranks=ranks.size if ranks.size > 1 else None,
        Processes=run.processes.processes if run.processes else None,
        Step_milliseconds=run.step_cost.seconds * 1000 if run.step_cost else None,
    )
    if run.envs.num_envs < ranks.size:
        reason = f"there are {run.envs.num_envs} copies of the environment to step: parallel_environments asks for more"
        outputs.metric_line("Hosts", Ranks_without_a_copy=ranks.size - run.envs.num_envs, Reason=reason)
    introduction.add(paths, path=f"accelerated, environments at a time: {run.envs.num_envs}")
    return run


def _stop_checks(ranks: Ranks) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what raises ``Stopped`` in a step, and what does so in a training, which may take a while to end.

    Ranks stop in the same step of all.
    """
    if ranks.size == 1:
        return STOP.check, functools.partial(STOP.check, PATIENCE)
    ranks.questions["stop"] = STOP.is_due
    calls = itertools.count(1)

    def check() -> None:
        if ranks.agreed("stop"):
            raise Stopped(STOP.received or "another host's signal")

    def check_late() -> None:
        if next(calls) % CALLS_TO_AGREE == 0 and ranks.any_of(STOP.is_due(PATIENCE)):
            raise Stopped(STOP.received or "another host's signal")

    return check, check_late


def _say_noise(exploration: Any) -> None:
    """Say in the log that evaluations explore: Coach's own default, on either path."""
    exploration = getattr(exploration, "continuous_exploration_policy", exploration)  # an EGreedy's, in a box
    for name in ("evaluation_epsilon", "evaluation_noise_percentage"):
        if value := getattr(exploration, name, 0):
            reason = "evaluations explore, as Coach has it; the artifact and its trial do not"
            outputs.metric_line("Noise", **{name.capitalize(): value, "Reason": reason})


def _reason_for_one_copy(environment: Any, trains: bool) -> str | None:
    """Return why an environment is left to stock Coach, which trains and evaluates in one copy of it."""
    from sagemaker_rl.training.accelerated.vector_envs import is_car

    if trains and not environment.written_files and not is_car(environment.env):
        written_files.watch_first_episode(environment)
    return written_files.reason_for_one_copy(environment.written_files)
