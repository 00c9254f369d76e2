"""Small elements that several pages use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from linreg.text.markdown import table_in_markdown


def plain_table(rows: Mapping[str, Mapping[str, str]]) -> None:
    """A table of words and numbers, row -> column -> text in Markdown, that can be scrolled
    sideways on a phone.

    It is one Markdown text: Streamlit's own table renders each of its cells as Markdown again
    whenever anything on the page changes."""
    if rows:
        columns = list(next(iter(rows.values())))
        cells = {name: list(row.values()) for name, row in rows.items()}
        st.markdown(table_in_markdown(cells, columns))


def page_script(name: str, constants: Mapping[str, Any] | None = None) -> None:
    """Run a script of this folder in the page, with these constants in the place of their names."""
    script = Path(__file__).with_name(name).read_text(encoding="utf-8")
    for constant, value in (constants or {}).items():
        script = script.replace(constant, json.dumps(value))
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


@contextmanager
def compiled(optimizers: Sequence[str], parameters: int = 2) -> Iterator[None]:
    """Around work that needs the compiled kernels of these optimizers: while one is being compiled,
    the page says so."""
    from linreg.training.ensemble import is_compiled

    if all(is_compiled(optimizer, parameters) for optimizer in optimizers):
        yield
    else:
        with st.spinner("Compiling the optimizers, once on this server …", show_time=True):
            yield
