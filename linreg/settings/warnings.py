"""What PyTorch warns of, kept instead of shown."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FILTERS_LOCK = (
    threading.RLock()
)  # `warnings` keeps its filters in one list for all threads: to be held by all who swap them


@contextmanager
def captured_warnings() -> Iterator[list[str]]:
    """The texts of what this thread is warned of inside. Other threads go on meanwhile, and are
    told as ever."""
    said: list[str] = []
    thread, show = threading.get_ident(), warnings.showwarning

    def keep(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any
    ) -> None:
        if threading.get_ident() == thread:
            said.append(str(message))
        else:
            show(message, category, filename, lineno, *more)

    with FILTERS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = keep  # type: ignore[assignment]  # it passes on what it does not name
        yield said
