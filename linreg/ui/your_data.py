"""The page of one's own data: a table, its columns, the findings in its own units, and the
comparison on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from linreg.data.files import BUNDLED, Column, Progress, Table, TableError, open_table
from linreg.data.tables import register_table, table_named, table_settings
from linreg.experiments import your_data as experiment
from linreg.experiments.your_data import Remedy, YourDataResult
from linreg.settings.changes import update_both, with_table, without_table
from linreg.settings.fields import SettingsError, shorten
from linreg.settings.model import Comparison, TableSettings
from linreg.text import markdown
from linreg.text import your_data as text
from linreg.ui.cache import result_of
from linreg.ui.comparison import evidence, replay, result_for
from linreg.ui.controls import set_unless_refused, show_refusal
from linreg.ui.elements import plain_table
from linreg.ui.state import CONTROL, page_state

PREVIEW_ROWS, PREVIEW_COLUMNS = 8, 60
ROLES = ("Target", "Feature 1", "Feature 2")
OPTIONS = ("standardise", "standardise_target", "with_shuffle", "with_bias")
TABLE, APPLY, UPLOAD = f"{CONTROL}table", f"{CONTROL}apply", "upload"  # keys of widgets
TABLE_WIDTH, COLUMN_WIDTH = 260, 150  # pixels, of the lists


def _key(name: str) -> str:
    """The key of the widget of a role or an option."""
    return f"{CONTROL}{name}"


def is_on_a_table(comparison: Comparison) -> bool:
    """Whether a comparison is on a table: then the sidebar's controls are those of this page
    too."""
    return isinstance(comparison.original.data, TableSettings)


def your_data_section() -> None:
    """All of the page. A table that is chosen here stays on this page until it is applied to all;
    as long as none is chosen, the page shows the bundled one."""
    try:
        comparison = experiment.with_default_table(page_state().comparison)
    except (TableError, SettingsError) as error:
        _upload()
        st.error(markdown.escape_markdown(f"{error}."))
        return
    data = comparison.original.data
    assert isinstance(data, TableSettings)
    _form(comparison, data)
    result = result_of(experiment.run, comparison)
    place = st.empty()
    _finding(comparison, place)  # of the settings alone where the runs have yet to be trained
    _advice(comparison, result)
    replay(comparison)  # trains them
    _finding(comparison, place)  # in the same place, now of the runs
    st.caption(_about(comparison, data))
    st.subheader("What the bug does to your data")
    for paragraph in text.data_findings(result):
        st.markdown(paragraph)
    st.markdown(text.rows_used(result))
    _preview(data, table_named(data.table))
    evidence(comparison)


def _finding(comparison: Comparison, place: Any) -> None:
    result = result_for(comparison)
    place.markdown(f"**{text.headline(result)}**")


def _advice(comparison: Comparison, result: YourDataResult) -> None:
    """What would make the comparison more telling, each with a button that does it."""
    found = experiment.remedies(result)
    if not found:
        return
    with st.container(border=True):
        st.markdown(text.advice(result))
        with st.container(horizontal=True):
            for remedy in found:
                label = text.label(remedy)
                st.button(
                    f"{label[0].upper()}{label[1:]}",
                    key=_remedy_key(remedy),
                    on_click=_apply_remedy,
                    args=(comparison, remedy),
                )
        show_refusal(*map(_remedy_key, found))


def _remedy_key(remedy: Remedy) -> str:
    return f"remedy.{remedy.name}"


def _apply_remedy(comparison: Comparison, remedy: Remedy) -> None:
    _change(lambda: experiment.with_remedy(comparison, remedy), _remedy_key(remedy))


# ---- the session ---------------------------------------------------------------------------------


def _change(make: Callable[[], Comparison], key: str) -> bool:
    """Change the comparison of this page, as the widget of this key asks for. The other pages keep
    theirs, unless the table is applied to all. Whether it was changed."""
    state = page_state()
    before = state.comparison
    changed = state.change(make, key)
    if changed and not is_on_a_table(before):
        state.other_comparison = before
    return changed


def _choose(
    widget: str, table: str, target: str, features: Sequence[str], like: TableSettings | None
) -> bool:
    """Compare these columns, as the widget of this key asks for, standardised as `like` says or
    else as by default."""
    state = page_state()
    bias = state.comparison.original.bias if is_on_a_table(state.comparison) else True
    try:
        settings = experiment.default_table_settings(table, target, features)
        if like:
            standardise = like.standardise, like.standardise_target
            settings = table_settings(table, target, features, *standardise)
    except (TableError, SettingsError) as error:
        state.refuse(str(error), widget)
        return False
    return _change(lambda: with_table(state.comparison, settings, bias), widget)


# ---- the file ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Upload:
    """The session's last file: the table in it, or why there is none. The session keeps it
    alive."""

    file: str
    table: Table | None
    name: str
    refusal: str = ""


def _upload() -> None:
    """The file that a visitor gives, read once; a bad one is refused, and all stays as it was."""
    state = page_state()
    most = int(st.get_option("server.maxUploadSize"))  # in MB: the one setting for it
    given = st.file_uploader(
        "A CSV or Parquet file of your own",
        key=UPLOAD,
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
            target, *features = experiment.default_columns(table)
            table = register_table(table)
        except TableError as error:
            state.upload = _Upload(given.file_id, before, name, str(error))
        else:
            taken = _choose(UPLOAD, table.digest, target, features, like=None)
            state.upload = _Upload(
                given.file_id, *((table, given.name) if taken else (before, name))
            )
            st.rerun()  # the menu and the sidebar above are of the table before


def _show_refusals() -> None:
    """Below the form, why what one of its fields shows was refused; the last file as long as it is
    there."""
    state = page_state()
    show_refusal(TABLE, *map(_key, (*ROLES, *OPTIONS)), APPLY, UPLOAD)
    upload: _Upload | None = state.upload
    if upload and upload.refusal and state.widget(UPLOAD):
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


# ---- the form ------------------------------------------------------------------------------------


def _form(comparison: Comparison, data: TableSettings) -> None:
    """Which table, which columns, how they are scaled, and whether other pages use them too."""
    table = table_named(data.table)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _table_list(data, table)
        for role, name in zip(ROLES, (data.target, *data.features), strict=True):
            set_unless_refused(_key(role), name)
            st.selectbox(
                role,
                _numbers(table.columns),
                key=_key(role),
                on_change=_choose_column,
                args=(data, role),
                width=COLUMN_WIDTH,
            )
        with st.popover("Upload a file", icon=":material/upload:"):
            _upload()
        with st.popover("Options", icon=":material/tune:"):
            _options(comparison, data)
        _apply_to_all(comparison)
    _show_refusals()


def _table_list(data: TableSettings, table: Table) -> None:
    state = page_state()
    upload: _Upload | None = state.upload
    titles = {key: f"{bundled.title} (bundled)" for key, bundled in BUNDLED.items()}
    if data.table not in BUNDLED:
        titles[data.table] = table.name
    if upload and upload.table:
        titles[upload.table.digest] = (
            upload.name
        )  # who else has the same table may call it otherwise
    set_unless_refused(TABLE, data.table)
    st.selectbox(
        "Table",
        list(titles),
        key=TABLE,
        format_func=lambda key: titles.get(key, key),
        on_change=_choose_table,
        width=TABLE_WIDTH,
    )


def _options(comparison: Comparison, data: TableSettings) -> None:
    set_unless_refused(_key("standardise"), data.standardise)
    st.toggle(
        "Standardise the features",
        key=_key("standardise"),
        help="Each feature at mean 0 and standard deviation 1 in training.",
        on_change=_choose_scaling,
        args=(data, "standardise"),
    )
    set_unless_refused(_key("standardise_target"), data.standardise_target)
    st.toggle(
        "Standardise the target",
        key=_key("standardise_target"),
        help="The target at mean 0 and standard deviation 1 in training. Predictions are shown in"
        " the units of the table.",
        on_change=_choose_scaling,
        args=(data, "standardise_target"),
    )
    for name, label, on in (
        ("shuffle", "Shuffle the rows", comparison.original.shuffle),
        ("bias", "With a bias", comparison.original.bias),
    ):
        key = _key(f"with_{name}")
        set_unless_refused(key, on)
        st.toggle(label, key=key, on_change=_choose_run, args=(name, key))


def _apply_to_all(comparison: Comparison) -> None:
    state = page_state()
    applied = state.comparison == comparison and state.other_comparison is None
    set_unless_refused(APPLY, applied)
    st.toggle(
        "Apply to all pages",
        key=APPLY,
        help="Every page then shows this table, with these settings. *Data* in the sidebar leads"
        " back to the thread's data.",
        on_change=_choose_pages,
    )


def _about(comparison: Comparison, data: TableSettings) -> str:
    """Where the table is from, and how it is prepared."""
    sentences = [text.preparation(comparison)]
    if data.table in BUNDLED:
        bundled = BUNDLED[data.table]
        sentences.append(f"{bundled.source}. Licence: {bundled.licence}.")
    else:
        sentences.append(
            "A link holds the settings and the names of the columns, not the uploaded table."
        )
    return " ".join(sentences)


def _choose_table() -> None:
    state = page_state()
    if state.was_removed(TABLE):
        return
    key = state.widget(TABLE)
    target, *features = experiment.default_columns(table_named(key))
    if key in BUNDLED:
        target, features = BUNDLED[key].target, list(BUNDLED[key].features)
    _choose(TABLE, key, target, features, like=None)


def _choose_column(data: TableSettings, role: str) -> None:
    """The chosen column in its role; where it had another role, the two are exchanged."""
    state = page_state()
    if state.was_removed(_key(role)):
        return
    chosen = dict(zip(ROLES, (data.target, *data.features), strict=True))
    name = state.widget(_key(role))
    for other in ROLES:
        if chosen[other] == name:
            chosen[other] = chosen[role]
    chosen[role] = name
    target, *features = chosen.values()
    _choose(_key(role), data.table, target, features, like=data)


def _choose_scaling(data: TableSettings, name: str) -> None:
    state, key = page_state(), _key(name)
    if not state.was_removed(key):
        like = replace(data, **{name: state.widget(key)})
        _choose(key, data.table, data.target, data.features, like)


def _choose_run(name: str, key: str) -> None:
    state = page_state()
    if not state.was_removed(key):
        changes = {name: state.widget(key)}
        _change(lambda: update_both(experiment.with_default_table(state.comparison), changes), key)


def _choose_pages() -> None:
    """All pages on the table of this page, or this page alone."""
    state = page_state()
    if state.was_removed(APPLY):
        return
    if not state.widget(APPLY):
        state.other_comparison = without_table(state.comparison)
    elif state.change(lambda: experiment.with_default_table(state.comparison), APPLY):
        state.other_comparison = None


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
