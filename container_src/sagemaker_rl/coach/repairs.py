"""Everything that rl-coach-slim 0.12.1 needs changed to run on MXNet 1.9.1, current packages and small images.

Nothing is patched anywhere else. Call ``apply()`` before the first import of ``rl_coach``; it is idempotent.

Why 0.12.1 and not 1.0.x: 1.0.0's ``NetworkWrapper`` hands ``additional_inputs`` to MXNet's ``apply_gradients``, which
does not take it (TypeError in the first training step), and 1.0.1 imports TensorFlow from ``redis_data_store``.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.job.traces import Trace

NEVER_CALLED = {
    "minio": "data_stores/s3_data_store.py:19 (distributed Coach on Kubernetes)",
    "redis": "utilities/shared_running_stats.py:20, memories/backend/redis.py:18 (distributed Coach)",
    "scipy": "spaces.py:23, exploration_policies/additive_noise.py:20, environments/gym_environment.py:20 (unused)",
    "skimage": "filters/observation/observation_rescale_to_size_filter.py:18 (image observations)",
}
"""Packages that Coach imports at the top of a file although a training job on vectors never calls them."""

MAX_GIF_FRAMES = 125
GIF_FRAME_SKIP = 5
GIF_SIZE = (300, 200)

_applied = False


def apply() -> None:
    """Apply every repair once."""
    global _applied
    if _applied:
        return
    _applied = True
    _import_mxnet()
    sys.meta_path.append(_PlaceholderFinder())
    _import_what_names_scipy()
    _accept_a_list_as_constant()
    _discount_without_scipy()
    _write_csv_rows_when_complete()
    _keep_few_gif_frames()
    _show_gif_frames_for_their_time()
    _write_checkpoint_state_atomically()
    _count_frames_and_seconds()
    _log_a_decaying_learning_rate()


def _import_mxnet() -> None:
    """Import MXNet as the image does: without SciPy, which it takes for quantization only.

    It comes before the placeholders, while it still finds that SciPy is absent.
    """
    hidden = "scipy" not in sys.modules
    if hidden:
        sys.modules["scipy"] = None  # type: ignore[assignment]
    try:
        import mxnet  # noqa: F401
    finally:
        if hidden:
            del sys.modules["scipy"]


def _import_what_names_scipy() -> None:
    """Import those of Coach's modules that name SciPy without it, as in the image: it takes a second to import.

    Whoever imports SciPy later, a preset perhaps, finds it where it is installed.
    """
    if "scipy" in sys.modules:
        return
    names = ["scipy", *(f"scipy.{part}" for part in ("ndimage", "signal", "spatial", "stats"))]
    sys.modules.update({name: _Placeholder(name) for name in names})
    try:
        import rl_coach.agents.actor_critic_agent
        import rl_coach.environments.gym_environment
        import rl_coach.exploration_policies.additive_noise
        import rl_coach.spaces  # noqa: F401
    finally:
        for name in names:
            del sys.modules[name]


class _Placeholder(types.ModuleType):
    """A module that can be imported; using it says which package to install."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        package = self.__name__.partition(".")[0]

        class Missing:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                raise ImportError(
                    f"{package} is not in this image because Coach's {NEVER_CALLED[package]} is its only use: "
                    f"add {package} to the requirements.txt beside your entry point to have it installed"
                )

        Missing.__name__ = name
        return Missing


class _PlaceholderFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for a package of ``NEVER_CALLED`` that is not installed.

    Upstream: the lines named there. Without it: ``ModuleNotFoundError: No module named 'redis'`` (and so on).
    Standing last in ``sys.meta_path``, it never hides an installed package; asked by another package than Coach, which
    may have a way to do without, it finds nothing.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in NEVER_CALLED or not _importer().startswith("rl_coach"):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Placeholder(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to execute."""


def _importer() -> str:
    """Return the name of the module whose import statement is being carried out."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in (
        "importlib",
        "_frozen_importlib",
        "sagemaker_rl",
    ):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame else ""


def forget_placeholders() -> None:
    """Take the placeholders out of ``sys.modules`` once Coach has its references, so that nobody else meets them."""
    for name in [name for name, module in sys.modules.items() if isinstance(module, _Placeholder)]:
        del sys.modules[name]


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

    Upstream: agents/actor_critic_agent.py:130, ``scipy.signal.lfilter([1], [1, -gamma], x[::-1])[::-1]``, the only use
    of SciPy (98 MB) that a training job on vectors makes. Without it: ImportError at the first training phase.
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

    Upstream: agents/agent.py:588, where every evaluation episode calls ``update_log`` under the number of the last
    training episode and overwrites its row; and logger.py:208, where ``dump_output_csv`` appends a row when its episode
    ends, before the training phase that follows sets the losses. Without it: empty losses, and no training reward in
    the row before an evaluation. ``outputs.close_csv`` writes the last row.
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


class FilmStrip(list):
    """A list of frames that keeps at most ``MAX_GIF_FRAMES``, evenly spaced, each ``GIF_SIZE`` or smaller.

    ``append`` takes an ``(height, width, 3)`` uint8 array.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.stride = GIF_FRAME_SKIP
        self.trace = Trace()

    def wants_next(self) -> bool:
        """Count one environment step and tell whether its frame is to be kept."""
        self.seen += 1
        return (self.seen - 1) % self.stride == 0

    def append(self, frame: np.ndarray) -> None:
        self.keep(small_frame(frame))

    def keep(self, frame: Any) -> None:
        """Append a frame that is small already, or what will become one."""
        super().append(frame)
        if len(self) > MAX_GIF_FRAMES:
            self[:] = self[::2]
            self.stride *= 2

    def save_trace(self, episode: int) -> None:
        """Write what happened in the episode beside its GIF."""
        from rl_coach import logger

        self.trace.save(Path(logger.experiment_path) / "gifs" / f"episode-{episode}.csv")


def small_frame(frame: np.ndarray) -> np.ndarray:
    """Return a picture, uint8 ``(height, width, 3)``, at ``GIF_SIZE`` or smaller."""
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail(GIF_SIZE, Image.Resampling.BOX)  # faster than the default, and as good at a half
    return np.asarray(image)


def _keep_few_gif_frames() -> None:
    """Render only the frames that a GIF will show, and bound their number.

    Upstream: environments/environment.py:305 renders and keeps every step's frame (600 x 400 x 3 bytes) and drops four
    of five when the episode ends. Without it: 7 GB for an episode of 10,000 steps, and rendering takes most of an
    evaluation.
    """
    from rl_coach.environments.environment import Environment

    reset = Environment.reset_internal_state
    should_dump = Environment.should_dump_video_of_the_current_episode
    dump = Environment.dump_video_of_last_episode

    def reset_internal_state(self: Any, *args: Any, **kwargs: Any) -> Any:
        response = reset(self, *args, **kwargs)
        self.last_episode_images = FilmStrip()
        return response

    def should_dump_video_of_the_current_episode(self: Any, episode_terminated: bool = False) -> bool:
        visualization = self.visualization_parameters
        if not (visualization.dump_gifs or visualization.dump_mp4):
            return False
        if not should_dump(self, episode_terminated):
            return False
        frames = self.last_episode_images
        if episode_terminated or not isinstance(frames, FilmStrip):
            # Also asked before the first reset, by the constructor's own step, when there is no strip yet.
            return episode_terminated
        if "observation" in self.state:
            frames.trace.add(self.state["observation"], self.last_action)
        return frames.wants_next()

    def dump_video_of_last_episode(self: Any) -> None:
        frame_skip, self.frame_skip = self.frame_skip, 5  # frames are thinned out already: write all that were kept
        try:
            dump(self)
        finally:
            self.frame_skip = frame_skip
        if isinstance(self.last_episode_images, FilmStrip):
            self.last_episode_images.save_trace(self.episode_idx)

    Environment.reset_internal_state = reset_internal_state
    Environment.should_dump_video_of_the_current_episode = should_dump_video_of_the_current_episode
    Environment.dump_video_of_last_episode = dump_video_of_last_episode


def _show_gif_frames_for_their_time() -> None:
    """Give GIF frames a duration, and few colours.

    Upstream: logger.py:313, ``duration=1.0 / fps`` where Pillow wants milliseconds. Without it: frames of 0 ms, which
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
        def run(self, value: float) -> float:
            return value

    rate = property(lambda self: self.trainer.learning_rate)
    MxnetArchitecture.adaptive_learning_rate_scheme = MxnetArchitecture.current_learning_rate = rate

    def begin(self: Any, *args: Any, learning_rate: Any = None, lr_scheduler: Any = None, **options: Any) -> None:
        if lr_scheduler is not None:  # else MXNet prints that it is about to do this
            lr_scheduler.base_lr = learning_rate
        initialize(self, *args, learning_rate=learning_rate, lr_scheduler=lr_scheduler, **options)

    initialize, mxnet.optimizer.Optimizer.__init__ = mxnet.optimizer.Optimizer.__init__, begin
    predict = MxnetArchitecture.parallel_predict  # it insists on the session being None, as MXNet has none
    MxnetArchitecture.parallel_predict = staticmethod(lambda session, inputs: predict(None, inputs))
    NetworkWrapper.sess = property(lambda self: Session(), lambda self, session: None)


def _write_checkpoint_state_atomically() -> None:
    """Replace the file that names the newest checkpoint in one step.

    Upstream: checkpoint.py:139 truncates ``.coach_checkpoint`` before writing it. Without it: a process killed between
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
