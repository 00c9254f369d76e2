"""What a terminal shows: text without Markdown, columns that line up, a line that counts, and files
that are whole."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from linreg.settings.fields import SettingsError

WIDEST, NARROWEST = 100, 40  # columns of text, whatever the terminal has
REDRAW_SECONDS = 0.1
STANDARD = Path("-")  # as the name of a file: the standard output


# ---- text ----------------------------------------------------------------------------------------


def columns() -> int:
    """How many columns the text may take."""
    return max(min(shutil.get_terminal_size().columns, WIDEST), NARROWEST)


def unmarked(text: str) -> str:
    """Markdown without its marks: emphasis, code and escapes as the text that they are of."""
    from linreg.text.markdown import WORD_JOINER

    text = re.sub(rf"\\(.)|\*\*|`|{WORD_JOINER}", lambda found: found[1] or "", text)
    return text.replace("  \n", "\n")


def wrapped(text: str, indent: int = 0) -> str:
    """A paragraph of Markdown in lines that fit the terminal."""
    wrapper = textwrap.TextWrapper(columns(), break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent = wrapper.subsequent_indent = " " * indent
    return "\n".join(map(wrapper.fill, unmarked(text).splitlines()))


def aligned(rows: Sequence[Sequence[str]], indent: int = 0) -> str:
    """Rows of cells in columns that line up."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join((" " * indent + "  ".join(row)).rstrip() for row in padded)


def markdown_table(table: str, indent: int = 0) -> str:
    """A table of Markdown in columns that line up."""
    header, _, *rows = table.splitlines()
    cells = [line[1:-1].split(" | ") for line in (header, *rows)]
    return aligned([[unmarked(cell.strip()) for cell in row] for row in cells], indent)


def named_rows(rows: Mapping[str, Mapping[str, str]], chosen: Sequence[str]) -> list[list[str]]:
    """The chosen columns of a table (row -> column -> text), each row begun by its name."""
    return [[name, *(cells[column] for column in chosen)] for name, cells in rows.items()]


# ---- progress ------------------------------------------------------------------------------------


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int], None]]:
    """A function `(done, total)` that rewrites one line on stderr; silent where nobody is watching,
    gone at the end."""
    began, drawn, width = time.monotonic(), 0.0, 0

    def show(done: int, total: int) -> None:
        nonlocal drawn, width
        now = time.monotonic()
        if now - drawn < REDRAW_SECONDS and done < total:
            return
        drawn, share = now, done / max(total, 1)
        left = (now - began) / share * (1 - share) if share else 0.0
        said = f"{label}: {share:.0%}" + (f", {left:.0f} s left" if left >= 1 else "")
        room = shutil.get_terminal_size().columns - len("^C") - 1
        said = said[:room]  # a line that wraps cannot be rewritten
        print(f"\r{said:<{width}}", end="", file=sys.stderr, flush=True)
        width = len(said)

    def silent(done: int, total: int) -> None:
        pass

    if not sys.stderr.isatty():
        yield silent
        return
    try:
        show(0, 1)
        yield show
    finally:
        print(f"\r{'':{width + len('^C')}}\r", end="", file=sys.stderr, flush=True)


# ---- output --------------------------------------------------------------------------------------


def check_place(path: Path) -> None:
    """Raise a `SettingsError` before any work is done if a file cannot be written there."""
    folder = path.absolute().parent
    if path == STANDARD:
        return
    if path.is_dir():
        reason = "it is a folder"
    elif not folder.is_dir():
        reason = f"there is no folder {folder}"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        reason = "it may not be written"
    else:
        return
    raise SettingsError(f"--out {path} is not possible: {reason}; name another file", "out")


def write(content: str | bytes, path: Path | None = None) -> None:
    """Print it, or put it into a file that holds all of it or is not there."""
    if path is None or path == STANDARD:
        if isinstance(content, str):
            sys.stdout.write(content)
        else:
            sys.stdout.buffer.write(content)
        return
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            path.write_bytes(data)
        else:
            part.write_bytes(data)
            part.replace(path)
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = f"{error.strerror}; make room or name another file"
        raise OSError(error.errno, hint, str(path)) from None
    finally:
        part.unlink(missing_ok=True)
