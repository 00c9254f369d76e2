"""The command line: `python -m linreg COMMAND --help`."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linreg import wording
from linreg.data import stream_table
from linreg.findings import find
from linreg.settings import DataSettings, Settings, SettingsError, TableSettings
from linreg.tables import TableError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 2, with one line on stderr, for input that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m linreg", description="Why a PyTorch regression does not converge.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_diagnose(commands.add_parser("diagnose", help="what the bug does to a CSV or Parquet file, of any size"))
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except (TableError, SettingsError, OSError) as error:
        print(f"linreg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _add_diagnose(parser: argparse.ArgumentParser) -> None:
    default = Settings()
    parser.add_argument("file", type=Path, help="a CSV or Parquet file, read in pieces")
    parser.add_argument("--target", required=True, metavar="COLUMN")
    parser.add_argument("--features", required=True, nargs=2, metavar="COLUMN")
    parser.add_argument("--no-bias", dest="bias", action="store_false", help="regress without a bias")
    parser.add_argument("--batch-size", type=int, default=default.batch_size, metavar="B")
    parser.add_argument("--lr", type=float, default=default.lr)
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--json", action="store_true", help="all numbers, as JSON")
    parser.set_defaults(run=_diagnose)


def _diagnose(chosen: argparse.Namespace) -> None:
    """The findings of a file, in one pass."""
    settings = Settings(
        DataSettings(samples=max(chosen.batch_size, 1)),  # the file's rows are counted as they come
        batch_size=chosen.batch_size,
        lr=chosen.lr,
        epochs=chosen.epochs,
        bias=chosen.bias,
    )
    pieces = stream_table(chosen.file, chosen.target, chosen.features, progress=_progress(chosen.file.name))
    found = find(pieces, settings)
    if chosen.json:
        print(json.dumps({"dropped": _plain(pieces.dropped), **_plain(found)}, indent=2, allow_nan=False))
        return
    table = TableSettings(str(chosen.file), chosen.target, tuple(chosen.features), found.sums.rows)
    said = [wording.rows_used(pieces.kept, pieces.dropped), *wording.data_findings(found, table)]
    print("\n\n".join(_without_markdown(paragraph) for paragraph in said))


def _progress(name: str) -> Callable[[int, int], None] | None:
    """A line on stderr that counts, where somebody is watching."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        print(
            f"\rReading {name}: {done / max(total, 1):.0%}", end="\n" if done >= total else "", file=sys.stderr, flush=True
        )

    return show


def _plain(value: Any) -> Any:
    """A result as JSON has it: numbers that are not finite become null."""
    if is_dataclass(value):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _without_markdown(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text.replace("**", "").replace("`", ""))


if __name__ == "__main__":
    sys.exit(main())
