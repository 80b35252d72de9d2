"""Coach's checkpoints: saved whole or not at all, and looked at before Coach opens them.

A checkpoint is what Coach itself writes: ``{id}_Step-{steps}.ckpt.main_level.agent.main.online`` (MXNet parameters),
``….ckpt.main_level.agent.….srs`` (running statistics of the observations) and ``.coach_checkpoint``, which names the
newest. Beside them, ``checkpoint.json`` says which preset it belongs to.
"""

import contextlib
import io
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sagemaker_rl.errors import InputError

STATE_FILE = ".coach_checkpoint"
DESCRIPTION_FILE = "checkpoint.json"
STATISTICS_MEMBERS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""All that a pickled dictionary of NumPy arrays needs; anything else in a ``.srs`` file is not Coach's."""


def save(graph_manager: Any, folders: Iterable[Path], preset: str) -> None:
    """Save a checkpoint into each folder and remove the one before it.

    Coach writes into a staging folder; files move in one by one, the one that names the newest checkpoint last, so
    that a folder holds a whole checkpoint at every moment.

    Raises:
        InputError: A folder cannot be written.
    """
    first, *others = folders
    staging = first / ".saving"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        graph_manager.task_parameters.checkpoint_save_dir = str(staging)
        graph_manager.checkpoint_state_updater = None  # it holds the path of the folder it was made for
        with contextlib.redirect_stdout(io.StringIO()):  # it would name the staging folder
            graph_manager.save_checkpoint()
        (staging / DESCRIPTION_FILE).write_text(json.dumps({"preset": preset}), encoding="utf-8")
        newest = _newest_prefix(staging)
        for folder in others:
            _copy_in(staging, folder)
        _move_in(staging, first)
        staging.rmdir()
        print(f"Checkpoint> Saved in={first / newest}", flush=True)
    except OSError as error:
        raise InputError(f"Checkpoint folder {error.filename or first} cannot be written: {error.strerror}.") from None


def _copy_in(staging: Path, folder: Path) -> None:
    copy = folder / ".saving"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(staging, copy)
    _move_in(copy, folder)
    copy.rmdir()


def _move_in(staging: Path, folder: Path) -> None:
    newest = _newest_prefix(staging)
    for file in sorted(staging.iterdir(), key=lambda file: file.name == STATE_FILE):
        os.replace(file, folder / file.name)
    for file in folder.glob("*_Step-*.ckpt*"):
        if not file.name.startswith(newest + "."):
            file.unlink()


def _newest_prefix(folder: Path) -> str:
    return (folder / STATE_FILE).read_text(encoding="utf-8").strip()


def describe(folder: Path) -> dict[str, Any]:
    """Return what ``checkpoint.json`` says; empty for a checkpoint that stock Coach wrote."""
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return description if isinstance(description, dict) else {}


def find(channel: Path) -> Path:
    """Return the folder of the checkpoint in an input channel: the channel itself, or the ``checkpoint`` inside it.

    Raises:
        InputError: The channel is missing, empty or holds no checkpoint.
    """
    if not channel.is_dir():
        raise InputError(
            f"Input channel {channel.name!r} is missing, expected the checkpoint folder of a training job at {channel}."
        )
    if not any(channel.iterdir()):
        raise InputError(f"Input channel {channel.name!r} is empty, expected a training job's checkpoint in {channel}.")
    for folder in (channel, channel / "checkpoint"):
        if (folder / STATE_FILE).is_file():
            return folder
    raise InputError(f"Input channel {channel.name!r} holds no {STATE_FILE}, expected a training job's checkpoint.")


def restore(graph_manager: Any, folder: Path, preset: str) -> None:
    """Restore the newest checkpoint of ``folder`` into a graph that has been created.

    Raises:
        InputError: It is damaged, or of another preset.
    """
    saved_by = describe(folder).get("preset")
    if saved_by not in (None, preset):
        raise InputError(
            f"The checkpoint in {folder} is of {saved_by}, expected one of {preset}: set RLCOACH_PRESET accordingly."
        )
    prefix = _newest_prefix(folder)
    files = [file for file in folder.iterdir() if prefix and file.name.startswith(f"{prefix}.")]
    if not files:
        raise InputError(f"The checkpoint in {folder} is damaged: files of {prefix!r} in {STATE_FILE} are missing.")
    _check(graph_manager, files, preset)
    # Coach takes the statistics with the highest number in the folder, which a job killed while saving may have left
    # there alone: let it see the files of the named checkpoint only.
    with tempfile.TemporaryDirectory() as only:
        for file in [*files, folder / STATE_FILE]:
            shutil.copy(file, only)
        graph_manager.task_parameters.checkpoint_restore_path = only
        graph_manager.restore_checkpoint()


def _check(graph_manager: Any, files: list[Path], preset: str) -> None:
    """Look at every file of a checkpoint; Coach would meet a fault in the middle of restoring."""
    import mxnet as mx

    statistics = [file for file in files if file.suffix == ".srs"]
    for file in statistics:
        try:
            _StatisticsUnpickler(io.BytesIO(file.read_bytes())).load()
        except Exception as error:  # pickle raises whatever its bytes lead to
            raise InputError(f"The checkpoint is damaged: {file.name} cannot be read ({error}).") from None
    if not statistics and graph_manager.level_managers[0].acting_agent().pre_network_filter.observation_filters:
        raise InputError("The checkpoint is damaged: it has no running statistics (.srs) of the observations.")
    for saver in graph_manager.checkpoint_saver:
        of_network = [file for file in files if file.name.endswith(f".ckpt.{saver.path}")]
        if not of_network:
            raise InputError(f"The checkpoint holds no network {saver.path}, expected one of {preset}.")
        (file,) = of_network
        try:
            loaded = mx.nd.load(str(file))
        except mx.MXNetError:
            raise InputError(f"The checkpoint is damaged: {file.name} is not a file of MXNet parameters.") from None
        found = sorted(array.shape for array in loaded.values())
        wanted = sorted(parameter.shape for parameter in saver._param_dict.values())
        if found != wanted:
            raise InputError(f"The checkpoint's network has arrays of {found}, expected {wanted} as in {preset}.")


class _StatisticsUnpickler(pickle.Unpickler):
    """Reads a pickled dictionary of NumPy arrays and refuses everything else: a checkpoint may come from anywhere."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STATISTICS_MEMBERS:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong into a checkpoint")
        return super().find_class(module, name)
