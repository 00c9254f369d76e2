"""A page, and what is left of it within another page: its headline, its finding, and its figures,
or a single one of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from linreg.experiments import cause as cause_experiment
from linreg.experiments import claims as claims_experiment
from linreg.experiments import sweep as sweep_experiment
from linreg.experiments import your_code as code_experiment
from linreg.experiments.work import Work
from linreg.figures.export import slug
from linreg.figures.figure import FigureSet
from linreg.figures.moving import MovingRun
from linreg.figures.pages import FIGURES, outstanding, page_figures
from linreg.settings.fields import SettingsError, shorten
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison
from linreg.settings.pages import MENU
from linreg.text import cause as cause_text
from linreg.text import claims as claims_text
from linreg.text import comparison as comparison_text
from linreg.text import surface as surface_text
from linreg.text import sweep as sweep_text
from linreg.text import your_code as code_text
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


def _of_home(comparison: Comparison, _view: Any) -> str:
    return comparison_text.lead(home.result_for(comparison))


def _of_cause(comparison: Comparison, view: Any) -> str:
    return cause_text.cause_finding(result_of(cause_experiment.run, comparison, view))


def _of_claims(_comparison: Comparison, view: Any) -> str:
    return claims_text.claims_finding(result_of(claims_experiment.run, view))


def _of_surface(comparison: Comparison, view: Any) -> str:
    return surface_text.paths_finding(surface.result_for(comparison, view))


def _of_sweep(comparison: Comparison, view: Any) -> str:
    return sweep_text.sweep_finding(result_of(sweep_experiment.run, comparison, view))


def _of_code(_comparison: Comparison, view: Any) -> str:
    return code_text.shapes_verdict(result_of(code_experiment.run, view))


# page -> its finding, in Markdown
FINDINGS: dict[str, Callable[[Comparison, Any], str]] = {
    "comparison": _of_home,
    "cause": _of_cause,
    "claims": _of_claims,
    "surface": _of_surface,
    "sweep": _of_sweep,
    "your_code": _of_code,
}


def page(
    name: str,
    controls: bool | Callable[[Comparison], bool] = True,
    shown: Callable[[Comparison], Comparison] | None = None,
) -> Comparison:
    """Start a page by its name in `MENU`, with its heading, and return the comparison to show.

    An embedded page ends here, once its figures are drawn. `controls` is that of `start_page`;
    `shown` gives the comparison of a page that shows another one than the session's.
    """
    comparison = start_page(MENU[name], controls)
    if st.context.is_embedded:
        if not any(sentence.startswith("table=") for sentence in page_state().ignored):
            _figures_alone(name, comparison, shown)
        st.markdown(f"[Open in linreg]({full_address()})")
        st.stop()
    if MENU[name].heading:
        st.header(MENU[name].heading)
    return comparison


def _figures_alone(
    name: str, comparison: Comparison, shown: Callable[[Comparison], Comparison] | None
) -> None:
    """The headline, the finding and all figures of a page, or the figure that the address names."""
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
            chosen = [one for one in figures if slug(one.name) == state.figure]
            if not chosen:
                _refuse_figure(figures)
                heading = MENU[name].heading or comparison_text.title(home.result_for(comparison))
                st.subheader(heading, anchor=False)
                st.markdown(FINDINGS[name](comparison, view))
        _draw_figures(name, chosen or figures, comparison)
    except SettingsError as error:
        st.info(escape_markdown(f"{str(error)[0].upper()}{str(error)[1:]}."))


def _refuse_figure(figures: Sequence[FigureSet]) -> None:
    """Say which figures there are, where the address names another one."""
    name = page_state().figure
    if name:
        there = ", ".join(slug(figure_set.name) for figure_set in figures)
        st.warning(
            escape_markdown(
                f"figure={shorten(name)} was ignored: this page has no such figure; it has {there}."
            ),
            icon="⚠️",
        )


def _draw_figures(name: str, figures: Sequence[FigureSet], comparison: Comparison) -> None:
    """The figures below each other, with the controls of the replay after the first that moves."""
    is_live = [any(panel.moving for panel in figure_set.panels) for figure_set in figures]
    first_live = is_live.index(True) if True in is_live else None
    runs: list[MovingRun] = []
    last_step = 0
    if name in REPLAY and first_live is not None:
        runs, last_step = REPLAY[name](comparison)
    if name == "cause" and first_live is not None:
        cause.fade_bar(result_of(cause_experiment.run, comparison, page_state().current_view()))
    for k, figure_set in enumerate(figures):
        if figure_set.heading:
            st.markdown(f"**{figure_set.heading}**")
        if is_live[k]:
            draw_live(name, lambda *_, drawn=figure_set: drawn, runs, sends_runs=k == first_live)
        else:
            draw(lambda _, drawn=figure_set: drawn)  # type: ignore[misc]
        if k == first_live and name in REPLAY:
            step_controls(name, last_step)


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
