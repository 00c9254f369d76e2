"""All limits: what one visitor may request, and what the server keeps in memory.

Environment variables change them: `LINREG_STEPS=5000000 streamlit run streamlit_app.py`. The size
of an upload is limited by Streamlit's own setting, `server.maxUploadSize`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches


def limit(most: int, what: str) -> int:
    """A field of `Limits`: its default, and what it limits, in words."""
    default: int = field(default=most, metadata={"what": what})
    return default


@dataclass(frozen=True)
class Limits:
    """The limits, whole numbers above 0.

    Those of files apply to the library too; the others apply to a server.
    """

    rows: int = limit(200_000, "rows of a synthetic table, and of a batch")
    steps: int = limit(1_000_000, "optimizer steps of a run")
    broadcast_rows: int = limit(
        2_000, "rows of a batch in which all pairs are compared: PyTorch holds the (B, B) matrix"
    )
    seeds: int = limit(1_000, "seeds over which the claims are tested")
    sweep_steps: int = limit(150_000_000_000, "optimizer steps of all runs of a sweep")
    autorun_steps: int = limit(
        20_000,
        "steps that PyTorch trains without being asked; a sweep runs by itself up to 100,000 times"
        " as many",
    )
    file_bytes: int = limit(200 * 2**20, "bytes of a file that is read into memory")
    file_rows: int = limit(10_000_000, "rows of a file that is read into memory")
    upload_bytes: int = limit(400_000_000, "bytes of the tables that all visitors have uploaded")
    cache_bytes: int = limit(80_000_000, "bytes of results that a server keeps for all visitors")

    @property
    def broadcast_elements(self) -> int:
        """The most elements of two shapes on which PyTorch is run."""
        return self.broadcast_rows**2

    @property
    def autorun_sweep_steps(self) -> int:
        """The most steps of a sweep that runs by itself: the compiled ensemble is this much
        faster."""
        return 100_000 * self.autorun_steps


FORMER_NAMES = {  # of environment variables, which are still read
    "LINREG_BROADCAST_ROWS": "LINREG_PAIRED_ROWS",
    "LINREG_AUTORUN_STEPS": "LINREG_ASKED_STEPS",
    "LINREG_UPLOAD_BYTES": "LINREG_HELD_BYTES",
}


def limits(environment: Mapping[str, str]) -> Limits:
    """The limits, with those that environment variables set, under their present or former names.

    Raises `ValueError` for a value that is not a whole number above 0.
    """
    changed = {}
    for entry in fields(Limits):
        name = variable(entry.name)
        if name not in environment:
            name = FORMER_NAMES.get(name, name)
        text = environment.get(name)
        if text is not None:
            if not re.fullmatch(r"0*[1-9][0-9_]{0,17}", text):
                raise ValueError(
                    f"{name}={text[:40]!r} is not a limit;"
                    f" use a whole number above 0, such as {entry.default}"
                )
            changed[entry.name] = int(text)
    return Limits(**changed)


def variable(name: str) -> str:
    """The environment variable that sets a limit."""
    return f"LINREG_{name.upper()}"


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for every variable that looks like one of a limit and sets none."""
    known = [variable(entry.name) for entry in fields(Limits)]
    for name in environment:
        if name.startswith(variable("")) and name not in (*known, *FORMER_NAMES.values()):
            nearest = get_close_matches(name, known, 1, cutoff=0.8)
            advice = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(known)}"
            yield f"the environment variable {name[:60]} sets no limit; {advice}"


LIMITS = limits(os.environ)
for sentence in unknown_variables(os.environ):
    logging.getLogger(__name__).warning(sentence)
