"""Whatever a job left, read for its report: no file has to be there, and none has to be whole."""

import csv
import json
import math
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.job.outputs import JOB_FILE, METADATA_FILE
from sagemaker_rl.report import optimum
from sagemaker_rl.report.trial import FILE as TRIAL_FILE
from sagemaker_rl.report.trial import Trial

DESCRIPTION_FILE = "description.json"
"""What SageMaker says about a job, DescribeTrainingJob's answer, beside its fetched files."""
EVALUATION_FILE = "evaluation.json"
ENDED = ("Completed", "Failed", "Stopped")
"""The status of a job that nothing more comes from."""
SHOWN_ELSEWHERE = ("RLCOACH_PRESET", "seed")
CARS = ("PatientMountainCar", "PatientContinuousMountainCar")
GIF_EPISODE = re.compile(r"episode-(\d+)_score-")
EPISODE, SECONDS = "Episode #", "Wall-Clock Time"
TRAINING_REWARD, EVALUATION_REWARD = "Training Reward", "Evaluation Reward"
VALUE_LOSS, VALUE_TARGETS = "Value Loss/Mean", "Value Targets/Stdev"
EXPLAINED_VARIANCE = "Explained Variance"
LOSSES = {
    "Loss/Mean": "Loss",
    VALUE_LOSS: "Value loss",
    "Policy Loss/Mean": "Policy loss",
    "Entropy/Mean": "Entropy loss",
    "KL Divergence/Mean": "KL divergence",
    EXPLAINED_VARIANCE: "Explained variance",
    "Learning Rate/Mean": "Learning rate",
}
"""Column of Coach's CSV -> its title in the report."""


@dataclass
class Run:
    """A job.

    Attributes:
        name: of the job, or of its folder.
        job: what it said about itself: preset, algorithm, environment, settings and so on.
        given: its hyperparameters as it was given them.
        metadata: how far it came.
        description: SageMaker's, empty if it was not fetched.
        evaluation: the result of an evaluation job, empty for another.
        columns: of Coach's CSV, float64 ``(rows,)`` each, NaN where there is nothing.
        lost_evaluations: how many of the last evaluations are no finite numbers.
        trial: how the finished policy did on unseen starts; None if that was not tried.
        gif: the moving picture of the last evaluation that was filmed.
        trace: of the same episode: the columns' names, and float32 ``(points, columns)``.
        failure: why the job failed; empty if it did not.
        notes: what is missing or damaged, a sentence each.
    """

    name: str
    job: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lost_evaluations: int = 0
    trial: Trial | None = None
    gif: Path | None = None
    trace: tuple[list[str], np.ndarray] | None = None
    failure: str = ""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, name: str = "") -> "Run":
        """Read a job's folder: ``/opt/ml`` while it runs, ``runs/JOB`` once it is fetched; both have an ``output/``."""
        run = cls(name or folder.resolve().name)
        output = folder / "output"
        intermediate, data = output / "intermediate", output / "data"
        run.description = run._json(folder / DESCRIPTION_FILE)
        run.job = run._json(intermediate / JOB_FILE)
        run.metadata = run._json(intermediate / METADATA_FILE)
        run.evaluation = run._json(data / EVALUATION_FILE) or run._json(intermediate / EVALUATION_FILE)
        given = run.description.get("HyperParameters")
        if not isinstance(given, dict) or not given:
            given = run._json(folder / "input/config/hyperparameters.json")
        run.given = {str(name): _unquoted(value) for name, value in given.items()}
        run.failure = run._failure(output / "failure")
        for file in sorted(intermediate.glob("worker_*.csv")):
            run._read_csv(file)
            break
        run._time_the_last_evaluation()
        run._read_trial(data / TRIAL_FILE)
        run._find_gif(intermediate / "gifs")
        return run

    # --- What the report asks ----------------------------------------------------------------------------------------

    @property
    def is_evaluation(self) -> bool:
        return bool(self.evaluation) or self.job.get("kind") == "evaluation"

    @property
    def status(self) -> str:
        if self.failure:
            return "Failed"
        if self.metadata.get("stopped"):
            return "Stopped"
        known = str(self.description.get("TrainingJobStatus", ""))
        if known:
            return known
        # What a job does last: one that was killed has written its metadata, and neither of these.
        came_to_its_end = self.evaluation or self.trial or "no_trial" in self.job
        return "Completed" if came_to_its_end else "Nothing is known of its end"

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def settings(self) -> list[dict[str, Any]]:
        """Return name, value, what it is in the preset, and whether it was changed or given, of each setting.

        Those of the job itself, ``keep_best`` and so on, are no part of the preset: they are there if they were given.
        """
        found = self.job.get("settings")
        settings = [
            {"name": "?", "value": "", "preset": "", "changed": False, "given": False, **setting}
            for setting in (found if isinstance(found, list) else [])
            if isinstance(setting, dict)
        ]
        known = {setting["name"] for setting in settings}
        given = [
            {"name": name, "value": value, "preset": "", "changed": True, "given": True}
            for name, value in self.given.items()
            # What reaches into the preset by a path is there by its short name.
            if name not in known and name not in SHOWN_ELSEWHERE and not name.startswith(("sagemaker_", "rl."))
        ]
        return settings + given if settings else []

    def setting(self, name: str) -> Any:
        """Return the value of a setting, None if it is not known."""
        return next((setting["value"] for setting in self.settings if setting["name"] == name), None)

    @property
    def best_known(self) -> float | None:
        """The mean of the best known returns from the unseen starts; None if it is not known, or nothing was tried."""
        best = optimum.of(self.environment)
        if best is None or self.trial is None or not np.isfinite(self.trial.returns).all():
            return None
        return float(best.at(self.trial.starts[:, 0]).mean())

    @property
    def regret(self) -> float | None:
        """How far the mean return of the unseen starts is below the best known, to 0.01: all say the same number."""
        if self.trial is None or self.best_known is None:
            return None
        return round(self.best_known - float(self.trial.returns.mean()), 2)

    @property
    def out_of_patience(self) -> int:
        """How many of the unseen starts' episodes ended because a car's patience did."""
        if self.trial is None or self.environment not in CARS:
            return 0
        return int((self.trial.lengths >= optimum.PATIENCE).sum())

    @property
    def environment(self) -> str:
        """The environment's class, or what the preset calls it."""
        return str(self.job.get("environment", "")).rpartition(":")[2]

    def series(self, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return episodes, seconds and values of a column where it has a finite value."""
        values = self.columns.get(column, np.empty(0))
        known = np.isfinite(values)
        return tuple(  # type: ignore[return-value]
            self.columns.get(name, np.full(len(values), np.nan))[known] if len(values) else np.empty(0)
            for name in (EPISODE, SECONDS, column)
        )

    # --- Reading -----------------------------------------------------------------------------------------------------

    def _json(self, file: Path) -> dict[str, Any]:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self.notes.append(f"{file.name} cannot be read: {error}.")
            return {}
        if not isinstance(content, dict):
            self.notes.append(f"{file.name} holds no JSON object.")
            return {}
        return content

    def _failure(self, file: Path) -> str:
        try:
            reason = file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            reason = ""
        return reason or str(self.description.get("FailureReason", "")).strip()

    def _read_csv(self, file: Path) -> None:
        """Read Coach's CSV; a row that was cut off is left out, and a number that is none is a gap."""
        try:
            with file.open(encoding="utf-8", errors="replace", newline="") as stream:
                rows = [row for row in csv.reader(line.replace("\0", "") for line in stream) if row]
        except (OSError, csv.Error) as error:
            self.notes.append(f"{file.name} cannot be read: {error}.")
            return
        if not rows or EPISODE not in rows[0]:
            self.notes.append(f"{file.name} has no column {EPISODE!r}.")
            return
        header, *body = rows
        whole = [row for row in body if len(row) == len(header)]
        if len(whole) < len(body):
            self.notes.append(f"{file.name} was cut off: {_count(len(body) - len(whole), 'row')} left out.")
        wanted = {EPISODE, SECONDS, TRAINING_REWARD, EVALUATION_REWARD, VALUE_TARGETS, *LOSSES}
        for index, column in enumerate(header):
            if column in wanted:
                self.columns[column] = np.array([_number(row[index]) for row in whole])
        self._note_what_is_no_number(whole, header)
        if EVALUATION_REWARD in header:
            index = header.index(EVALUATION_REWARD)
            evaluated = [_number(row[index]) for row in whole if row[index].strip()]
            finite = [number for number, value in enumerate(evaluated, start=1) if math.isfinite(value)]
            self.lost_evaluations = len(evaluated) - (finite[-1] if finite else 0)
        if VALUE_LOSS in self.columns and VALUE_TARGETS in self.columns:
            with np.errstate(all="ignore"):
                variance = self.columns[VALUE_TARGETS] ** 2
                unexplained = 2 * self.columns[VALUE_LOSS] / variance  # the loss is half the mean squared error
                self.columns[EXPLAINED_VARIANCE] = np.where(variance > 0, 1 - unexplained, np.nan)

    def _note_what_is_no_number(self, rows: list[list[str]], header: list[str]) -> None:
        for column, title in {
            TRAINING_REWARD: "training reward",
            EVALUATION_REWARD: "evaluation reward",
            **LOSSES,
        }.items():
            if column not in header:
                continue
            index = header.index(column)
            damaged = sum(1 for row in rows if row[index].strip() and not math.isfinite(_number(row[index])))
            if damaged:
                title = title[0].upper() + title[1:]
                self.notes.append(f"{title} is not a finite number in {_count(damaged, 'row')}: a gap in its curve.")

    def _time_the_last_evaluation(self) -> None:
        """Give stock Coach's last evaluation the time at which the training was over: its row has none."""
        seconds = self.metadata.get("train_seconds")
        values = self.columns.get(EVALUATION_REWARD, np.empty(0))
        evaluated = np.flatnonzero(np.isfinite(values))
        if not len(evaluated) or not isinstance(seconds, int | float):
            return
        times = self.columns.setdefault(SECONDS, np.full(len(values), np.nan))
        if not np.isfinite(times[evaluated[-1]]):
            times[evaluated[-1]] = seconds

    def _read_trial(self, file: Path) -> None:
        if not file.is_file():
            return
        try:
            trial = Trial.load(file)
            if not len(trial.returns) == len(trial.starts) == len(trial.lengths) > 0:
                raise ValueError("it holds no episodes")
            self.trial = trial
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            self.notes.append(f"{file.name} cannot be read: {error}.")

    def _find_gif(self, folder: Path) -> None:
        gifs = [(int(found[1]), gif) for gif in folder.glob("*.gif") if (found := GIF_EPISODE.search(gif.name))]
        if not gifs:
            return
        episode, self.gif = max(gifs)
        try:
            with (folder / f"episode-{episode}.csv").open(encoding="utf-8", newline="") as stream:
                header, *rows = [row for row in csv.reader(stream) if row]
            points = np.array(
                [[_number(value) for value in row] for row in rows if len(row) == len(header)], np.float32
            )
            if points.size:
                self.trace = (header, points)
        except (OSError, ValueError, csv.Error):
            return


def _unquoted(value: Any) -> Any:
    """Return a hyperparameter as it was meant: SageMaker's SDK writes them as JSON."""
    if isinstance(value, str) and value[:1] == value[-1:] == '"' and len(value) > 1:
        return value[1:-1]
    return value


def as_read(value: float, form: str = ".2f") -> str:
    """Return a number as it is read: no minus before a zero."""
    if not math.isfinite(value):
        return "no number"
    text = f"{value:{form}}"
    return text.removeprefix("-") if float(text) == 0 else text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
