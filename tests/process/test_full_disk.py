"""Jobs whose disk is full: small file systems in memory in the place of the folders that a job writes to."""

import subprocess

import pytest
from jobs import run_prepared, write_own_environment

NO_SPACE = "cannot be written: No space left on device."


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of a few KiB on a folder of the tree; only root may."""
    mounted = []

    def mount(folder: str, size: str):
        path = tmp_path / folder
        path.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a file system needs root")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize(
    ("folder", "size", "sentence"),
    [
        ("model", "4k", "Model folder {ml}/model"),
        ("model", "16k", "Model folder {ml}/model"),
        ("output/data", "8k", "Checkpoint folder {ml}/output/data/checkpoint"),
        ("checkpoints", "8k", "Checkpoint folder {ml}/checkpoints"),
        ("output/intermediate", "8k", "{ml}/output/intermediate"),
    ],
)
def test_the_folder_that_is_full_is_named(tmp_path, small_disk, folder, size, sentence):
    small_disk(folder, size)
    write_own_environment(tmp_path, reward="action - 0.5")
    job = run_prepared(tmp_path, {"RLCOACH_PRESET": "preset-own", "seed": "1"})
    assert job.status == 1, job.log
    assert job.failure == f"{sentence.format(ml=tmp_path)} {NO_SPACE}"


@pytest.mark.parametrize("folder", ["model", "output/data", "checkpoints"])
def test_a_disk_that_is_full_from_the_start_ends_the_job_before_it_trains(tmp_path, small_disk, folder):
    (small_disk(folder, "4k") / "of long ago").write_bytes(bytes(4096))
    job = run_prepared(tmp_path, {})
    assert job.status == 1
    assert job.failure == f"Output folder {tmp_path / folder} {NO_SPACE}"
    assert "Training>" not in job.log


def test_a_users_own_program_that_fills_a_disk(tmp_path, small_disk):
    small_disk("model", "8k")
    source = tmp_path / "source"
    source.mkdir()
    write = f"with open('{tmp_path}/model/weights', 'wb') as file:\n    file.write(bytes(100_000))\n"
    (source / "main.py").write_text(write, encoding="utf-8")
    job = run_prepared(tmp_path, {"sagemaker_submit_directory": str(source), "sagemaker_program": "main.py"})
    assert job.status == 1
    assert job.failure == (
        f"main.py failed with OSError: [Errno 28] No space left on device ({tmp_path}/model is full)"
    )
