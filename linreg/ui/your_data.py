"""The page of one's own data: a table, its columns, the findings in its own units, and the
comparison on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from linreg.data.files import BUNDLED, Column, Progress, Table, TableError, open_table
from linreg.data.tables import register_table, table_named, table_settings
from linreg.experiments import your_data as experiment
from linreg.settings.changes import update_both, with_table
from linreg.settings.fields import SettingsError, shorten
from linreg.settings.model import Comparison, TableSettings
from linreg.text import comparison as comparison_text
from linreg.text import markdown
from linreg.text import your_data as your_data_text
from linreg.ui.cache import result_of
from linreg.ui.comparison import evidence, opening, replay
from linreg.ui.elements import plain_table
from linreg.ui.state import page_state

PREVIEW_ROWS, PREVIEW_COLUMNS = 8, 60
ROLES = ("Target", "Feature 1", "Feature 2")


def is_on_a_table(comparison: Comparison) -> bool:
    """Whether the session's comparison is on a table: then the sidebar's controls are those of this
    page too."""
    return isinstance(comparison.original.data, TableSettings)


def your_data_section() -> None:
    """All of the page; on a table that is not taken over yet the session's comparison keeps its own
    data."""
    _take_upload()
    try:
        comparison = experiment.with_default_table(page_state().comparison)
    except (TableError, SettingsError) as error:
        st.error(markdown.escape_markdown(f"{error}."))
        return
    data = comparison.original.data
    assert isinstance(data, TableSettings)
    table = table_named(data.table)
    _choices(comparison, data, table)
    result = result_of(experiment.run, comparison)
    st.markdown(your_data_text.rows_used(result))
    _preview(data, table)
    st.subheader("What this table does to the regression")
    for paragraph in your_data_text.data_findings(result):
        st.markdown(paragraph)
    st.subheader("The comparison on this table")
    st.markdown(comparison_text.setup(comparison))
    place = st.empty()
    opening(comparison, place)  # of the settings alone where the runs have yet to be trained
    replay(comparison)  # trains them
    opening(comparison, place)  # in the same place, now of the runs
    evidence(comparison)


# ---- the file ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Upload:
    """The session's last file: the table in it, or why there is none. The session keeps it
    alive."""

    file: str
    table: Table | None
    name: str
    refusal: str = ""


def _take_upload() -> None:
    """The file that a visitor gives, read once; a bad one is refused, and all stays as it was."""
    state = page_state()
    most = int(st.get_option("server.maxUploadSize"))  # in MB: the one setting for it
    given = st.file_uploader(
        "A CSV or Parquet file of your own",
        key="upload",
        help="CSV with commas, semicolons, tabs or | between the columns, also as .csv.gz; or"
        " Parquet. It stays on this server, in memory, while a page is open on it. A link to this"
        " page does not hold it.",
    )
    upload: _Upload | None = state.upload
    if given and (upload is None or upload.file != given.file_id):
        before, name = (upload.table, upload.name) if upload else (None, "")
        try:
            with _reading(given.name) as progress:
                table = open_table(given, given.name, most * 2**20, progress)
            target, *features = _first_numbers(table)
            table = register_table(table)
        except TableError as error:
            state.upload = upload = _Upload(given.file_id, before, name, str(error))
        else:
            taken = _commit(table.digest, target, features, standardise=True)
            state.upload = _Upload(
                given.file_id, *((table, given.name) if taken else (before, name))
            )
            st.rerun()  # the menu and the sidebar above are of the table before
    if given and upload and upload.refusal:
        st.error(markdown.escape_markdown(f"{upload.refusal}. Nothing else has changed."))


@contextmanager
def _reading(name: str) -> Iterator[Progress]:
    """A bar that fills as a file is read."""
    bar = st.progress(0.0, f"Reading {markdown.column(name)}")

    def show(done: int, total: int) -> None:
        bar.progress(min(done / max(total, 1), 1.0), f"Reading {markdown.column(name)}")

    try:
        yield show
    finally:
        bar.empty()


def _numbers(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns if column.numeric]


def _first_numbers(table: Table) -> tuple[str, str, str]:
    """A first choice: the last column of numbers as the target, the first two as features."""
    names = _numbers(table.columns)
    if len(names) < 3:
        found = ", ".join(names) or "none"
        raise TableError(
            f"{table.name} has {len(names)} columns of numbers ({found}); a target and two features"
            " need 3"
        )
    return names[-1], names[0], names[1]


def _commit(key: str, target: str, features: Sequence[str], standardise: bool) -> bool:
    """Take the table over into the session's comparison, so that every page is on it. Whether it
    was taken."""
    state = page_state()
    bias = state.comparison.original.bias if is_on_a_table(state.comparison) else True
    try:
        settings = table_settings(key, target, features, standardise)
    except (TableError, SettingsError) as error:
        state.refuse(str(error))
        return False
    return state.change(lambda: with_table(state.comparison, settings, bias))


# ---- the columns ---------------------------------------------------------------------------------


def _choices(comparison: Comparison, data: TableSettings, table: Table) -> None:
    """Which table, which columns, standardised or not, with a bias or not."""
    state = page_state()
    upload: _Upload | None = state.upload
    titles = {key: f"{bundled.title} (bundled)" for key, bundled in BUNDLED.items()}
    if data.table not in BUNDLED:
        titles[data.table] = table.name
    if upload and upload.table:
        titles[upload.table.digest] = (
            upload.name
        )  # who else has the same table may call it otherwise
    names = _numbers(table.columns)
    which, *roles = st.columns([2, 1, 1, 1], gap="medium")
    state.set_widget("control.table", data.table)
    which.selectbox(
        "Table",
        list(titles),
        key="control.table",
        format_func=lambda key: titles.get(key, key),
        on_change=_choose_table,
    )
    for column, role, name in zip(roles, ROLES, (data.target, *data.features), strict=True):
        state.set_widget(f"control.{role}", name)
        column.selectbox(
            role, names, key=f"control.{role}", on_change=_choose_column, args=(data, role)
        )
    standardise, bias, take = st.columns([2, 1, 2], gap="medium", vertical_alignment="center")
    state.set_widget("control.standardise", data.standardise)
    standardise.toggle(
        "Standardise the features",
        key="control.standardise",
        help="Each feature at mean 0 and standard deviation 1; the target keeps its unit.",
        on_change=_choose_standardise,
        args=(data,),
    )
    state.set_widget("control.with_bias", comparison.original.bias)
    bias.toggle("With a bias", key="control.with_bias", on_change=_choose_bias)
    if state.comparison != comparison:
        take.button(
            "Use this table on every page",
            key="take",
            on_click=_take,
            args=(data,),
            width="stretch",
        )
    else:
        take.caption(
            "Every page is on this table. *Data* in the sidebar leads back to the thread's."
        )
    if data.table in BUNDLED:
        bundled = BUNDLED[data.table]
        st.caption(f"{bundled.source}. Licence: {bundled.licence}.")
    else:
        st.caption(
            "A link holds the settings and the names of the columns, not the uploaded table."
        )


def _choose_table() -> None:
    state = page_state()
    if state.was_removed("control.table"):
        return
    key = state.widget("control.table")
    if key in BUNDLED:
        bundled = BUNDLED[key]
        _commit(key, bundled.target, bundled.features, standardise=True)
    else:
        target, *features = _first_numbers(table_named(key))
        _commit(key, target, features, standardise=True)


def _choose_column(data: TableSettings, role: str) -> None:
    """The chosen column in its role; where it had another role, the two are exchanged."""
    state = page_state()
    if state.was_removed(f"control.{role}"):
        return
    chosen = dict(zip(ROLES, (data.target, *data.features), strict=True))
    name = state.widget(f"control.{role}")
    for other in ROLES:
        if chosen[other] == name:
            chosen[other] = chosen[role]
    chosen[role] = name
    target, *features = chosen.values()
    _commit(data.table, target, features, data.standardise)


def _choose_standardise(data: TableSettings) -> None:
    state = page_state()
    if not state.was_removed("control.standardise"):
        _commit(data.table, data.target, data.features, state.widget("control.standardise"))


def _choose_bias() -> None:
    state = page_state()
    if not state.was_removed("control.with_bias"):
        bias = state.widget("control.with_bias")
        state.change(
            lambda: update_both(experiment.with_default_table(state.comparison), {"bias": bias})
        )


def _take(data: TableSettings) -> None:
    _commit(data.table, data.target, data.features, data.standardise)


# ---- what is in it -------------------------------------------------------------------------------


def _preview(data: TableSettings, table: Table) -> None:
    """The first rows, and the type of each column."""
    with st.expander(f"The first rows of {markdown.column(table.name)}, and its columns"):
        head: pd.DataFrame = table.head(PREVIEW_ROWS)
        st.dataframe(head.iloc[:, :PREVIEW_COLUMNS], hide_index=True)
        more = len(table.columns) - PREVIEW_COLUMNS
        if more > 0:
            st.caption(f"{more:,} more columns are not shown.")
        roles: Mapping[str, str] = dict(zip((data.target, *data.features), ROLES, strict=True))
        plain_table(
            {
                markdown.escape_markdown(shorten(one.name, 200)): _described(one, roles)
                for one in table.columns[:PREVIEW_COLUMNS]
            }
        )


def _described(column: Column, roles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": column.type,
        "missing": f"{column.missing:,}",
        "used as": roles.get(column.name, "" if column.numeric else "not a number"),
    }
