"""Return freed memory to the operating system (glibc only, otherwise a no-op)."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1  # of <malloc.h>


def limit_arenas() -> None:
    """Have malloc keep one heap for all threads, and map blocks from 1 MB on their own.

    By default glibc keeps heaps for several threads each, and what one page needed stays there. Up
    to 4 MB may stay free at the end of the heap. Once the other limit is set, that would be 128 KB,
    and every larger array of NumPy would be returned and asked for again, page by page."""
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, 1 << 20)
        library.mallopt(_TRIM_THRESHOLD, 4 << 20)


def trim() -> None:
    """Return the free part of the heap."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
