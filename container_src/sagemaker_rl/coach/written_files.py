"""Environments that write files: found out before there are several copies of them, which would write the same ones."""

import contextlib
import copy
import functools
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

EPISODE_STEPS = 2_000
"""Environment steps of the episode that is looked at, at most."""
EPISODE_SECONDS = 5.0
"""Its seconds, at most."""
CACHES = {"__pycache__", ".cache", ".config"}
"""Folders of what packages write for themselves, once, whoever imports them."""

_lists: list[list[str]] = []
"""Of the blocks of ``watching`` that run now."""


@contextlib.contextmanager
def watching() -> Iterator[list[str]]:
    """Give a list which gets the path of each file that Python code opens for writing in the block.

    Files that must be new (mode ``x``, those of ``tempfile``) are left out, since copies never share them. What a
    package opens in C, as h5py does, is not seen.
    """
    _replace_openers()
    paths: list[str] = []
    _lists.append(paths)
    try:
        yield paths
    finally:
        _lists[:] = [others for others in _lists if others is not paths]


@functools.cache
def _replace_openers() -> None:
    """Have whatever opens files note those for writing, once for the process: stock Coach watches every step.

    Python's audit events would say the same, but MXNet causes hundreds in a step, and a hook hears them all.
    """
    for place, name, writes in _openers():
        setattr(place, name, _noting(getattr(place, name), writes))


def _openers() -> list[tuple[Any, str, Callable[..., bool]]]:
    """Return what opens files: module and name, and what tells from the arguments whether it is for writing."""
    builtin = [module for module in list(sys.modules.values()) if getattr(module, "__dict__", {}).get("open") is open]
    by_mode = [(module, "open", _mode_writes) for module in builtin]  # builtins, io, and who has taken it from there
    return [*by_mode, (os, "open", _flags_write), (sqlite3, "connect", _database_writes)]


def _mode_writes(file: Any, mode: str = "r", *rest: Any, **options: Any) -> bool:
    return bool(set(mode) & set("wa+")) and "x" not in mode


def _flags_write(path: Any, flags: int, *rest: Any, **options: Any) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) and not flags & os.O_EXCL


def _database_writes(database: Any, *rest: Any, **options: Any) -> bool:
    return database != ":memory:"


def _noting(opener: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
    """Return a function that opens as ``opener`` does, and notes what it opens for writing."""

    @functools.wraps(opener)
    def open_and_note(*arguments: Any, **options: Any) -> Any:
        opened = opener(*arguments, **options)  # if that fails, its error is the user's
        if not _lists:
            return opened
        path = arguments[0] if arguments else next(iter(options.values()))
        if isinstance(path, str | bytes | os.PathLike) and writes(*arguments, **options):  # else a file that is open
            _note(Path(os.fsdecode(path)))
        return opened

    return open_and_note


def _note(path: Path) -> None:
    if path.is_relative_to("/dev") or CACHES & set(path.parts) or path.is_dir():
        return  # a folder: tempfile names it, and then opens a new file in it
    for paths in _lists:
        if str(path) not in paths:
            paths.append(str(path))


def watch_first_episode(environment: Any) -> None:
    """Play the episode that Coach began as it made an environment to its end, and note what the environment writes.

    Many environments write when an episode ends. Actions are random, and the same in every job. An episode that is
    longer than EPISODE_STEPS or EPISODE_SECONDS is left there.

    Args:
        environment: Coach's gym environment, its ``written_files`` those of its first step.
    """
    env = environment.env
    actions = copy.deepcopy(env.action_space)
    actions.seed(0)
    deadline = time.monotonic() + EPISODE_SECONDS
    with watching() as paths:
        for _ in range(EPISODE_STEPS):
            _, _, done, _ = env.step(actions.sample())
            if done or paths or time.monotonic() > deadline:
                break
        env.reset()
    environment.written_files = environment.written_files or paths


def reason_for_one_copy(paths: Sequence[str]) -> str | None:
    """Return why there may be one copy only of an environment that writes the files ``paths``; None if it has none."""
    if not paths:
        return None
    return f"the environment writes files ({paths[0]}), which several copies of it would share"
