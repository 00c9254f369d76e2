"""The settings as options of the command line: each by its URL name, within the same limits, and
links of the app.

What an option or a link asks for is done as it says or refused with a `SettingsError`; nothing is
passed over."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from linreg.cli.output import counting
from linreg.settings.changes import (
    all_specs,
    apply_overrides,
    check_limits,
    overrides,
    with_changes,
    with_table,
)
from linreg.settings.fields import (
    FieldSpec,
    SettingsError,
    format_number,
    from_text,
    shorten,
    specs_of,
    to_text,
)
from linreg.settings.model import Comparison, DataSettings, Settings, TableSettings
from linreg.settings.presets import PRESETS
from linreg.settings.query import TABLE_NAMES, from_query

if TYPE_CHECKING:
    from linreg.data.files import Table
    from linreg.settings.pages import View

OF_THE_FRAME = (
    "embed",
    "embed_options",
    "step",
)  # names in a link that are neither a setting nor a page's own
NONE = {
    "init": "PyTorch's own",
    "x_range": "the axis's own",
    "y_range": "the axis's own",
}  # what no value stands for


# ---- declaring -----------------------------------------------------------------------------------


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """The options that make up a comparison."""
    start = parser.add_argument_group("the comparison to start from")
    _add(start, "preset", FieldSpec("preset", str, choices=tuple(PRESETS)))
    add_link(start)
    start.add_argument(
        "--table",
        metavar="FILE",
        help="a CSV or Parquet file, or auto-mpg, in place of the synthetic data",
    )
    start.add_argument("--target", metavar="COLUMN", help="of the table")
    start.add_argument("--features", nargs=2, metavar="COLUMN", help="of the table, two")
    _add(
        start, "table.standardise", FieldSpec("its features at mean 0 and deviation 1", bool), True
    )
    data = parser.add_argument_group("the synthetic data")
    for name in (name for name in all_specs() if name not in specs_of(Settings)):
        _add(
            data,
            f"set.{name}",
            all_specs()[name],
            getattr(DataSettings(), name.removeprefix("data_")),
        )
    run = parser.add_argument_group(
        "both sides; each of these also as --fixed-NAME, for the fixed side alone"
    )
    for name, kind in specs_of(Settings).items():
        _add(run, f"set.{name}", kind, getattr(Settings(), name))
        _add(run, f"fixed.{name}", kind)


def add_link(parser: Any) -> None:
    parser.add_argument(
        "--link", metavar="LINK", help="an address of the app, or its query: '?v=1&lr=0.05'"
    )


def add_view(parser: argparse.ArgumentParser, view: type[Any]) -> None:
    """The options of a page's own settings."""
    group = parser.add_argument_group("the page's own settings")
    for name, kind in specs_of(view).items():
        _add(group, f"view.{name}", kind, getattr(view(), name))


def add_setting(parser: Any, name: str, default: Any) -> None:
    """One setting of both sides, within all that is possible and not only what the app offers."""
    kind = all_specs()[name]
    _add(parser, f"set.{name}", replace(kind, ui_range=kind.valid_range), default)


def _add(group: Any, place: str, kind: FieldSpec, default: Any = None) -> None:
    """An option whose value stands at `place`, of.name, in what was parsed; it is not there unless
    it was given."""
    of, _, name = place.rpartition(".")
    given: dict[str, Any] = {"dest": place, "default": argparse.SUPPRESS}
    stands_at = (
        ("no", "yes")[default]
        if isinstance(default, bool)
        else NONE.get(name, "")
        if default is None
        else to_text(default)
    )
    told = ": ".join(part for part in (kind.label, _limits(kind, short=True)) if part)
    given["help"] = (
        argparse.SUPPRESS if of == "fixed" else f"{told} ({stands_at})" if stands_at else told
    )
    if kind.type is bool:
        given["action"] = argparse.BooleanOptionalAction
    else:
        given |= {"type": partial(_read, kind=kind), "metavar": _metavar(kind)}
    group.add_argument(f"--{'fixed-' * (of == 'fixed')}{name.replace('_', '-')}", **given)


def _metavar(kind: FieldSpec) -> str:
    one = "KEY" if kind.choices else {int: "N", float: "X"}.get(kind.type, "TEXT")
    return ",".join([one] * kind.parts[0]) if kind.parts and not kind.choices else one


def _limits(kind: FieldSpec, short: bool = False) -> str:
    """What a setting may be, in words; nothing where any number is possible."""
    if kind.choices:
        return ", ".join(kind.choices)
    bounds = kind.ui_range
    if kind.type is bool or str(bounds) == "a finite number":
        return ""
    return (
        f"{format_number(bounds.low)} to {format_number(bounds.high)}"
        if short and math.isfinite(bounds.high)
        else str(bounds)
    )


def _read(text: str, kind: FieldSpec) -> Any:
    try:
        return from_text(text, kind)
    except ValueError as error:
        limits = _limits(kind)
        told = f" ({limits})" if limits and limits not in str(error) else ""
        raise argparse.ArgumentTypeError(f"{shorten(text)} {error}{told}") from None


# ---- links ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A link of the app, taken apart: the settings of its comparison, what its page shows by the
    kind of view, and a step.

    A query without an address may be of every page that has all of its names.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[type[Any], Any] = field(default_factory=dict)
    step: int | None = None


def parse_link(text: str) -> Link:
    """A full address or a query, with or without its question mark, as the app itself would read
    it."""
    address, mark, query = text.strip().partition("?")
    if not mark and "://" not in address:
        if address and "=" not in address:
            raise SettingsError(
                f"--link {shorten(text)} is neither an address nor a query; use one such as"
                " '?v=1&lr=0.05'"
            )
        address, query = "", address
    names = dict(parse_qsl(query.partition("#")[0], keep_blank_values=True))
    step = names.get("step")
    if step and not (step.isascii() and step.isdigit() and len(step) < 10):
        raise _refused(f"step={shorten(step)} was ignored: it is not a whole number.")
    shared = {*all_specs(), *(f"fixed.{name}" for name in specs_of(Settings)), *TABLE_NAMES, "v"}
    settings = {name: value for name, value in names.items() if name in shared}
    own = {
        name: value
        for name, value in names.items()
        if name not in shared and name not in OF_THE_FRAME
    }
    page = address.partition("#")[0].rstrip("/").rpartition("/")[2]
    return Link(
        settings, _views(own, page if address else None) if own else {}, int(step) if step else None
    )


def _views(own: Mapping[str, str], page: str | None) -> dict[type[Any], Any]:
    """The views of a link's own names: of its page, or without one of every page that has them."""
    from linreg.settings.pages import PAGES
    from linreg.settings.query import from_view_query

    possible = [
        kind
        for name, kind in PAGES.items()
        if page in (None, name) and set(own) <= set(specs_of(kind))
    ]
    if not possible:
        known = {
            name for key, kind in PAGES.items() if page in (None, key) for name in specs_of(kind)
        }
        unknown = [shorten(name) for name in own if name not in known]
        why = "there is no such setting" if unknown else "no page has all of them"
        raise _refused(
            f"{unknown[0] if unknown else ', '.join(map(shorten, own))} was ignored: {why}."
        )
    read_as = {kind: from_view_query(kind, own) for kind in possible}
    views = {kind: view for kind, (view, ignored) in read_as.items() if not ignored}
    if not views:
        raise _refused(read_as[possible[0]][1][0])
    return views


def _refused(sentence: str) -> SettingsError:
    """What the app would have told a visitor, and opened something else."""
    return SettingsError(
        f"--link cannot be followed: {sentence} Correct it, or leave it out of the link"
    )


# ---- asking --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Request:
    """What the options ask for. It keeps an opened table alive, which the settings name by its
    key."""

    comparison: Comparison
    link: Link
    table: Table | None = None


def resolve(chosen: argparse.Namespace) -> Request:
    """The comparison of the options: a start, and on it what else was given. Raises `SettingsError`
    or `TableError`."""
    given = vars(chosen)
    if given.get("preset") and given["link"] is not None:
        raise SettingsError(
            "--preset and --link are two comparisons to start from; use one of them"
        )
    link = parse_link(given["link"]) if given["link"] is not None else Link()
    start = PRESETS[given["preset"]].comparison if given.get("preset") else Comparison()
    table = _opened(given, link)
    if link.settings:
        start = _of_link(link, given, table)
    if table and not isinstance(start.original.data, TableSettings):
        start = with_table(start, _table_settings(table, given))
    both, own = given_settings(chosen), _under(given, "fixed")
    original = check_limits(with_changes(start.original, both))
    try:
        fixed = check_limits(apply_overrides(original, {**overrides(start), **own}))
    except SettingsError as error:
        raise SettingsError(f"on the fixed side, {error}", *error.fields) from None
    return Request(Comparison(original, fixed), link, table[1] if table else None)


def resolve_view(kind: type[View], chosen: argparse.Namespace, link: Link) -> View:
    """What a page shows: as a link to it says, and on that what else was given."""
    view: View = replace(link.views.get(kind, kind()), **_under(vars(chosen), "view"))
    return view


def given_settings(chosen: argparse.Namespace) -> dict[str, Any]:
    """The settings of both sides that were given."""
    return _under(vars(chosen), "set")


def _under(given: Mapping[str, Any], of: str) -> dict[str, Any]:
    return {
        name.removeprefix(f"{of}."): value
        for name, value in given.items()
        if name.startswith(f"{of}.")
    }


def _opened(given: Mapping[str, Any], link: Link) -> tuple[str, Table] | None:
    """The table that was given, by its key."""
    name = given.get("table")
    if name is None:
        idle = [
            option
            for option in ("target", "features", "table.standardise")
            if given.get(option) is not None
        ]
        if idle and "table" not in link.settings:
            option = idle[0].removeprefix("table.")
            raise SettingsError(
                f"--{option} is of a table, and there is none; give it too, with --table FILE"
            )
        return None
    from linreg.data.dataset import register_table, table_named
    from linreg.data.files import BUNDLED, open_table

    if name in BUNDLED and not Path(name).exists():
        return name, table_named(name)
    with counting(f"Reading {Path(name).name}") as progress:
        table = register_table(open_table(Path(name), progress=progress))
    return table.digest, table


def _of_link(link: Link, given: Mapping[str, Any], table: tuple[str, Table] | None) -> Comparison:
    """The comparison of a link; a table that was given is the one that the link names."""
    from linreg.data.dataset import table_settings

    settings = dict(link.settings)
    key = settings.get("table")
    if key is not None:
        from linreg.data.files import BUNDLED

        if table is None and key not in BUNDLED:
            raise SettingsError(
                "the link is of an uploaded file, which no link holds; give the file too, with"
                " --table FILE"
            )
        if (
            table is not None
            and table[0] != key
            and not (given.get("target") and given.get("features"))
        ):
            raise SettingsError(
                f"{table[1].name} is not the table of the link, or has changed since; to go on with"
                " it, name its columns"
                " with --target and --features"
            )
        columns = dict(
            zip(
                TABLE_NAMES[1:],
                (given.get("target"), *(given.get("features") or (None, None))),
                strict=False,
            )
        )
        settings |= {name: value for name, value in columns.items() if value is not None}
        settings |= {name: to_text(value) for name, value in _under(given, "table").items()}
        settings["table"] = table[0] if table else key
    comparison, ignored = from_query(settings, table_settings)
    if ignored:
        raise _refused(ignored[0])
    return comparison


def _table_settings(table: tuple[str, Table], given: Mapping[str, Any]) -> TableSettings:
    """The columns that were named; a bundled table has some of its own."""
    from linreg.data.dataset import table_settings
    from linreg.data.files import BUNDLED

    key, opened = table
    bundled = BUNDLED.get(key)
    target = given.get("target") or (bundled and bundled.target)
    features = given.get("features") or (bundled and bundled.features)
    if not target or not features:
        there = ", ".join(shorten(column.name) for column in opened.columns[:10] if column.numeric)
        raise SettingsError(
            f"{opened.name} has the columns {there}; choose with --target COLUMN --features COLUMN"
            " COLUMN"
        )
    return table_settings(key, target, features, given.get("table.standardise", True))
