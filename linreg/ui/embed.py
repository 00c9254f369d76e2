"""A page, and what is left of it within another page: its figures and their captions alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from linreg.experiments import cause as cause_experiment
from linreg.experiments.work import Work
from linreg.figures.moving import MovingRun
from linreg.figures.pages import FIGURES, outstanding, page_figures
from linreg.settings.fields import SettingsError
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison
from linreg.settings.pages import MENU
from linreg.text.markdown import escape_markdown
from linreg.ui import cause, claims, surface, sweep
from linreg.ui import comparison as home
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.elements import compiled
from linreg.ui.figure_view import current_theme, draw, draw_live
from linreg.ui.page import start_page
from linreg.ui.replay import step_controls
from linreg.ui.state import page_state
from linreg.ui.url import full_address

# page -> the steps that are run without being asked for, and the function that runs them
RUN: dict[str, tuple[int | None, Callable[[Work[Any, Any]], None]]] = {
    "comparison": (LIMITS.autorun_steps, home.train_behind_bar),
    "claims": (None, claims.run_seeds_behind_bar),
    "sweep": (LIMITS.autorun_sweep_steps, sweep.run_cells_behind_bar),
}

# page -> the runs that its figures replay, and the last step of these
REPLAY: dict[str, Callable[[Comparison], tuple[list[MovingRun], int]]] = {
    "comparison": home.replayed,
    "surface": surface.replayed,
}


def page(
    name: str,
    controls: bool | Callable[[Comparison], bool] = True,
    shown: Callable[[Comparison], Comparison] | None = None,
) -> Comparison:
    """Start a page by its name in `MENU`, and return the comparison to show.

    An embedded page ends here, once its figures are drawn. `controls` is that of `start_page`;
    `shown` gives the comparison of a page that shows another one than the session's.
    """
    comparison = start_page(MENU[name], controls)
    if st.context.is_embedded:
        if not any(sentence.startswith("table=") for sentence in page_state().ignored):
            _figures_alone(name, comparison, shown)
        st.markdown(f"[All of it, with its controls]({full_address()})")
        st.stop()
    return comparison


def _figures_alone(
    name: str, comparison: Comparison, shown: Callable[[Comparison], Comparison] | None
) -> None:
    name = "comparison" if name == "your_data" else name  # the same figures, of a table
    if name not in FIGURES:
        return
    state = page_state()
    view = state.current_view()
    try:
        comparison = shown(comparison) if shown else comparison
        work = outstanding(name, comparison, view, RESOURCES)
        if work:
            _run(name, work)
        optimizers = getattr(view, "optimizers", ())
        with compiled(optimizers, 2 + comparison.original.bias):
            figures = list(page_figures(name, comparison, view, RESOURCES, current_theme()))
        runs: list[MovingRun] = []
        if name in REPLAY:
            runs, last_step = REPLAY[name](comparison)
            step_controls(name, last_step)
        if name == "cause":
            cause.fade_bar(result_of(cause_experiment.run, comparison, view))
        for k, figure_set in enumerate(figures):
            if figure_set.heading:
                st.markdown(f"**{figure_set.heading}**")
            if any(panel.moving for panel in figure_set.panels):
                draw_live(name, lambda *_, drawn=figure_set: drawn, runs, sends_runs=k == 0)
            else:
                draw(lambda _, drawn=figure_set: drawn)  # type: ignore[misc]
    except SettingsError as error:
        st.info(escape_markdown(f"{str(error)[0].upper()}{str(error)[1:]}."))


def _run(name: str, work: Work[Any, Any]) -> None:
    most, run = RUN[name]
    if most is not None and work.steps > most:
        raise SettingsError(
            f"{work.steps:,} steps are run only when asked for; open the page itself"
        )
    place = st.empty()
    with place.container():
        run(work)
    place.empty()
