"""What Coach logs while it runs: its CSV, a row per training episode, and the signals in it (losses, values)."""

import math
import numbers
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LOSSES = ("Loss", "Value Loss", "Policy Loss", "Entropy", "KL Divergence")
"""Coach's names of the signals that an evaluation's metric line shows."""


def direct_coach_to(folder: Path) -> None:
    """Have Coach's loggers write into ``folder``, and its progress reach a log at once."""
    from rl_coach import logger

    logger.experiment_path = str(folder)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)


class SignalMeans:
    """Means of an agent's logged signals over the training episodes since the last call."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.episodes_seen = 0

    def take(self, signals: Iterable[str]) -> dict[str, float | None]:
        """Return each signal's mean over the new episodes; None where the agent has logged nothing."""
        table = self.agent.agent_logger.data
        rows = table[(table.index > self.episodes_seen) & (table.index <= self.agent.current_episode)]
        self.episodes_seen = self.agent.current_episode
        return {signal: self._mean(rows, f"{signal}/Mean") for signal in signals}

    @staticmethod
    def _mean(rows: Any, column: str) -> float | None:
        values = [float(v) for v in rows.get(column, ()) if isinstance(v, numbers.Real) and math.isfinite(v)]
        return sum(values) / len(values) if values else None


def close_csv(agent: Any) -> None:
    """Write the CSV's last row, which waits for its episode's losses (repairs.py: _write_csv_rows_when_complete)."""
    if len(agent.agent_logger.data):
        agent.agent_logger.dump_output_csv(everything=True)
