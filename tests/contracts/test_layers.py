"""The architecture: the import contracts hold, what is slow to load waits, pages are short, and old
names stay.

`make lint` checks the same contracts by itself; they are written down in pyproject.toml.
"""

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import grimp
import pytest
from project import ROOT

import linreg
from linreg import guard, settings
from linreg.settings.pages import MENU

PAGES = [ROOT / "streamlit_app.py", *(ROOT / "pages").glob("*.py")]
TEXTS = ["comparison", "cause", "claims", "surface", "sweep", "your_code", "your_data"]
PUBLIC = {  # every name that an earlier version offered
    "linreg": "BUNDLED WIRINGS Broadcast CannotTell Comparison DataSettings Dataset Ensemble Figure"
    " Moments Outcome Quadratic Run Settings SettingsError ShapeDiagnosis SilentBroadcastError"
    " SilentBroadcastWarning Table TableError TableStream TableSums Wiring batch_moments"
    " diagnose_shapes from_query looks_broadcast loss_surface make_data matched_surface"
    " no_silent_broadcast open_bundled open_table parse_shape read_table standardised stream_table"
    " table_sums to_query train train_ensemble",
    "linreg.settings": "Comparison DEFAULTS Data DataSettings Interval Kind LABELS POSITIVE SEED"
    " Settings SettingsError TABLE_NAMES TableSettings Tables VERSION check clipped fitted"
    " fitting_momentum fixed_changes fixed_side from_query kinds kinds_of offered plain read"
    " setting to_query with_both with_changes with_table without_table written",
    "linreg.guard": "LOSSES Broadcast CannotTell Loss Reaction ShapeDiagnosis SilentBroadcastError"
    " SilentBroadcastWarning diagnose_shapes looks_broadcast no_silent_broadcast parse_shape"
    " reaction",
    "linreg.pytest_plugin": "linreg_guard",
    "linreg.__main__": "main",
}


def imported(path):
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def defined_in(module):
    """The public functions and classes of a module, without those that it imports."""
    return [
        value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]


@pytest.mark.slow
def test_the_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_no_module_imports_itself_through_others():
    """Imports inside functions and for type checking count too; there is no exception."""
    graph = grimp.build_graph("linreg", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert "linreg.data.files" in imports["linreg.data.tables"], "inside a function"
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the modules


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_s_text_takes_its_frozen_result(page):
    """And nothing else; what is said of settings alone says so."""
    text = import_module(f"linreg.text.{page}")
    experiment = import_module(f"linreg.experiments.{page}")
    results = {
        kind.__name__
        for kind in defined_in(experiment)
        if dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
    }
    if page == "your_code":
        results.add("Reaction")  # PyTorch's answer to a shape, which is the guard's
    if page == "your_data":
        results.add("ComparisonResult")  # of the comparison on the table
    functions = [function for function in defined_in(text) if inspect.isfunction(function)]
    assert functions
    for function in functions:
        takes = [one.annotation for one in inspect.signature(function).parameters.values()]
        of_settings = "settings alone" in " ".join(function.__doc__.split())
        assert of_settings or (len(takes) == 1 and takes[0] in results), function.__name__


def test_no_module_holds_two_ideas():
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / "linreg").rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > 500}


def test_only_the_entry_points_lie_flat():
    assert {path.stem for path in (ROOT / "linreg").glob("*.py")} == {
        "__init__",
        "__main__",
        "pytest_plugin",
    }


def test_every_page_is_in_the_menu():
    assert {ROOT / page.path for page in MENU.values()} == set(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_short_and_defines_nothing(page):
    tree = ast.parse(page.read_text())
    assert len(page.read_text().splitlines()) < 50
    assert not any(
        isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in ast.walk(tree)
    )
    assert not any(name.split(".")[0] == "torch" for name in imported(page))


@pytest.mark.slow
def test_what_is_slow_to_load_waits():
    """Settings, surfaces, figures, words and what the browser trains need neither torch nor
    streamlit; `import linreg` needs nothing of either."""
    modules = (
        "linreg, linreg.figures.comparison, linreg.settings.presets, linreg.text.script,"
        " linreg.training.browser"
    )
    loaded = "print(*{'torch', 'streamlit', 'numba'} & set(sys.modules))"
    assert output_of(f"import sys, {modules}; {loaded}").split() == []


@pytest.mark.slow
def test_every_public_name_of_earlier_versions_can_be_imported():
    imports = [
        f"from {module} import {', '.join(names.split())}" for module, names in PUBLIC.items()
    ]
    program = "\n".join([*imports, "import sys", "print('streamlit' in sys.modules)"])
    assert output_of(program).split() == ["False"]


def output_of(program):
    """What a program prints in a new process."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", [linreg, guard, settings], ids=lambda module: module.__name__)
def test_every_name_that_is_offered_is_there(module):
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert all(re.fullmatch(r"[A-Za-z_0-9]+", name) for name in module.__all__)
