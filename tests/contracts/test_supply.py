"""What the app is made of: exact pins and nothing else, and what its code never does (SECURITY.md
promises it)."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version

import pytest
from packaging.requirements import Requirement
from project import ROOT

from linreg.settings.dependencies import CORE, FIGURES

SOURCES = [
    ROOT / "streamlit_app.py",
    *sorted((ROOT / "pages").glob("*.py")),
    *sorted((ROOT / "linreg").rglob("*.py")),
]
OPTIONAL = {"dask", "distributed", "pytest"}  # extras; pytest runs the plugin itself
RESOURCES = {
    "font_source_sans_pro": "figures/fonts.py"
}  # its files are read, its module is never imported
TAKEN_BY_STREAMLIT = {"uvloop"}  # where it is installed


def pins(name):
    """The requirements of a file, as they stand there."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-r ")]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def distributions(modules):
    """The names under which pip knows what these modules are of."""
    known = packages_distributions()
    return {normal(known[module][0]) for module in modules}


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-test.txt",
        "requirements-bench.txt",
        "requirements-fuzz.txt",
        "requirements-zoo.txt",
    ],
)
def test_every_requirement_is_one_exact_version(name):
    assert pins(name)
    for pin in pins(name):
        (only,) = pin.specifier
        assert only.operator == "==", pin
        assert "*" not in only.version, pin


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_what_is_installed_is_what_is_pinned(name):
    for pin in pins(name):
        assert pin.specifier.contains(version(pin.name), prereleases=True), (
            f"{pin}, but {version(pin.name)} is installed"
        )


def test_the_zoo_has_the_pytorch_of_the_app():
    app, zoo = (
        {pin.name: pin for pin in pins(name)}
        for name in ("requirements.txt", "requirements-zoo.txt")
    )
    assert all(zoo[name] == app[name] for name in ("torch", "numpy"))


def test_the_app_imports_what_is_pinned_and_all_that_is_pinned():
    found = (
        {name for path in SOURCES for name in imported(path)}
        - set(sys.stdlib_module_names)
        - {"linreg"}
        - OPTIONAL
    )
    for module, user in RESOURCES.items():
        assert f'files("{module}")' in (ROOT / "linreg" / user).read_text()
    assert distributions(found | set(RESOURCES)) | TAKEN_BY_STREAMLIT == {
        normal(pin.name) for pin in pins("requirements.txt")
    }


def test_what_is_looked_for_at_the_start_is_what_is_pinned():
    assert distributions({*CORE, *FIGURES, "streamlit"}) | TAKEN_BY_STREAMLIT == {
        normal(pin.name) for pin in pins("requirements.txt")
    }


def test_the_package_asks_for_what_is_pinned_and_the_pins_suffice():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for name in ("app", "figures") for one in project["optional-dependencies"][name]]
    asked = {
        normal(one.name): one
        for one in map(Requirement, [*project["dependencies"], *extras])
        if one.name != "linreg"
    }
    pinned = {
        normal(pin.name): next(iter(pin.specifier)).version for pin in pins("requirements.txt")
    }
    assert asked.keys() == pinned.keys()
    for name, requirement in asked.items():
        assert requirement.specifier.contains(pinned[name]), (
            f"{requirement}, but {pinned[name]} is pinned"
        )


# ---- what the code never does --------------------------------------------------------------------

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
FORBIDDEN_MODULES = {
    "pickle", "dill", "cloudpickle", "shelve", "marshal", "socket", "ssl", "http", "ftplib",
    "smtplib", "requests", "httpx", "urllib3", "aiohttp", "webbrowser", "code", "codeop", "ctypes",
}  # fmt: skip
LIVE = {
    "unsafe_allow_html",
    "allow_javascript",
    "html",
    "iframe",
    "components",
    "unsafe_allow_javascript",
}
UNPICKLED = {"read_pickle", "allow_pickle", "load_pickle"}


def dangers(tree):
    """What the code of a tree might do to a visitor or for one, and should not."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in FORBIDDEN_CALLS
        ):
            yield node.func.id
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [module] if module else [alias.name for alias in node.names]
            yield from (name for name in names if name.partition(".")[0] in FORBIDDEN_MODULES)
            yield from (
                name for name in names if name.startswith("urllib") and name != "urllib.parse"
            )
        if isinstance(node, ast.keyword) and node.arg in {*UNPICKLED, *LIVE} - {"html"}:
            yield node.arg
        if isinstance(node, ast.Attribute):
            on = node.value.id if isinstance(node.value, ast.Name) else ""
            if (
                node.attr in UNPICKLED
                or (on == "st" and node.attr in LIVE)
                or (on == "torch" and node.attr in {"load", "save"})
            ):
                yield f"{on}.{node.attr}"
            if on == "os" and node.attr in {"system", "popen", "execv", "execvp"}:
                yield f"os.{node.attr}"
            if on == "subprocess" and node.attr != "PIPE" and node.attr != "DEVNULL":
                yield f"subprocess.{node.attr}"


KNOWN = {
    ("worker.py", "pickle"): "whether an error can travel",
    ("memory.py", "ctypes"): "the C library is told to spare memory",
    ("page.py", "st.html"): "a stylesheet of the package",
    ("elements.py", "st.html"): "a script of the package",
    ("elements.py", "unsafe_allow_javascript"): "a script of the package",
    ("component.py", "st.components"): "its code is a file of the package, its data no HTML",
}


def test_nothing_is_evaluated_unpickled_put_into_html_or_asked_of_the_network():
    found = {
        (path.name, danger) for path in SOURCES for danger in dangers(ast.parse(path.read_text()))
    }
    assert found <= KNOWN.keys()
    assert ("worker.py", "pickle") in found


FILES_AS_HTML = {"f'<script>{script}</script>'", "f'<style>{style}</style><i></i>'"}


def test_html_is_a_file_of_the_package():
    calls = [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    for call in calls:
        if ast.unparse(call.func).endswith(".html"):
            text = ast.unparse(call.args[0])
            assert text in FILES_AS_HTML or re.fullmatch(
                r"Path\(__file__\)\.with_name\('[a-z]+\.css'\)", text
            )
        elif ast.unparse(call.func) == "page_script":
            assert re.fullmatch(r"'[a-z_]+\.js'", ast.unparse(call.args[0]))


@pytest.mark.parametrize(
    "code",
    [
        "eval('1')", "exec(text)", "import pickle", "from socket import socket",
        "import urllib.request", "st.html(text)", "from urllib import request",
        "st.markdown(text, unsafe_allow_html=True)", "pd.read_pickle(file)",
        "torch.load(file)", "np.load(file, allow_pickle=True)", "os.system(text)",
        "subprocess.run(text)", "st.components.v1.html(text)",
    ],
)  # fmt: skip
def test_what_it_looks_for_it_finds(code):
    assert list(dangers(ast.parse(code)))


def test_streamlit_is_told_to_send_no_statistics_and_show_no_toolbar_for_developers():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["toolbarMode"] == "viewer"
    server = config["server"]
    assert server.get("enableXsrfProtection", True)
    assert server.get("enableCORS", True)


def test_the_pythons_that_are_named_are_those_that_were_tried():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        one.rpartition(" ")[2]
        for one in project["classifiers"]
        if re.fullmatch(r".*:: 3\.\d+", one)
    }
    assert named == {"3.11", "3.12", "3.13"}
    assert project["requires-python"] == ">=3.11"
