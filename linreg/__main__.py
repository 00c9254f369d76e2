"""The command line: `python -m linreg COMMAND --help`."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from linreg import __version__
from linreg.cli.output import check_place
from linreg.settings.dependencies import missing, missing_message
from linreg.settings.fields import SettingsError
from linreg.settings.model import Settings

WRONG_INPUT, INTERRUPTED, PIPE_CLOSED = (
    2,
    130,
    141,
)  # the latter two as a shell counts what a signal ends


@dataclass(frozen=True)
class Command:
    """One of the commands: what it does, how it is called, an example, and its options."""

    name: str
    does: str
    usage: str
    example: str
    declare: Callable[[argparse.ArgumentParser], None]


def _compare(parser: argparse.ArgumentParser) -> None:
    from linreg.cli.options import add_comparison

    add_comparison(parser)
    _add_output(parser, "every recorded step")


def _claims(parser: argparse.ArgumentParser) -> None:
    from linreg.cli.options import add_link, add_view
    from linreg.settings.pages import ClaimsView

    add_link(parser)
    add_view(parser, ClaimsView)
    _add_output(parser)


def _sweep(parser: argparse.ArgumentParser) -> None:
    from linreg.cli.options import add_comparison, add_view
    from linreg.settings.pages import SweepView

    add_view(parser, SweepView)
    add_comparison(parser)
    where = parser.add_argument_group("where it runs")
    where.add_argument(
        "--backend",
        choices=("cores", "dask"),
        default="cores",
        help="this machine's cores, or Dask (cores)",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, tcp://host:8786; without it, one is made",
    )
    _add_output(parser, "a row a cell and side")


def _diagnose(parser: argparse.ArgumentParser) -> None:
    from linreg.cli.options import add_link, add_setting

    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="CSV or Parquet of any size, read in pieces",
    )
    parser.add_argument("--target", metavar="COLUMN", help="what is regressed")
    parser.add_argument("--features", nargs=2, metavar="COLUMN", help="on what, two of them")
    add_link(parser)
    default = Settings(bias=True)
    for name in ("bias", "batch_size", "lr", "epochs"):
        add_setting(parser, name, getattr(default, name))
    _add_output(parser)


def _figures(parser: argparse.ArgumentParser) -> None:
    from linreg.cli.options import add_comparison
    from linreg.figures.export import FORMATS, SIZES
    from linreg.figures.pages import FIGURES as DRAWINGS
    from linreg.figures.theme import THEMES

    parser.add_argument(
        "--out",
        dest="folder",
        type=Path,
        metavar="DIR",
        required=True,
        help="made if it is not there",
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=["svg"],
        metavar="KEY",
        help=f"{_either(FORMATS)} (svg)",
    )
    parser.add_argument(
        "--size", choices=SIZES, default="page", metavar="KEY", help=f"{_either(SIZES)} (page)"
    )
    parser.add_argument(
        "--theme", choices=THEMES, default="light", metavar="KEY", help=f"{_either(THEMES)} (light)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=DRAWINGS,
        metavar="PAGE",
        help=f"the figures of these pages: {_either(DRAWINGS)}",
    )
    add_comparison(parser)


def _either(registry: Iterable[str]) -> str:
    return ", ".join(registry)


def _script(parser: argparse.ArgumentParser) -> None:
    from linreg.cli.options import add_comparison

    add_comparison(parser)
    parser.add_argument("--notebook", action="store_true", help="a Jupyter notebook instead")
    _add_out(parser, ".ipynb holds the notebook")
    parser.set_defaults(json=False, rows=False)


def _add_output(parser: argparse.ArgumentParser, rows: str = "") -> None:
    """The ways to have the numbers; `rows` says what a table of them holds, where there is one."""
    parser.add_argument("--json", action="store_true", help="all numbers, as JSON")
    _add_out(parser, "by its end .json" + (f", .csv ({rows})" if rows else "") + ", else text")
    parser.set_defaults(rows=bool(rows))


def _add_out(parser: argparse.ArgumentParser, forms: str) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"write to a file: {forms}")


COMMANDS = (
    Command(
        "compare",
        "train both sides with PyTorch, and say what came of them",
        "[--preset KEY | --link LINK] [--SETTING VALUE ...]",
        "compare --batch-size 1 --epochs 1 --fixed-wiring original --fixed-batch-size 100"
        " --fixed-epochs 30",
        _compare,
    ),
    Command(
        "claims",
        "test every claim of the thread over many seeds",
        "[--seeds N]",
        "claims --seeds 50 --out claims.json",
        _claims,
    ),
    Command(
        "sweep",
        "map where runs converge, for two settings",
        "[--x KEY] [--y KEY] [--link LINK] [--SETTING VALUE ...]",
        "sweep --x lr --y batch_size --x-range 1e-5,10 --optimizer Adam --out cells.csv",
        _sweep,
    ),
    Command(
        "diagnose",
        "say what the bug does to a CSV or Parquet file of any size",
        "FILE --target COLUMN --features COLUMN COLUMN",
        "diagnose measurements.csv --target y --features a b",
        _diagnose,
    ),
    Command(
        "script",
        "write both sides as a PyTorch script or notebook",
        "[--preset KEY | --link LINK] [--SETTING VALUE ...]",
        "script --link '?v=1&lr=0.05' --out regression.py",
        _script,
    ),
    Command(
        "figures",
        "write every figure of the app as SVG, PDF, PNG, HTML or CSV",
        "--out DIR [--preset KEY | --link LINK] [--SETTING VALUE ...]",
        "figures --out figures --format pdf csv --size column --only comparison sweep",
        _figures,
    ),
)


class _Parser(argparse.ArgumentParser):
    """A parser for which wrong input is an error like any other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **options,
            allow_abbrev=False,  # a name that is short today may be two tomorrow
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=30
            ),
        )

    def error(self, message: str) -> NoReturn:
        raise SettingsError(message.removeprefix("argument "))


def _parsers(prog: str, given: Sequence[str]) -> tuple[_Parser, dict[str, _Parser]]:
    """The parser, and those of its commands; only the command that is called has its options, which
    take longer to load."""
    parser = _Parser(
        prog=prog,
        usage=f"{prog} COMMAND [OPTION ...]",
        description="Why a two-weight PyTorch regression does not converge: the app's core on a terminal.",
        epilog=f"{prog} COMMAND --help has its options and an example. Wrong input ends with status {WRONG_INPUT}.",
    )
    parser.add_argument("--version", action="version", version=f"linreg {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    found = {}
    for command in COMMANDS:
        found[command.name] = one = commands.add_parser(
            command.name,
            help=command.does,
            usage=f"{prog} {command.name} {command.usage} [OPTION ...]",
            description=f"{command.does[0].upper()}{command.does[1:]}.",
            epilog=f"example:\n  {prog} {command.example}",
        )
        if command.name in given:
            command.declare(one)
    return parser, found


def _parsed(prog: str, given: Sequence[str]) -> argparse.Namespace:
    """The arguments, each of which is known."""
    parser, commands = _parsers(prog, given)
    chosen, unknown = parser.parse_known_args(_with_negatives(given))
    if unknown:
        name = unknown[0].partition("=")[0]
        near = difflib.get_close_matches(name, commands[chosen.command]._option_string_actions, 1)
        meant = (
            f"did you mean {near[0]}?"
            if near and near[0] != name
            else f"see {prog} {chosen.command} --help"
        )
        raise SettingsError(f"{name} is no option of {chosen.command}; {meant}")
    if getattr(chosen, "out", None):
        check_place(chosen.out)
        _check_form(chosen)
    return chosen


def _check_form(chosen: argparse.Namespace) -> None:
    """Raise a `SettingsError` if a file would not hold what its name says."""
    if chosen.out.suffix.lower() == ".csv" and chosen.json:
        raise SettingsError(
            f"--json and --out {chosen.out} ask for two forms; leave one of them out", "out"
        )
    if chosen.out.suffix.lower() == ".csv" and not chosen.rows:
        raise SettingsError(
            f"{chosen.command} has no rows for {chosen.out}; name a file that ends otherwise", "out"
        )


def _with_negatives(given: Sequence[str]) -> list[str]:
    """`--init -1,2` as `--init=-1,2`: argparse takes what begins with a dash and is not one number
    for an option."""
    found: list[str] = []
    for one in given:
        if found and re.match(r"-[0-9.]", one) and re.fullmatch(r"--[a-z][a-z0-9-]*", found[-1]):
            found[-1] += f"={one}"
        else:
            found.append(one)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The exit status is 2, with one line on stderr, for input that cannot be
    used."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    prog = "linreg" if Path(sys.argv[0]).stem == "linreg" else "python -m linreg"
    if not given:
        _parsers(prog, given)[0].print_help(sys.stderr)
        return WRONG_INPUT
    if isinstance(sys.stdout, io.TextIOWrapper) and "utf" not in sys.stdout.encoding.lower():
        sys.stdout.reconfigure(
            encoding="utf-8"
        )  # where a file or a pipe would not take a minus sign or a superscript
    try:
        _run(_parsed(prog, given))
        sys.stdout.flush()
    except SettingsError as error:
        return _refuse(error)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        return _refuse(
            f"{error.filename or 'the output'}: {error.strerror}" if error.strerror else error
        )
    except ImportError as error:
        name = str(error.name or getattr(error.__cause__, "name", "")).partition(".")[0]
        if not (name and missing([name])):
            raise
        return _refuse(missing_message(f"the command {given[0]} needs", [name]))
    except ValueError as error:
        from linreg.data.files import TableError

        if not isinstance(error, TableError):
            raise
        return _refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _run(chosen: argparse.Namespace) -> None:
    from linreg.cli.commands import RUN

    RUN[chosen.command](chosen)


def _refuse(reason: object) -> int:
    print(f"linreg: {' '.join(str(reason).split())}", file=sys.stderr)
    return WRONG_INPUT


if __name__ == "__main__":
    sys.exit(main())
