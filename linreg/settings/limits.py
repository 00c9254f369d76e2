"""All limits: what one visitor may request, and what the server keeps in memory.

Environment variables change them: `LINREG_STEPS=5000000 streamlit run streamlit_app.py`. The size
of an upload is limited by Streamlit's own setting, `server.maxUploadSize`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields


def limit(most: int, what: str) -> int:
    """A field of `Limits`: its default, and what it limits, in words."""
    default: int = field(default=most, metadata={"what": what})
    return default


@dataclass(frozen=True)
class Limits:
    """The limits, whole numbers above 0.

    Those of files apply to the library too; those of kept things apply to a server."""

    rows: int = limit(200_000, "rows of a synthetic table, and of a batch")
    steps: int = limit(1_000_000, "steps of a run")
    paired_rows: int = limit(
        2_000, "rows of a batch in which all pairs meet: PyTorch holds the matrix of them"
    )
    elements: int = limit(4_000_000, "elements of two shapes on which PyTorch is run")
    seeds: int = limit(1_000, "seeds over which the claims are tested")
    sweep_steps: int = limit(150_000_000_000, "steps of all runs of a sweep")
    asked_steps: int = limit(20_000, "steps that PyTorch trains without being told to")
    asked_sweep_steps: int = limit(
        2_000_000_000, "steps of a sweep that are run without being told to"
    )
    file_bytes: int = limit(200 * 2**20, "bytes of a file that is read into memory")
    file_rows: int = limit(10_000_000, "rows of it")
    file_columns: int = limit(1_000, "columns of it")
    unpacked_bytes: int = limit(
        4_000_000_000, "bytes that a Parquet file unpacks to: a small one may hold a text often"
    )
    held_bytes: int = limit(400_000_000, "bytes of the tables that all visitors have uploaded")
    cache_bytes: int = limit(80_000_000, "bytes of results that a server keeps for all visitors")
    # ninety million after its first picture, a hundred and fifty after many
    renderer_bytes: int = limit(
        115_000_000, "bytes that the process which makes files of figures keeps between two of them"
    )


def limits(environment: Mapping[str, str]) -> Limits:
    """The limits, with those that environment variables set.

    Raises `ValueError` for a value that is not a whole number above 0."""
    changed = {}
    for entry in fields(Limits):
        text = environment.get(variable(entry.name))
        if text is not None:
            if not re.fullmatch(r"0*[1-9][0-9_]{0,17}", text):
                raise ValueError(
                    f"{variable(entry.name)}={text[:40]!r} is not a limit;"
                    f" use a whole number above 0, such as {entry.default}"
                )
            changed[entry.name] = int(text)
    return Limits(**changed)


def variable(name: str) -> str:
    """The environment variable that sets a limit."""
    return f"LINREG_{name.upper()}"


LIMITS = limits(os.environ)
