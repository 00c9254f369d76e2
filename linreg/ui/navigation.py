"""Links from page to page: to the neighbours in the menu, into the lecture view and out of it, and
what an address that no page has is told."""

from __future__ import annotations

from difflib import get_close_matches

import streamlit as st

from linreg.settings.fields import shorten
from linreg.settings.pages import MENU, Page
from linreg.text.markdown import escape_markdown
from linreg.ui.live import lecture_keys
from linreg.ui.state import page_state


def link_to(page: Page, label: str, icon: str | None = None) -> None:
    """A link to a page with the session's settings."""
    st.page_link(page.path, label=label, icon=icon, query_params=page_state().links[page.name])


def menu() -> None:
    """Links to all pages, by which `history.js` opens them."""
    for page in MENU.values():
        link_to(page, page.title)


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
    """Say that the address named no page, with a link to the page of a similar name, or to all."""
    name = page_state().unknown_page
    if not name:
        return
    st.warning(
        f"There is no page *{escape_markdown(shorten(name))}*, so this is the home page.", icon="⚠️"
    )
    names = get_close_matches(name.lower(), MENU, n=1) or MENU
    with st.container(key="other_pages", horizontal=True):
        for page in MENU.values():
            if page.name in names and page.name != page_state().page:
                link_to(page, f"{page.title} →")


# ---- the lecture view ----------------------------------------------------------------------------


def present_button() -> None:
    """The way into the lecture view of the page. A link would not change the address of the same
    page."""
    st.button(
        "Lecture view",
        key="present",
        type="tertiary",
        icon=":material/slideshow:",
        help="No side panel and large type; the arrow keys step through the replay.",
        on_click=page_state().present,
        args=(True,),
    )


def leave_button() -> None:
    """The way out of the lecture view, and the keys of this view."""
    st.button(
        "Leave the lecture view (Esc)",
        key="leave_lecture",
        type="tertiary",
        icon=":material/close:",
        on_click=page_state().present,
        args=(False,),
    )
    lecture_keys()
