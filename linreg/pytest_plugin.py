"""Hold the guard on in a test suite: a fixture, `linreg_guard`, under which a silent broadcast
fails the test that makes it.

In the `conftest.py` at the root of the suite:

    pytest_plugins = ["linreg.pytest_plugin"]

A test, a class or a module then asks for it with `@pytest.mark.usefixtures("linreg_guard")`, or all
tests do:

    @pytest.fixture(autouse=True)
    def no_silent_broadcasts(linreg_guard):
        return linreg_guard

The error names the line and two ways to write it. Where all pairs are meant, write both sides with
equal ranks, or exempt the block: `with no_silent_broadcast(allow="mul"):`, since the innermost
guard decides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linreg.guard.watch import no_silent_broadcast


@pytest.fixture
def linreg_guard() -> Iterator[no_silent_broadcast]:
    """`no_silent_broadcast()` for as long as the test and the fixtures that were set up after this
    one run."""
    with no_silent_broadcast() as guard:
        yield guard
