"""A command's result as text, as JSON or as rows, and the link that opens it in the app."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import numpy as np

from linreg.cli.output import (
    write,
)
from linreg.settings.model import LABELS, VERSION, Comparison, TableSettings
from linreg.settings.query import to_query, to_view_query

SIDES = tuple(label.lower() for label in LABELS)  # the same in a file


def emit(
    chosen: SimpleNamespace,
    text: Callable[[], str],
    numbers: Callable[[], dict[str, Any]],
    rows: Callable[[], list[list[Any]]] | None = None,
) -> None:
    """Print what was found, or put it into the file that `--out` names, in the form that is asked
    for."""
    out: Path | None = chosen.out
    suffix = out.suffix.lower() if out else ""
    if chosen.json or suffix == ".json":
        write(json.dumps(as_json(numbers()), indent=2, allow_nan=False) + "\n", out)
    elif suffix == ".csv" and rows:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(as_json(rows()))
        write(table.getvalue(), out)
    else:
        write(text() + "\n", out)


def as_json(value: Any) -> Any:
    """A result as JSON has it: numbers that are not finite become null."""
    if is_dataclass(value):
        return {entry.name: as_json(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def link_of(comparison: Comparison, view: Any = None) -> str:
    """The query that opens the same in the app, of the defaults too."""
    own = to_view_query(view) if view else {}
    return f"?{urlencode({'v': str(VERSION), **to_query(comparison), **own}, safe=',.')}"


def where_to_open(comparison: Comparison) -> str:
    """What a link leads to: an upload is not in it."""
    data = comparison.original.data
    if isinstance(data, TableSettings):
        from linreg.data.files import BUNDLED

        return "In the app" if data.table in BUNDLED else "In the app, once the file is uploaded"
    return "In the app"
