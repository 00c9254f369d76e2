"""The code that a guard watches: everything, all but some packages and files, or only some."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import PurePath
from types import CodeType, FrameType


class Scope:
    """The lines that are watched, by the file or module that they are written in.

    An entry with a slash or an ending in `.py` is a file or a folder, by its last parts:
    `"models/rope.py"` or `"models/"`. Any other entry is a package or module, with what is in it:
    `"transformers"` or `"transformers.models.llama"`. Raises `ValueError` for an empty entry, and
    `TypeError` for one that is no text."""

    def __init__(self, skip: str | Sequence[str] = (), only: str | Sequence[str] = ()) -> None:
        self.skip = _entries("skip", skip)
        self.only = _entries("only", only)
        self._watched: dict[tuple[CodeType, str], bool] = {}

    def watches(self, frame: FrameType) -> bool:
        """Whether the line that this frame is on is watched."""
        if not self.skip and not self.only:
            return True
        module = str(frame.f_globals.get("__name__", ""))
        key = frame.f_code, module
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watches(frame.f_code.co_filename, module)
            self._watched[key] = watched
        return watched

    def _watches(self, file: str, module: str) -> bool:
        if self.only and not any(_matches(entry, file, module) for entry in self.only):
            return False
        return not any(_matches(entry, file, module) for entry in self.skip)


def _entries(option: str, value: str | Sequence[str]) -> tuple[str, ...]:
    entries = (value,) if isinstance(value, str) else tuple(value)
    for entry in entries:
        if not isinstance(entry, str):
            raise TypeError(f"{option}: {entry!r} is no text; give names such as 'transformers'")
        if not entry.strip("/\\ "):
            raise ValueError(
                f"{option}: {entry!r} names nothing; give a package such as 'transformers' or a"
                " file such as 'models/rope.py'"
            )
    return entries


def _matches(entry: str, file: str, module: str) -> bool:
    if _is_path(entry):
        wanted, parts = _parts(entry), _parts(file)
        ends = range(len(wanted), len(parts) + 1)
        if entry.endswith(".py"):
            ends = range(len(parts), len(parts) + 1)
        return any(parts[max(end - len(wanted), 0) : end] == wanted for end in ends)
    return module == entry or module.startswith(f"{entry}.")


def _is_path(entry: str) -> bool:
    return "/" in entry or "\\" in entry or entry.endswith(".py")


@functools.cache
def _parts(path: str) -> tuple[str, ...]:
    return PurePath(path.replace("\\", "/")).parts
