"""Run an unchanged script under the guard, as `python SCRIPT` or `python -m MODULE` would."""

from __future__ import annotations

import os
import runpy
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TextIO

import torch

from linreg.guard.report import Broadcast, SilentBroadcastError
from linreg.guard.watch import no_silent_broadcast
from linreg.settings.fields import SettingsError, shorten

FOUND = 1  # the exit status if the guard has reported something

_RUNNERS = (__file__, runpy.__file__, "<frozen runpy>")
_LIBRARIES = tuple(f"{Path(file).parent}{os.sep}" for file in (torch.__file__, __file__))


class Reports:
    """What the guard has reported: each line and operation once, with how often."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.messages: dict[tuple[str, str], str] = {}

    def add(self, broadcast: Broadcast) -> None:
        """Count a report; of those of one line and operation, the first message is kept."""
        key = broadcast.where, broadcast.operation
        self.counts[key] += 1
        self.messages.setdefault(key, broadcast.message)

    def __str__(self) -> str:
        lines = len(self.counts)
        title = f"{lines} silent broadcast{'' if lines == 1 else 's'} found"
        found = [
            f"{key[0]} ({count} time{'' if count == 1 else 's'})\n  {self.messages[key]}"
            for key, count in self.counts.most_common()
        ]
        return "\n".join([f"linreg guard: {title}", *found])


def run_script(
    target: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    warn: bool = False,
    strict: bool = False,
    skip: Sequence[str] = (),
    only: Sequence[str] = (),
    output: TextIO | None = None,
) -> int:
    """Run a script, or with `module` a module, under the guard, and return its exit status.

    A report ends the script with an error, its traceback, and status 1. If the script catches that
    error and goes on, the reports are written at its end, and the status is 1, too. With `warn` the
    script goes on, and all reports are written at its end; the status is its own.

    An error of the script is shown as Python shows it, and the status is then 1. `SystemExit` and
    `KeyboardInterrupt` are passed on, after the reports are written. `output` is where reports are
    written: standard error, if it is not given.

    Raises `FileNotFoundError` for a script that is not there, and `SettingsError` for such a module
    (a `ValueError`)."""
    reports, escaped = Reports(), False

    def report(broadcast: Broadcast) -> None:
        reports.add(broadcast)
        if not warn:
            raise SilentBroadcastError(broadcast)

    status = 0
    guard = no_silent_broadcast(report, strict=strict, skip=skip, only=only)
    with _as_main_program(target, arguments, module):
        try:
            with guard:
                if module:
                    runpy.run_module(target, run_name="__main__", alter_sys=True)
                else:
                    runpy.run_path(target, run_name="__main__")
        except Exception as error:
            escaped = isinstance(error, SilentBroadcastError)
            show_error(error)
            status = 1
        finally:
            if reports.counts and not escaped:
                print(reports, file=output or sys.stderr, flush=True)
    return FOUND if reports.counts and not warn else status


@contextmanager
def _as_main_program(target: str, arguments: Sequence[str], module: bool) -> Iterator[None]:
    """`sys.argv` and `sys.path` as Python sets them for the script; restored at the end."""
    argv, path = sys.argv, sys.path[:]
    folder = os.getcwd() if module else os.path.dirname(os.path.realpath(target))
    if not sys.flags.safe_path:
        sys.path[:1] = [folder]
    try:
        if module and not _is_module(target):
            raise SettingsError(f"no module is named {shorten(target)}", "module")
        if not module and not os.path.exists(target):
            raise FileNotFoundError(2, "there is no such script", target)
        sys.argv = [target, *arguments]
        yield
    finally:
        sys.argv, sys.path[:] = argv, path


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it is said to be in
        return False


def show_error(error: BaseException) -> None:
    """Show an error of the script, without the frames of this module; that of a silent broadcast
    ends at the user's line."""
    frames = list(_frames(error.__traceback__))
    while frames and frames[0].tb_frame.f_code.co_filename in _RUNNERS:
        del frames[0]
    if isinstance(error, SilentBroadcastError):
        while len(frames) > 1 and frames[-1].tb_frame.f_code.co_filename.startswith(_LIBRARIES):
            del frames[-1]
    shown: TracebackType | None = None
    for one in reversed(frames):
        shown = TracebackType(shown, one.tb_frame, one.tb_lasti, one.tb_lineno)
    sys.excepthook(type(error), error.with_traceback(shown), shown)


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
