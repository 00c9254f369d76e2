"""Capture warnings raised in one thread."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# `warnings` has one list of filters for all threads: hold this lock while replacing it.
FILTERS_LOCK = threading.RLock()


@contextmanager
def captured_warnings() -> Iterator[list[str]]:
    """Collect the texts of the warnings that this thread raises, instead of showing them.

    Other threads can run meanwhile; their warnings are shown as usual."""
    captured: list[str] = []
    thread, show = threading.get_ident(), warnings.showwarning

    def capture(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *rest: Any
    ) -> None:
        if threading.get_ident() == thread:
            captured.append(str(message))
        else:
            show(message, category, filename, lineno, *rest)

    with FILTERS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = capture  # type: ignore[assignment]  # `rest` holds file and line
        yield captured
