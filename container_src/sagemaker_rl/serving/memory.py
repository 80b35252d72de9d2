"""How much memory there is, for another model and for requests; and whom the system ends where it is short."""

import contextlib
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Of version 2 and of version 1: limit, use, statistics, and what these call the cached files that can go."""
LOADED_SIZE_PER_FILE_SIZE = 4
"""Memory that a model takes, generously: its files are read, decoded, copied into a graph, and tried out."""
RESERVED_FRACTION = 0.1
"""Of all memory, kept free for requests."""
SHARE_OF_BODIES = 0.25
"""Of the memory that is free at the start. What is read from a body takes more than the body itself."""
BYTES_OF_WORKER = 20 * 1024 * 1024
"""That a worker takes beside what it shares with the others."""
LEAST_BYTES_FOR_BODIES = 1024 * 1024
OOM_SCORE = Path("/proc/self/oom_score_adj")
OOM_SCORE_OF_WORKER = 500
"""Added to a worker's score, of 1,000 for all memory: it is ended long before the first process, which replaces it."""


def has_room_for(folder: Path, times: int) -> bool:
    """Tell whether there is memory for ``times`` the size of a model's files."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # loading the model reports it
                size += (Path(parent) / name).lstat().st_size
    limit, used = _limit_and_used()
    return used + times * size <= (1 - RESERVED_FRACTION) * limit


def bytes_for_bodies(workers: int) -> float:
    """Return how many bytes the bodies of requests may take together, given workers that are not started yet."""
    limit, used = _limit_and_used()
    return max(SHARE_OF_BODIES * (limit - used - workers * BYTES_OF_WORKER), LEAST_BYTES_FOR_BODIES)


def be_killed_first() -> None:
    """Have the system end this process before the one that it was forked from, where memory is short.

    https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html: any process may raise its own.
    """
    with contextlib.suppress(OSError, ValueError):  # not Linux, or it is high already
        score = int(OOM_SCORE.read_text(encoding="ascii"))
        OOM_SCORE.write_text(str(min(score + OOM_SCORE_OF_WORKER, 1000)), encoding="ascii")


def _limit_and_used() -> tuple[int, int]:
    """Return how many bytes this container may use, and how many it uses, cached files not counted.

    Both are the machine's if the container has no limit.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    total = page * os.sysconf("SC_PHYS_PAGES")
    for limit_file, used_file, statistics_file, cached in CGROUP_FILES:
        with contextlib.suppress(OSError, ValueError, KeyError):  # the other version of cgroup
            limit = (CGROUP / limit_file).read_text(encoding="ascii").strip()
            if limit != "max" and int(limit) < total:
                lines = (CGROUP / statistics_file).read_text(encoding="ascii").splitlines()
                statistics = dict(line.split() for line in lines)
                used = int((CGROUP / used_file).read_text(encoding="ascii")) - int(statistics[cached])
                return int(limit), used
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return total, total - 1024 * int(line.split()[1])
    return total, total - page * os.sysconf("SC_AVPHYS_PAGES")
