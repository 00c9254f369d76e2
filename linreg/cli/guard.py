"""`linreg guard SCRIPT.py`: run somebody's script under the guard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from linreg.cli.options import Option
from linreg.settings.fields import SettingsError

_WITH_VALUE = ("--skip", "--only")


def options() -> list[click.Parameter]:
    """The options that stand before the script."""
    skip = "leave this package or file alone; may be repeated"
    only = "watch this package or file alone; may be repeated"
    return [
        Option("-m", "module", metavar="MODULE", help="run a module, as python -m does"),
        Option("--warn", is_flag=True, help="go on, and sum up at the end"),
        Option("--strict", is_flag=True, help="also report what is probably meant"),
        Option("--skip", multiple=True, metavar="PACKAGE", help=skip),
        Option("--only", multiple=True, metavar="PACKAGE", help=only),
    ]


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of the command, and from the script or the module's arguments on, the rest."""
    index = 0
    while index < len(arguments) and arguments[index].startswith("-"):
        if arguments[index] == "-m":
            return [*arguments[: index + 2]], [*arguments[index + 2 :]]
        index += 2 if arguments[index] in _WITH_VALUE else 1
    return [*arguments[:index]], [*arguments[index:]]


def run(params: dict[str, Any], script: Sequence[str]) -> int:
    """Run what is asked for; the exit status."""
    from linreg.guard.run_script import run_script

    module = params.pop("module")
    if not module and not script:
        raise SettingsError("say which SCRIPT.py to run, or -m MODULE", "script")
    target, arguments = (module, script) if module else (script[0], script[1:])
    return run_script(target, arguments, module=bool(module), **params)
