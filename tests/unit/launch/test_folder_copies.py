"""A copy of a folder follows it, whatever is replaced or removed meanwhile."""

import os
from pathlib import Path

import pytest
from launch.aws.storage import Storage
from launch.cli.errors import UsageError
from launch.local.folder_copies import FolderCopy


@pytest.fixture
def folders(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep").mkdir(parents=True)
    (source / "deep/a.txt").write_text("one")
    (source / "b.txt").write_text("two")
    return source, target


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_only_what_has_changed_is_copied_and_what_is_removed_stays(folders):
    source, target = folders
    copied = []

    class Counting(Storage):
        def upload(self, source, uri, encryption_key=None):
            copied.append(source.name)
            super().upload(source, uri, encryption_key)

    copy = FolderCopy(Counting(None), source, f"file://{target}")
    copy.update()
    assert files(target) == {"deep/a.txt": "one", "b.txt": "two"}
    copy.update()
    assert sorted(copied) == ["a.txt", "b.txt"]
    (source / "b.txt").unlink()
    before = (source / "deep/a.txt").stat()
    (source / "deep/a.txt").write_text("six")  # of the same size
    os.utime(source / "deep/a.txt", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    copy.update()
    assert files(target) == {"deep/a.txt": "six", "b.txt": "two"}
    assert sorted(copied) == ["a.txt", "a.txt", "b.txt"]


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), UsageError("There is no such file.")])
def test_a_file_that_goes_while_it_is_copied_is_left_out(folders, error):
    source, target = folders

    class Racing(Storage):
        def upload(self, path, uri, encryption_key=None):
            if path.name == "b.txt":
                path.unlink()
                raise error
            super().upload(path, uri, encryption_key)

    FolderCopy(Racing(None), source, f"file://{target}").update()
    assert files(target) == {"deep/a.txt": "one"}


def test_a_folder_that_goes_while_files_are_looked_for_is_left_out(folders, monkeypatch):
    source, target = folders
    scandir = os.scandir

    def racing(path="."):
        if Path(path).name == "deep":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", racing)
    FolderCopy(Storage(None), source, f"file://{target}").update()
    monkeypatch.undo()
    assert files(target) == {"b.txt": "two"}


def test_an_address_that_cannot_be_written_is_told(folders):
    source, _ = folders

    class Refusing(Storage):
        def upload(self, path, uri, encryption_key=None):
            raise UsageError("There is no bucket b.")

    with pytest.raises(UsageError, match="no bucket b"):
        FolderCopy(Refusing(None), source, "s3://b/x").update()


def test_a_folder_that_is_not_there_yet_is_no_error(folders):
    source, target = folders
    FolderCopy(Storage(None), source / "later", f"file://{target}").update()
    assert not target.exists()
