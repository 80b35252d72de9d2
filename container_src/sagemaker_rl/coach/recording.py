"""An episode recorded while it is played: the frames of its GIF, and its trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.errors import shorten
from sagemaker_rl.job import outputs
from sagemaker_rl.job.traces import Trace

MAX_FRAMES = 125
FRAME_SKIP = 5
"""Environment steps from one frame to the next, at first."""
MAX_SIZE = (300, 200)
"""Width and height of a frame in pixels, at most."""


Frame = np.ndarray | Callable[[], np.ndarray]
"""A picture, uint8 ``(height, width, 3)``, or a function that draws one later, maybe in another process."""


class RenderError(Exception):
    """An environment draws no picture; the message says why."""


def render(env: Any, level: str) -> np.ndarray:
    """Return the picture of a gym environment as it is now, uint8 ``(height, width, 3)``.

    Args:
        env: it is asked by ``render(mode="rgb_array")``.
        level: as the preset calls it.

    Raises:
        RenderError: It fails, or gives something else.
    """
    try:
        picture = env.render(mode="rgb_array")
    except Exception as error:  # of a user's own environment, or of a package that draws
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise RenderError(f"render() of {level} raises {shorten(reason)}") from None
    if isinstance(picture, np.ndarray):
        if picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3 and picture.size:
            return picture
        given = f"{picture.dtype} {picture.shape}"
    else:
        given = "None" if picture is None else f"a {type(picture).__name__}"
    raise RenderError(f"render() of {level} gives {given}, expected a uint8 array (height, width, 3)")


def do_without_gifs(visualization: Any, reason: str) -> None:
    """Record no episodes any more, and say so.

    Args:
        visualization: Coach's VisualizationParameters of the agent, or of the environment.
        reason: for the log.
    """
    visualization.dump_gifs = visualization.dump_mp4 = False
    outputs.metric_line("GIFs", GIFs="none", Reason=reason)


class Recording(list):
    """The frames of an episode, evenly spaced in time and few; beside them its trace.

    It is a list because Coach appends to it and slices it. Of what can be drawn later there is a function: drawing
    takes longer than playing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trace = Trace()
        self._steps = 0
        self._stride = FRAME_SKIP

    def count_step(self) -> bool:
        """Count an environment step; return whether its frame is to be appended."""
        self._steps += 1
        return (self._steps - 1) % self._stride == 0

    def append(self, frame: Frame | None) -> None:
        """Append the frame of a step, if there is one. One frame too many, and every second one goes."""
        if frame is None:
            return
        super().append(frame if callable(frame) else shrunk(frame))
        if len(self) > MAX_FRAMES:
            self[:] = self[::2]
            self._stride *= 2

    def draw(self) -> list[np.ndarray]:
        """Return the frames as pictures, each at ``MAX_SIZE`` or smaller."""
        return [shrunk(frame) if callable(frame) else frame for frame in self]

    def save_trace(self, episode: int) -> None:
        """Write the trace as CSV beside the episode's GIF."""
        from rl_coach import logger

        self.trace.save(Path(logger.experiment_path) / "gifs" / f"episode-{episode}.csv")


def shrunk(frame: Frame) -> np.ndarray:
    """Return the picture of a frame at ``MAX_SIZE`` or smaller."""
    from PIL import Image

    image = Image.fromarray(frame() if callable(frame) else frame)
    # Both are faster than the defaults, and as good where a whole number of pixels becomes one.
    image.thumbnail(MAX_SIZE, Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(image)
