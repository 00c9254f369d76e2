"""The documentation: every snippet runs, every path, command, option and variable that it names
exists, and the table of limits is complete."""

import io
import re
import shlex
import tomllib
import warnings
from contextlib import redirect_stdout, suppress
from dataclasses import fields
from functools import cache

import pytest
from project import ROOT

from linreg import __version__
from linreg.__main__ import main
from linreg.settings.limits import Limits, variable

README = ROOT / "README.md"
PAGES = [README, ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
MAX_LINES = 119  # of the README
ENDINGS = ("py", "md", "toml", "txt", "css", "jinja", "csv", "cff")
# files that a command of the documentation reads or writes at a reader's
EXAMPLES = {"measurements.csv", "cells.csv", "line.py", "figures", "conftest.py"}


def blocks(path, language):
    """The fenced blocks of a page in one language, each with the number of its first line."""
    text = path.read_text()
    fence = re.compile(rf"^( *)```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    for found in fence.finditer(text):
        yield text[: found.start()].count("\n") + 2, found[2]


def prose(path):
    """A page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def in_backticks(path):
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(path))


SNIPPETS = [(page, line, code) for page in PAGES for line, code in blocks(page, "python")]
COMMANDS = [
    (page, command)
    for page in PAGES
    for command in [
        *(line.strip() for _, code in blocks(page, "sh") for line in code.splitlines()),
        *in_backticks(page),
    ]
    if re.match(r"(\w+=\S+ )*(make|streamlit|pip|(\S*/)?python3?|\.venv/\S+) ", command)
]


def test_there_is_something_to_check():
    assert len([page for page, _, _ in SNIPPETS if page == README]) == 3
    assert len(SNIPPETS) > 8
    assert len(COMMANDS) > 20


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= MAX_LINES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "line", "code"), SNIPPETS, ids=[f"{page.name}-{line}" for page, line, _ in SNIPPETS]
)
def test_a_snippet_runs_as_it_stands(page, line, code, monkeypatch):
    monkeypatch.chdir(ROOT)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using a target size", UserWarning)
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), {"__name__": "snippet"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_to_a_file(page):
    text = prose(page)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    for target in targets:
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page):
    for name in in_backticks(page):
        path = re.fullmatch(rf"[\w.-]+(/[\w.-]+)*(/|\.({'|'.join(ENDINGS)}))", name)
        if path and name not in EXAMPLES:
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_is_a_limit(page):
    known = {variable(one.name) for one in fields(Limits)}
    assert set(re.findall(r"LINREG_[A-Z_]+", page.read_text())) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_extra_is_one_of_the_package(page):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(re.findall(r"pip install '\.\[(\w+)\]'", page.read_text())) <= extras.keys()


@cache
def help_of(command):
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        main([command, "--help"])
    return printed.getvalue()


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_every_command_exists(page, command):
    words = [word for word in shlex.split(command, comments=True) if not re.match(r"\w+=", word)]
    program, *arguments = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(arguments) <= set(targets)
    elif program.endswith("streamlit"):
        assert arguments[0] == "run"
        assert (ROOT / arguments[1]).exists()
    elif arguments[:2] == ["-m", "linreg"]:
        options = {word for word in arguments[3:] if word.startswith("--")}
        known = re.findall(r"--[\w-]+", help_of(arguments[2]))
        assert "--help" in known, f"{arguments[2]} is no command"
        both = {f"--fixed-{name[2:]}" for name in known}
        assert options <= {*known, *both}
    elif arguments[:2] == ["-m", "pytest"]:
        assert all((ROOT / path).exists() for path in arguments[2:])
    else:
        assert arguments[:2] == ["-m", "venv"] or arguments[0] == "install", f"{page}: {command}"


def test_the_table_of_limits_is_complete():
    rows = [
        f"| `{variable(one.name)}` | {one.default:,} | {one.metadata['what']} |"
        for one in fields(Limits)
    ]
    text = (ROOT / "docs/limits.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("| `")] == rows


def test_the_cpu_build_is_of_the_version_that_is_pinned():
    (pinned,) = re.findall(r"^torch==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    named = re.findall(r"torch(?:==|-)(\d[\d.]+\d)", (ROOT / "docs/deploy.md").read_text())
    assert len(named) > 3
    assert set(named) == {pinned}


def test_a_page_is_linked_from_the_readme_or_another_page():
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))
    }
    assert set(PAGES) - {README} <= linked


def test_the_citation_names_the_version():
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
