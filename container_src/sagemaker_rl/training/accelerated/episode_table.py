"""Coach's CSV as the fast path writes it."""

import csv
import math
import numbers
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.training.state_file import State


class EpisodeTable:
    """Coach's CSV, a row per training episode, written as the rows are complete."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.path = Path(agent.agent_logger.csv_path)
        self.pending: dict[str, Any] | None = None
        self.evaluation: dict[str, Any] = {}
        self.columns = self._discover_columns()

    def _discover_columns(self) -> list[str]:
        """Return Coach's columns. Coach builds its list of them only when it logs a row: log one and discard it."""
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
            for name, value in _statistics(signal):
                if isinstance(value, numbers.Real) and math.isfinite(value):
                    if self.pending is not None:
                        self.pending[f"{signal.name}/{name}"] = float(value)
                    if name == "Mean":
                        means[signal.name] = float(value)
            signal.reset()
        return means

    def state(self) -> State:
        """Return the file's content, and what is not written yet."""
        content = self.path.read_bytes() if self.path.exists() else b""
        return {
            "content": np.frombuffer(content, np.uint8),
            "pending": self.pending,
            "evaluation": self.evaluation,
        }

    def restore(self, state: State) -> None:
        """Write what the file held, and go on."""
        if len(state["content"]):
            self.path.write_bytes(state["content"].tobytes())
        self.pending, self.evaluation = state["pending"], state["evaluation"]

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


def _statistics(signal: Any) -> Iterable[tuple[str, Any]]:
    """Yield what Coach's signal computes of its samples; Coach puts a signal's arrays together anew for each of it."""
    if signal.values:
        values = signal._get_values()
        for name, statistic in (("Mean", np.mean), ("Stdev", np.std), ("Max", np.max), ("Min", np.min)):
            yield name, statistic(values)
