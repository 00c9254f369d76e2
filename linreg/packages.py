"""The packages that linreg needs: which of them are not here, and the command that brings them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

CORE = ("torch", "numpy", "pandas", "pyarrow", "altair", "contourpy", "jaxtyping", "numba", "joblib")
FIGURES = ("vl_convert", "fontTools", "font_source_sans_pro")  # for figures as files
AS_PIP_CALLS_THEM = {
    "vl_convert": "vl-convert-python",
    "fontTools": "fonttools",
    "font_source_sans_pro": "font-source-sans-pro",
    "distributed": "dask[distributed]",
}
PINNED = Path(__file__).parent.with_name("requirements.txt")  # in a checkout


def absent(modules: Sequence[str]) -> list[str]:
    """Those of the modules that are not here."""
    return [name for name in modules if find_spec(name) is None]


def lacking(need: str, modules: Sequence[str]) -> str:
    """What is said of modules that are not here: `need` them, and the command that brings them."""
    names = [AS_PIP_CALLS_THEM.get(name, name) for name in modules]
    pinned = PINNED.exists() and not set(modules) - {*CORE, *FIGURES}
    command = f"-r {PINNED.name}" if pinned else " ".join(f"'{name}'" if "[" in name else name for name in names)
    return f"{need} {', '.join(names)}, which {'is' if len(names) == 1 else 'are'} not installed; pip install {command}"
