"""What happened in one episode, step by step, thinned out where it is long."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

MAX_POINTS = 1_000
MAX_DIMENSIONS = 64
"""Of an observation; one of more, a picture perhaps, is left out: nobody reads such a trace."""


class Trace:
    """The steps of an episode. Of many steps every second is kept, or every fourth, and so on."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []
        self._steps = 0
        self._every = 1
        self._dimensions = 0

    def add(self, observation: Any, action: Any) -> None:
        """Add a step: an observation, and the action that the agent took on it."""
        if self._steps % self._every == 0 and np.size(observation) <= MAX_DIMENSIONS:
            self._rows.append(np.concatenate([[self._steps], np.ravel(observation), np.ravel(action)]))
            self._dimensions = np.size(observation)
            if len(self._rows) > MAX_POINTS:
                self._rows = self._rows[::2]
                self._every *= 2
        self._steps += 1

    def points(self) -> np.ndarray:
        """Return environment step, observation and action of the steps kept, float32 ``(points, columns)``."""
        return np.array(self._rows, dtype=np.float32)

    def save(self, file: Path) -> None:
        """Write the points as CSV: ``step``, ``observation[0]`` …, ``action[0]`` …; nothing if there are none."""
        if not self._rows:
            return
        points = self.points()
        observation = [f"observation[{index}]" for index in range(self._dimensions)]
        action = [f"action[{index}]" for index in range(points.shape[1] - 1 - self._dimensions)]
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["step", *observation, *action])
            writer.writerows([f"{value:.6g}" for value in row] for row in points)
