"""Memory given back to the system, where that is Linux with glibc; elsewhere nothing here does
anything.

Three processes serve a page (the server, PyTorch's and the renderer's), and what each of them holds
without need counts three times. Where no folder can be written, temporary files are in memory too.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

IN_MEMORY = "/dev/shm"


def spare() -> None:
    """Have the C library keep one heap for all threads, and give large blocks back at once.

    By default glibc keeps a heap for each of many threads, and there what one visitor's page has
    needed stays."""
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENAS, 1)
        library.mallopt(_MMAP_THRESHOLD, 1 << 20)


def hold_files() -> None:
    """Have temporary files in memory where no folder for them can be written: an upload passes
    through one."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        if os.access(IN_MEMORY, os.W_OK):
            tempfile.tempdir = IN_MEMORY


def give_back() -> None:
    """Return to the system what is free within the heap, and the code of libraries that is not in
    use."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
        if sys.platform == "linux" and sys.maxsize > 1 << 32:
            _drop_code()


def _drop_code() -> None:
    """Drop what was read of libraries: most of it served to load them, and the rest comes back from
    the system's cache of files as it is used.

    Only parts that nothing has written into, in libraries that are loaded to the end: those that
    `dl_iterate_phdr` names, while no other can be added or removed. The interpreter's lock is kept
    meanwhile, since one who loads a library holds it and may wait for the lock of that list."""
    library = ctypes.PyDLL(None)

    def visit(found: Any, _size: int, _data: Any) -> int:
        one = found.contents
        for part in one.parts[: one.count]:
            if part.type == _LOADED and not part.flags & _WRITABLE:
                start = -(-(one.address + part.address) // mmap.PAGESIZE) * mmap.PAGESIZE
                size = one.address + part.address + part.size - start
                if size > 0:
                    library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _DO_NOT_NEED)
        return 0

    library.dl_iterate_phdr(_VISIT(visit), None)


class _Part(ctypes.Structure):
    """`Elf64_Phdr` of <elf.h>."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("type", "flags")),
        *(
            (name, ctypes.c_uint64)
            for name in ("offset", "address", "physical", "in_file", "size", "align")
        ),
    )


class _Object(ctypes.Structure):
    """The beginning of `dl_phdr_info` of <link.h>."""

    _fields_ = (
        ("address", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("parts", ctypes.POINTER(_Part)),
        ("count", ctypes.c_uint16),
    )


_VISIT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Object), ctypes.c_size_t, ctypes.c_void_p)


def own_bytes() -> int:
    """What this process alone holds in memory, without what it reads of files; 0 where that is not
    known."""
    with suppress(OSError, ValueError):
        _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
        return (int(resident) - int(shared)) * mmap.PAGESIZE
    return 0


_ARENAS, _MMAP_THRESHOLD = -8, -3  # of <malloc.h>
_DO_NOT_NEED = 4  # of <sys/mman.h>
_LOADED, _WRITABLE = 1, 2  # of <elf.h>
