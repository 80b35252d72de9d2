"""Going on where an interrupted job was: what is saved besides weights, when, and what is taken up again."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sagemaker_rl.errors import InputError
from sagemaker_rl.job import outputs
from sagemaker_rl.job.hyperparameters import OF_THE_PLATFORM
from sagemaker_rl.job.ml_paths import MLPaths
from sagemaker_rl.job.ranks import Ranks
from sagemaker_rl.training import checkpoints, generations, state_file
from sagemaker_rl.training.state_file import State

VERSION = 2
"""Of what a state holds, and of what a training makes of it: another one's cannot be gone on from."""
MAY_DIFFER = ("improve_steps", "early_stopping_patience", "resume")
"""Hyperparameters that may be others when a job goes on."""
SHARE_OF_TIME = 0.03
"""What saving may take of the time that a training takes."""
SECONDS_BETWEEN = 20.0
"""After which a checkpoint is saved within a period between two evaluations."""


class Keeper:
    """Saves checkpoints to go on from into the folder that SageMaker synchronizes, if the job has one."""

    def __init__(
        self, graph_manager: Any, paths: MLPaths, preset: str, changes: list[tuple[str, Any]], ranks: Ranks
    ) -> None:
        """Find what is in the folder; of ``ranks`` only the first one saves, and the others get what it has found."""
        self._graph_manager = graph_manager
        self._folder = paths.synced_checkpoint
        self._saves = ranks.rank == 0
        self.has_folder = _has_folder(ranks, self._folder)
        self._preset, self._changes = preset, changes
        self._kept: Path | None = generations.newest(self._folder)
        self._costs: list[float] = []
        self._saved = time.monotonic()

    def find(self) -> Path | None:
        """Return the folder of the checkpoint to go on from; None if there is none, and say so if there are parts."""
        if self._kept is None and generations.all_in(self._folder):
            print(f"Checkpoint> There is no whole checkpoint in={self._folder}, starting anew", flush=True)
        return self._kept

    def is_due(self, least_seconds: float = 0.0) -> bool:
        """Tell whether the next checkpoint takes no more than its share of the time, and so long has passed."""
        seconds = time.monotonic() - self._saved
        cost = self._costs[-1] if self._costs else 0.0
        return self.has_folder and self._saves and seconds >= max(least_seconds, cost / SHARE_OF_TIME)

    def save(self, get_state: Callable[[], State]) -> None:
        """Save a checkpoint with the state that ``get_state`` returns, if there is a folder for it.

        Raises:
            InputError: The folder cannot be written, or weights are not finite: the checkpoint before stays.
        """
        if not self.has_folder:
            return
        began = time.monotonic()
        state, number = get_state(), self._graph_manager.checkpoint_id
        if not self._saves:
            return

        def write_state(staging: Path) -> None:
            state_file.write(staging / generations.STATE, state)

        with checkpoints.staged(self._graph_manager, self._folder, self._preset, self._changes, write_state) as staging:
            self._kept = generations.install(staging, self._folder, self._kept)
        self._saved = time.monotonic()
        self._costs.append(self._saved - began)
        self._graph_manager.checkpoint_id = number  # it counts the checkpoints of the job's output
        print(f"Checkpoint> Saved in={self._kept}", flush=True)

    def report(self) -> None:
        """Say in the log what saving has cost, in seconds."""
        if self._costs:
            outputs.metric_line(
                "Checkpoints", Saved=len(self._costs), Seconds=sum(self._costs), Longest=max(self._costs)
            )


def _has_folder(ranks: Ranks, folder: Path) -> bool:
    """Return whether the job has the folder, which is the first rank's; the others get a copy of its checkpoints."""
    if ranks.size == 1:
        return folder.is_dir()
    names = None
    if ranks.rank == 0 and folder.is_dir():
        newest = generations.newest(folder)
        files = [file for each in (folder, newest) if each for file in each.iterdir() if file.is_file()]
        names = [str(file.relative_to(folder)) for file in files]
    names = ranks.decide(names)
    for name in names or ():  # one by one: a message has at most 2 GiB
        content = ranks.decide((folder / name).read_bytes() if ranks.rank == 0 else None)
        if ranks.rank:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    if ranks.rank and names == []:
        folder.mkdir(exist_ok=True)
    return names is not None


def read(folder: Path) -> State:
    """Return the state of a whole checkpoint.

    Raises:
        InputError: It is none.
    """
    try:
        return state_file.read(folder / generations.STATE)
    except state_file.DamagedState as error:
        raise not_to_be_gone_on_from(folder, str(error)) from None


def is_of_same_job(folder: Path, hyperparameters: Mapping[str, Any]) -> bool:
    """Tell whether a checkpoint is of a job with all these hyperparameters, ``resume`` among them.

    A job that begins with the weights of another one goes on where it was, too, when it is interrupted itself.
    """
    try:
        return bool(read(folder).get("hyperparameters") == dict(hyperparameters)) and "resume" in hyperparameters
    except InputError:  # its weights are still there
        return False


def check_hyperparameters(folder: Path, state: State, preset: str, hyperparameters: Mapping[str, Any]) -> None:
    """Raise InputError if a checkpoint is of a job with other hyperparameters; it names the first that differs."""
    then, now = (
        {"RLCOACH_PRESET": name, **{key: value for key, value in given.items() if not _may_differ(key)}}
        for name, given in ((state.get("preset"), state.get("hyperparameters", {})), (preset, hyperparameters))
    )
    for name in [*now, *then]:
        if then.get(name) != now.get(name):
            found, expected = (f"{given[name]!r}" if name in given else "not set" for given in (now, then))
            raise InputError(
                f"Hyperparameter {name} is {found}, expected {expected} as in the job whose checkpoint is in {folder}: "
                "with resume=weights a new training starts from its weights."
            )


def not_to_be_gone_on_from(folder: Path, reason: str) -> InputError:
    """Return the error that a state cannot be taken up."""
    return InputError(
        f"The checkpoint in {folder} cannot be gone on from: {reason}. "
        "With resume=weights a new training starts from its weights."
    )


def _may_differ(name: str) -> bool:
    return name in MAY_DIFFER or name.startswith(OF_THE_PLATFORM)
