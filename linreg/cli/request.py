"""What the options and a link ask for.

Each part is done as it says or refused with a `SettingsError`; nothing is ignored in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
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
from linreg.settings.fields import SettingsError, shorten, specs_of, to_text
from linreg.settings.model import Comparison, Settings, TableSettings
from linreg.settings.pages import PAGES
from linreg.settings.presets import PRESETS
from linreg.settings.query import TABLE_NAMES, from_query, from_view_query

if TYPE_CHECKING:
    from linreg.data.files import Table
    from linreg.settings.pages import View

NOT_SETTINGS = (
    "embed",
    "embed_options",
    "figure",
    "present",
    "step",
)  # other names that a link may have

# ---- links ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A link of the app: the settings of its comparison, its pages' views by type, and a step.

    A query without an address may be of every page that has all of its names.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[type[Any], Any] = field(default_factory=dict)
    step: int | None = None


def parse_link(text: str) -> Link:
    """A full address, or a query with or without its question mark, as the app would read it."""
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
    own = {name: names[name] for name in names if name not in {*shared, *NOT_SETTINGS}}
    page = address.partition("#")[0].rstrip("/").rpartition("/")[2] if address else None
    return Link(settings, _views(own, page) if own else {}, int(step) if step else None)


def _views(own: Mapping[str, str], page: str | None) -> dict[type[Any], Any]:
    """The views of a link's own names: of its page, or of every page that has them all."""
    pages = [view for name, view in PAGES.items() if page in (None, name)]
    possible = [view for view in pages if set(own) <= set(specs_of(view))]
    if not possible:
        known = {name for view in pages for name in specs_of(view)}
        unknown = [shorten(name) for name in own if name not in known]
        if unknown:
            raise _refused(f"{unknown[0]} was ignored: there is no such setting.")
        raise _refused(f"{', '.join(map(shorten, own))} was ignored: no page has all of them.")
    read = {kind: from_view_query(kind, own) for kind in possible}
    views = {kind: view for kind, (view, ignored) in read.items() if not ignored}
    if not views:
        raise _refused(read[possible[0]][1][0])
    return views


def _refused(sentence: str) -> SettingsError:
    """An error for what the app would have told a visitor, and opened something else."""
    return SettingsError(
        f"--link cannot be followed: {sentence} Correct it, or leave it out of the link"
    )


# ---- requests ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Request:
    """The comparison that the options ask for.

    It keeps a reference to the table: the settings name it by its key only.
    """

    comparison: Comparison
    link: Link
    table: Table | None = None


def resolve(chosen: SimpleNamespace) -> Request:
    """The comparison to start from, changed as the other options say.

    Raises `SettingsError` or `TableError`.
    """
    preset = getattr(chosen, "preset", None)  # diagnose has none
    if preset and chosen.link is not None:
        raise SettingsError(
            "--preset and --link are two comparisons to start from; use one of them"
        )
    link = parse_link(chosen.link or "")
    start = PRESETS[preset].comparison if preset else Comparison()
    table = _open_table(chosen, link)
    if link.settings:
        start = _linked_comparison(link, chosen, table)
    if table and not isinstance(start.original.data, TableSettings):
        start = with_table(start, _table_settings(chosen, *table))
    original = check_limits(with_changes(start.original, chosen.settings))
    try:
        fixed = check_limits(apply_overrides(original, {**overrides(start), **chosen.fixed}))
    except SettingsError as error:
        raise SettingsError(f"on the fixed side, {error}", *error.fields) from None
    return Request(Comparison(original, fixed), link, table[1] if table else None)


def resolve_view(kind: type[View], chosen: SimpleNamespace, link: Link) -> View:
    """What a page shows: its view in the link, changed as the options say."""
    view: View = replace(link.views.get(kind, kind()), **chosen.view)
    return view


def given_settings(chosen: SimpleNamespace) -> dict[str, Any]:
    """The settings of both sides that were given."""
    return dict(chosen.settings)


def _table_names(chosen: SimpleNamespace) -> dict[str, str]:
    """The columns that were given, by their names in a link."""
    standardise = [getattr(chosen, name, None) for name in TABLE_NAMES[4:]]  # diagnose has none
    values = (chosen.target, *(chosen.features or (None, None)), *standardise)
    names = zip(TABLE_NAMES[1:], values, strict=True)
    return {name: to_text(value) for name, value in names if value is not None}


def _open_table(chosen: SimpleNamespace, link: Link) -> tuple[str, Table] | None:
    """The table that was given, and its key."""
    if chosen.table is None:
        names = _table_names(chosen)
        if names and "table" not in link.settings:
            option = next(iter(names)).replace("feature1", "features")
            raise SettingsError(
                f"--{option} is of a table, and there is none; give it too, with --table FILE"
            )
        return None
    from linreg.data.files import BUNDLED, open_table
    from linreg.data.tables import register_table, table_named

    path = Path(chosen.table)
    if chosen.table in BUNDLED and not path.exists():
        return chosen.table, table_named(chosen.table)
    with counting(f"Reading {path.name}") as progress:
        table = register_table(open_table(path, progress=progress))
    return table.digest, table


def _linked_comparison(
    link: Link, chosen: SimpleNamespace, table: tuple[str, Table] | None
) -> Comparison:
    """The comparison of a link; a table that was given is taken for the one that it names."""
    from linreg.data.files import BUNDLED
    from linreg.data.tables import table_settings

    settings = dict(link.settings)
    key = settings.get("table")
    if key is not None:
        if table is None and key not in BUNDLED:
            raise SettingsError(
                "the link is of an uploaded file, which no link holds; give the file too, with"
                " --table FILE"
            )
        if table and table[0] != key and not (chosen.target and chosen.features):
            raise SettingsError(
                f"{table[1].name} is not the table of the link, or has changed since; to go on"
                " with it, name its columns with --target and --features"
            )
        settings |= {**_table_names(chosen), "table": table[0] if table else key}
    comparison, ignored = from_query(settings, table_settings)
    if ignored:
        raise _refused(ignored[0])
    return comparison


def _table_settings(chosen: SimpleNamespace, key: str, table: Table) -> TableSettings:
    """The settings of the columns that were named; a bundled table has columns of its own."""
    from linreg.data.files import BUNDLED
    from linreg.data.tables import table_settings

    bundled = BUNDLED.get(key)
    target = chosen.target or (bundled and bundled.target)
    features = chosen.features or (bundled and bundled.features)
    if not target or not features:
        there = ", ".join(shorten(column.name) for column in table.columns[:10] if column.numeric)
        raise SettingsError(
            f"{table.name} has the columns {there}; choose with --target COLUMN --features COLUMN"
            " COLUMN"
        )
    standardise = [chosen.standardise is not False, chosen.standardise_target is not False]
    return table_settings(key, target, features, *standardise)
