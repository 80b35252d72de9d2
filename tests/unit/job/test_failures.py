"""How a job ends: its reason, once on standard error and in the failure file; and what may fail without ending it."""

import errno
import os

import pytest
from sagemaker_rl import errors
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import failures
from sagemaker_rl.job.stopping import Stopped


def raising(error: BaseException):
    def job() -> None:
        raise error

    return job


@pytest.mark.parametrize("end", [None, SystemExit(), SystemExit(0), Stopped("SIGINT")])
def test_a_job_that_went_well_leaves_no_reason(tmp_path, capsys, end):
    assert failures.run(raising(end) if end else lambda: None, tmp_path / "failure") is None
    assert not list(tmp_path.iterdir())
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out == ("Stopped by SIGINT.\n" if isinstance(end, Stopped) else "")


@pytest.mark.parametrize(
    ("error", "reason", "has_traceback"),
    [
        (InputError("Hyperparameter seed is 'x'."), "Hyperparameter seed is 'x'.", False),
        (SystemExit(3), "The program ended with exit status 3.", False),
        (SystemExit("a word"), "a word", False),
        (failures.ProgramFailed("main.py failed."), "main.py failed.", False),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", True),
        (KeyError(), "KeyError", True),
        (
            OSError(errno.ENOSPC, "No space left on device", "/a/file"),
            "/a/file cannot be written: No space left",
            False,
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/a/file"), "/a/file cannot be written: Disk quota", False),
        (OSError(errno.EROFS, "Read-only file system", "/a/file"), "/a/file cannot be written: Read-only", False),
        (OSError(errno.ENOSPC, "No space left on device"), "The job's output cannot be written: No space", False),
        (OSError(errno.EACCES, "Permission denied", "/a/file"), "PermissionError: [Errno 13] Permission denied", True),
        (ModuleNotFoundError("No module named 'x'", name="x"), "ModuleNotFoundError: No module named 'x' in the", True),
        (ModuleNotFoundError("gone"), "ModuleNotFoundError: gone", True),
    ],
)
def test_a_failure_is_told_once_and_written(tmp_path, capsys, error, reason, has_traceback):
    file = tmp_path / "output/failure"
    told = failures.run(raising(error), file)
    assert told is not None and told.startswith(reason)
    assert file.read_text() == told
    printed = capsys.readouterr().err
    assert printed.count(f"Error: {told}\n") == 1
    assert ("Traceback" in printed) == has_traceback


def test_the_reason_that_the_program_itself_has_written_is_kept(tmp_path, capsys):
    file = tmp_path / "failure"
    file.write_text("its own words")
    assert failures.run(raising(failures.ProgramFailed("exit status 1")), file) == "its own words"
    assert file.read_text() == "its own words"
    assert capsys.readouterr().err == ""
    assert failures.run(raising(InputError("another")), file) == "another"
    assert file.read_text() == "another"


def test_what_is_no_failure_of_a_job_passes(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        failures.run(raising(KeyboardInterrupt()), tmp_path / "failure")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, None),
        (Stopped(), "the job was stopped"),
        (InputError("It is red."), "It is red"),
        (ValueError("so."), "ValueError: so"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "OSError: [Errno 28] No space left on device"),
    ],
)
def test_an_extra_may_fail(capsys, error, reason):
    noted = []
    with failures.tolerated("trial", noted.append):
        if error:
            raise error
    assert noted == ([reason] if reason else [])
    assert capsys.readouterr().out == (f"Report> Missing=trial, Reason={reason}\n" if reason else "")


def test_a_long_text_is_cut_off_in_a_sentence():
    assert errors.shorten("y" * 200) == "y" * 200
    assert errors.shorten("y" * 201) == "y" * 199 + "…"
    assert errors.shorten("a\n  b") == "a b"
