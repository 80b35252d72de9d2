"""Why a file could not be written, where no exception says it."""

import errno
import os
import shutil
import tempfile
from types import SimpleNamespace

import pytest
from sagemaker_rl.job import disks
from sagemaker_rl.job.ml_paths import MLPaths

MXNET = """Traceback (most recent call last):
  File "../3rdparty/dmlc-core/src/io/local_filesys.cc", line 42
MXNetError: Check failed: written == size: FileStream.Write incomplete"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (RuntimeError(MXNET), "MXNetError: Check failed: written == size: FileStream.Write incomplete"),
        (
            shutil.Error([("a", "b", "[Errno 13] Permission denied: 'b'")]),
            "[('a', 'b', \"[Errno 13] Permission denied: 'b'\")]",
        ),
        (RuntimeError(""), "RuntimeError"),
    ],
)
def test_the_systems_reason_or_the_exceptions_own(tmp_path, error, reason):
    assert disks.why_not_written(tmp_path, error) == reason


def test_a_folder_that_is_gone_says_so_itself(tmp_path):
    assert disks.why_not_written(tmp_path / "gone", RuntimeError(MXNET)) == "No such file or directory"
    assert disks.why_unwritable(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_megabyte_is_full(tmp_path, monkeypatch):
    asked = []

    def allocate(file, start, size):
        asked.append((os.fstat(file).st_nlink, start, size))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert disks.why_unwritable(tmp_path) == "No space left on device"
    assert disks.why_not_written(tmp_path, RuntimeError(MXNET)) == "No space left on device"
    assert asked == [(0, 0, 2**20)] * 2, "a file without a name"
    monkeypatch.setattr(os, "posix_fallocate", lambda *arguments: (_ for _ in ()).throw(OSError("in words")))
    assert disks.why_unwritable(tmp_path) == "in words"


MODEL, DATA, INTERMEDIATE, SYNCED = ("model", "output/data", "output/intermediate", "checkpoints")


@pytest.mark.parametrize(
    ("free", "full"),
    [
        ({}, None),
        ({MODEL: 2**20}, None),
        ({MODEL: 2**20 - 1}, MODEL),
        ({MODEL: 5, DATA: 3, INTERMEDIATE: 4}, DATA),
        ({INTERMEDIATE: 0}, INTERMEDIATE),
        ({SYNCED: 0}, SYNCED),
        ({"temporary": 1, DATA: 2}, "temporary"),
        ({"input": 0}, None),
    ],
)
def test_the_fullest_folder_is_named(tmp_path, monkeypatch, free, full):
    """Of those that are there, for a job may lack some."""
    for folder in (*free, "temporary"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    sizes = {tmp_path / folder: size for folder, size in free.items()}
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(disks, "_free_bytes", lambda folder: sizes.get(folder, 2**21))
    assert disks.full_folder(MLPaths(tmp_path)) == (tmp_path / full if full else None)


def test_what_is_kept_for_root_is_not_free(tmp_path, monkeypatch):
    status = SimpleNamespace(f_bavail=3, f_bfree=100, f_frsize=4096, f_bsize=7)
    monkeypatch.setattr(os, "statvfs", lambda folder: status if folder == tmp_path else None)
    assert disks._free_bytes(tmp_path) == 3 * 4096
