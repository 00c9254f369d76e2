"""The options of the commands.

Every setting is an option under its URL name. Its type, limits and help come from the description
of the field (`FieldSpec`), so that it takes what a link takes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
from click.core import ParameterSource

from linreg.cli.output import check_place
from linreg.settings import fields
from linreg.settings.changes import all_specs, data_field, data_specs
from linreg.settings.fields import FieldSpec, SettingsError, format_number, shorten, specs_of
from linreg.settings.model import DataSettings, Settings
from linreg.settings.presets import PRESETS

START = "the comparison to start from"
DATA = "the synthetic data"
BOTH = "both sides; each of these also as --fixed-NAME, for the fixed side alone"
PAGE = "the page's own settings"
WHERE = "where it runs"
UNSET_MEANS = {
    "init": "PyTorch's own",
    "x_range": "the axis's own",
    "y_range": "the axis's own",
}


class Option(click.Option):
    """An option that the help shows under the heading of its group.

    An option for a field of the settings has an `owner`: `settings` for both sides, `fixed` for
    the fixed side alone, `view` for the page.
    """

    def __init__(
        self, *names: str, group: str = "options", owner: str = "", field: str = "", **more: Any
    ) -> None:
        super().__init__(names, hidden=owner == "fixed", **more)
        self.group, self.owner, self.field = group, owner, field


def given_options(ctx: click.Context) -> SimpleNamespace:
    """The options of a command by name. `settings`, `fixed` and `view` are dictionaries that have
    only the fields that were given."""
    given = SimpleNamespace(settings={}, fixed={}, view={})
    for param in ctx.command.params:
        value = ctx.params[param.name]
        if not (isinstance(param, Option) and param.owner):
            setattr(given, param.name, value)
        elif ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            getattr(given, param.owner)[param.field] = value
    return given


# ---- from the description of a field -------------------------------------------------------------


class FieldType(click.ParamType):
    """A value as it stands in a link."""

    name = "setting"

    def __init__(self, spec: FieldSpec) -> None:
        self.spec = spec

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return fields.from_text(value, self.spec)
        except ValueError as error:
            limits = _limits(self.spec)
            note = f" ({limits})" if limits and limits not in str(error) else ""
            self.fail(f"{shorten(value)} {error}{note}", param, ctx)


def field_option(
    field: str, spec: FieldSpec, default: Any = None, group: str = "options", owner: str = ""
) -> Option:
    """An option for a field, which has its label, its limits and its default in the help:
    `batch size: 1 to 200000 (100)`."""
    name = ("fixed-" if owner == "fixed" else "") + field.replace("_", "-")
    text = ": ".join(part for part in (spec.label, _limits(spec, short=True)) if part)
    shown = UNSET_MEANS.get(field, "") if default is None else fields.to_text(default)
    names, more = f"--{name}", {"type": FieldType(spec), "metavar": _metavar(spec)}
    if spec.type is bool:
        shown = "yes" if default else "no"
        names, more = f"--{name}/--no-{name}", {"default": None}
    return Option(
        names,
        f"{owner}_{field}".lstrip("_"),
        group=group,
        owner=owner,
        field=field,
        help=f"{text} ({shown})" if shown else text,
        **more,
    )


def _metavar(spec: FieldSpec) -> str:
    if spec.choices:
        return "KEY"
    one = {int: "N", float: "X"}.get(spec.type, "TEXT")
    return ",".join([one] * spec.parts[0]) if spec.parts else one


def _limits(spec: FieldSpec, short: bool = False) -> str:
    """The choices or the range of a field in words; empty if any number is possible."""
    if spec.choices:
        return ", ".join(spec.choices)
    bounds = spec.ui_range
    if spec.type is bool or str(bounds) == "a finite number":
        return ""
    if short and math.isfinite(bounds.high):
        return f"{format_number(bounds.low)} to {format_number(bounds.high)}"
    return str(bounds)


# ---- the options of each command -----------------------------------------------------------------

TABLE = "a CSV or Parquet file, or auto-mpg, in place of the synthetic data"
LINK = "an address of the app, or its query: '?v=1&lr=0.05'"
SCHEDULER = "of a Dask cluster, tcp://host:8786; without it, one is made"


def comparison_options() -> list[Option]:
    """The options that make up a comparison."""
    preset = FieldSpec("preset", str, choices=tuple(PRESETS))
    standardise = FieldSpec("its features at mean 0 and deviation 1", bool)
    data = DataSettings()
    options = [
        field_option("preset", preset, group=START),
        link_option(START),
        Option("--table", group=START, metavar="FILE", help=TABLE),
        *column_options("of the table", "of the table, two", START),
        field_option("standardise", standardise, True, START),
    ]
    for name, spec in data_specs().items():
        default = getattr(data, data_field(name))
        options.append(field_option(name, spec, default, DATA, "settings"))
    for name, spec in specs_of(Settings).items():
        options.append(field_option(name, spec, getattr(Settings(), name), BOTH, "settings"))
        options.append(field_option(name, spec, owner="fixed"))
    return options


def link_option(group: str = "options") -> Option:
    return Option("--link", group=group, metavar="LINK", help=LINK)


def column_options(target: str, features: str, group: str = "options") -> list[Option]:
    """The columns of a table, with their help."""
    return [
        Option("--target", group=group, metavar="COLUMN", help=target),
        Option("--features", group=group, nargs=2, metavar="COLUMN COLUMN", help=features),
    ]


def view_options(view: type[Any]) -> list[Option]:
    """The options of a page's own settings."""
    return [
        field_option(name, spec, getattr(view(), name), PAGE, "view")
        for name, spec in specs_of(view).items()
    ]


def backend_options() -> list[Option]:
    """Where the runs of a sweep are computed."""
    backends, text = click.Choice(["cores", "dask"]), "this machine's cores, or Dask (cores)"
    return [
        Option("--backend", group=WHERE, type=backends, default="cores", help=text),
        Option("--scheduler", group=WHERE, metavar="ADDRESS", help=SCHEDULER),
    ]


def diagnose_options() -> list[click.Parameter]:
    """A file, its columns, and the settings that matter, within all that is possible rather than
    what the app offers."""
    text = "CSV or Parquet of any size, read in pieces"
    options: list[click.Parameter] = [
        click.Argument(["file"], required=False, type=Path, metavar="FILE", help=text),
        *column_options("what is regressed", "on what, two of them"),
        link_option(),
    ]
    for name in ("bias", "batch_size", "lr", "epochs"):
        spec = replace(all_specs()[name], ui_range=all_specs()[name].valid_range)
        default = getattr(Settings(bias=True), name)
        options.append(field_option(name, spec, default, owner="settings"))
    return options


def figures_options() -> list[Option]:
    """Which figures are written, where, and in what form."""
    from linreg.figures.export import FORMATS, SIZES
    from linreg.figures.gallery import DRAWINGS
    from linreg.figures.theme import THEMES

    text = "made if it is not there"
    options = [Option("--out", "folder", required=True, type=Path, metavar="DIR", help=text)]
    for name, choices, default, metavar, text in (
        ("--format", FORMATS, ["svg"], "KEY [KEY ...]", "{} (svg)"),
        ("--size", SIZES, "page", "KEY", "{} (page)"),
        ("--theme", THEMES, "light", "KEY", "{} (light)"),
        ("--only", DRAWINGS, [], "PAGE [PAGE ...]", "the figures of these pages: {}"),
    ):
        options.append(
            Option(
                name,
                type=click.Choice(list(choices)),
                default=default,
                multiple=isinstance(default, list),
                metavar=metavar,
                help=text.format(", ".join(choices)),
            )
        )
    return options


def output_options(rows: str = "") -> list[Option]:
    """The form of the result; `rows` says what a CSV file holds, if the command can write one."""
    forms = "by its end .json" + (f", .csv ({rows})" if rows else "") + ", else text"
    return [
        Option("--json", is_flag=True, is_eager=True, help="all numbers, as JSON"),
        out_option(forms, rows=bool(rows)),
    ]


def out_option(forms: str, rows: bool = False) -> Option:
    check, text = partial(_check_out, rows=rows), f"write to a file: {forms}"
    return Option("--out", type=Path, metavar="FILE", callback=check, help=text)


def _check_out(
    ctx: click.Context, _: click.Parameter, path: Path | None, rows: bool
) -> Path | None:
    """The file, if it can be written and would hold what its name says."""
    if path is None:
        return None
    check_place(path)
    if path.suffix.lower() == ".csv" and ctx.params.get("json"):  # which is eager, so it is known
        reason = f"--json and --out {path} ask for two forms; leave one of them out"
        raise SettingsError(reason, "out")
    if path.suffix.lower() == ".csv" and not rows:
        reason = f"{ctx.info_name} has no rows for {path}; name a file that ends otherwise"
        raise SettingsError(reason, "out")
    return path
