"""The start of every page: its configuration, the menu, the controls, and the address."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import streamlit as st

from linreg.data.dataset import table_named
from linreg.figures.templates import build_templates
from linreg.settings.model import Comparison, TableSettings
from linreg.settings.warnings import FILTERS_LOCK
from linreg.text.markdown import escape_markdown
from linreg.training import memory
from linreg.training.apart import APART
from linreg.ui.sidebar import sidebar
from linreg.ui.state import page_state
from linreg.ui.url import read_url, write_url

FIRST_SECONDS = 30  # the most that all other work waits for the first page
TIDY_SECONDS = 10
# a page hands on each of its elements and waits so long to go on while another one computes
SWITCH_SECONDS = 0.0005


def page(
    title: str,
    view_type: type[Any] | None = None,
    controls: bool | Callable[[Comparison], bool] = True,
) -> Comparison:
    """Start a page and return the comparison to show.

    `view_type` is the type of the settings that are the page's own, if it has any. `controls` says
    whether the sidebar has controls, or is a function of the comparison that says so."""
    icon = Path(__file__).parent.with_name("icon.svg")
    st.set_page_config(page_title=f"{title} · linreg", page_icon=str(icon), layout="wide")
    st.html(Path(__file__).with_name("legible.css"))
    if not st.context.is_embedded:
        st.html(Path(__file__).with_name("columns.css"))
    _warm_up()
    read_url(title, view_type)
    state = page_state()
    _hold_table()
    if st.context.is_embedded:
        state.expected = st.empty()
    else:
        with st.sidebar:
            sidebar(controls(state.comparison) if callable(controls) else controls)
    write_url()
    for sentence in state.ignored:
        st.warning(escape_markdown(sentence), icon="⚠️")
    state.outside_fragments = _outside_fragments()
    return state.comparison


def _hold_table() -> None:
    """Refer to the table of the comparison: one that nobody refers to is dropped."""
    data = page_state().comparison.original.data
    page_state().table_in_use = table_named(data.table) if isinstance(data, TableSettings) else None


def _outside_fragments() -> tuple[Any, ...]:
    """What the page outside of its fragments depends on.

    `playing` is part of it: the clock of a fragment starts and stops with the whole page."""
    state = page_state()
    return state.comparison, tuple(state.ignored), state.playing


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


@st.cache_resource(show_spinner=False)
def _warm_up() -> threading.Thread:
    """In the background, once in a server's life: start PyTorch's process and, when the first page
    has been drawn, compile the kernels, build the figures' templates, and then keep the memory
    tidy."""

    memory.spare()
    memory.hold_files()
    sys.setswitchinterval(SWITCH_SECONDS)
    APART.wake()
    first = threading.current_thread()

    def work() -> None:
        first.join(FIRST_SECONDS)
        _set_aside()
        with FILTERS_LOCK:  # what numba loads swaps them
            from linreg.figures.simplify import compile_simplify
            from linreg.training.ensemble import precompile

        compile_simplify()
        for _ in chain(precompile(), build_templates()):
            time.sleep(0.05)  # to compile is to hold the interpreter: let the pages breathe
        modules = 0
        while True:  # what Streamlit would do after every run
            if (
                len(sys.modules) > modules
            ):  # with what a page has loaded when it was first asked for
                modules = len(sys.modules)
                _set_aside()
            else:
                gc.collect()
            memory.give_back()
            time.sleep(TIDY_SECONDS)

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def _set_aside() -> None:
    """Take all that is loaded out of what the garbage collector looks at.

    To collect garbage is to hold the interpreter: with Numba and all modules loaded for a tenth of
    a second, for objects that stay anyway."""
    gc.collect()
    gc.freeze()
