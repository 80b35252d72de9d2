"""Rollouts, evaluation and bookkeeping of the fast path, in the place of Coach's graph manager.

Counters, signals and phases are those of Coach's own objects, so that what is logged means the same on both paths.
"""

import abc
import csv
import math
import numbers
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.policy.export import NUMERICAL_FLOOR
from sagemaker_rl.training.accelerated.support import environment_maker
from sagemaker_rl.training.accelerated.vector_envs import VectorEnv, make_vector_env

EVALUATION_STREAM = 1_000_003
"""Added to the seed for the start states of evaluations: a stream of their own."""


class EpisodeTable:
    """Coach's CSV, a row per training episode, written as the rows are complete."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.path = Path(agent.agent_logger.csv_path)
        self.pending: dict[str, Any] | None = None
        self.evaluation: dict[str, Any] = {}
        self.columns = self._coachs_columns()

    def _coachs_columns(self) -> list[str]:
        """Let Coach write a row for an episode that never was, for the sake of its columns."""
        logger = self.agent.agent_logger
        self.agent.update_log()
        columns = [logger.index_name, *map(str, logger.data.columns)]
        logger.data = logger.data.iloc[:0]
        return columns

    def add(self, seconds: float) -> None:
        """Begin the row of the episode that the agent has just ended; the one before it is complete."""
        self.flush()
        agent = self.agent
        self.pending = {
            agent.agent_logger.index_name: agent.current_episode,
            "Training Iter": agent.training_iteration,
            "Epoch": agent.training_epoch,
            "In Heatup": int(agent.phase.name == "HEATUP"),
            "Episode Length": agent.current_episode_steps_counter,
            "Total steps": agent.total_steps_counter,
            "Epsilon": float(np.mean(agent.exploration_policy.get_control_param())),
            "Shaped Training Reward": agent.total_shaped_reward_in_current_episode,
            "Training Reward": agent.total_reward_in_current_episode,
            "Update Target Network": 0,
            "Wall-Clock Time": seconds,
            **self.evaluation,
        }
        self.evaluation = {}

    def add_losses(self) -> dict[str, float]:
        """Put the agent's signals into the current row and begin them anew; return their means."""
        means = {}
        for signal in self.agent.episode_signals:
            for name, value in (
                ("Mean", signal.get_mean()),
                ("Stdev", signal.get_stdev()),
                ("Max", signal.get_max()),
                ("Min", signal.get_min()),
            ):
                if isinstance(value, numbers.Real) and math.isfinite(value):
                    if self.pending is not None:
                        self.pending[f"{signal.name}/{name}"] = float(value)
                    if name == "Mean":
                        means[signal.name] = float(value)
            signal.reset()
        return means

    def close(self, seconds: float) -> None:
        """Write what is left, also an evaluation that no training episode followed."""
        self.flush()
        if self.evaluation:
            index = {self.agent.agent_logger.index_name: self.agent.current_episode + 1}
            self.pending = {**index, "Wall-Clock Time": seconds, **self.evaluation}
            self.evaluation = {}
            self.flush()

    def flush(self) -> None:
        """Write the complete row."""
        if self.pending is None:
            return
        is_new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, restval="")
            if is_new:
                writer.writeheader()
            writer.writerow(self.pending)
        self.pending = None


class AcceleratedRun(abc.ABC):
    """Trains and evaluates a Coach agent on batches of environments; subclasses say how the agent acts and learns."""

    default_environments: int
    """How many copies of the environment are played where nobody says."""

    def __init__(
        self, graph_manager: Any, num_envs: int | None, seed: int | None, check_stop: Callable[[], None]
    ) -> None:
        self.graph_manager = graph_manager
        self.agent = graph_manager.level_managers[0].acting_agent()
        self.check_stop = check_stop
        self.started = time.monotonic()
        self.random = np.random.default_rng(seed)
        self.make_env = environment_maker(graph_manager)
        self.evaluation_seed = EVALUATION_STREAM + (int(self.random.integers(2**31)) if seed is None else seed)
        self.table = EpisodeTable(self.agent)
        playing_steps = self.agent.ap.algorithm.num_consecutive_playing_steps.num_steps
        self.envs: VectorEnv = make_vector_env(
            self.make_env, divisor(playing_steps, num_envs or self.default_environments), seed
        )
        self.evaluation_envs: VectorEnv | None = None
        self.undeveloped: tuple[Any, int, str] | None = None
        self.developing: Future[None] | None = None
        self.darkroom = ThreadPoolExecutor(max_workers=1, thread_name_prefix="darkroom")
        self.observations = self.envs.reset()
        self.returns = np.zeros(self.envs.num_envs)
        self.shaped_returns = np.zeros(self.envs.num_envs)
        self.lengths = np.zeros(self.envs.num_envs, dtype=np.int64)
        self.losses: dict[str, list[float]] = {}
        self.episodes_played = 0
        self.steps_played = 0  # in evaluations
        filters = self.agent.pre_network_filter.observation_filters.get("observation", {})
        self.normalizations = [observation_filter.running_observation_stats for observation_filter in filters.values()]
        self.reward_filters = list(self.agent.input_filter.reward_filters.values())

    # --- What a subclass decides -------------------------------------------------------------------------------------

    @abc.abstractmethod
    def best_actions(self, observations: np.ndarray) -> np.ndarray:
        """Return the deterministic policy's actions, within the action space."""

    @abc.abstractmethod
    def heatup(self, steps: Any) -> None:
        """Play ``steps`` environment steps at random."""

    @abc.abstractmethod
    def publish(self) -> None:
        """Give Coach's own networks the weights."""

    @abc.abstractmethod
    def play_and_learn(self) -> None:
        """Take one step in every environment, and train if that is due."""

    # --- What training.py calls, as it calls Coach's graph manager ---------------------------------------------------

    def sync(self) -> None:
        self.graph_manager.sync()

    def train_and_act(self, steps: Any) -> None:
        """Play ``steps`` environment steps, and train whenever that is due."""
        from rl_coach.core_types import EnvironmentSteps, RunPhase

        self.develop_film()
        counter = self.graph_manager.total_steps_counters[RunPhase.TRAIN]
        with self.graph_manager.phase_context(RunPhase.TRAIN):
            end = counter[EnvironmentSteps] + steps.num_steps
            try:
                while counter[EnvironmentSteps] < end:
                    self.check_stop()
                    self.play_and_learn()
                    counter[EnvironmentSteps] += self.envs.num_envs
            finally:
                self.publish()  # for a checkpoint, and for the artifact

    def evaluate(self, steps: Any) -> bool:
        """Play ``steps`` episodes of the deterministic policy as one batch; never says that training is done.

        Every evaluation plays the same start states: the better of two policies is not the luckier one.
        """
        self._report(self.play(steps.num_steps, anew=True, film=self._wants_film()))
        return False

    def play_at_least(self, steps: int, episodes: int) -> list[float]:
        """Play whole episodes, at least so many environment steps and so many episodes; return their returns."""
        returns: list[float] = []
        while self.steps_played < steps or len(returns) < episodes:
            missing = episodes
            if returns:
                missing = math.ceil((steps - self.steps_played) / (self.steps_played / len(returns)))
            returns += self.play(missing, film=not returns and self._wants_film())
        self._report(returns)
        return returns

    def _report(self, returns: list[float]) -> None:
        from rl_coach.core_types import RunPhase

        agent = self.agent
        with self.graph_manager.phase_context(RunPhase.TEST):
            for episode_return in returns:
                agent.total_reward_in_current_episode = episode_return
                agent.log_to_screen()
            agent.accumulated_rewards_across_evaluation_episodes = sum(returns)
            agent.num_evaluation_episodes_completed = len(returns)
        self.table.evaluation = {"Evaluation Reward": float(np.mean(returns)), "Success Rate": 0.0}
        agent.agent_logger.data = agent.agent_logger.data.iloc[:0]

    def take_losses(self) -> dict[str, float | None]:
        """Return the means of the losses since the last call, under Coach's names."""
        means: dict[str, float | None] = {name: float(np.mean(values)) for name, values in self.losses.items()}
        self.losses = {}
        return means

    def close(self) -> None:
        """Write what the CSV still lacks, and the last GIF."""
        self.table.close(time.monotonic() - self.started)
        self.develop_film()
        self.develop_film()  # waits for what the line above has begun
        self.darkroom.shutdown()

    # --- Rollouts ----------------------------------------------------------------------------------------------------

    def normalize(self, observations: np.ndarray) -> np.ndarray:
        """Return ``observations`` as the network sees them, float32."""
        for statistics in self.normalizations:
            observations = normalized(observations, statistics)
        return observations.astype(np.float32)

    def count_for_normalization(self, observations: np.ndarray) -> None:
        """Let the running statistics take notice of ``observations``, each filter of what the one before it makes."""
        for statistics in self.normalizations:
            statistics.push_val(observations)
            observations = normalized(observations, statistics)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take one step in every environment, with all the bookkeeping.

        Returns:
            The observations reached, the filtered rewards, and whether an episode has ended.
        """
        reached, self.observations, rewards, ended = self.envs.step(actions)
        shaped = rewards
        for reward_filter in self.reward_filters:
            shaped = filter_rewards(reward_filter, shaped)
        self.returns += rewards
        self.shaped_returns += shaped
        self.lengths += 1
        self.agent.total_steps_counter += self.envs.num_envs
        for index in np.flatnonzero(ended):
            self._end_episode(index)
        return reached, shaped, ended

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

    def develop_film(self) -> None:
        """Begin to write the GIF of the last evaluation, beside the training that follows; wait for the one before it.

        Drawing takes longer than playing: the evaluation's result and its checkpoint need not wait for it.
        """
        if self.developing is not None:
            self.developing.result()
            self.developing = None
        if self.undeveloped is not None:
            self.developing = self.darkroom.submit(_develop, *self.undeveloped)
            self.undeveloped = None

    def _wants_film(self) -> bool:
        visualization = self.agent.ap.visualization
        return bool(visualization.dump_gifs and visualization.video_dump_filters[0].begin_evaluation())

    def play(self, episodes: int, anew: bool = False, film: bool = False) -> list[float]:
        """Play episodes of the deterministic policy as one batch; return their returns.

        Args:
            episodes: how many.
            anew: whether the start states are again the first ones of their stream.
            film: whether a GIF of the first episode is wanted.
        """
        from sagemaker_rl.coach.repairs import FilmStrip

        if self.evaluation_envs is None or self.evaluation_envs.num_envs != episodes:
            self.evaluation_envs = make_vector_env(self.make_env, episodes, self.evaluation_seed)
        elif anew:
            self.evaluation_envs.seed(self.evaluation_seed)
        envs = self.evaluation_envs
        observations = envs.reset()
        returns = np.zeros(episodes)
        running = np.ones(episodes, dtype=bool)
        strip = FilmStrip()
        while running.any():
            self.check_stop()
            actions = self.best_actions(observations)
            if film and running[0]:
                strip.trace.add(observations[0], actions[0])
                if strip.wants_next():
                    strip.keep(envs.view(0))
            _, observations, rewards, ended = envs.step(actions)
            returns += rewards * running
            self.steps_played += int(running.sum())
            running &= ~ended
        if film:
            self.undeveloped = (strip, self.episodes_played, f"episode-{self.episodes_played}_score-{returns[0]}")
        self.episodes_played += episodes
        return [float(episode_return) for episode_return in returns]


def _develop(film: Any, episode: int, name: str) -> None:
    from rl_coach import logger

    from sagemaker_rl.coach.repairs import small_frame

    logger.create_gif([small_frame(draw()) for draw in film], name=name)
    film.save_trace(episode)


def normalized(observations: np.ndarray, statistics: Any) -> np.ndarray:
    """Return what NumpySharedRunningStats.normalize does, in a fraction of np.clip's time."""
    low, high = statistics.clip_values
    return np.minimum(np.maximum((observations - statistics.mean) / (statistics.std + NUMERICAL_FLOOR), low), high)


def filter_rewards(reward_filter: Any, rewards: np.ndarray) -> np.ndarray:
    """Apply one of Coach's reward filters to many rewards at once."""
    if hasattr(reward_filter, "rescale_factor"):
        return rewards * reward_filter.rescale_factor
    return np.clip(rewards, reward_filter.clipping_low, reward_filter.clipping_high)


def divisor(steps: int, at_most: int) -> int:
    """Return the largest divisor of ``steps`` that is no more than ``at_most``, so that phases have just that length.

    If that is less than half of ``at_most``, ``at_most`` itself: phases are then a few steps longer.
    """
    found = max(number for number in range(1, min(at_most, steps) + 1) if steps % number == 0)
    return found if 2 * found >= at_most else min(at_most, steps)
