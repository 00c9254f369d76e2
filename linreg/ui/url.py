"""The way between the address and the session's settings, in both directions."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from linreg.data.files import BUNDLED
from linreg.data.tables import table_settings
from linreg.settings.fields import shorten, specs_of
from linreg.settings.model import VERSION, TableSettings
from linreg.settings.pages import MENU, Page
from linreg.settings.query import from_query, from_view_query, to_query, to_view_query
from linreg.ui.state import page_state

VERSION_ALONE = {"v": str(VERSION)}
NOT_SETTINGS = ("step", "present", "figure")  # names of the address that say what is shown
OLD_LINKS_SECONDS = 2  # until a browser surely shows the links of a menu that has been drawn anew


def read_url(page: Page) -> None:
    """Take the settings from the address on a first visit, and when the visitor goes Back or types
    another address.

    The session's settings count where the address is behind them: a control has just changed, or a
    link to the page is older than the change before the click."""
    state = page_state()
    query = state.query()
    switched = state.page not in (None, page.name) and _is_old_link(page, query)
    if state.page is not None:
        state.enter(page.name)
    moved = query != state.written_query and not switched and not state.changed
    if state.page is None:
        state.unknown_page = _unknown_page()
    if state.page is None or moved:
        _take_settings(query, page.view_type)
    state.open_page(page, keep_step=bool(query))


def _take_settings(query: dict[str, str], view_type: type[Any] | None) -> None:
    state = page_state()
    own = specs_of(view_type) if view_type else {}
    shared = {
        name: text for name, text in query.items() if name not in NOT_SETTINGS and name not in own
    }
    state.comparison, ignored = from_query(shared, table_settings)
    if view_type:
        state.views[view_type], ignored_of_view = from_view_query(view_type, query)
        ignored += ignored_of_view
    step = query.get("step", "")
    state.step = int(step) if re.fullmatch(r"[0-9]{1,9}", step) else None
    if step and state.step is None:
        ignored.append(f"step={shorten(step)} was ignored: it is not a whole number.")
    present, state.figure = query.get("present", "false"), query.get("figure", "")
    state.is_presenting = present == "true"
    if present not in ("true", "false"):
        ignored.append(f"present={shorten(present)} was ignored: it is neither true nor false.")
    if state.figure and not st.context.is_embedded:
        ignored.append(
            f"figure={shorten(state.figure)} was ignored: only an embedded page, with embed=true,"
            " shows one figure alone."
        )
        state.figure = ""
    state.ignored = ignored
    state.refusals = {}


def _unknown_page() -> str:
    """The name in the address that no page has, for which Streamlit shows the home page; empty
    where there is none.

    Streamlit tells it to the browser alone, which drops it from the address."""
    context = get_script_run_ctx(suppress_warning=True)
    name = context.pages_manager.intended_page_name if context else None
    return "" if not name or name in MENU else name


def _is_old_link(page: Page, query: dict[str, str]) -> bool:
    """Whether this is the address that the menu had for the page until just now.

    A typed value is sent when its field is left, which may be by a click on that very link."""
    state = page_state()
    age = time.monotonic() - state.links_changed_at
    return query == state.previous_links.get(page.name) and age < OLD_LINKS_SECONDS


def note_links() -> None:
    """Remember the query of a link to each page, and those that the page on the screen had before.

    All links to pages are about these queries, so that one that is older than the last change is
    known."""
    state = page_state()
    links = {page.name: query_of_page(page) for page in MENU.values()}
    is_same_page, state.links_page = state.links_page == state.page, state.page
    if links != state.links:  # on another page no link was changed, but opened
        state.previous_links = state.links if is_same_page else {}
        state.links = links
        state.links_changed_at = time.monotonic()


def query_of_page(page: Page) -> dict[str, str]:
    """The query of a link to a page with the session's settings. So Back leads from page to page,
    one step each."""
    query = to_query(page_state().comparison_on(page.name))
    if page.view_type:
        query |= to_view_query(page_state().view(page.view_type))
    return query | _presentation()


def _presentation() -> dict[str, str]:
    """What the address says of a lecture view, which its links keep."""
    return {"present": "true"} if page_state().is_presenting else {}


def write_url() -> None:
    """Write what differs from the defaults into the address.

    The version alone means the defaults as well; see `history.js`, which writes it."""
    figure = page_state().figure
    query = _query() | _presentation() | ({"figure": figure} if figure else {})
    if not query and page_state().query() == VERSION_ALONE:
        query = VERSION_ALONE
    page_state().write_query(query)


def full_address() -> str:
    """The page's address with the version, every setting, and the step where there is one."""
    address = st.context.url or ""
    root = "/" if address.count("/") == 2 else ""  # a bare host
    return f"{address}{root}?{urlencode(_query(full=True), safe=',')}"


def _query(full: bool = False) -> dict[str, str]:
    state = page_state()
    query = to_query(state.comparison, full=full)
    if state.view_type:
        query |= to_view_query(state.current_view(), full=full)
    if state.step is not None:
        query["step"] = str(state.step)
    return query


def copy_link() -> None:
    """A menu with the page's full address, which is worked out when the menu is opened."""
    menu = st.expander(
        "Copy link", icon=":material/link:", type="compact", on_change="rerun", key="link"
    )
    if not menu.open:
        return
    with menu:
        address = full_address()
        st.caption(
            "This page with every setting spelled out: it means the same whatever the defaults"
            " become."
        )
        st.code(address, language=None, wrap_lines=True)
        data = page_state().comparison.original.data
        if isinstance(data, TableSettings) and data.table not in BUNDLED:
            st.caption("Your upload is not in the link: whoever opens it needs the file.")
            return
        st.caption("Its figures alone, for a page of your own:")
        st.code(
            f'<iframe src="{address}&embed=true" width="100%" height="900"></iframe>',
            language="html",
            wrap_lines=True,
        )
