"""Checkpoints: whole at every moment of their saving, and what restoring refuses."""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from faulty_writes import check
from graphs import make_graph
from jobs import DQN, PPO
from sagemaker_rl.coach.graph import agent_of
from sagemaker_rl.coach.normalization import normalizations_of
from sagemaker_rl.errors import InputError
from sagemaker_rl.training import checkpoints

pytest_plugins = ("faulty_writes",)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return make_graph(tmp_path_factory.mktemp("graph"))


def fill(graph, value: float) -> None:
    """Let the first weights of each network, and all means of observations, be ``value``."""
    for parameter in first_weights(graph):
        parameter.set_data(parameter.data() * 0 + value)
    for each in normalizations_of(agent_of(graph)):
        each.running_observation_stats._mean[:] = value


def first_weights(graph) -> list:
    return [next(iter(saver._param_dict.values())) for saver in graph.checkpoint_saver]


def values(graph) -> set[float]:
    """Return what is found there."""
    found = [parameter.data().asnumpy() for parameter in first_weights(graph)]
    found += [each.running_observation_stats.mean for each in normalizations_of(agent_of(graph))]
    return {float(value) for array in found for value in np.unique(array)}


def save(graph, folder, value: float) -> None:
    graph.checkpoint_id = int(value)  # its file names are the same each time
    fill(graph, value)
    checkpoints.save(graph, folder, PPO, [("rl.value", value)])


def restored(graph, folder):
    """Return what a job starts with that finds ``folder``: its weights, and what was changed in its preset."""
    if not (folder / checkpoints.STATE_FILE).is_file():
        return None
    fill(graph, -1.0)
    checkpoints.restore(graph, folder, PPO)
    return values(graph), checkpoints.describe(folder)["changes"]


@pytest.mark.parametrize("saved_before", [False, True])
def test_a_checkpoint_is_the_old_or_the_new_one(graph, disk, saved_before):
    import mxnet as mx

    if saved_before:
        save(graph, disk, 1.0)
    savers = [(mx.nd, "save")]
    check(disk, lambda: save(graph, disk, 2.0), lambda: restored(graph, disk), InputError, savers)


def test_the_folder_that_cannot_be_written_is_named(graph, tmp_path):
    folder = tmp_path / "checkpoint"
    folder.write_text("a file where a folder should be")
    with pytest.raises(InputError, match=rf"^Checkpoint folder {folder} cannot be written: Not a directory\.$"):
        save(graph, folder, 2.0)


@pytest.mark.parametrize("cut", [8, 1000])
def test_what_mxnet_does_not_write_to_its_end_is_noticed(graph, tmp_path, monkeypatch, cut):
    """MXNet says nothing where a disk is full; the checkpoint before stays."""
    import mxnet as mx

    write = mx.nd.save

    def write_less(file, content):
        write(file, content)
        os.truncate(file, Path(file).stat().st_size - cut)

    folder = tmp_path / "checkpoint"
    save(graph, folder, 1.0)
    monkeypatch.setattr(mx.nd, "save", write_less)
    with pytest.raises(InputError, match=rf"^Checkpoint folder {folder} cannot be written: "):
        save(graph, folder, 2.0)
    assert not (folder / ".saving").exists()
    assert restored(graph, folder)[0] == {1.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_not_saved(graph, tmp_path, value):
    save(graph, tmp_path, 1.0)
    fill(graph, value)
    with pytest.raises(
        InputError, match=r"^Training has diverged: \w+ is not finite any more\. .* checkpoint is kept\.$"
    ):
        checkpoints.save(graph, tmp_path, PPO, [])
    assert restored(graph, tmp_path)[0] == {1.0}


@pytest.fixture
def folder(graph, disk) -> Path:
    """A checkpoint that was saved after another."""
    for value in (1.0, 2.0):
        save(graph, disk, value)
    return disk


def test_one_checkpoint_is_left(folder):
    names = {file.name.partition(".ckpt")[0] for file in folder.iterdir() if ".ckpt" in file.name}
    assert names == {"2_Step-0"}
    assert len(list(folder.iterdir())) == 4
    description = json.loads((folder / "checkpoint.json").read_text())
    assert (description["name"], description["preset"]) == ("2_Step-0.ckpt", PPO)
    assert sorted(description["sha256"]) == sorted(file.name for file in folder.glob("*.ckpt.*"))


def statistics_of(size: int, value: float = 1.0, **more) -> dict:
    arrays = {key: np.full(size, value) for key in ("_mean", "_std", "_sum", "_sum_squares")}
    return {**arrays, "_count": 5.0, **more}


WEIGHTS, STATISTICS = "*.online", "*.srs"


@pytest.mark.parametrize(
    ("pattern", "content", "sentence"),
    [
        (WEIGHTS, lambda old: old[: len(old) // 2], r"damaged: .*\.online is not the file that was saved"),
        (WEIGHTS, lambda old: bytes([*old[:-9], old[-9] ^ 1, *old[-8:]]), r"\.online is not the file that was saved"),
        (STATISTICS, lambda old: old[:20], r"\.srs is not the file that was saved"),
        ("checkpoint.json", lambda old: b"{", "checkpoint.json is not as a training job writes it"),
        ("checkpoint.json", lambda old: b"[" * 100_000, "checkpoint.json is not as a training job writes it"),
        ("checkpoint.json", lambda old: old.replace(b'"2_', b'"../2_', 1), "checkpoint.json is not as"),
        (
            "checkpoint.json",
            lambda old: old.replace(b'"name": "2_Step-0.ckpt"', b'"name": 2'),
            "checkpoint.json is not as",
        ),
        (
            "checkpoint.json",
            lambda old: old.replace(b'"preset": "', b'"preset": 3, "x": "'),
            "checkpoint.json is not as",
        ),
        ("checkpoint.json", lambda old: old.replace(b'"changes"', b'"x"'), "checkpoint.json is not as"),
        ("checkpoint.json", lambda old: old.replace(b"sha256", b"x"), "checkpoint.json is not as"),
        (
            "checkpoint.json",
            lambda old: old.replace(b'"sha256": {', b'"sha256": 3, "x": {'),
            "checkpoint.json is not as",
        ),
        (".coach_checkpoint", lambda old: b"\xff\xfe", "names no checkpoint that is there"),
        (".coach_checkpoint", lambda old: old[:-5], "names no checkpoint that is there"),
        (".coach_checkpoint", lambda old: b"", "names no checkpoint that is there"),
        (".coach_checkpoint", lambda old: b"9_Step-9.ckpt", "names no checkpoint that is there"),
    ],
)
def test_a_damaged_checkpoint_is_refused(graph, folder, pattern, content, sentence):
    (file,) = folder.glob(pattern)
    before = file.read_bytes()
    file.write_bytes(content(before))
    assert file.read_bytes() != before
    with pytest.raises(InputError, match=sentence):
        restored(graph, folder)


@pytest.mark.parametrize("pattern", [WEIGHTS, STATISTICS])
def test_a_file_that_is_gone_is_missed(graph, folder, pattern):
    (file,) = folder.glob(pattern)
    file.unlink()
    with pytest.raises(InputError, match=rf"damaged: {file.name} is not the file that was saved"):
        restored(graph, folder)


@pytest.mark.parametrize(
    ("pattern", "content", "sentence"),
    [
        (WEIGHTS, lambda old: old[: len(old) // 2], "is not a file of MXNet parameters"),
        (WEIGHTS, lambda old: b"", "is not a file of MXNet parameters"),
        (STATISTICS, lambda old: old[:20], r"\.srs cannot be read"),
        (STATISTICS, lambda old: pickle.dumps({}), r"holds no statistics of observations of shape \(2,\)"),
        (STATISTICS, lambda old: pickle.dumps([1]), r"holds no statistics of observations of shape \(2,\)"),
        (STATISTICS, lambda old: pickle.dumps(statistics_of(3)), "holds no statistics"),
        (STATISTICS, lambda old: pickle.dumps(statistics_of(2, float("nan"))), "holds no statistics"),
        (STATISTICS, lambda old: pickle.dumps(statistics_of(2, _count=[1.0, 2.0])), "holds no statistics"),
        (STATISTICS, lambda old: pickle.dumps(statistics_of(2, _std="x")), "holds no statistics"),
        (STATISTICS, lambda old: pickle.dumps(statistics_of(2, more=1)), "holds no statistics"),
        (STATISTICS, lambda old: b"cos\nsystem\n(S'false'\ntR.", r"os\.system does not belong into a checkpoint"),
    ],
)
def test_a_damaged_checkpoint_of_stock_coach_is_refused(graph, folder, pattern, content, sentence):
    (folder / "checkpoint.json").unlink()  # it writes none: there are no checksums
    (file,) = folder.glob(pattern)
    file.write_bytes(content(file.read_bytes()))
    with pytest.raises(InputError, match=sentence):
        restored(graph, folder)


def weights_changed(folder, change) -> None:
    """Let the weights of a checkpoint of stock Coach be others."""
    import mxnet as mx

    (folder / "checkpoint.json").unlink()
    (file,) = folder.glob(WEIGHTS)
    weights = mx.nd.load(str(file))
    change(weights)
    mx.nd.save(str(file), weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_restored(graph, folder, value):
    def spoil(weights) -> None:
        weights[sorted(weights)[-1]][:] = value

    weights_changed(folder, spoil)
    with pytest.raises(InputError, match=r"\.online holds weights that are not finite\."):
        restored(graph, folder)


def test_a_network_of_another_form_is_refused(graph, folder):
    def cut(weights) -> None:
        name = next(name for name in sorted(weights) if name.endswith("dense0_bias"))
        weights[name] = weights[name][1:]

    weights_changed(folder, cut)
    with pytest.raises(
        InputError, match=rf"of another network than that of {PPO}: \w+ has the shape \(\d+,\), expected"
    ):
        restored(graph, folder)


def test_another_presets_checkpoint_is_refused(graph, folder):
    with pytest.raises(InputError, match=rf"is of {PPO}, expected one of {DQN}: set RLCOACH_PRESET accordingly"):
        checkpoints.restore(graph, folder, DQN)


@pytest.mark.parametrize(
    ("pattern", "sentence"), [(WEIGHTS, "holds no network"), (STATISTICS, "lacks running statistics")]
)
def test_a_checkpoint_of_stock_coach_may_lack_a_file(graph, folder, pattern, sentence):
    (folder / "checkpoint.json").unlink()
    next(folder.glob(pattern)).unlink()
    with pytest.raises(InputError, match=sentence):
        restored(graph, folder)


def test_checkpoints_of_stock_coach_and_of_earlier_versions_are_read(graph, folder):
    """An earlier version's description names none and has the checksum of the state file, too."""
    file = folder / "checkpoint.json"
    description = json.loads(file.read_text())
    del description["name"]
    description["sha256"][".coach_checkpoint"] = checkpoints.sha256(folder / ".coach_checkpoint")
    file.write_text(json.dumps(description))
    assert restored(graph, folder) == ({2.0}, [("rl.value", 2.0)])
    file.unlink()
    assert checkpoints.describe(folder) == {}
    fill(graph, -1.0)
    checkpoints.restore(graph, folder, PPO)
    assert values(graph) == {2.0}


def test_statistics_of_a_save_that_was_killed_are_not_mixed_in(graph, folder):
    """Coach would take those with the highest number."""
    (old,) = folder.glob(STATISTICS)
    shutil.copy(old, folder / old.name.replace("2_", "3_", 1))
    (folder / old.name.replace("2_", "3_", 1)).write_bytes(pickle.dumps(statistics_of(2, 9.0)))
    assert restored(graph, folder)[0] == {2.0}
    save(graph, folder, 4.0)
    assert len(list(folder.iterdir())) == 4


def test_a_checkpoint_is_found_in_its_channel_or_in_the_folder_below(folder, tmp_path_factory):
    channel = tmp_path_factory.mktemp("channels") / "checkpoint"
    with pytest.raises(InputError, match=r"^Input channel 'checkpoint' is missing, expected the checkpoint folder of "):
        checkpoints.find(channel)
    channel.mkdir()
    with pytest.raises(InputError, match=r"^Input channel 'checkpoint' is empty, expected "):
        checkpoints.find(channel)
    shutil.copytree(folder, channel / "checkpoint")
    assert checkpoints.find(channel) == channel / "checkpoint"
    assert checkpoints.find(channel / "checkpoint") == channel / "checkpoint"
    (channel / "checkpoint/.coach_checkpoint").rename(channel / ".coach_checkpoint")
    assert checkpoints.find(channel) == channel
    (channel / ".coach_checkpoint").unlink()
    with pytest.raises(InputError, match=r"^Input channel 'checkpoint' holds no \.coach_checkpoint, expected "):
        checkpoints.find(channel)
