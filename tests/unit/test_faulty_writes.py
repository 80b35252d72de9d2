"""The faults that tests put into the file system find what is wrong; a killed process leaves what they say."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from faulty_writes import Operation, Watch, check, kill_at, states

pytest_plugins = ("faulty_writes",)


def old_or_new(folder: Path) -> str | None:
    file = folder / "file"
    return file.read_text() if file.is_file() else None


def whole(folder: Path, clean: bool = True, early: bool = False) -> None:
    """Write a file as it should be; or leave something after an error, or move the file before it is closed."""
    staged = folder / "staged"
    try:
        with staged.open("w") as file:
            file.write("new content")
            if early:
                os.replace(staged, folder / "file")
        if not early:
            os.replace(staged, folder / "file")
    except OSError:
        if clean:
            staged.unlink(missing_ok=True)
        raise


def ignores_errors(folder: Path) -> None:
    with contextlib.suppress(OSError):
        whole(folder)


def in_place(folder: Path) -> None:
    (folder / "file").write_text("new content")


def removes_first(folder: Path) -> None:
    (folder / "file").unlink(missing_ok=True)
    whole(folder)


def names_at_random(folder: Path) -> None:
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "w") as file:
        file.write("new content")
    os.replace(name, folder / "file")


def test_what_is_whole_passes(disk):
    (disk / "file").write_text("old")
    operations = check(disk, lambda: whole(disk), lambda: old_or_new(disk))
    assert [str(operation) for operation in operations] == ["open staged", "write staged", "replace file"]


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (lambda folder: whole(folder, clean=False), "write staged failed and left {'staged'}"),
        (lambda folder: whole(folder, early=True), "killed at the end of replace file: new c"),
        (ignores_errors, "after open staged, None: old"),
        (in_place, "after write file, OSError.*: new c"),
        (removes_first, "after open staged, OSError.*: None"),
        (names_at_random, "write tmp.* failed and left"),
        (lambda folder: None, "the write changes nothing"),
    ],
)
def test_what_is_not_is_found(disk, write, complaint):
    (disk / "file").write_text("old")
    with pytest.raises(AssertionError, match=complaint):
        check(disk, lambda: write(disk), lambda: old_or_new(disk))


def copies_tree(folder: Path) -> None:
    """Do what is done by way of file descriptors: copying, and removing a tree."""
    shutil.copytree(folder / "source", folder / "copy")
    shutil.rmtree(folder / "source")
    (folder / "copy").rename(folder / "source")


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("write", [in_place, removes_first, copies_tree])
def test_a_process_that_is_killed_leaves_what_the_states_say(disk, tmp_path, write):
    def prepare() -> None:
        for left in disk.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        (disk / "source/below").mkdir(parents=True)
        (disk / "source/below/one").write_text("1")
        (disk / "file").write_text("old")

    prepare()
    seen = [content(state) for _, state in states(disk, tmp_path, lambda: write(disk))]
    number = 0
    while True:
        prepare()
        if not kill_at(disk, lambda: write(disk), number):
            break
        assert content(disk) in [*seen, {"file": "old", "source/below/one": "1"}], number
        number += 1
    prepare()
    operations: list[Operation] = []
    with Watch(disk, operations.append):
        write(disk)
    assert number == len(operations) > 1
