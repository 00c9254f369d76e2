"""Settings and page views as a URL query, and back."""

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

TABLE_NAMES = ("table", "target", "feature1", "feature2", "standardise")


Tables = Callable[[str, str, tuple[str, str], bool], TableSettings]


def to_query(comparison: Comparison, full: bool = False) -> dict[str, str]:
    """What differs from the defaults, as a URL query, and the version of those defaults; `full`
    spells every setting out.

    A bare name sets both sides, `fixed.NAME` the fixed side; the wiring is set for each side by
    itself."""
    default = DEFAULTS[VERSION]
    query: dict[str, str] = {}
    data = comparison.original.data
    if isinstance(data, TableSettings):
        query |= dict(
            zip(
                TABLE_NAMES,
                (data.table, data.target, *data.features, to_text(data.standardise)),
                strict=True,
            )
        )
    else:
        for name in data_specs():
            value = getattr(data, data_field(name))
            if full or value != getattr(default.original.data, data_field(name)):
                query[name] = to_text(value)
    for name in specs_of(Settings):
        ours, theirs = getattr(comparison.original, name), getattr(comparison.fixed, name)
        if full or ours != getattr(default.original, name):
            query[name] = to_text(ours)
        if theirs != (default.fixed.wiring if name == "wiring" else ours) or (
            full and name == "wiring"
        ):
            query[f"fixed.{name}"] = to_text(theirs)
    return {"v": str(VERSION), **query} if query else {}


def from_query(
    query: Mapping[str, str], tables: Tables | None = None
) -> tuple[Comparison, list[str]]:
    """The comparison that a URL query asks for, and what of it was ignored and why, a sentence
    each.

    Total: whatever the query holds, the result is a valid comparison within what the app offers.
    `tables` finds the table that a query names by its key, target, two features and whether to
    standardise, or raises a `ValueError` that says why not; without it tables are ignored."""
    ignored: list[str] = []
    default = DEFAULTS[VERSION]
    named = {name: str(query[name]) for name in TABLE_NAMES if name in query}
    query = {name: text for name, text in query.items() if name not in TABLE_NAMES}
    both: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, text in ((str(name), str(text)) for name, text in query.items()):
        bare = name.removeprefix("fixed.")
        all_specs = specs_of(Settings) if name != bare else specs_of(Settings) | data_specs()
        if name == "v":
            if text in map(str, DEFAULTS):
                default = DEFAULTS[int(text)]
            else:
                ignored.append(
                    f"The link's version {shorten(text)} is unknown; it was read as version"
                    f" {VERSION}."
                )
        elif bare not in all_specs:
            ignored.append(f"{shorten(name)} was ignored: there is no such setting.")
        else:
            try:
                (both if name == bare else own)[bare] = from_text(text, all_specs[bare])
            except ValueError as error:
                ignored.append(f"{shorten(name)}={shorten(text)} was ignored: it {error}.")
    start = default.original
    if named:
        try:
            table = _named_table(named, tables)
            start = replace(start, data=table, batch_size=min(start.batch_size, table.samples))
        except ValueError as error:
            ignored.append(
                f"table={shorten(named.get('table', ''))} was ignored, and what was set for it:"
                f" {error}."
            )
            both, own = {}, {}
    meant, start = start, clamp_to_limits(start)
    less = [
        start.data.samples < meant.data.samples,
        start.batch_size < meant.batch_size,
        start.epochs < meant.epochs,
    ]
    left = [
        name
        for name, smaller in zip(("samples", "batch_size", "epochs"), less, strict=True)
        if smaller
    ]
    if (both or own or named) and set(left) - set(both):
        ignored.append(
            "What the link leaves at its default is beyond the limits of this server, and smaller"
            " here."
        )
    original = _built(lambda changes: with_changes(start, changes), both, ignored)
    wiring = {"wiring": default.fixed.wiring}
    fixed = _built(
        lambda changes: apply_overrides(original, {**wiring, **changes}), own, ignored, "fixed."
    )
    return Comparison(original, fixed), ignored


def _named_table(named: Mapping[str, str], tables: Tables | None) -> TableSettings:
    """The table that the names ask for; a `ValueError` that says why there is none."""
    missing = [name for name in TABLE_NAMES[:-1] if not named.get(name)]
    if missing:
        raise ValueError(f"the link does not say its {missing[0]}")
    if tables is None:
        raise ValueError("no tables can be read here")
    table, target, first, second = (named[name] for name in TABLE_NAMES[:-1])
    standardise = named.get("standardise", "0")
    if standardise not in ("0", "1"):
        raise ValueError(f"standardise={shorten(standardise)} is neither 0 nor 1")
    return tables(table, target, (first, second), standardise == "1")


def _built(
    make: Callable[[dict[str, Any]], Settings],
    changes: dict[str, Any],
    ignored: list[str],
    prefix: str = "",
) -> Settings:
    """What `make` makes of as many of the changes as fit together; the others go to `ignored`."""
    try:
        return check_limits(make(changes))
    except SettingsError as error:
        name = next(name for name in error.fields if name in changes)
        ignored.append(f"{prefix}{name}={shorten(changes[name])} was ignored: {error}.")
        return _built(
            make, {key: value for key, value in changes.items() if key != name}, ignored, prefix
        )


def to_view_query(view: Any, full: bool = False) -> dict[str, str]:
    """What differs from the defaults, as a URL query; `full` spells everything out."""
    default = type(view)()
    return {
        entry.name: to_text(getattr(view, entry.name))
        for entry in fields(view)
        if full or getattr(view, entry.name) != getattr(default, entry.name)
    }


def from_view_query(kind: type[View], query: Mapping[str, str]) -> tuple[View, list[str]]:
    """The view that a URL query asks for, and what of it was ignored and why. Total; other names
    are left to others."""
    changes: dict[str, Any] = {}
    ignored: list[str] = []
    for name, one in specs_of(kind).items():
        if name in query:
            try:
                changes[name] = from_text(str(query[name]), one)
            except ValueError as error:
                ignored.append(f"{name}={shorten(query[name])} was ignored: it {error}.")
    while True:
        try:
            return kind(**changes), ignored
        except SettingsError as error:
            name = next(name for name in error.fields if name in changes)
            ignored.append(f"{name}={shorten(changes.pop(name))} was ignored: {error}.")
