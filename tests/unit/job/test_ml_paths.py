"""The folders of a job."""

import itertools
import os
from pathlib import Path

import pytest
from faulty_writes import Watch
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths

pytest_plugins = ("faulty_writes",)


def test_they_are_where_sagemaker_has_them(monkeypatch):
    monkeypatch.delenv("SAGEMAKER_BASE_DIR", raising=False)
    paths = MLPaths.from_environment()
    assert [str(path) for path in (paths.hyperparameters, paths.channel("checkpoint"), paths.code, paths.model)] == [
        "/opt/ml/input/config/hyperparameters.json",
        "/opt/ml/input/data/checkpoint",
        "/opt/ml/code",
        "/opt/ml/model",
    ]
    assert [str(path) for path in (paths.checkpoint, paths.synced_checkpoint, paths.intermediate, paths.failure)] == [
        "/opt/ml/output/data/checkpoint",
        "/opt/ml/checkpoints",
        "/opt/ml/output/intermediate",
        "/opt/ml/output/failure",
    ]
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", "/elsewhere")
    assert MLPaths.from_environment().model == Path("/elsewhere/model")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/opt/ml/input/data/x", "/here/input/data/x"),
        ("/opt/ml", "/here"),
        ("/opt/ml/../mlx/y", "/opt/mlx/y"),
        ("/opt/mlx", "/opt/mlx"),
        ("relative/x", "relative/x"),
    ],
)
def test_a_path_of_sagemaker_is_the_jobs(path, expected):
    assert MLPaths(Path("/here")).resolve(path) == Path(expected)


@pytest.mark.parametrize("synced", [False, True])
@pytest.mark.parametrize("with_intermediate", [False, True])
def test_output_folders_are_made_and_tried(tmp_path, synced, with_intermediate):
    if synced:
        (tmp_path / "checkpoints").mkdir()
    tried = []
    with Watch(tmp_path, lambda each: tried.append(each.path) if each.name == "write" else None):
        MLPaths(tmp_path).create_outputs(with_intermediate)
    folders = ["model", "output/data", *["output/intermediate"] * with_intermediate, *["checkpoints"] * synced]
    assert tried == [f"{folder}/.writable" for folder in folders]
    assert (tmp_path / "output/intermediate").is_dir() == with_intermediate
    assert (tmp_path / "checkpoints").is_dir() == synced
    assert not list(tmp_path.rglob(".writable"))


@pytest.mark.parametrize(
    ("folder", "operation"),
    [
        *itertools.product(["model", "output/data", "output/intermediate"], ["mkdir", "open", "write"]),
        ("checkpoints", "open"),
        ("checkpoints", "write"),
    ],
)
def test_the_folder_that_cannot_be_written_is_named(disk, folder, operation):
    if operation != "mkdir":
        (disk / folder).mkdir(parents=True)

    def fail(each) -> None:
        if each.name == operation and each.path.removesuffix("/.writable") == folder:
            raise OSError(28, os.strerror(28))

    with Watch(disk, fail), pytest.raises(InputError) as raised:
        MLPaths(disk).create_outputs()
    assert str(raised.value) == f"Output folder {disk / folder} cannot be written: No space left on device."
    assert not list(disk.rglob(".writable"))
