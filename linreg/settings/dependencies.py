"""Which of the required packages are not installed, and the command that installs them."""

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
    "loky",
    "jinja2",
    "click",
)
LIVE = ("vl_convert",)  # has the code that draws live figures in the browser
FIGURES = (*LIVE, "fontTools", "font_source_sans_pro", "PIL")  # to export figures
PIP_NAMES = {
    "vl_convert": "vl-convert-python",
    "fontTools": "fonttools",
    "PIL": "pillow",
    "font_source_sans_pro": "font-source-sans-pro",
    "distributed": "dask[distributed]",
}
PINNED = Path(__file__).parents[2] / "requirements.txt"  # exists in a checkout only


def missing(modules: Sequence[str]) -> list[str]:
    """The modules that are not installed."""
    return [name for name in modules if find_spec(name) is None]


def missing_message(need: str, modules: Sequence[str]) -> str:
    """The message for modules that are not installed.

    `need` is its beginning, such as "Figures need"; the command to install them is its end."""
    packages = [PIP_NAMES.get(name, name) for name in modules]
    if PINNED.exists() and not set(modules) - {*CORE, *FIGURES}:
        arguments = f"-r {PINNED.name}"
    else:
        arguments = " ".join(f"'{name}'" if "[" in name else name for name in packages)
    verb = "is" if len(packages) == 1 else "are"
    return f"{need} {', '.join(packages)}, which {verb} not installed; pip install {arguments}"
