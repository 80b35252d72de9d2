"""Rollouts, evaluation and bookkeeping of the fast path, in the place of Coach's graph manager.

Counters, signals and phases are those of Coach's own objects, so that what is logged means the same on both paths.
"""

import abc
import functools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sagemaker_rl.coach import written_files
from sagemaker_rl.coach.environments import environment_maker
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.normalization import count_by_all, normalize_by_all
from sagemaker_rl.coach.recording import do_without_gifs
from sagemaker_rl.job.ranks import MPIRanks, Ranks
from sagemaker_rl.job.stopping import Stopped
from sagemaker_rl.training import agent_state
from sagemaker_rl.training.accelerated import run_state
from sagemaker_rl.training.accelerated.copy_streams import CopyStreams
from sagemaker_rl.training.accelerated.episode_table import EpisodeTable
from sagemaker_rl.training.accelerated.evaluator import Episodes, Evaluator
from sagemaker_rl.training.accelerated.gif_writer import GifWriter, RecordedEpisode
from sagemaker_rl.training.accelerated.ranked_envs import RankedEnvs
from sagemaker_rl.training.accelerated.rewards import filter_rewards
from sagemaker_rl.training.accelerated.step_cost import begin_processes
from sagemaker_rl.training.accelerated.vector_envs import Step, VectorEnv, choose_num_envs, is_car, make_vector_env
from sagemaker_rl.training.accelerated.video_filters import VideoFilters
from sagemaker_rl.training.schedule import most_copies
from sagemaker_rl.training.state_file import State

EVALUATION_STREAM = 1_000_003
"""Added to the seed for the start states of evaluations: a stream of their own."""


class AcceleratedRun(abc.ABC):
    """Trains and evaluates a Coach agent on batches of environments; subclasses say how the agent acts and learns."""

    default_num_envs: int
    """How many copies of the environment are played at most, where nobody says."""
    least_steps_of_a_copy: int
    """How many steps of a phase of playing a copy plays at least, where nobody says how many copies there are."""
    learner: Any
    """The weights, and how they are trained; with ``publish``, ``pull`` and ``close``."""

    @staticmethod
    @abc.abstractmethod
    def unsupported(agent: Any) -> str | None:
        """Return the first thing that the agent's parameters ask for and this run does not implement; None if none."""

    def __init__(
        self,
        graph_manager: Any,
        num_envs: int | None,
        seed: int | None,
        check_stop: Callable[[], None],
        processes: int | None = 1,
        ranks: Ranks | None = None,
    ) -> None:
        """Make the copies of the environment and begin their first episodes.

        Args:
            graph_manager: its graph created.
            num_envs: how many copies there are at most; None for the agent's default.
            seed: of everything random.
            check_stop: called in every step; may raise.
            processes: in how many the copies are stepped, where they are not stepped on arrays; None to find out what
                a step takes, and to decide by that.
            ranks: that train together; None for this process alone.
        """
        self.ranks = ranks or Ranks()
        self.graph_manager = graph_manager
        self.agent = agent_of(graph_manager)
        self.check_stop = check_stop
        self.check_stop_late = check_stop
        """The same within a training, which may take a while to end."""
        self.at_rest: Callable[[], None] = lambda: None
        """Called between two steps, where ``state`` is whole."""
        self.is_at_rest = True
        """Whether ``state`` is whole now."""
        self.phase_end: float | None = None
        """What Coach's counter has at the end of the present phase of playing; None after its evaluation."""
        self.interrupted_end: float | None = None  # of a phase that another run has begun, until it goes on here
        self.is_heating_up = False
        """Whether that is the heatup."""
        self.started = time.monotonic()
        self.random = np.random.default_rng(seed)
        """What is drawn for all copies of the environment together: which transitions are a batch."""
        make_env = environment_maker(graph_manager)
        assert make_env is not None, "accelerated/support.py refuses such an environment"
        evaluation_seed = EVALUATION_STREAM + (int(self.random.integers(2**31)) if seed is None else seed)
        self.table = EpisodeTable(self.agent)
        playing_steps = self.agent.ap.algorithm.num_consecutive_playing_steps.num_steps
        at_most = num_envs or min(self.default_num_envs, max(1, playing_steps // self.least_steps_of_a_copy))
        at_most = most_copies(graph_manager, at_most)
        num_envs = choose_num_envs(playing_steps, at_most)
        own_copies = len(self.ranks.share(num_envs)) or 1
        self.processes, self.step_cost = begin_processes(graph_manager, make_env, own_copies, processes)
        """Those that step the environments, None where this one does; and what a step takes, if that was measured."""
        make_batch = self.processes.batch if self.processes else functools.partial(make_vector_env, make_env)
        if isinstance(self.ranks, MPIRanks):
            make_batch = functools.partial(RankedEnvs, self.ranks, make_batch)
        self.envs: VectorEnv = make_batch(num_envs, seed)
        self.evaluator = Evaluator(make_batch, evaluation_seed, self.evaluation_policy, check_stop)
        self.gifs = GifWriter()
        self.video_filters = VideoFilters(self.agent.ap.visualization)
        stream_seed = int(self.random.integers(2**31)) if seed is None else seed
        self.streams = CopyStreams(stream_seed, range(self.envs.num_envs))
        """What is drawn for each copy."""
        self.observations = self.envs.reset()
        self.returns = np.zeros(self.envs.num_envs)
        self.shaped_returns = np.zeros(self.envs.num_envs)
        self.lengths = np.zeros(self.envs.num_envs, dtype=np.int64)
        self.losses: dict[str, list[float]] = {}
        self.episodes_played = 0
        filters = self.agent.pre_network_filter.observation_filters.get("observation", {})
        self.normalizations = [observation_filter.running_observation_stats for observation_filter in filters.values()]
        self.reward_filters = list(self.agent.input_filter.reward_filters.values())
        self.begin_learning()

    # --- What a subclass decides -------------------------------------------------------------------------------------

    @abc.abstractmethod
    def begin_learning(self) -> None:
        """Make what the agent learns with: its ``learner`` among it."""

    @abc.abstractmethod
    def best_actions(self, observations: np.ndarray) -> np.ndarray:
        """Return the deterministic policy's actions, within the action space."""

    @abc.abstractmethod
    def evaluation_policy(self, num_envs: int, random: CopyStreams) -> Callable[[np.ndarray], np.ndarray]:
        """Return what evaluations play: observations ``(num_envs, *shape)`` to actions, within the action space.

        It is the deterministic policy with the noise that the agent's exploration has in Coach's evaluations, drawn
        from ``random``.
        """

    @abc.abstractmethod
    def heatup(self, steps: Any) -> None:
        """Play at random for Coach's ``steps``, in any unit; episodes are those that have ended."""

    @abc.abstractmethod
    def learning_state(self) -> State:
        """Return what the agent learns with, beside weights (state_file.py)."""

    @abc.abstractmethod
    def restore_learning(self, state: State) -> None:
        """Go on from what ``learning_state`` returned; Coach's own networks have its weights."""

    @abc.abstractmethod
    def cut_episodes(self, where: np.ndarray) -> None:
        """Leave the episodes of some environments where they are, bool ``(num_envs,)``: others begin there."""

    @abc.abstractmethod
    def play_and_learn(self) -> None:
        """Take one step in every environment, and train if that is due."""

    def publish(self) -> None:
        """Give Coach's own networks the weights."""
        self.learner.publish()

    # --- What the improve loop calls, as it calls Coach's graph manager ----------------------------------------------

    def sync(self) -> None:
        """Do what Coach does first: take the weights of a global network, where there is one."""
        self.graph_manager.sync()

    def train_and_act(self, steps: Any) -> None:
        """Play for Coach's ``steps``, in any unit, and train whenever that is due."""
        from rl_coach.core_types import RunPhase

        self.gifs.submit_kept()
        self._share_weights()
        try:
            self.play(RunPhase.TRAIN, steps, self.play_and_learn)
        finally:
            self.publish()  # for a checkpoint, and for the artifact

    def play(self, phase: Any, steps: Any, step: Callable[[], None]) -> None:
        """Play until Coach's counter of a phase, heatup or training, has so many ``steps`` more.

        Args:
            phase: Coach's.
            steps: in any unit; episodes are those that have ended.
            step: takes one step in every environment.
        """
        from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, RunPhase, TrainingSteps

        counter = self.graph_manager.total_steps_counters[phase]
        with self.graph_manager.phase_context(phase):
            end = counter + steps if self.interrupted_end is None else type(steps)(self.interrupted_end)
            self.phase_end, self.interrupted_end = end.num_steps, None
            while self._goes_on(counter, end):
                self.at_rest()
                self.check_stop()
                self.is_at_rest = False
                episodes = self.agent.current_episode
                step()
                counter[EnvironmentSteps] += self.envs.num_envs
                counter[EnvironmentEpisodes] += self.agent.current_episode - episodes
                if phase == RunPhase.TRAIN:  # Coach counts one in every step, whether the agent trains then or not
                    counter[TrainingSteps] += self.envs.num_envs
                self.is_at_rest = True

    def _goes_on(self, counter: Any, end: Any) -> bool:
        """Tell whether Coach's counter has not come to ``end`` yet; of time, by the first rank's clock."""
        goes_on = bool(counter < end)
        return self.ranks.decide(goes_on) if type(end).__name__ == "Time" else goes_on

    def _share_weights(self) -> None:
        """Take the first rank's weights: another processor may round in another way."""
        if self.ranks.size > 1:
            self.publish()
            agent_state.restore_weights(self.agent, self.ranks.decide(agent_state.weights_of(self.agent)))
            self.learner.pull()

    def evaluate(self, steps: Any) -> bool:
        """Play the policy for Coach's ``steps``; never says that training is done.

        Episodes are played as one batch. In another unit they follow each other until the last one has reached it, as
        stock Coach plays them. No steps are no evaluation.

        Every evaluation plays the same start states and draws the same noise: the better of two policies is not the
        luckier one.
        """
        from rl_coach.core_types import EnvironmentEpisodes, RunPhase

        if not steps.num_steps:
            return False
        before = agent_state.counters_of(self.graph_manager), self.video_filters.state(), self.episodes_played
        try:
            if isinstance(steps, EnvironmentEpisodes):
                returns = self._play_episodes(steps.num_steps, True, self._begin_evaluation()).returns
            else:
                counter = self.graph_manager.total_steps_counters[RunPhase.TEST]
                end = counter + steps
                returns = self._play_episodes(1, True, self._begin_evaluation()).returns
                while self._goes_on(counter, end):
                    returns = returns + self._play_episodes(1).returns
        except Stopped:  # it is played from its beginning when the job goes on
            counters, filters, self.episodes_played = before
            agent_state.restore_counters(self.graph_manager, counters)
            self.video_filters.restore(filters)
            raise
        self._log_evaluation(returns)
        return False

    def play_at_least(self, steps: int, episodes: int) -> list[float]:
        """Play whole episodes, at least so many environment steps and so many episodes; return their returns.

        On arrays they are played together. An environment of one's own plays one after the other, as with stock Coach:
        what it writes into files is then of one copy.
        """
        environment = self.graph_manager.environments[0]
        together = is_car(environment.env)
        with written_files.watching() as paths:
            batch = self._play_episodes(episodes if together else 1, record=self._begin_evaluation())
            returns, steps_played = batch.returns, batch.steps
            while steps_played < steps or len(returns) < episodes:
                mean_length = steps_played / len(returns)
                batch = self._play_episodes(math.ceil((steps - steps_played) / mean_length) if together else 1)
                returns, steps_played = returns + batch.returns, steps_played + batch.steps
        environment.written_files = environment.written_files or paths
        self._log_evaluation(returns)
        return returns

    def take_losses(self) -> dict[str, float | None]:
        """Return the means of the losses since the last call, under Coach's names."""
        means: dict[str, float | None] = {name: float(np.mean(values)) for name, values in self.losses.items()}
        self.losses = {}
        return means

    # --- What a checkpoint holds -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Return all that is needed to go on from here, where ``is_at_rest``; it holds the run's own arrays."""
        self.publish()
        return run_state.state_of(self)

    def restore(self, state: State) -> None:
        """Go on from a state of a run of the same preset, seed and number of environments.

        Raises:
            DamagedState: It is another's.
        """
        run_state.restore(self, state)

    def close(self) -> None:
        """Write what the CSV still lacks, and the last GIF."""
        self.table.close(time.monotonic() - self.started)
        self.gifs.submit_kept()
        self.gifs.close()
        self.learner.close()
        if self.processes:
            self.processes.close()

    # --- Rollouts ----------------------------------------------------------------------------------------------------

    def normalize(self, observations: np.ndarray) -> np.ndarray:
        """Return ``observations`` as the network sees them, float32."""
        return normalize_by_all(observations, self.normalizations).astype(np.float32)

    def count_for_normalization(self, observations: np.ndarray) -> None:
        """Count ``observations`` in the running statistics."""
        count_by_all(observations, self.normalizations)

    def step(self, actions: np.ndarray) -> Step:
        """Take one step in every environment, and do the bookkeeping of it; return it with filtered rewards."""
        step = self.envs.step(actions)
        self.observations = step.observations
        shaped_rewards = filter_rewards(self.reward_filters, step.rewards)
        self.returns += step.rewards
        self.shaped_returns += shaped_rewards
        self.lengths += 1
        self.agent.total_steps_counter += self.envs.num_envs
        for index in np.flatnonzero(step.dones):
            self._end_episode(index)
        return step._replace(rewards=shaped_rewards)

    def _end_episode(self, index: int) -> None:
        agent = self.agent
        agent.current_episode += 1
        self.episodes_played += 1
        agent.total_reward_in_current_episode = float(self.returns[index])
        agent.total_shaped_reward_in_current_episode = float(self.shaped_returns[index])
        agent.current_episode_steps_counter = int(self.lengths[index])
        self.table.add(time.monotonic() - self.started)
        agent.log_to_screen()
        self.returns[index] = self.shaped_returns[index] = self.lengths[index] = 0

    def keep_losses(self) -> None:
        """Move the agent's signals into the CSV's current row, and their means where ``take_losses`` finds them."""
        for name, value in self.table.add_losses().items():
            self.losses.setdefault(name, []).append(value)

    # --- Evaluation --------------------------------------------------------------------------------------------------

    def _play_episodes(self, episodes: int, same_starts: bool = False, record: bool = False) -> Episodes:
        """Play and count episodes; with ``record``, keep the first one for a GIF if the video filters do."""
        from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, RunPhase

        batch = self.evaluator.play(episodes, same_starts, record)
        counter = self.graph_manager.total_steps_counters[RunPhase.TEST]
        counter[EnvironmentSteps] += batch.steps
        counter[EnvironmentEpisodes] += episodes
        if batch.no_pictures:
            do_without_gifs(self.agent.ap.visualization, batch.no_pictures)
        if batch.recording is not None and self.video_filters.keep(self.episodes_played, batch.returns[0]):
            self.gifs.kept = RecordedEpisode(batch.recording, self.episodes_played, batch.returns[0])
        self.episodes_played += episodes
        return batch

    def _log_evaluation(self, returns: list[float]) -> None:
        """Log an evaluation as Coach's agent does it."""
        from rl_coach.core_types import RunPhase

        agent = self.agent
        with self.graph_manager.phase_context(RunPhase.TEST):
            for episode_return in returns:
                agent.total_reward_in_current_episode = episode_return
                agent.log_to_screen()
            agent.accumulated_rewards_across_evaluation_episodes = sum(returns)
            agent.num_evaluation_episodes_completed = len(returns)
        success = agent.spaces.reward.reward_success_threshold or math.inf  # None of most environments, and Coach's 0
        self.table.evaluation = {
            "Evaluation Reward": float(np.mean(returns)),
            "Success Rate": float(np.mean(np.array(returns) >= success)),
        }
        agent.agent_logger.data = agent.agent_logger.data.iloc[:0]

    def _begin_evaluation(self) -> bool:
        """Ask the video filters whether the first episode of an evaluation is to be recorded; the first rank has it."""
        return self.video_filters.begin_evaluation(self.episodes_played) and self.ranks.rank == 0
