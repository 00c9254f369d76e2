"""How to cite linreg, as in CITATION.cff."""

from __future__ import annotations

TITLE = "linreg: why a two-weight PyTorch regression does not converge, shown exactly"
AUTHOR = "the linreg authors"
YEAR = 2026
VERSION = "0.1.0"


def bibtex(address: str, figure: str = "") -> str:
    """The BibTeX entry of linreg at an address, and of a figure of it."""
    fields = {
        "title": f"{{{TITLE}}}",
        "author": f"{{{AUTHOR}}}",
        "year": str(YEAR),
        "version": VERSION,
        "note": figure and f"Figure: {figure}",
        "url": address,
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join(["@software{linreg,", *lines, "}"])
