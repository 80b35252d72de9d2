"""Environments that write files: found out before there are several copies of them, which would write the same ones."""

import contextlib
import copy
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

EPISODE_STEPS = 2_000
"""Environment steps of the episode that is looked at, at most."""
EPISODE_SECONDS = 5.0
"""Its seconds, at most."""
CACHES = {"__pycache__", ".cache", ".config"}
"""Folders of what packages write for themselves, once, whoever imports them."""

_lists: list[list[str]] = []
"""Of the blocks of ``watching`` that run now; there is one audit hook, since Python removes none."""
_hooked = False


@contextlib.contextmanager
def watching() -> Iterator[list[str]]:
    """Give a list which gets the path of each file that Python code opens for writing in the block.

    Files that must be new (``O_EXCL``: mode ``x``, those of ``tempfile``) are left out, since copies never share them.
    What a package opens in C, as h5py does, is not seen.
    """
    global _hooked
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked = True
    paths: list[str] = []
    _lists.append(paths)
    try:
        yield paths
    finally:
        _lists[:] = [others for others in _lists if others is not paths]


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """Take an audit event of Python: ``open`` has path, mode and flags of ``os.open``."""
    if not _lists or event not in ("open", "sqlite3.connect"):
        return
    if not isinstance(arguments[0], str | bytes | os.PathLike):  # a file that is open already
        return
    path = Path(os.fsdecode(arguments[0]))
    if event == "open":
        flags = arguments[2]
        if not flags & (os.O_WRONLY | os.O_RDWR) or flags & os.O_EXCL:
            return
    elif path.name == ":memory:":
        return
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
