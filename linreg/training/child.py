"""Another Python process of this package, and the messages between the two: pickles over its pipes,
and nobody else's."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from linreg.training import memory

STANDS_BACK = 2  # as `nice` counts
_SIZE = 8  # bytes in front of a message


def start(module: str) -> subprocess.Popen[bytes]:
    """Start a process in which `linreg.module.serve()` answers what is written to it, until it is
    closed."""
    package = Path(__file__).parents[1]
    program = f"import sys; sys.path.insert(0, {str(package.parent)!r}); from linreg.training.{module} import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def ends() -> tuple[IO[bytes], IO[bytes]]:
    """In that process: where messages come from, and where they go. What is printed here is none of
    them.

    It stands back a little for the one that started it, which has pages to draw.
    """
    memory.spare()
    if hasattr(os, "nice"):
        os.nice(STANDS_BACK)
    asked, answered = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return asked, answered


def end_later(seconds: float) -> threading.Timer:
    """In that process: end it after so many seconds, unless the timer is cancelled."""
    timer = threading.Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()
    return timer


def write(file: IO[bytes], message: Any) -> None:
    """Send one message."""
    content = pickle.dumps(message, protocol=5)
    file.write(len(content).to_bytes(_SIZE, "little"))
    file.write(content)
    file.flush()


def read(file: IO[bytes]) -> Iterator[Any]:
    """Every message until the other side has gone."""
    with suppress(OSError, EOFError):
        while True:
            size = file.read(_SIZE)
            if len(size) < _SIZE:
                return
            content = file.read(int.from_bytes(size, "little"))
            if len(content) < int.from_bytes(size, "little"):
                return
            yield pickle.loads(content)
