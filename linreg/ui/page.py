"""The start of every page: its configuration, the menu, the controls, and the address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from linreg.data.tables import table_named
from linreg.settings.model import Comparison, TableSettings
from linreg.settings.pages import Page
from linreg.text.markdown import escape_markdown
from linreg.ui.elements import page_script
from linreg.ui.live import modules_to_load, written_files
from linreg.ui.navigation import leave_button, menu, neighbour_links, unknown_page_note
from linreg.ui.sidebar import sidebar
from linreg.ui.startup import warm_up
from linreg.ui.state import page_state
from linreg.ui.url import note_links, read_url, write_url

LIVE_PAGES = {"comparison", "cause", "surface", "your_data"}  # whose figures the browser moves


def start_page(which: Page, controls: bool | Callable[[Comparison], bool] = True) -> Comparison:
    """Start a page and return the comparison to show.

    `controls` says whether the sidebar has controls, or is a function of the comparison that says
    so.
    """
    icon = Path(__file__).parent.with_name("icon.svg")
    st.set_page_config(page_title=f"{which.title} · linreg", page_icon=str(icon), layout="wide")
    st.html(Path(__file__).with_name("legible.css"))
    if not st.context.is_embedded:
        st.html(Path(__file__).with_name("columns.css"))
    warm_up()
    if which.name in LIVE_PAGES:
        _preload_figures()
    read_url(which)
    state = page_state()
    _hold_table()
    note_links()
    if state.is_presenting:
        st.html(Path(__file__).with_name("lecture.css"))
    if st.context.is_embedded:
        state.expected = st.empty()
    elif state.is_presenting:
        leave_button()
        with st.container(key="lecture_hidden"):
            menu()
            state.expected = st.empty()
            page_script("history.js")
    else:
        with st.sidebar:
            sidebar(controls(state.comparison) if callable(controls) else controls)
            page_script("history.js")
        neighbour_links("top")
    write_url()
    unknown_page_note()
    for sentence in state.ignored:
        st.warning(escape_markdown(sentence), icon="⚠️")
    state.outside_fragments = _outside_fragments()
    return state.comparison


def end_page() -> None:
    """The end of every page: the links to its neighbours."""
    neighbour_links("foot")


def _preload_figures() -> None:
    """Have the browser load the code of the live figures while the page is being built; the element
    is hidden by `legible.css`."""
    address = written_files()
    if address:
        with st.container(key="live_preload"):
            page_script("preload.js", {"__FILES__": address, "__MODULES__": modules_to_load()})


def _hold_table() -> None:
    """Refer to the tables of the session's comparisons: one that nobody refers to is dropped."""
    state = page_state()
    comparisons = filter(None, (state.comparison, state.other_comparison))
    data = [comparison.original.data for comparison in comparisons]
    tables = [table_named(one.table) for one in data if isinstance(one, TableSettings)]
    state.tables_in_use = tuple(tables)


def _outside_fragments() -> tuple[Any, ...]:
    """What the page outside of its fragments depends on."""
    state = page_state()
    return state.comparison, tuple(state.ignored), tuple(state.refusals)


def begin_fragment() -> None:
    """Call this first in a fragment that has controls.

    Where one of them has changed what is outside of the fragment, the whole page is run again;
    otherwise the address is written, which `page` does not do in a run of a fragment alone."""
    state = page_state()
    if state.outside_fragments != _outside_fragments():
        st.rerun()
    if state.changed:
        state.changed = False
        write_url()
