"""Faults of the file system, one at each operation of something that writes: the disk is full, or the process dies.

``check`` is for a write that promises the old content or the new one, whole. It lets every operation below a folder
fail in turn (opening for writing, a write half-way through, mkdir, rename, link, fsync, copy, unlink, rmdir), until the
write runs through, and looks at the folder through the public reader after each. Then it looks at every state that the
disk is in while the write runs: that is what a process leaves which is killed there, since what is still in its own
buffers dies with it (test_faulty_writes.py kills processes to show so).
"""

import builtins
import contextlib
import errno
import functools
import io
import os
import shutil
import signal
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder in memory, where that is possible: what is written again and again need not go to a real disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


REMOVALS = ("unlink", "remove", "rmdir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Operation:
    """An operation on the file ``path``, which stands relative to the watched folder."""

    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.name} {self.path}"


class Watch:
    """Calls ``at`` at each operation below a folder, while its context is open.

    Args:
        folder: others are not watched.
        at: may raise, in the place of the operation; called before it, and of a write half-way through it.
        after: called after each operation.
        savers: (object, name) of functions that write a whole file in C: its path is their first text or Path.
    """

    def __init__(
        self,
        folder: Path,
        at: Callable[[Operation], Any],
        after: Callable[[], Any] = lambda: None,
        savers: Sequence[tuple[Any, str]] = (),
    ) -> None:
        self._folder = folder.resolve()
        self._at = at
        self._after = after
        self._patches = contextlib.ExitStack()
        self._savers = savers

    def __enter__(self) -> "Watch":
        for name in ("replace", "rename", "link", "symlink"):
            self._patch(os, name, lambda args, options: args[1])
        for name in ("mkdir", *REMOVALS, "truncate"):
            self._patch(os, name, lambda args, options: _absolute(args[0], options.get("dir_fd")))
        for name in ("fsync", "fdatasync", "ftruncate", "sendfile", "write"):
            self._patch(os, name, lambda args, options: _path_of(args[0]))
        self._patch(os, "open", _path_if_written)
        for module in (builtins, io):
            self._patches.enter_context(mock.patch.object(module, "open", self._opener(module.open)))
        self._patches.enter_context(mock.patch.object(tarfile, "bltn_open", builtins.open))
        for owner, name in self._savers:
            self._patches.enter_context(mock.patch.object(owner, name, self._saver(getattr(owner, name))))
        return self

    def __exit__(self, *error: object) -> None:
        self._patches.close()

    def _below(self, path: Any) -> str | None:
        """Return ``path`` relative to the folder; None if it is elsewhere."""
        if path is None:
            return None
        path = Path(os.fsdecode(path))
        path = path.parent.resolve() / path.name
        return str(path.relative_to(self._folder)) if path.is_relative_to(self._folder) else None

    def _patch(self, module: Any, name: str, path_of: Callable[[Any, Any], Any]) -> None:
        original = getattr(module, name)

        @functools.wraps(original)
        def watched(*args: Any, **options: Any) -> Any:
            path = self._below(path_of(args, options))
            if path is None or (name == "mkdir" and (self._folder / path).exists()):
                return original(*args, **options)
            self._at(Operation(name, path))
            result = original(*args, **options)
            self._after()
            return result

        self._patches.enter_context(mock.patch.object(module, name, watched))

    def _opener(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def watched(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if not set(mode) & set("wax+"):
                return original(file, mode, *args, **options)
            is_new = not isinstance(file, int) and options.get("opener") is None
            path = self._below(file) if is_new else None
            if path is not None:
                self._at(Operation("open", path))
            stream = original(file, mode, *args, **options)
            path = self._below(_path_of(stream.fileno()))
            if path is not None:
                self._after()
                stream.write = self._writer(stream, path)
            return stream

        return watched

    def _writer(self, stream: Any, path: str) -> Callable[[Any], int]:
        write = stream.write

        def watched(data: Any) -> int:
            data = data if isinstance(data, str) else bytes(data)
            half = len(data) // 2
            write(data[:half])
            stream.flush()
            self._at(Operation("write", path))
            write(data[half:])
            return len(data)

        return watched

    def _saver(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            file = Path(next(arg for arg in args if isinstance(arg, str | Path)))
            path = self._below(file)
            if path is not None:
                content = file.read_bytes()
                os.truncate(file, len(content) // 2)
                self._at(Operation("write", path))
                with os.fdopen(_OPEN(file, os.O_WRONLY), "wb") as whole:
                    whole.write(content)
                self._after()
            return result

        return watched


_OPEN = os.open


def _absolute(path: Any, folder: int | None) -> Any:
    return path if folder is None else os.path.join(str(_path_of(folder)), os.fsdecode(path))


def _path_of(descriptor: int) -> str | None:
    path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    return path if path.startswith("/") else None  # else a pipe or a socket


def _path_if_written(args: Any, options: Any) -> Any:
    return _absolute(args[0], options.get("dir_fd")) if args[1] & WRITING else None


def check(
    folder: Path,
    write: Callable[[], Any],
    read: Callable[[], Any],
    raises: type[Exception] | tuple[type[Exception], ...] = OSError,
    savers: Sequence[tuple[Any, str]] = (),
) -> list[Operation]:
    """Show that ``write`` leaves the old content or the new one, whatever happens to it.

    After a fault the content may be either, but if nothing was raised it is the new one. No file is left that was there
    neither before nor after a write without faults, unless its own removal failed. After a kill, a second ``write``
    gives the new content.

    Args:
        folder: all that is written is below it; what it holds now is there before each fault.
        write: may raise only ``raises``.
        read: the public reader: returns the content, to be compared; None perhaps, if there is none.
        raises: what a failed write raises.
        savers: see Watch.

    Returns:
        The operations of a write without faults, in their order.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as copies:
        before = Path(copies) / "before"
        _copy(folder, before)
        old, files = read(), _files(folder)
        operations: list[Operation] = []
        with Watch(folder, operations.append, savers=savers):
            write()
        new = read()
        assert old != new, "the write changes nothing that its reader sees"
        assert operations, "the write does nothing below the folder"
        files |= _files(folder)
        for number in range(len(operations) + 1):
            _put(before, folder)
            failed, error = _fail(folder, write, number, (errno.ENOSPC, errno.EIO)[number % 2], raises, savers)
            left = read()
            assert left == new or (error is not None and left == old), f"after {failed}, {error!r}: {left}"
            if failed is None:
                break
            if failed.name not in REMOVALS:
                assert _files(folder) <= files, f"{failed} failed and left {_files(folder) - files}"
        _put(before, folder)
        for moment, state in states(folder, Path(copies), write, savers):
            _put(state, folder)
            left = read()
            assert left in (old, new), f"killed at {moment}: {left}"
            write()
            assert read() == new, f"killed at {moment}, then written again: {read()}"
        return operations


def _fail(
    folder: Path, write: Callable[[], Any], number: int, code: int, raises: Any, savers: Sequence[tuple[Any, str]]
) -> tuple[Operation | None, Exception | None]:
    """Let the operation of this number fail; return it, None if there are not as many, and what ``write`` raised."""
    seen: list[Operation] = []

    def at(operation: Operation) -> None:
        seen.append(operation)
        if len(seen) == number + 1:
            raise OSError(code, os.strerror(code), str(folder / operation.path))

    error = None
    with Watch(folder, at, savers=savers):
        try:
            write()
        except raises as raised:
            error = raised
    return (seen[number] if len(seen) > number else None), error


def states(
    folder: Path, copies: Path, write: Callable[[], Any], savers: Sequence[tuple[Any, str]] = ()
) -> Iterator[tuple[str, Path]]:
    """Run ``write``, and yield every state that the folder was in meanwhile, as a copy, with the moment's name."""
    kept: list[tuple[str, Path]] = []
    last: list[Any] = [_signature(folder)]

    def keep(moment: str) -> None:
        now = _signature(folder)
        if now != last[0]:
            last[0] = now
            kept.append((moment, copies / str(len(kept))))
            _copy(folder, kept[-1][1])

    latest = [""]

    def at(operation: Operation) -> None:
        keep(f"the beginning of {operation}" if operation.name != "write" else f"half of {operation}")
        latest[0] = str(operation)

    with Watch(folder, at, lambda: keep(f"the end of {latest[0]}"), savers):
        write()
    yield from kept


def kill_at(folder: Path, write: Callable[[], Any], number: int) -> bool:
    """Run ``write`` in a forked process that kills itself at the operation of this number; tell whether it got there.

    For writes without MXNet only, whose threads a forked process does not have.
    """
    child = os.fork()
    if child == 0:
        seen: list[Operation] = []

        def at(operation: Operation) -> None:
            seen.append(operation)
            if len(seen) == number + 1:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            with Watch(folder, at):
                write()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _signature(folder: Path) -> list[tuple[str, int, int, int]]:
    paths = [(path, path.lstat()) for path in sorted(folder.rglob("*"))]
    return [(str(path), status.st_ino, status.st_size, status.st_mtime_ns) for path, status in paths]


def _copy(folder: Path, target: Path) -> None:
    shutil.copytree(folder, target, symlinks=True)


def _put(state: Path, folder: Path) -> None:
    """Let ``folder`` hold what ``state`` holds."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.copytree(state, folder, symlinks=True, dirs_exist_ok=True)
