"""An episode recorded while it is played: the frames of its GIF, and its trace."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sagemaker_rl.job.traces import Trace

MAX_FRAMES = 125
FRAME_SKIP = 5
"""Environment steps from one frame to the next, at first."""
MAX_SIZE = (300, 200)
"""Width and height of a frame in pixels, at most."""


class Recording(list):
    """The frames of an episode, evenly spaced in time and few; beside them its trace.

    It is a list because Coach appends to it and slices it. A frame is a picture, uint8 ``(height, width, 3)``, or a
    function that draws one later: drawing takes longer than playing.
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

    def append(self, frame: np.ndarray | Callable[[], np.ndarray]) -> None:
        """Append the frame of a step. One frame too many, and every second one goes."""
        super().append(frame if callable(frame) else shrink(frame))
        if len(self) > MAX_FRAMES:
            self[:] = self[::2]
            self._stride *= 2

    def draw(self) -> list[np.ndarray]:
        """Return the frames as pictures, each at ``MAX_SIZE`` or smaller."""
        return [shrink(frame()) if callable(frame) else frame for frame in self]

    def save_trace(self, episode: int) -> None:
        """Write the trace as CSV beside the episode's GIF."""
        from rl_coach import logger

        self.trace.save(Path(logger.experiment_path) / "gifs" / f"episode-{episode}.csv")


def shrink(picture: np.ndarray) -> np.ndarray:
    """Return ``picture``, uint8 ``(height, width, 3)``, at ``MAX_SIZE`` or smaller."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail(MAX_SIZE, Image.Resampling.BOX)  # faster than the default, and as good at a half
    return np.asarray(image)
