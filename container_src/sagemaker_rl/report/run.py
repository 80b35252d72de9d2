"""A job, read from the files that it left: none of them has to be there, and none has to be whole."""

import csv
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sagemaker_rl.job.outputs import EVALUATION_FILE, JOB_FILE, METADATA_FILE
from sagemaker_rl.report.cars import CARS, PATIENCE, Car
from sagemaker_rl.report.coach_csv import EPISODE, EVALUATION_REWARD, SECONDS, parse_number, read_coach_csv
from sagemaker_rl.report.optimum import find_optimum
from sagemaker_rl.report.trial import FILE as TRIAL_FILE
from sagemaker_rl.report.trial import Trial

DESCRIPTION_FILE = "description.json"
"""SageMaker's answer to DescribeTrainingJob, which ``scripts/fetch.py`` and ``report.py`` put beside a job's files."""
FINAL_STATUSES = ("Completed", "Failed", "Stopped")
"""Of a job that writes nothing more."""
HYPERPARAMETERS_SHOWN_ELSEWHERE = ("RLCOACH_PRESET", "seed")
TUNING_OBJECTIVE = "_tuning_objective_metric"
"""The hyperparameter that a tuning job gives to its training jobs."""
GIF_EPISODE = re.compile(r"episode-(\d+)_score-")


class Series(NamedTuple):
    """A curve: its values where they are finite, and where those stand; float64 ``(points,)`` each."""

    episodes: np.ndarray
    seconds: np.ndarray
    """Of training, NaN where the file has none."""
    values: np.ndarray


class EpisodeTrace(NamedTuple):
    """The steps of an episode: the columns' names, and float32 ``(steps, columns)``; the first column is the step."""

    columns: list[str]
    points: np.ndarray


@dataclass(frozen=True)
class Setting:
    """A hyperparameter as the job ran it.

    Attributes:
        name: its short name.
        value: what it was.
        preset: what it is in the preset.
        changed: whether the two differ.
        of_job: whether it belongs to the job itself, as ``keep_best`` does, and not to the preset.
    """

    name: Any
    value: Any = ""
    preset: Any = ""
    changed: Any = False
    of_job: Any = False


@dataclass
class Run:
    """A job.

    Attributes:
        name: of the job, or of its folder.
        job: what it wrote about itself: preset, algorithm, environment, settings and so on.
        hyperparameters: as they were given to the job.
        metadata: how far the job came.
        description: SageMaker's, empty if it was not fetched.
        evaluation: the result of an evaluation job, empty for another.
        columns: of Coach's CSV, float64 ``(rows,)`` each, NaN where there is nothing.
        lost_evaluations: how many evaluations at the end have no finite reward.
        trial: the finished policy's episodes from unseen starts; None if there were none.
        gif: the animation of the last evaluation that was recorded.
        trace: of the same episode.
        failure: why the job failed; empty if it did not.
        notes: what is missing or damaged, a sentence each.
    """

    name: str
    job: dict[str, Any] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lost_evaluations: int = 0
    trial: Trial | None = None
    gif: Path | None = None
    trace: EpisodeTrace | None = None
    failure: str = ""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, name: str = "") -> "Run":
        """Read a job's folder: ``/opt/ml`` while it runs, ``runs/JOB`` once it is fetched; both have an ``output/``."""
        run = cls(name or folder.resolve().name)
        output = folder / "output"
        intermediate, data = output / "intermediate", output / "data"
        run.description = run._read_json(folder / DESCRIPTION_FILE)
        run.job = run._read_json(intermediate / JOB_FILE)
        run.metadata = run._read_json(intermediate / METADATA_FILE)
        run.evaluation = run._read_json(data / EVALUATION_FILE) or run._read_json(intermediate / EVALUATION_FILE)
        given = run.description.get("HyperParameters")
        if not isinstance(given, dict) or not given:
            given = run._read_json(folder / "input/config/hyperparameters.json")
        run.hyperparameters = {str(name): _unquote(value) for name, value in given.items()}
        run.failure = run._read_failure(output / "failure")
        run._read_csv(intermediate)
        run._read_trial(data / TRIAL_FILE)
        run._read_last_episode(intermediate / "gifs")
        return run

    # --- What the page asks ------------------------------------------------------------------------------------------

    @property
    def is_evaluation(self) -> bool:
        """Whether it is an evaluation job."""
        return bool(self.evaluation) or self.job.get("kind") == "evaluation"

    @property
    def status(self) -> str:
        """The job's status in SageMaker's words; a sentence where nothing is known."""
        if self.failure:
            return "Failed"
        if self.metadata.get("stopped"):
            return "Stopped"
        status = str(self.description.get("TrainingJobStatus", ""))
        if status:
            return status
        # A job writes these last. One that was killed has written its metadata, and none of them.
        completed = self.evaluation or self.trial or "no_trial" in self.job
        return "Completed" if completed else "Nothing is known of its end"

    @property
    def has_ended(self) -> bool:
        """Whether the job writes nothing more."""
        return self.status in FINAL_STATUSES

    @property
    def settings(self) -> list[Setting]:
        """The settings in the preset, then those of the job itself that were given; empty if the first are unknown."""
        content = self.job.get("settings")
        fields = Setting.__dataclass_fields__
        settings = [
            Setting(**{"name": "?", **{key: value for key, value in setting.items() if key in fields}})
            for setting in (content if isinstance(content, list) else [])
            if isinstance(setting, dict)
        ]
        known = {setting.name for setting in settings}
        given = [
            Setting(name, value, changed=True, of_job=True)
            for name, value in self.hyperparameters.items()
            # A path into the preset, "rl....", is listed by its short name already.
            if name not in known
            and name not in HYPERPARAMETERS_SHOWN_ELSEWHERE
            and not name.startswith(("sagemaker_", "_tuning_", "rl."))
        ]
        return settings + given if settings else []

    def setting_value(self, name: str) -> Any:
        """Return the value of a setting, None if it is not known."""
        return next((setting.value for setting in self.settings if setting.name == name), None)

    @property
    def objective(self) -> str:
        """The metric that a tuning job compares its training jobs by; empty for another job."""
        return str(self.hyperparameters.get(TUNING_OBJECTIVE) or "")

    @property
    def objective_value(self) -> float | None:
        """Its last value; None if SageMaker knows of none."""
        for metric in self.description.get("FinalMetricDataList") or []:
            if isinstance(metric, dict) and metric.get("MetricName") == self.objective:
                value = metric.get("Value")
                return float(value) if isinstance(value, int | float) else None
        return None

    @property
    def environment(self) -> str:
        """The environment's class, or what the preset calls it."""
        return str(self.job.get("environment", "")).rpartition(":")[2]

    @property
    def car(self) -> Car | None:
        """The Mountain Car that was trained; None if the environment is another."""
        return CARS.get(self.environment)

    @property
    def best_known(self) -> float | None:
        """The mean of the best known returns from the unseen starts; None if it is not known, or nothing was tried."""
        optimum = find_optimum(self.environment)
        if optimum is None or self.trial is None or not np.isfinite(self.trial.returns).all():
            return None
        return float(optimum.returns_from(self.trial.starts[:, 0]).mean())

    @property
    def regret(self) -> float | None:
        """The best known mean minus the mean return of the unseen starts.

        It is rounded to 0.01 here, so that the number is the same wherever the page has it.
        """
        if self.trial is None or self.best_known is None:
            return None
        return round(self.best_known - float(self.trial.returns.mean()), 2)

    @property
    def timeouts(self) -> int:
        """How many episodes of the unseen starts ended because the car's patience did."""
        if self.trial is None or self.car is None:
            return 0
        return int((self.trial.lengths >= PATIENCE).sum())

    def series(self, column: str) -> Series:
        """Return a column of Coach's CSV where it has a finite value."""
        values = self.columns.get(column, np.empty(0))
        if not len(values):
            return Series(np.empty(0), np.empty(0), np.empty(0))
        missing = np.full(len(values), np.nan)
        finite = np.isfinite(values)
        episodes, seconds = (self.columns.get(name, missing)[finite] for name in (EPISODE, SECONDS))
        return Series(episodes, seconds, values[finite])

    # --- Reading -----------------------------------------------------------------------------------------------------

    def _read_json(self, file: Path) -> dict[str, Any]:
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

    def _read_failure(self, file: Path) -> str:
        try:
            reason = file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            reason = ""
        return reason or str(self.description.get("FailureReason", "")).strip()

    def _read_csv(self, folder: Path) -> None:
        files = sorted(folder.glob("worker_*.csv"))
        if not files:
            return
        content = read_coach_csv(files[0])
        self.columns, self.lost_evaluations = content.columns, content.lost_evaluations
        self.notes += content.notes
        self._time_last_evaluation()

    def _time_last_evaluation(self) -> None:
        """Give stock Coach's last evaluation the time at which the training was over: its row has none."""
        seconds = self.metadata.get("train_seconds")
        values = self.columns.get(EVALUATION_REWARD, np.empty(0))
        evaluations = np.flatnonzero(np.isfinite(values))
        if not len(evaluations) or not isinstance(seconds, int | float):
            return
        times = self.columns.setdefault(SECONDS, np.full(len(values), np.nan))
        if not np.isfinite(times[evaluations[-1]]):
            times[evaluations[-1]] = seconds

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

    def _read_last_episode(self, folder: Path) -> None:
        """Find the GIF of the latest episode, and read the trace beside it; a damaged trace counts as none."""
        gifs = [(int(match[1]), gif) for gif in folder.glob("*.gif") if (match := GIF_EPISODE.search(gif.name))]
        if not gifs:
            return
        episode, self.gif = max(gifs)
        try:
            with (folder / f"episode-{episode}.csv").open(encoding="utf-8", newline="") as stream:
                header, *rows = [row for row in csv.reader(stream) if row]
        except (OSError, ValueError, csv.Error):
            return
        complete = [row for row in rows if len(row) == len(header)]
        points = np.array([[parse_number(value) for value in row] for row in complete], np.float32)
        if points.size:
            self.trace = EpisodeTrace(header, points)


def _unquote(value: Any) -> Any:
    """Return a hyperparameter without the quotes that SageMaker's SDK puts around strings: it sends JSON."""
    if isinstance(value, str) and value[:1] == value[-1:] == '"' and len(value) > 1:
        return value[1:-1]
    return value
