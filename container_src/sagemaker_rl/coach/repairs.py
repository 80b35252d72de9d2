"""Everything that rl-coach-slim 0.12.1 needs changed to run on MXNet 1.9.1, current packages and small images.

The repairs of its networks are in network_repairs.py, those of its observation filters in filter_repairs.py, those of
its gym environment in environment_repairs.py, those of its imports in placeholders.py; nothing is patched anywhere
else. Call ``apply()`` before the first import of ``rl_coach``. Each repair names the upstream line that it mends, and
what happens without it.

Why 0.12.1 and not 1.0.x: 1.0.0's ``NetworkWrapper`` hands ``additional_inputs`` to MXNet's ``apply_gradients``, which
does not take it (TypeError in the first training step), and 1.0.1 imports TensorFlow from ``redis_data_store``.
"""

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from sagemaker_rl.coach import filter_repairs, network_repairs, placeholders
from sagemaker_rl.coach.recording import Recording
from sagemaker_rl.errors import InputError

_applied = False


def apply(networks: bool = True) -> None:
    """Apply every repair; called again, it does nothing.

    Args:
        networks: whether networks will be made. Without them MXNet is not imported, which takes longer than Coach.
    """
    global _applied
    if _applied:
        return
    _applied = True  # at once: importing Coach calls this again (sitecustomize.py), and a repair made twice is a fault
    placeholders.import_coach(networks)
    from sagemaker_rl.coach import environment_repairs  # imports gym, which makes MXNet's warnings visible before it

    of_networks = (_accept_a_list_as_constant, _log_a_decaying_learning_rate, network_repairs.repair_networks)
    for repair in (
        _accept_a_list_as_constant,
        _discount_without_scipy,
        _write_csv_rows_when_complete,
        _keep_few_gif_frames,
        _keep_every_nth_episode,
        _show_gif_frames_for_their_time,
        _write_checkpoint_state_atomically,
        _count_frames_and_seconds,
        _log_a_decaying_learning_rate,
        _raise_where_coach_exits,
        _refuse_a_phase_shorter_than_a_batch,
        _lock_memories_within_the_process,
        _bound_unsigned_boxes,
        filter_repairs.repair_filters,
        network_repairs.repair_networks,
        environment_repairs.repair_environments,
    ):
        if networks or repair not in of_networks:
            repair()


def _accept_a_list_as_constant() -> None:
    """Let ``mx.init.Constant`` take the one-element list that the PPO heads pass.

    Upstream: architectures/mxnet_components/heads/ppo_head.py:340 and :475, ``mx.init.Constant([coefficient,])`` where
    the coefficient is None without KL regularization. Without it: ``TypeError: float() argument must be a string or a
    real number, not 'list'``.
    """
    import mxnet as mx

    original = mx.init.Constant.__init__

    def init(self: Any, value: Any) -> None:
        original(self, (value[0] or 0.0) if isinstance(value, list) else value)

    mx.init.Constant.__init__ = init


def _discount_without_scipy() -> None:
    """Compute discounted sums in NumPy.

    Upstream: agents/actor_critic_agent.py:105, ``scipy.signal.lfilter([1], [1, -gamma], x[::-1], axis=0)[::-1]``, the
    only use of SciPy (98 MB) that a training job on vectors makes. Without it: ImportError at the first training phase.
    """
    from rl_coach.agents.actor_critic_agent import ActorCriticAgent

    def discount(self: Any, x: np.ndarray, gamma: float) -> np.ndarray:
        """Return ``y[t] = x[t] + gamma * y[t + 1]``; ``x`` has shape ``(steps,)``."""
        sums = np.empty(len(x), dtype=np.float64)
        following = 0.0
        for step in range(len(x) - 1, -1, -1):
            following = sums[step] = x[step] + gamma * following
        return sums

    ActorCriticAgent.discount = discount


def _write_csv_rows_when_complete() -> None:
    """Keep the CSV row of a training episode as it is, and write it only when it is complete.

    Upstream: agents/agent.py:592, where every evaluation episode calls ``update_log`` under the number of the last
    training episode and overwrites its row; and logger.py:221, where ``dump_output_csv`` appends a row when its episode
    ends, before the training phase that follows sets the losses. Without it: empty losses, and no training reward in
    the row before an evaluation. ``signals.close_csv`` writes the last row.
    """
    from rl_coach.agents.agent import Agent
    from rl_coach.core_types import RunPhase
    from rl_coach.logger import BaseLogger

    update = Agent.update_log
    dump = BaseLogger.dump_output_csv

    def update_log(self: Any) -> None:
        if self.phase != RunPhase.TEST or self.ap.task_parameters.evaluate_only is not None:
            update(self)

    def dump_output_csv(self: Any, append: bool = True, everything: bool = False) -> None:
        if everything:
            dump(self, append)
            return
        data = self.data
        self.data = data.iloc[:-1]
        try:
            if len(self.data) > self.last_line_idx_written_to_csv:
                dump(self, append)
        finally:
            self.data = data

    Agent.update_log = update_log
    BaseLogger.dump_output_csv = dump_output_csv


def _keep_few_gif_frames() -> None:
    """Render only the frames that a GIF will show, and bound their number.

    Upstream: environments/environment.py:324 renders and keeps every step's frame (600 x 400 x 3 bytes) and drops four
    of five when the episode ends. Without it: 7 GB for an episode of 10,000 steps, and rendering takes most of an
    evaluation.
    """
    from rl_coach.environments.environment import Environment

    reset = Environment.reset_internal_state
    should_dump = Environment.should_dump_video_of_the_current_episode
    dump = Environment.dump_video_of_last_episode

    def reset_internal_state(self: Any, *args: Any, **kwargs: Any) -> Any:
        response = reset(self, *args, **kwargs)
        self.last_episode_images = Recording()
        return response

    def should_dump_video_of_the_current_episode(self: Any, episode_terminated: bool = False) -> bool:
        visualization = self.visualization_parameters
        if not (visualization.dump_gifs or visualization.dump_mp4):
            return False
        if not should_dump(self, episode_terminated):
            return False
        frames = self.last_episode_images
        if episode_terminated or not isinstance(frames, Recording):
            # Also asked before the first reset, by the constructor's own step, when there is no recording yet.
            return episode_terminated
        if "observation" in self.state and hasattr(self.env, "actions"):
            frames.trace.add(self.state["observation"], self.env.actions.to_environment(self.last_action))
        return frames.count_step()

    def dump_video_of_last_episode(self: Any) -> None:
        frame_skip, self.frame_skip = self.frame_skip, 5  # frames are thinned out already: write all that were kept
        try:
            dump(self)
        finally:
            self.frame_skip = frame_skip
        if isinstance(self.last_episode_images, Recording):
            self.last_episode_images.save_trace(self.episode_idx)

    Environment.reset_internal_state = reset_internal_state
    Environment.should_dump_video_of_the_current_episode = should_dump_video_of_the_current_episode
    Environment.dump_video_of_last_episode = dump_video_of_last_episode


def _keep_every_nth_episode() -> None:
    """Let EveryNEpisodesDumpFilter keep one episode of N.

    Upstream: core_types.py:893, where ``should_dump`` remembers an episode in its first step, and so says no at
    its end. Without it: no GIF at all, unless N is 1.
    """
    from rl_coach.core_types import EveryNEpisodesDumpFilter

    def should_dump(self: Any, episode_terminated: bool = False, **environment: Any) -> bool:
        episode = environment["episode_idx"]
        due = bool(episode >= self.last_dumped_episode + self.num_episodes_between_dumps - 1)
        if due and episode_terminated:
            self.last_dumped_episode = episode + 1  # the first of the next N
        return due

    EveryNEpisodesDumpFilter.should_dump = should_dump


def _show_gif_frames_for_their_time() -> None:
    """Give GIF frames a duration, and few colours.

    Upstream: logger.py:332, ``duration=1.0 / fps`` where Pillow wants milliseconds. Without it: frames of 0 ms, which
    viewers play at whatever speed they like.
    """
    import datetime

    from rl_coach import logger

    def create_gif(images: Sequence[np.ndarray], fps: int = 10, name: str = "Gif") -> None:
        from PIL import Image

        directory = os.path.join(logger.experiment_path, "gifs")
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, f"{datetime.datetime.now():%Y-%m-%d-%H-%M-%S}_{name}.gif")
        first, *rest = (Image.fromarray(image).quantize(64, Image.Quantize.FASTOCTREE) for image in images)
        first.save(path, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)

    logger.create_gif = create_gif


def _count_frames_and_seconds() -> None:
    """Let a schedule be in frames or in seconds.

    Upstream: core_types.py:652, ``TotalStepsCounter`` counts steps, episodes and training steps only. Without it:
    ``KeyError: <class 'rl_coach.core_types.Time'>`` when training begins. A frame is an environment step, as long as
    the environment skips none.
    """
    from rl_coach.core_types import EnvironmentSteps, Frames, Time, TotalStepsCounter

    def get(self: Any, unit: type) -> Any:
        if unit is Time:
            return time.monotonic()
        return self.counters[EnvironmentSteps if unit is Frames else unit]

    TotalStepsCounter.__getitem__ = get
    TotalStepsCounter.__add__ = lambda self, steps: type(steps)(self[type(steps)] + steps.num_steps)
    TotalStepsCounter.__lt__ = lambda self, steps: self[type(steps)] < steps.num_steps


def _log_a_decaying_learning_rate() -> None:
    """Let agents log the learning rate of a network whose ``learning_rate_decay_rate`` is set.

    Upstream: agents/clipped_ppo_agent.py:272 and agents/agent.py:747 ask TensorFlow's networks for it, although MXNet's
    decay too (mxnet_components/general_network.py:131). Without it: ``AttributeError: 'GeneralMxnetNetwork' object has
    no attribute 'adaptive_learning_rate_scheme'`` in the first training.
    """
    import mxnet
    from rl_coach.architectures.mxnet_components.architecture import MxnetArchitecture
    from rl_coach.architectures.network_wrapper import NetworkWrapper

    class Session:
        """Stands in for TensorFlow's session, which agents ask for the value of the rate."""

        def run(self, value: float) -> float:
            return value

    original = mxnet.optimizer.Optimizer.__init__
    predict = MxnetArchitecture.parallel_predict

    def init(self: Any, *args: Any, learning_rate: Any = None, lr_scheduler: Any = None, **options: Any) -> None:
        if lr_scheduler is not None:
            lr_scheduler.base_lr = learning_rate  # else MXNet prints that it does this itself
        original(self, *args, learning_rate=learning_rate, lr_scheduler=lr_scheduler, **options)

    def parallel_predict(session: Any, inputs: Any) -> Any:
        return predict(None, inputs)  # upstream refuses any session but None

    learning_rate = property(lambda self: self.trainer.learning_rate)
    MxnetArchitecture.adaptive_learning_rate_scheme = MxnetArchitecture.current_learning_rate = learning_rate
    MxnetArchitecture.parallel_predict = staticmethod(parallel_predict)
    NetworkWrapper.sess = property(lambda self: Session(), lambda self, session: None)
    mxnet.optimizer.Optimizer.__init__ = init


def _raise_where_coach_exits() -> None:
    """Raise Coach's own sentence where it would end the process.

    Upstream: logger.py:111, ``ScreenLogger.error`` prints it and calls ``exit(1)``, in 20 places: an unknown level of
    Atari, an action space that Coach has no agent for. Without it: ``SystemExit: 1``, which no ``except Exception``
    meets, and a failure without a reason.
    """
    from rl_coach.logger import ScreenLogger

    def error(self: Any, text: str, crash: bool = True) -> None:
        if crash:
            raise InputError(" ".join(str(text).split()))
        print(f"{self._prefix_error}{text}{self._suffix}")

    ScreenLogger.error = error


def _refuse_a_phase_shorter_than_a_batch() -> None:
    """Say it in one sentence where clipped PPO has played too few steps for one batch.

    Upstream: agents/clipped_ppo_agent.py:212 takes the mean of no batches. A phase of playing that is counted in
    episodes may be that short. Without it: ``IndexError: invalid index to scalar variable``.
    """
    from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgent

    train_network = ClippedPPOAgent.train_network

    def train_checked(self: Any, batch: Any, epochs: int) -> Any:
        batch_size = self.ap.network_wrappers["main"].batch_size
        if batch_size > batch.size:
            playing = self.ap.algorithm.num_consecutive_playing_steps
            raise InputError(
                f"The network main has a batch_size of {batch_size}, expected at most the {batch.size} environment "
                f"steps that were just played (num_consecutive_playing_steps is {type(playing).__name__}"
                f"({playing.num_steps}))."
            )
        return train_network(self, batch, epochs)

    ClippedPPOAgent.train_network = train_checked


def _lock_memories_within_the_process() -> None:
    """Lock a replay memory by the locks of threads: one process trains.

    Upstream: utils.py:466, where ``ReaderWriterLock`` starts a process for each of its two locks, for workers on other
    hosts. Without it: a job has two more processes, asks one of them with every transition, and ends in
    ``BrokenPipeError`` if a SIGTERM reaches its whole group.
    """
    import rl_coach.utils

    rl_coach.utils.Manager = lambda: threading


def _write_checkpoint_state_atomically() -> None:
    """Replace the file that names the newest checkpoint in one step.

    Upstream: checkpoint.py:145 truncates ``.coach_checkpoint`` before writing it. Without it: a process killed between
    the two leaves a checkpoint folder that cannot be restored.
    """
    from rl_coach.checkpoint import CheckpointStateFile

    def write(self: Any, data: Any) -> None:
        staged = self.path + ".tmp"
        with open(staged, "w", encoding="utf-8") as file:
            file.write(data.name)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, self.path)

    CheckpointStateFile.write = write


def _bound_unsigned_boxes() -> None:
    """Let gym bound a box of unsigned integers that has infinite bounds.

    Upstream: gym/spaces/box.py:297 knows signed integers only. Without it: ``ValueError: Unknown dtype <class
    'numpy.uint32'> for infinite bounds`` from ``Box(0, np.inf, shape=(2,), dtype=np.uint32)``.
    """
    from gym.spaces import box

    original = box.get_inf

    def get_inf(dtype: Any, sign: str) -> Any:
        if np.dtype(dtype).kind != "u":
            return original(dtype, sign)
        return np.iinfo(dtype).max - 2 if sign == "+" else 0  # 2 less, as gym bounds signed integers

    box.get_inf = get_inf
