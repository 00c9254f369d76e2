"""Hold the guard on in a test suite. pytest loads this plugin wherever linreg is installed, and it
does nothing until it is asked:

    pytest --silent-broadcast=error     a silent broadcast fails the test that makes it
    pytest --silent-broadcast=warn      it is a warning in pytest's summary

or in the configuration of pytest (`[tool.pytest.ini_options]` in pyproject.toml):

    silent_broadcast = "error"
    silent_broadcast_strict = true             what `strict=` of `no_silent_broadcast` reports
    silent_broadcast_allow = ["mul"]           operations that may broadcast
    silent_broadcast_skip = ["transformers"]   packages and files to leave alone
    silent_broadcast_only = ["my_package"]     the only ones to watch

The guard is on in the setup, the call and the teardown of each test. A marker changes it for one
test, class or module; what it does not give stays as configured:

    @pytest.mark.silent_broadcast("off")
    @pytest.mark.silent_broadcast(allow="mul")

The fixture `linreg_guard` guards single tests without any of this. Of nested guards the innermost
decides, so `with no_silent_broadcast(allow="mul"):` exempts a block.

Where linreg is a checkout that is not installed, `pytest_plugins = ["linreg.pytest_plugin"]` in the
`conftest.py` at the root of the suite loads the plugin."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the guard imports torch, which not every suite that loads this needs
    from linreg.guard.watch import no_silent_broadcast

_ACTIONS = {"error": "raise", "warn": "warn", "off": ""}
_LISTS = ("allow", "skip", "only")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, and what may stand in the configuration."""
    group = parser.getgroup("linreg", "silent broadcasts of PyTorch tensors")
    group.addoption(
        "--silent-broadcast",
        choices=list(_ACTIONS),
        help="what a silent broadcast in a test is: an error, a warning, or nothing",
    )
    parser.addini("silent_broadcast", "default of --silent-broadcast", default="off")
    parser.addini("silent_broadcast_strict", "report more", type="bool", default=False)
    for name in _LISTS:
        what = "operations that may broadcast" if name == "allow" else f"packages to {name}"
        parser.addini(f"silent_broadcast_{name}", what, type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and check the configured action."""
    config.addinivalue_line(
        "markers",
        "silent_broadcast(action, allow=, skip=, only=, strict=): how the guard of linreg takes a"
        " silent broadcast in this test: 'error', 'warn' or 'off'",
    )
    _action(config.getini("silent_broadcast"), "the option silent_broadcast")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard the fixtures of a test."""
    return (yield from _guarded(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard a test."""
    return (yield from _guarded(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Guard the ends of the fixtures of a test."""
    return (yield from _guarded(item))


@pytest.fixture
def linreg_guard() -> Iterator[no_silent_broadcast]:
    """`no_silent_broadcast()` for as long as the test and the fixtures that were set up after this
    one run."""
    from linreg.guard.watch import no_silent_broadcast

    with no_silent_broadcast() as guard:
        yield guard


def _guarded(item: pytest.Item) -> Generator[None, Any, Any]:
    guard = _guard_of(item)
    if guard is None:
        return (yield)
    with guard:
        return (yield)


def _guard_of(item: pytest.Item) -> no_silent_broadcast | None:
    """The guard that the configuration and the markers of a test ask for."""
    config = item.config
    action = config.getoption("silent_broadcast") or config.getini("silent_broadcast")
    options = {name: config.getini(f"silent_broadcast_{name}") for name in (*_LISTS, "strict")}
    for mark in reversed([*item.iter_markers("silent_broadcast")]):  # the nearest one last
        if len(mark.args) > 1 or mark.kwargs.keys() - options.keys() - {"action"}:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker silent_broadcast takes an action,"
                f" and {', '.join(options)}"
            )
        given = dict(mark.kwargs)
        action = given.pop("action", mark.args[0] if mark.args else action)
        options |= given
    how = _action(action, f"{item.nodeid}: the marker silent_broadcast")
    if not how:
        return None
    from linreg.guard.watch import no_silent_broadcast

    return no_silent_broadcast(how, **options)


def _action(value: str, where: str) -> Any:
    if value not in _ACTIONS:
        raise pytest.UsageError(f"{where} is {value!r}; use one of {', '.join(_ACTIONS)}")
    return _ACTIONS[value]
