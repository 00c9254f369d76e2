"""Memory given back to the system, where that is Linux with glibc; elsewhere nothing here does
anything.

Three processes serve a page (the server, PyTorch's and the renderer's), and what each of them holds
without need counts three times.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress


def spare() -> None:
    """Have the C library keep one heap for all threads, and give large blocks back at once.

    By default glibc keeps a heap for each of many threads, and there what one visitor's page has
    needed stays."""
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENAS, 1)
        library.mallopt(_MMAP_THRESHOLD, 1 << 20)


def give_back() -> None:
    """Return to the system what is free within the heap."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


_ARENAS, _MMAP_THRESHOLD = -8, -3  # of <malloc.h>
