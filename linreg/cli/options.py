"""The options of the commands.

Every setting is an option under its URL name. Its type, limits and help come from the description
of the field (`FieldSpec`), so that it takes what a link takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
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
from linreg.settings.pages import ClaimsView, SweepView
from linreg.settings.presets import PRESETS

START = "the comparison to start from"
DATA = "the synthetic data"
BOTH = "both sides; each of these also as --fixed-NAME, for the fixed side alone"
PAGE = "the page's own settings"
WHERE = "where it runs"
UNSET_MEANS = {"init": "PyTorch's own", "x_range": "the axis's own", "y_range": "the axis's own"}


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


def compare() -> list[Option]:
    return [*_comparison(), *_output("every recorded step")]


def claims() -> list[Option]:
    return [*_view(ClaimsView), _link(), *_output()]


def sweep() -> list[Option]:
    cluster = "of a Dask cluster, tcp://host:8786; without it, one is made"
    where = [
        _choice("--backend", ["cores", "dask"], "cores", "cores, of this machine, or dask", WHERE),
        Option("--scheduler", group=WHERE, metavar="ADDRESS", help=cluster),
    ]
    return [*_view(SweepView), *_comparison(), *where, *_output("a row a cell and side")]


def diagnose() -> list[click.Parameter]:
    """The settings take all that is possible, not only what the app offers."""
    text = "CSV or Parquet of any size, read in pieces"
    file = click.Argument(["file"], required=False, type=Path, metavar="FILE", help=text)
    settings = []
    for name in ("bias", "batch_size", "lr", "epochs"):
        spec = replace(all_specs()[name], ui_range=all_specs()[name].valid_range)
        default = getattr(Settings(bias=True), name)
        settings.append(field_option(name, spec, default, owner="settings"))
    columns = _columns("what is regressed", "on what, two of them")
    return [file, *columns, _link(), *settings, *_output()]


def script() -> list[Option]:
    notebook = Option("--notebook", is_flag=True, help="a Jupyter notebook instead")
    return [*_comparison(), notebook, _out(".ipynb holds the notebook")]


def figures() -> list[Option]:
    from linreg.figures.export import FORMATS, SIZES
    from linreg.figures.pages import FIGURES
    from linreg.figures.theme import THEMES

    text = "made if it is not there"
    return [
        Option("--out", "folder", required=True, type=Path, metavar="DIR", help=text),
        _choice("--format", FORMATS, ["svg"]),
        _choice("--size", SIZES, "page"),
        _choice("--theme", THEMES, "light"),
        _choice("--only", FIGURES, [], f"the figures of these pages: {', '.join(FIGURES)}"),
        *_comparison(),
    ]


# ---- options that commands share -----------------------------------------------------------------


def _comparison() -> list[Option]:
    """The options that make up a comparison."""
    preset = FieldSpec("preset", str, choices=tuple(PRESETS))
    table = "a CSV or Parquet file, or auto-mpg, in place of the synthetic data"
    standardise = FieldSpec("its features at mean 0 and deviation 1", bool)
    standardise_target = FieldSpec("its target at mean 0 and deviation 1", bool)
    options = [
        field_option("preset", preset, group=START),
        _link(START),
        Option("--table", group=START, metavar="FILE", help=table),
        *_columns("of the table", "of the table, two", START),
        field_option("standardise", standardise, True, START),
        field_option("standardise_target", standardise_target, True, START),
    ]
    for name, spec in data_specs().items():
        default = getattr(DataSettings(), data_field(name))
        options.append(field_option(name, spec, default, DATA, "settings"))
    for name, spec in specs_of(Settings).items():
        options.append(field_option(name, spec, getattr(Settings(), name), BOTH, "settings"))
        options.append(field_option(name, spec, owner="fixed"))
    return options


def _link(group: str = "options") -> Option:
    text = "an address of the app, or its query: '?v=1&lr=0.05'"
    return Option("--link", group=group, metavar="LINK", help=text)


def _columns(target: str, features: str, group: str = "options") -> list[Option]:
    """The columns of a table, each with its help."""
    return [
        Option("--target", group=group, metavar="COLUMN", help=target),
        Option("--features", group=group, nargs=2, metavar="COLUMN COLUMN", help=features),
    ]


def _view(view: type[Any]) -> list[Option]:
    """The options of a page's own settings."""
    return [
        field_option(name, spec, getattr(view(), name), PAGE, "view")
        for name, spec in specs_of(view).items()
    ]


def _choice(
    name: str, choices: Iterable[str], default: Any, text: str = "", group: str = "options"
) -> Option:
    """One of the choices, or several if the default is a list."""
    several = isinstance(default, list)
    shown = ", ".join(default) if several else default
    return Option(
        name,
        group=group,
        type=click.Choice(list(choices)),
        default=default,
        multiple=several,
        metavar="KEY [KEY ...]" if several else "KEY",
        help=(text or ", ".join(choices)) + (f" ({shown})" if shown else ""),
    )


def _output(rows: str = "") -> list[Option]:
    """The form of the result; `rows` says what a CSV file holds, if the command can write one."""
    forms = "by its end .json" + (f", .csv ({rows})" if rows else "") + ", else text"
    as_json = Option("--json", is_flag=True, is_eager=True, help="all numbers, as JSON")
    return [as_json, _out(forms, rows=bool(rows))]


def _out(forms: str, rows: bool = False) -> Option:
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
