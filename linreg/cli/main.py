"""The click program: its commands, and how it ends.

The exit status is 0, or 2 for input that cannot be used, with one line on stderr that says why.
As in a shell, it is 130 after Ctrl-C and 141 if the reader of the output has gone.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from linreg import __version__
from linreg.cli import guard, options
from linreg.cli.output import WIDEST
from linreg.settings.dependencies import missing, missing_message
from linreg.settings.fields import SettingsError, shorten

WRONG_INPUT, INTERRUPTED, PIPE_CLOSED = 2, 130, 141
COMPARISON = "[--preset KEY | --link LINK] [--SETTING VALUE ...]"


class Command(click.Command):
    """A command with an example. Its options are the function of its name in `options`, which is
    called when they are needed: what some of them import takes long."""

    def __init__(self, name: str, does: str, usage: str, example: str) -> None:
        super().__init__(name, help=f"{does[0].upper()}{does[1:]}.", short_help=does)
        self.context_settings = {"allow_extra_args": True}  # parse_args refuses them
        self.usage, self.example = usage, example

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        self.params = self.params or getattr(options, str(self.name))()
        return super().get_params(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        extra = super().parse_args(ctx, _one_value_each(ctx, args))
        if extra:
            raise click.NoSuchOption(extra[0], ctx=ctx)
        return extra

    def invoke(self, ctx: click.Context) -> None:
        from linreg.cli.commands import RUN

        RUN[str(self.name)](options.given_options(ctx))

    def collect_usage_pieces(self, _: click.Context) -> list[str]:
        return [self.usage, "[OPTION ...]"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record and isinstance(param, click.Option):
                groups.setdefault(getattr(param, "group", "options"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"\nexample:\n  {ctx.command_path} {self.example}\n")


class ScriptCommand(Command):
    """The command that runs a script: what comes after the script is the script's own."""

    script: list[str]

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        self.params = self.params or guard.options()
        return super().get_params(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, self.script = guard.split(args)
        return super().parse_args(ctx, own)

    def invoke(self, ctx: click.Context) -> None:
        ctx.exit(guard.run(ctx.params, self.script))

    def collect_usage_pieces(self, _: click.Context) -> list[str]:
        return ["[OPTION ...]", self.usage]


def _one_value_each(ctx: click.Context, args: Sequence[str]) -> list[str]:
    """`--format svg csv` as `--format svg --format csv`, which is how click reads several values.

    An option in the place of a value is an error, a negative number is a value, and an option of
    more than one letter begins with two dashes.
    """
    options = [one for one in ctx.command.get_params(ctx) if isinstance(one, click.Option)]
    values = {name: one.nargs for one in options if not one.is_flag for name in one.opts}
    several = {name for one in options if one.multiple for name in one.opts}
    found: list[str] = []
    option, pending = "", 0
    for arg in args:
        if re.match(r"-[^0-9.]", arg) and option != "--":
            if pending:
                amount = f"{values[option]} arguments" if values[option] > 1 else "an argument"
                raise click.BadOptionUsage(option, f"Option {option!r} requires {amount}.")
            if re.match(r"-\w\w", arg):
                raise click.NoSuchOption(arg, possibilities=values, ctx=ctx)
            option, pending = arg, values.get(arg, 0)
        elif pending:
            pending -= 1
        elif option in several:
            found.append(option)
        found.append(arg)
    return found


class Program(click.Group):
    """The commands in the order of their declaration; click alone would sort them."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(self.commands)


PROGRAM = Program(
    help="Why a two-weight PyTorch regression does not converge: the app's core on a terminal.",
    epilog="COMMAND --help has its options and an example. Wrong input ends with status 2.",
    options_metavar=None,
    subcommand_metavar="COMMAND [OPTION ...]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    commands=[
        Command(
            "compare",
            "train both sides with PyTorch, and say what came of them",
            COMPARISON,
            "--batch-size 1 --epochs 1"
            " --fixed-wiring original --fixed-batch-size 100 --fixed-epochs 30",
        ),
        Command(
            "claims",
            "test every claim of the thread over many seeds",
            "[--seeds N]",
            "--seeds 50 --out claims.json",
        ),
        Command(
            "sweep",
            "map where runs converge, for two settings",
            "[--x KEY] [--y KEY] [--link LINK] [--SETTING VALUE ...]",
            "--x lr --y batch_size --x-range 1e-5,10 --optimizer Adam --out cells.csv",
        ),
        Command(
            "diagnose",
            "say what the bug does to a CSV or Parquet file of any size",
            "FILE --target COLUMN --features COLUMN COLUMN",
            "measurements.csv --target y --features a b",
        ),
        Command(
            "script",
            "write both sides as a PyTorch script or notebook",
            COMPARISON,
            "--link '?v=1&lr=0.05' --out regression.py",
        ),
        Command(
            "figures",
            "write every figure of the app as SVG, PDF, PNG, HTML or CSV",
            f"--out DIR {COMPARISON}",
            "--out figures --format pdf csv --size column --only comparison sweep",
        ),
        ScriptCommand(
            "guard",
            "run a PyTorch script, and stop it at a silent broadcast",
            "{SCRIPT.py | -m MODULE} [ARG ...]",
            "--warn --skip transformers train.py --epochs 3",
        ),
    ],
)
click.version_option(__version__, message="linreg %(version)s")(PROGRAM)


# ---- running it ----------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    prog = "linreg" if Path(sys.argv[0]).stem == "linreg" else "python -m linreg"
    if isinstance(sys.stdout, io.TextIOWrapper) and "utf" not in sys.stdout.encoding.lower():
        # a file or a pipe may not take a minus sign or a superscript
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        PROGRAM.invoke(PROGRAM.make_context(prog, [*given]))
        sys.stdout.flush()
    except click.exceptions.Exit as end:  # after --help and --version
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception as error:
        reason = _reason(error, given[0])
        if not reason:
            raise
        print(f"linreg: {' '.join(reason.split())}", file=sys.stderr)
        return WRONG_INPUT
    return 0


def _reason(error: Exception, command: str) -> str:
    """What is wrong with the input or the machine; empty if the error is one of the program."""
    if isinstance(error, click.UsageError):
        return _usage_reason(error)
    if isinstance(error, OSError):
        named = f"{error.filename or 'the output'}: {error.strerror}"
        return named if error.strerror else str(error)
    if isinstance(error, ImportError):
        name = str(error.name or getattr(error.__cause__, "name", "")).partition(".")[0]
        absent = name and missing([name])
        return missing_message(f"the command {command} needs", [name]) if absent else ""
    if isinstance(error, ValueError):
        from linreg.data.files import TableError

        return str(error) if isinstance(error, SettingsError | TableError) else ""
    return ""


def _usage_reason(error: click.UsageError) -> str:
    if isinstance(error, click.exceptions.NoSuchCommand):
        near, others = error.possibilities, ", ".join(PROGRAM.commands)
        hint = f"did you mean {near[0]}?" if near else f"use one of {others}"
        return f"{shorten(error.command_name)} is no command; {hint}"
    if isinstance(error, click.NoSuchOption) and error.ctx:
        near, hint = error.possibilities, f"see {error.ctx.command_path} --help"
        if not error.ctx.parent:
            hint = f"options come after the command, {hint}"
        elif near:
            hint = f"did you mean {near[0]}?"
        return f"{shorten(error.option_name)} is no option of {error.ctx.info_name}; {hint}"
    reason = error.format_message()
    if isinstance(error, click.BadParameter) and error.param:
        reason = f"{error.param.opts[-1]}: {error.message or 'it is required'}"
    return reason.removesuffix(".")
