"""Convert settings and page views to a URL query, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from linreg.settings.changes import (
    apply_overrides,
    check_limits,
    clamp_to_limits,
    data_field,
    data_specs,
    with_changes,
)
from linreg.settings.fields import SettingsError, from_text, shorten, specs_of, to_text
from linreg.settings.model import DEFAULTS, VERSION, Comparison, Settings, TableSettings
from linreg.settings.pages import View

COLUMN_NAMES = ("table", "target", "feature1", "feature2")  # which a link to a table must have
TABLE_NAMES = (*COLUMN_NAMES, "standardise", "standardise_target")

# table, target, features, standardise -> the settings, or a ValueError that says why not
Tables = Callable[[str, str, tuple[str, str], bool], TableSettings]


def to_query(comparison: Comparison, full: bool = False) -> dict[str, str]:
    """The settings that differ from the defaults, or with `full` all, as a URL query.

    `NAME` sets both sides and `fixed.NAME` the fixed side, but `wiring` the original only. `v` is
    the version of the defaults."""
    default = DEFAULTS[VERSION]
    query: dict[str, str] = {}
    data = comparison.original.data
    if isinstance(data, TableSettings):
        query |= dict(zip(COLUMN_NAMES, (data.table, data.target, *data.features), strict=True))
        query["standardise"] = to_text(data.standardise)
        if full or data.standardise_target:
            query["standardise_target"] = to_text(data.standardise_target)
    else:
        for name in data_specs():
            value = getattr(data, data_field(name))
            if full or value != getattr(default.original.data, data_field(name)):
                query[name] = to_text(value)
    for name in specs_of(Settings):
        original, fixed = getattr(comparison.original, name), getattr(comparison.fixed, name)
        if full or original != getattr(default.original, name):
            query[name] = to_text(original)
        inherited = default.fixed.wiring if name == "wiring" else original
        if fixed != inherited or (full and name == "wiring"):
            query[f"fixed.{name}"] = to_text(fixed)
    return {"v": str(VERSION), **query} if query else {}


def from_query(
    query: Mapping[str, str], tables: Tables | None = None
) -> tuple[Comparison, list[str]]:
    """The comparison of a URL query, and one sentence for each part of the query that was ignored.

    Accepts any query: the result is always a valid comparison within the limits of the app.
    `tables` looks up the table that a query names; without it, tables are ignored."""
    ignored: list[str] = []
    default = DEFAULTS[VERSION]
    table_query = {name: str(query[name]) for name in TABLE_NAMES if name in query}
    query = {name: text for name, text in query.items() if name not in TABLE_NAMES}
    both: dict[str, Any] = {}
    own: dict[str, Any] = {}  # of the fixed side
    for name, text in ((str(name), str(text)) for name, text in query.items()):
        bare = name.removeprefix("fixed.")
        specs = specs_of(Settings) if name != bare else specs_of(Settings) | data_specs()
        if name == "v":
            if text in map(str, DEFAULTS):
                default = DEFAULTS[int(text)]
            else:
                ignored.append(
                    f"The link's version {shorten(text)} is unknown; it was read as version"
                    f" {VERSION}."
                )
        elif bare not in specs:
            ignored.append(f"{shorten(name)} was ignored: there is no such setting.")
        else:
            try:
                (both if name == bare else own)[bare] = from_text(text, specs[bare])
            except ValueError as error:
                ignored.append(f"{shorten(name)}={shorten(text)} was ignored: it {error}.")
    start = default.original
    if table_query:
        try:
            table = _table(table_query, tables)
            start = replace(start, data=table, batch_size=min(start.batch_size, table.samples))
        except ValueError as error:
            ignored.append(
                f"table={shorten(table_query.get('table', ''))} was ignored,"
                f" and what was set for it: {error}."
            )
            both, own = {}, {}
    unlimited, start = start, clamp_to_limits(start)
    reduced = {
        "samples": start.data.samples < unlimited.data.samples,
        "batch_size": start.batch_size < unlimited.batch_size,
        "epochs": start.epochs < unlimited.epochs,
    }
    unset = [name for name in reduced if reduced[name] and name not in both]
    if (both or own or table_query) and unset:
        ignored.append(
            "What the link leaves at its default is beyond the limits of this server, and smaller"
            " here."
        )
    original = _apply(lambda changes: with_changes(start, changes), both, ignored)
    wiring = {"wiring": default.fixed.wiring}
    fixed = _apply(
        lambda changes: apply_overrides(original, {**wiring, **changes}), own, ignored, "fixed."
    )
    return Comparison(original, fixed), ignored


def _table(query: Mapping[str, str], tables: Tables | None) -> TableSettings:
    """The table that a query names. Raises a `ValueError` that says why there is none."""
    missing = [name for name in COLUMN_NAMES if not query.get(name)]
    if missing:
        raise ValueError(f"the link does not say its {missing[0]}")
    if tables is None:
        raise ValueError("no tables can be read here")
    table, target, first, second = (query[name] for name in COLUMN_NAMES)
    features, scaled_target = (
        _is_on(name, query.get(name, "0")) for name in ("standardise", "standardise_target")
    )
    found = tables(table, target, (first, second), features)
    return replace(found, standardise_target=scaled_target)


def _is_on(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(f"{name}={shorten(text)} is neither 0 nor 1")
    return text == "1"


def _apply(
    build: Callable[[dict[str, Any]], Settings],
    changes: dict[str, Any],
    ignored: list[str],
    prefix: str = "",
) -> Settings:
    """The settings with all changes that are possible; `ignored` gets a sentence on the others."""
    try:
        return check_limits(build(changes))
    except SettingsError as error:
        name = next(name for name in error.fields if name in changes)
        ignored.append(f"{prefix}{name}={shorten(changes[name])} was ignored: {error}.")
        remaining = {key: value for key, value in changes.items() if key != name}
        return _apply(build, remaining, ignored, prefix)


def to_view_query(view: Any, full: bool = False) -> dict[str, str]:
    """The fields that differ from the defaults, or with `full` all, as a URL query."""
    default = type(view)()
    return {
        entry.name: to_text(getattr(view, entry.name))
        for entry in fields(view)
        if full or getattr(view, entry.name) != getattr(default, entry.name)
    }


def from_view_query(view: type[View], query: Mapping[str, str]) -> tuple[View, list[str]]:
    """The view of a URL query, and one sentence for each part of the query that was ignored.

    Accepts any query; names that are not fields of the view are skipped."""
    changes: dict[str, Any] = {}
    ignored: list[str] = []
    for name, spec in specs_of(view).items():
        if name in query:
            try:
                changes[name] = from_text(str(query[name]), spec)
            except ValueError as error:
                ignored.append(f"{name}={shorten(query[name])} was ignored: it {error}.")
    while True:
        try:
            return view(**changes), ignored
        except SettingsError as error:
            name = next(name for name in error.fields if name in changes)
            ignored.append(f"{name}={shorten(changes.pop(name))} was ignored: {error}.")
