"""Coach's checkpoints: saved whole or not at all, and checked before Coach reads them.

A checkpoint is what Coach itself writes: ``{id}_Step-{steps}.ckpt.main_level.agent.main.online`` (MXNet parameters),
``….ckpt.main_level.agent.….srs`` (running statistics of the observations) and ``.coach_checkpoint``, which names the
newest. Beside them, ``checkpoint.json`` says which preset it is of, what was changed in that, the checkpoint's name,
which counts where the two differ, and its files' SHA-256.
"""

import contextlib
import io
import json
import os
import pickle
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.normalization import STATISTICS_KEYS, normalizations_of
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import disks
from sagemaker_rl.policy.artifact import sha256

STATE_FILE = ".coach_checkpoint"
DESCRIPTION_FILE = "checkpoint.json"
NAME = re.compile(r"\d+_Step-\d+\.ckpt")
"""Of a checkpoint: its place among those of the job, and the environment steps that it was trained for."""
STATISTICS_MEMBERS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""All that a pickled dictionary of NumPy arrays needs; anything else in a ``.srs`` file is not Coach's."""


def save(graph_manager: Any, folder: Path, preset: str, changes: list[tuple[str, Any]]) -> None:
    """Save a checkpoint into a folder and remove the one before it.

    Coach writes into a staging folder; files move in one by one. ``checkpoint.json`` comes after those that it names,
    and makes them the folder's checkpoint; without Coach's own state file, the last, a folder holds none. So it holds a
    whole checkpoint, or none yet, at every moment.

    Args:
        graph_manager: whose networks and filters are saved.
        folder: where to.
        preset: the preset's name.
        changes: what the job's hyperparameters changed in it, as (path, value), for whoever restores it.

    Raises:
        InputError: The folder cannot be written, or the weights are not finite: the checkpoint before stays.
    """
    with staged(graph_manager, folder, preset, changes) as staging:
        _move_in(staging, folder, name_of(staging))
    print(f"Checkpoint> Saved in={folder / name_of(folder)}", flush=True)


@contextlib.contextmanager
def staged(
    graph_manager: Any,
    folder: Path,
    preset: str,
    changes: list[tuple[str, Any]],
    write_more: Callable[[Path], None] = lambda staging: None,
) -> Iterator[Path]:
    """Give a whole checkpoint in a folder inside ``folder``, to be moved to its place; what is left of it goes.

    Args:
        graph_manager, folder, preset, changes: as in ``save``.
        write_more: writes further files of the checkpoint into the folder that it gets.

    Raises:
        InputError: The folder cannot be written, or the weights are not finite.
    """
    import mxnet as mx

    check_finite(graph_manager)
    staging = folder / ".saving"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        _write_coachs_files(graph_manager, staging)
        write_more(staging)
        digests = {file.name: sha256(file) for file in sorted(staging.iterdir()) if file.name != STATE_FILE}
        description = {"preset": preset, "changes": changes, "name": name_of(staging), "sha256": digests}
        (staging / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2), encoding="utf-8")
        yield staging
    except (OSError, mx.MXNetError) as error:
        reason = disks.why_not_written(folder, error)
        raise InputError(f"Checkpoint folder {folder} cannot be written: {reason}.") from None
    finally:
        for leftover in (staging, folder / ".incoming"):
            shutil.rmtree(leftover, ignore_errors=True)


def _write_coachs_files(graph_manager: Any, staging: Path) -> None:
    """Have Coach write a checkpoint into ``staging``."""
    graph_manager.task_parameters.checkpoint_save_dir = str(staging)
    graph_manager.checkpoint_state_updater = None  # it holds the path of the folder it was made for
    with contextlib.redirect_stdout(io.StringIO()):  # it would name the staging folder
        graph_manager.save_checkpoint()
    for saver in graph_manager.checkpoint_saver:
        _check_written(staging / f"{name_of(staging)}.{saver.path}")


def _check_written(file: Path) -> None:
    """Raise MXNetError if a file of parameters is not whole: MXNet does not notice that its last bytes did not fit."""
    import mxnet as mx

    mx.nd.load(str(file))


def check_finite(graph_manager: Any) -> None:
    """Raise InputError if a network's weights are not finite."""
    for saver in graph_manager.checkpoint_saver:
        for name, parameter in saver._param_dict.items():
            if not np.isfinite(parameter.data().asnumpy()).all():
                raise InputError(
                    f"Training has diverged: {name} is not finite any more. A smaller training_learning_rate may help; "
                    "the last good checkpoint is kept."
                )


def _move_in(staging: Path, folder: Path, newest: str) -> None:
    """Copy the staged files beside their places, move them in, and remove the checkpoint before."""
    copies = folder / ".incoming"
    shutil.rmtree(copies, ignore_errors=True)
    shutil.copytree(staging, copies)
    last = (DESCRIPTION_FILE, STATE_FILE)
    for name in (*sorted({file.name for file in copies.iterdir()} - {*last}), *last):
        os.replace(copies / name, folder / name)
    for file in folder.glob("*_Step-*.ckpt*"):
        if not file.name.startswith(newest + "."):
            file.unlink()


def name_of(folder: Path) -> str:
    """Return the name of the checkpoint in a folder, as Coach's state file has it; empty if that has none."""
    name = (folder / STATE_FILE).read_bytes().decode("utf-8", "replace").strip()
    return name if NAME.fullmatch(name) else ""


def _files_of(folder: Path, prefix: str) -> list[Path]:
    """Return the files of the checkpoint of a name, none if that is empty."""
    return [file for file in folder.iterdir() if prefix and file.name.startswith(f"{prefix}.")]


def describe(folder: Path) -> dict[str, Any]:
    """Return what ``checkpoint.json`` says; empty for a checkpoint that stock Coach wrote.

    Raises:
        InputError: It is damaged.
    """
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        is_named = "name" not in description or NAME.fullmatch(description["name"])  # earlier versions gave no name
        if isinstance(description["preset"], str) and isinstance(description["sha256"], dict) and is_named:
            return {**description, "changes": [(str(path), value) for path, value in description["changes"]]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InputError(f"The checkpoint in {folder} is damaged: {DESCRIPTION_FILE} is not as a training job writes it.")


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
    description = describe(folder)
    saved_by = description.get("preset")
    if saved_by not in (None, preset):
        raise InputError(
            f"The checkpoint in {folder} is of {saved_by}, expected one of {preset}: set RLCOACH_PRESET accordingly."
        )
    prefix = name_of(folder)
    if not _files_of(folder, prefix):
        raise InputError(f"The checkpoint in {folder} is damaged: {STATE_FILE} names no checkpoint that is there.")
    prefix = description.get(
        "name", prefix
    )  # a job killed while saving leaves a state file that is older than the rest
    files = _files_of(folder, prefix)
    check_digests(folder, description)
    _check(graph_manager, files, preset)
    # Coach takes the statistics with the highest number in the folder, which a job killed while saving may have left
    # there alone: let it see the files of the named checkpoint only.
    with tempfile.TemporaryDirectory() as only:
        for file in files:
            shutil.copy(file, only)
        (Path(only) / STATE_FILE).write_text(prefix, encoding="utf-8")
        graph_manager.task_parameters.checkpoint_restore_path = only
        graph_manager.restore_checkpoint()


def check_digests(folder: Path, description: dict[str, Any]) -> None:
    """Raise InputError if a file is not as the checkpoint's description says."""
    for name, digest in description.get("sha256", {}).items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise InputError(f"The checkpoint in {folder} is damaged: {name} is not the file that was saved.")


def _check(graph_manager: Any, files: list[Path], preset: str) -> None:
    """Check every file of a checkpoint; Coach would meet a fault in the middle of restoring."""
    agent = agent_of(graph_manager)
    normalizations = normalizations_of(agent)
    statistics = [file for file in files if file.suffix == ".srs"]
    if len(statistics) < len(normalizations):
        raise InputError("The checkpoint is damaged: it lacks running statistics (.srs) of the observations.")
    shapes = {tuple(np.shape(each.running_observation_stats.mean)) for each in normalizations}
    for file in statistics if shapes else ():
        _check_statistics(file, shapes)
    for saver in graph_manager.checkpoint_saver:
        of_network = [file for file in files if file.name.endswith(f".ckpt.{saver.path}")]
        if not of_network:
            raise InputError(f"The checkpoint holds no network {saver.path}, expected one of {preset}.")
        _check_parameters(of_network[0], saver._param_dict, preset)


def _check_statistics(file: Path, shapes: set[tuple[int, ...]]) -> None:
    """Check one file of statistics, whose observations may have any of these shapes."""
    try:
        loaded = _StatisticsUnpickler(io.BytesIO(file.read_bytes())).load()
    except Exception as error:  # pickle raises whatever its bytes lead to
        raise InputError(f"The checkpoint is damaged: {file.name} cannot be read ({error}).") from None
    whole = isinstance(loaded, dict) and loaded.keys() == set(STATISTICS_KEYS)
    if not whole or not any(
        all(_is_statistic(loaded[key], () if key == "_count" else shape) for key in STATISTICS_KEYS) for shape in shapes
    ):
        expected = " or ".join(map(str, sorted(shapes)))
        raise InputError(
            f"The checkpoint is damaged: {file.name} holds no statistics of observations of shape {expected}."
        )


def _is_statistic(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return array.shape == shape and bool(np.isfinite(array).all())


def _check_parameters(file: Path, wanted: Any, preset: str) -> None:
    import mxnet as mx

    try:
        loaded = mx.nd.load(str(file))
    except mx.MXNetError:
        loaded = None
    if not isinstance(loaded, dict):
        raise InputError(f"The checkpoint is damaged: {file.name} is not a file of MXNet parameters.")
    shapes = {name: array.shape for name, array in loaded.items()}
    expected = {name: parameter.shape for name, parameter in wanted.items()}
    if shapes != expected:
        name = min({*shapes.items()} ^ {*expected.items()})[0]
        raise InputError(
            f"The checkpoint is of another network than that of {preset}: {name} has the shape {shapes.get(name)}, "
            f"expected {expected.get(name)}."
        )
    if not all(np.isfinite(array.asnumpy()).all() for array in loaded.values()):
        raise InputError(f"The checkpoint is damaged: {file.name} holds weights that are not finite.")


class _StatisticsUnpickler(pickle.Unpickler):
    """Reads a pickled dictionary of NumPy arrays and refuses everything else: a checkpoint may come from a stranger."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STATISTICS_MEMBERS:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong into a checkpoint")
        return super().find_class(module, name)
