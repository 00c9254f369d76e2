"""A page, and what is left of it within another page: its figures and their captions alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from linreg.figures import gallery
from linreg.settings.fields import SettingsError
from linreg.settings.model import Comparison, Settings
from linreg.settings.pages import PAGES
from linreg.text.markdown import escape_markdown
from linreg.ui import claims, sweep
from linreg.ui import comparison as comparison_ui
from linreg.ui.cache import CORE
from linreg.ui.elements import compiled
from linreg.ui.figure_view import current_theme, draw
from linreg.ui.page import page as start_page
from linreg.ui.state import page_state
from linreg.ui.url import full_address

if TYPE_CHECKING:
    from linreg.training.run import Run


def page(
    title: str,
    kind: type[Any] | None = None,
    controls: bool | Callable[[Comparison], bool] = True,
    shown: Callable[[Comparison], Comparison] | None = None,
) -> Comparison:
    """`linreg.ui.page.page`, which ends here if the page is embedded, once its figures are drawn.

    `shown` gives the comparison of a page that shows another one than the session's.
    """
    comparison = start_page(title, kind, controls)
    if st.context.is_embedded:
        if not any(sentence.startswith("table=") for sentence in page_state().ignored):
            _figures_alone(comparison, kind, shown)
        st.markdown(f"[All of it, with its controls]({full_address()})")
        st.stop()
    return comparison


def _figures_alone(
    comparison: Comparison, kind: type[Any] | None, shown: Callable[[Comparison], Comparison] | None
) -> None:
    name = next((name for name, one in PAGES.items() if one is kind), "comparison")
    of = replace(
        CORE,
        runs=_runs,
        by_seed=lambda seeds: claims.by_seed(seeds, st.empty()),
        cells=sweep.all_cells,
        tuned=lambda settings, optimizer, *how: _compiled(CORE.tuned, settings, optimizer, *how),
        paths=lambda settings, optimizer, *how: _compiled(CORE.paths, settings, optimizer, *how),
    )
    state = page_state()
    views = {kind: state.view(kind)} if kind else {}
    try:
        comparison = shown(comparison) if shown else comparison
        for _, plate in gallery.figures(comparison, current_theme(), views, state.step, [name], of):
            if plate.heading:
                st.markdown(f"**{plate.heading}**")
            draw(lambda _, plate=plate: plate)  # type: ignore[misc]
    except SettingsError as error:
        st.info(escape_markdown(f"{str(error)[0].upper()}{str(error)[1:]}."))


def _compiled(call: Callable[..., Any], settings: Settings, optimizer: str, *how: Any) -> Any:
    with compiled([optimizer], 2 + settings.bias):
        return call(settings, optimizer, *how)


def _runs(comparison: Comparison) -> Sequence[Run]:
    with st.spinner("Training …", show_time=True):
        return comparison_ui.runs_of(comparison)
