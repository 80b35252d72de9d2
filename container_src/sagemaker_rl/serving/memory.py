"""How much memory there is for another model."""

import contextlib
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
LOADED_SIZE_PER_FILE_SIZE = 4
"""Memory that a model takes, generously: its files are read, decoded, copied into a graph, and tried out."""
RESERVED_FRACTION = 0.1
"""Of all memory, kept free for requests."""


def has_room_for(folder: Path, times: int) -> bool:
    """Tell whether there is memory for ``times`` the size of a model's files."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # loading the model reports it
                size += (Path(parent) / name).lstat().st_size
    limit, used = _limit_and_used()
    return used + times * size <= (1 - RESERVED_FRACTION) * limit


def _limit_and_used() -> tuple[int, int]:
    """Return how many bytes this container may use, and how many it uses, cached files not counted.

    Both are the machine's if the container has no limit.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    total = page * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        if limit != "max" and int(limit) < total:
            statistics = dict(
                line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
            )
            used = int((CGROUP / "memory.current").read_text(encoding="ascii")) - int(statistics["inactive_file"])
            return int(limit), used
    except (OSError, ValueError, KeyError):  # no cgroup version 2
        pass
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return total, total - 1024 * int(line.split()[1])
    return total, total - page * os.sysconf("SC_AVPHYS_PAGES")
