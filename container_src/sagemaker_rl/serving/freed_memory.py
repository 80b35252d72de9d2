"""What a worker's allocator, the C library's, does with memory that is freed.

By default it gives the last free pages of the heap back to the system as soon as there are 128 KiB of them. A batch of
some hundred observations frees as much many times, and gets it back a page at a time: a third of the time that it takes
in all. https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

import ctypes

KEPT_BYTES = 8 * 1024 * 1024
"""That stay in a heap for the next requests; what is free beyond goes back."""
LARGE_BYTES = 1024 * 1024
"""A block of this size has pages of its own, which go back when it is freed: large bodies and their answers."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of mallopt's parameters in malloc.h."""


def keep_some() -> None:
    """Have this process keep some of the memory that it frees; without effect where the C library is another one."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
