"""The architecture: imports point down, streamlit stays in ui, torch waits until something trains, pages are short."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = (
    "__main__", "commands", "options", "cluster", "terminal", "ui", "pytest_plugin", "gallery", "export", "renderer",
    "fonts", "views", "charts_code", "charts_cause", "charts_claims", "charts_sweep", "charts_explore", "charts",
    "figure", "theme", "script", "wording", "findings", "claims", "evidence", "example", "cause", "sweep", "explore",
    "outcome", "guard", "trainer", "records", "ensemble", "surface", "thinning", "kernels", "presets", "data", "tables",
    "settings", "optimizers", "wiring", "shapes", "heard", "packages", "apart", "child", "memory", "limits",
)  # fmt: skip  # a module imports only from those after it
UI = (  # the same within linreg.ui
    "__init__", "embed", "table", "cause", "code", "claims", "explore", "sweep", "home", "drawing", "cached", "frame",
)  # fmt: skip
PAGES = [ROOT / "streamlit_app.py", *(ROOT / "pages").glob("*.py")]


def imported(path):
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_place():
    modules = {path.stem for path in (ROOT / "linreg").glob("*.py")} - {"__init__"} | {"ui"}
    assert modules == set(ORDER)
    assert {path.stem for path in (ROOT / "linreg/ui").glob("*.py")} == set(UI)


@pytest.mark.parametrize("module", ORDER)
def test_imports_point_down(module):
    files = (ROOT / "linreg" / module).glob("*.py") if module == "ui" else [ROOT / "linreg" / f"{module}.py"]
    names = {name for file in files for name in imported(file)}
    ours = {name.split(".")[1] for name in names if name.startswith("linreg.")} - ({"ui"} if module == "ui" else set())
    above = {name for name in ours & set(ORDER) if ORDER.index(name) <= ORDER.index(module)}
    assert not above


@pytest.mark.parametrize("module", UI)
def test_imports_of_the_pages_point_down(module):
    names = imported(ROOT / "linreg" / "ui" / f"{module}.py")
    ours = {name.split(".")[2] for name in names if name.startswith("linreg.ui.")}
    assert not {name for name in ours if UI.index(name) <= UI.index(module)}


def test_only_ui_imports_streamlit():
    users = {
        path.parent.name
        for path in (ROOT / "linreg").rglob("*.py")
        if any(n.split(".")[0] == "streamlit" for n in imported(path))
    }
    assert users == {"ui"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_short_and_defines_nothing(page):
    tree = ast.parse(page.read_text())
    assert len(page.read_text().splitlines()) < 50
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in ast.walk(tree))
    assert not any(name.split(".")[0] == "torch" for name in imported(page))


@pytest.mark.parametrize("absent", ["torch", "streamlit", "numba"])
def test_what_is_slow_to_load_waits(absent):
    """Settings, surfaces, charts and words need neither torch nor streamlit; `import linreg` needs nothing of either."""
    program = f"import sys, linreg, linreg.charts, linreg.presets, linreg.script; sys.exit('{absent}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_the_public_names_are_there():
    program = (
        "from linreg import DataSettings, Settings, Comparison, Dataset, Run, Quadratic, Moments, Figure, Wiring, make_data,"
        " train, batch_moments, loss_surface, to_query, from_query, train_ensemble, no_silent_broadcast, looks_broadcast,"
        " diagnose_shapes, ShapeDiagnosis, read_table; import sys; sys.exit('streamlit' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
