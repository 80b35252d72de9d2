"""The CSV that Coach writes while a job trains: a row per episode, read as far as it is whole."""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sagemaker_rl.report.formatting import format_count

EPISODE, SECONDS = "Episode #", "Wall-Clock Time"
TRAINING_REWARD, EVALUATION_REWARD = "Training Reward", "Evaluation Reward"
VALUE_LOSS, VALUE_TARGETS = "Value Loss/Mean", "Value Targets/Stdev"
EXPLAINED_VARIANCE = "Explained Variance"
"""No column of Coach's: it is computed from the value loss and the value targets."""
SIGNALS = {
    "Loss/Mean": "Loss",
    VALUE_LOSS: "Value loss",
    "Policy Loss/Mean": "Policy loss",
    "Entropy/Mean": "Entropy loss",
    "KL Divergence/Mean": "KL divergence",
    EXPLAINED_VARIANCE: "Explained variance",
    "Learning Rate/Mean": "Learning rate",
}
"""Column -> title, of the losses and signals of a training; each has a chart in the report."""
COLUMNS_READ = {EPISODE, SECONDS, TRAINING_REWARD, EVALUATION_REWARD, VALUE_TARGETS, *SIGNALS}


@dataclass
class CoachCsv:
    """What such a file holds.

    Attributes:
        columns: name -> values, float64 ``(rows,)``, NaN where the file has none.
        lost_evaluations: how many evaluations at the end have no finite reward.
        notes: what is missing or damaged, a sentence each.
    """

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lost_evaluations: int = 0
    notes: list[str] = field(default_factory=list)


def read_coach_csv(file: Path) -> CoachCsv:
    """Read a file. An incomplete row is left out; a value that is no number becomes NaN; both are noted."""
    content = CoachCsv()
    try:
        with file.open(encoding="utf-8", errors="replace", newline="") as stream:
            lines = [line.replace("\0", "") for line in stream]
        rows = [row for row in csv.reader(lines) if row]
    except (OSError, csv.Error) as error:
        content.notes.append(f"{file.name} cannot be read: {error}.")
        return content
    if not rows or EPISODE not in rows[0]:
        content.notes.append(f"{file.name} has no column {EPISODE!r}.")
        return content
    header, *body = rows
    ended = body if lines[-1].endswith(("\r", "\n")) else body[:-1]  # the last value may lack digits
    complete = [row for row in ended if len(row) == len(header)]
    if len(complete) < len(body):
        content.notes.append(f"{file.name} was cut off: {format_count(len(body) - len(complete), 'row')} left out.")
    for index, column in enumerate(header):
        if column in COLUMNS_READ:
            content.columns[column] = np.array([parse_number(row[index]) for row in complete])
    content.notes += _note_non_finite_values(header, complete)
    content.lost_evaluations = _count_lost_evaluations(header, complete)
    _add_explained_variance(content.columns)
    return content


def parse_number(text: str) -> float:
    """Return the number that ``text`` is, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _note_non_finite_values(header: list[str], rows: list[list[str]]) -> list[str]:
    notes = []
    titles = {TRAINING_REWARD: "training reward", EVALUATION_REWARD: "evaluation reward", **SIGNALS}
    for column, title in titles.items():
        if column not in header:
            continue
        index = header.index(column)
        damaged = sum(1 for row in rows if row[index].strip() and not math.isfinite(parse_number(row[index])))
        if damaged:
            title = title[0].upper() + title[1:]
            notes.append(f"{title} is not a finite number in {format_count(damaged, 'row')}: a gap in its curve.")
    return notes


def _count_lost_evaluations(header: list[str], rows: list[list[str]]) -> int:
    """Return how many evaluations follow the last one that has a finite reward."""
    if EVALUATION_REWARD not in header:
        return 0
    index = header.index(EVALUATION_REWARD)
    evaluations = [parse_number(row[index]) for row in rows if row[index].strip()]
    last_finite = max((number for number, value in enumerate(evaluations, 1) if math.isfinite(value)), default=0)
    return len(evaluations) - last_finite


def _add_explained_variance(columns: dict[str, np.ndarray]) -> None:
    """Add 1 - mean squared error / variance of the value targets; the value loss is half the mean squared error."""
    if VALUE_LOSS not in columns or VALUE_TARGETS not in columns:
        return
    with np.errstate(all="ignore"):
        variance = columns[VALUE_TARGETS] ** 2
        unexplained = 2 * columns[VALUE_LOSS] / variance
        columns[EXPLAINED_VARIANCE] = np.where(variance > 0, 1 - unexplained, np.nan)
