"""Links from page to page: to the neighbours in the menu, into the lecture view and out of it, and
what an address that no page has is told."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st

from linreg.settings.fields import shorten
from linreg.settings.pages import MENU, Page
from linreg.text.markdown import escape_markdown
from linreg.ui.state import page_state


def link_to(page: Page, label: str, icon: str | None = None) -> None:
    """A link to a page with the session's settings."""
    st.page_link(page.path, label=label, icon=icon, query_params=page_state().links[page.name])


def neighbour_links(place: str) -> None:
    """Links to the previous and the next page of the menu; `place` is `top` or `foot`.

    Those on top are for a phone, where the menu is hidden: columns.css hides them elsewhere."""
    pages = list(MENU.values())
    at = [page.name for page in pages].index(page_state().page or pages[0].name)
    with st.container(
        key=f"{place}_links",
        horizontal=True,
        horizontal_alignment="distribute" if at else "right",
    ):
        if at:
            link_to(pages[at - 1], f"← {pages[at - 1].title}")
        if at + 1 < len(pages):
            link_to(pages[at + 1], f"{pages[at + 1].title} →")


def unknown_page_note() -> None:
    """Say that the address named no page, with a link to one of a similar name or to this one."""
    name = page_state().unknown_page
    if not name:
        return
    st.warning(
        f"There is no page *{escape_markdown(shorten(name))}*; this is the home page.", icon="⚠️"
    )
    similar = get_close_matches(name.lower(), MENU, n=1)
    page = MENU[similar[0] if similar else "comparison"]
    link_to(page, f"Go to {page.title}", ":material/arrow_forward:")


def present_link() -> None:
    """The link into the lecture view of the page."""
    page = MENU[page_state().page or "comparison"]
    with st.container(key="lecture_link"):
        st.page_link(
            page.path,
            label="Lecture view",
            icon=":material/slideshow:",
            query_params={**page_state().links[page.name], "present": "true"},
            help="No side panel and large type; the arrow keys step through the replay.",
        )


def leave_link() -> None:
    """The link out of the lecture view, and the keys of this view."""
    page = MENU[page_state().page or "comparison"]
    query = {
        name: text for name, text in page_state().links[page.name].items() if name != "present"
    }
    with st.container(key="leave_lecture", horizontal=True, horizontal_alignment="right"):
        st.page_link(
            page.path,
            label="Leave the lecture view (Esc)",
            icon=":material/close:",
            query_params=query,
        )
    _lecture_keys()(key="lecture_keys")


@cache
def _lecture_keys() -> Any:
    """The element that listens to the keys: see ui/live/lecture.js."""
    code = files("linreg.ui.live").joinpath("lecture.js").read_text(encoding="utf-8")
    return st.components.v2.component("linreg.lecture", js=code, isolate_styles=False)
