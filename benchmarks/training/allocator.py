"""Freed memory stays with the process: torch asks for the same large blocks at every step.

The C library maps a large block from the system and gives it back as soon as it is freed, so that
at every step each of its pages is cleared, and a page fault, again. Under the settings that Dask
starts its workers with, this can cost more time than the training itself.
"""

from __future__ import annotations

import ctypes
import platform

# Numbers of the settings in glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4
_ARENA_MAX = -8
_LARGEST = 2**31 - 1  # bytes; the setting is a C int


def keep_freed_memory() -> bool:
    """From now on keep what this process frees, and hand it out again.

    Returns whether the C library follows: glibc does, others do as they always did. What a process
    holds is then the most that it ever needed at once. Best before there are other threads: one
    that has a heap of its own by then still maps blocks above 64 MiB one by one.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # No block is mapped by itself; the heap they then come from is not cut back, and there is one.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_ARENA_MAX, 1))
    return all(mallopt(*setting) for setting in settings)
