"""Why a file could not be written, where no exception says it."""

import errno
import shutil

import pytest
from sagemaker_rl.job import disks

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
