"""The packages that linreg needs: which of them are not here, and the command that brings them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

CORE = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "altair",
    "contourpy",
    "jaxtyping",
    "numba",
    "joblib",
    "jinja2",
    "click",
)
FIGURES = ("vl_convert", "fontTools", "font_source_sans_pro")  # for figures as files
PIP_NAMES = {
    "vl_convert": "vl-convert-python",
    "fontTools": "fonttools",
    "font_source_sans_pro": "font-source-sans-pro",
    "distributed": "dask[distributed]",
}
PINNED = Path(__file__).parents[2] / "requirements.txt"  # in a checkout


def missing(modules: Sequence[str]) -> list[str]:
    """Those of the modules that are not here."""
    return [name for name in modules if find_spec(name) is None]


def missing_message(need: str, modules: Sequence[str]) -> str:
    """What is said of modules that are not here: `need` them, and the command that brings them."""
    names = [PIP_NAMES.get(name, name) for name in modules]
    pinned = PINNED.exists() and not set(modules) - {*CORE, *FIGURES}
    command = (
        f"-r {PINNED.name}"
        if pinned
        else " ".join(f"'{name}'" if "[" in name else name for name in names)
    )
    return f"{need} {', '.join(names)}, which {'is' if len(names) == 1 else 'are'} not installed; pip install {command}"
