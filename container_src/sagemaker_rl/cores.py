"""The processor's cores that a process may use."""

import contextlib
import os
from pathlib import Path

CPU_QUOTA = (
    (Path("/sys/fs/cgroup/cpu.max"),),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)
"""The files that have the container's quota and the period that it is of, in microseconds: cgroup version 2, and 1."""
RANKS_OF_HOST = "OMPI_COMM_WORLD_LOCAL_SIZE"
"""Where mpirun says how many processes of a job it has started on this host: they share the cores."""


def count() -> int:
    """Return how many cores this process may use: its affinity, and its container's quota, rounded up.

    Of a job of several ranks (job/ranks.py) it is this one's share of what its host has.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in CPU_QUOTA:
        with contextlib.suppress(OSError, ValueError):  # another version of cgroup, or no quota: max, or -1
            quota, period = map(int, " ".join(file.read_text(encoding="ascii") for file in files).split())
            cores = min(cores, -(-quota // period)) if quota >= 0 else cores
    return max(cores // int(os.environ.get(RANKS_OF_HOST, "1")), 1)
