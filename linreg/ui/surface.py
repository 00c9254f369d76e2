"""The surface page: any optimizers from any starts on both surfaces, the curvature, and the surface
of a single batch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from linreg.experiments import surface as experiment
from linreg.experiments.optimizer_paths import MAX_RECORDED
from linreg.experiments.surface import SurfaceResult
from linreg.figures import surface as figures
from linreg.figures.moving import MovingRun, runs_of_surface
from linreg.figures.optimizer_paths import ARROWS_NOTE
from linreg.settings.changes import update_both
from linreg.settings.fields import specs_of
from linreg.settings.model import Comparison, DataSettings
from linreg.settings.pages import MAX_STARTS, SurfaceView
from linreg.text import surface as surface_text
from linreg.ui.cache import RESOURCES, result_of
from linreg.ui.controls import choice, number, several, show_refusal, slider, text, toggle
from linreg.ui.elements import compiled, plain_table
from linreg.ui.figure_view import draw, draw_live, live_menus
from linreg.ui.live import TrainingSettings, live_training
from linreg.ui.live.messages import read_starts
from linreg.ui.page import begin_fragment
from linreg.ui.replay import step_controls
from linreg.ui.state import page_state

RATES = {"tuned": "tuned for each", "one": "one for all", "own": "typed"}
PARTS = {"paths": "paths", "curvature": "curvature", "batches": "single batches"}
STARTS_NOTE = (
    "Drag a start to train from elsewhere, click on a surface to add one, click on a start to"
    " remove it. Tuned learning rates stay as they are during a drag and are tuned anew after it."
)
VALLEY = "valley"  # key of the button
VALLEY_CORRELATION = 0.95
VALLEY_START = (-3.0, 8.0)
SIDES = {"both": "both", "original": "original", "fixed": "fixed"}


def surface_section(comparison: Comparison) -> None:
    """The part of the page that is chosen: paths, curvature, or single batches."""
    st.fragment(_surface)(comparison)  # a control of the view leaves the sidebar as it is


def _surface(comparison: Comparison) -> None:
    begin_fragment()
    which, sides, valley = st.columns([2.5, 2, 1.5], gap="medium", vertical_alignment="bottom")
    with which:
        choice("view.part", "Show", titles=PARTS.__getitem__, buttons=True)
    with sides:
        choice("view.sides", "Surfaces", titles=SIDES.__getitem__, buttons=True)
    is_synthetic = isinstance(comparison.original.data, DataSettings)
    part = page_state().view(SurfaceView).part
    if part == "paths":
        if is_synthetic:
            with valley:
                st.button(
                    "A narrow valley",
                    key=VALLEY,
                    on_click=_show_valley,
                    help=f"Correlates the features by {VALLEY_CORRELATION:g}, which makes the bowls"
                    " narrow, and starts all optimizers at one point.",
                    width="stretch",
                )
                show_refusal(VALLEY)
        _paths_part(comparison, is_synthetic)
        return
    if is_synthetic:
        _data_controls()
    {"curvature": _curvature_part, "batches": _batches_part}[part](comparison)


def _data_controls() -> None:
    """The settings of the data that shape the surface."""
    correlation, scale, _ = st.columns([3, 1.5, 3], gap="medium", vertical_alignment="bottom")
    with correlation:
        slider("correlation", "Correlation of the features", -0.99, 0.99, 0.01)
    with scale:
        number("scale", "Feature scale", key_suffix=".again")


def _show_valley() -> None:
    """Correlate the features, so that the bowl is a narrow valley, with one start beside it."""
    state = page_state()
    changes = {"correlation": VALLEY_CORRELATION}
    if state.change(lambda: update_both(state.comparison, changes), VALLEY):
        state.change_view(starts=VALLEY_START, ring=0)


def _paths_part(comparison: Comparison, is_synthetic: bool) -> None:
    """All paths on the chosen surfaces, and how loss and distance fall, replayed by one slider;
    below them what is trained."""
    st.fragment(_paths_figures)(comparison)
    _paths_controls()
    if is_synthetic:
        _data_controls()


def _paths_controls() -> None:
    """What is trained from where."""
    st.subheader("What is trained")
    shown = page_state().view(SurfaceView)
    optimizers, rates, arrows = st.columns([3.6, 3, 1.6], gap="medium", vertical_alignment="bottom")
    with optimizers:
        several("view.optimizers", "Optimizers")
    with rates:
        choice(
            "view.rates",
            "Learning rates",
            titles=RATES.__getitem__,
            buttons=True,
            help="Tuned: the rate with the fewest steps to 99 % of the way down to the minimum, for"
            " each optimizer and side.",
        )
    with arrows:
        toggle("view.arrows", "Gradient arrows")
    if shown.rates == "own":
        text(
            "view.lrs",
            "Learning rates, in the order of the optimizers",
            "such as 0.01, 1e-5; one left out is the sidebar's",
        )
    starts, count, radius, clear = st.columns(
        [4, 1.5, 1.5, 1], gap="medium", vertical_alignment="bottom"
    )
    with starts:
        text(
            "view.starts",
            "Starts, e.g. 2, 3, 4, 1",
            "w1 and w2 of one point after the other; or click on a surface. With none, training"
            " starts from the run's own initial weights.",
        )
    with count:
        number("view.ring", "Starts in a ring")
    with radius:
        number("view.radius", "Radius of the ring", disabled=not shown.ring)
    clear.button(
        "Clear",
        key="clear",
        on_click=_clear,
        disabled=not (shown.starts or shown.ring),
        width="stretch",
    )


def _clear() -> None:
    page_state().change_view(starts=(), ring=0)


def _paths_figures(comparison: Comparison) -> None:
    state = page_state()
    if state.starts_have_changed:
        state.starts_have_changed = False
        st.rerun()  # letting go runs this fragment alone; the field of the starts is outside
    result = result_for(comparison, state.view(SurfaceView))
    st.markdown(surface_text.paths_finding(result))
    group, (runs, last_step) = "surface", replayed(comparison)
    paths = partial(figures.paths, result)
    draw_live(group, paths, runs, sends_runs=True)
    step_controls(group, last_step)
    _training(group, result, runs)
    st.caption(STARTS_NOTE + (ARROWS_NOTE if result.view.arrows else ""))
    live_menus(paths, runs, "paths")
    plain_table(surface_text.paths_table(result))
    left, right = st.columns(2, gap="medium")
    with left:
        draw_live(group, partial(figures.losses, result), runs, "descent")
    with right:
        draw_live(group, partial(figures.distances, result), runs, "distance")


def replayed(comparison: Comparison) -> tuple[list[MovingRun], int]:
    """The runs that the figures replay, and the last step of these."""
    result = result_for(comparison, page_state().view(SurfaceView))
    return runs_of_surface(result), result.last_step


def _training(group: str, result: SurfaceResult, runs: list[MovingRun]) -> None:
    """What the browser trains while a start is dragged, at the learning rates of the last runs."""
    view = result.view
    starts = list(dict.fromkeys(start for side in result.starts for start in side))
    starts_of = {
        panel.label: [starts.index(start) for start in side]
        for panel, side in zip(result.panels, result.starts, strict=False)
    }
    labels = [
        {
            "label": panel.label,
            "optimizer": path.optimizer,
            "starts": starts_of[panel.label],
            "follows": {"lr": False, "momentum": False},
        }
        for panel in result.panels
        for path in panel.paths
    ]
    settings = TrainingSettings(
        starts=starts,
        max_starts=MAX_STARTS,
        typed_starts=len(view.starts) // 2,
        trainer="the server",
        max_recorded=MAX_RECORDED,
    )
    finals = [path.weights[-1].ravel() for panel in result.panels for path in panel.paths]
    key = live_training(
        group,
        experiment.browser_training(result, RESOURCES),
        labels,
        settings,
        runs,
        _start_as_chosen,
        np.concatenate([*finals, np.empty(0)]),
    )
    show_refusal(key)


def _start_as_chosen(key: str) -> None:
    """Take over the starts that the visitor has moved, added to or removed from."""
    state = page_state()
    if state.was_removed(key):
        return
    message = state.widget(key)["release"]
    spec = specs_of(SurfaceView)["starts"]

    def changes() -> dict[str, Any]:
        starts = read_starts(message, spec)
        return {"starts": tuple(w for start in starts for w in start), "ring": 0}

    state.change_view_by(changes, key)
    state.starts_have_changed = True


def result_for(comparison: Comparison, view: SurfaceView) -> SurfaceResult:
    """The result of the page; the parts that only concern drawing do not compute it anew."""
    sides = experiment.shown_sides(comparison, view)
    with compiled(view.optimizers, max(2 + settings.bias for _, settings in sides)):
        result = result_of(
            experiment.run, comparison, replace(view, part="paths", arrows=False, batch=0)
        )
    return replace(result, view=view)


def _curvature_part(comparison: Comparison) -> None:
    """The axes of the bowl, its condition number, and the stable learning rates."""
    result = result_for(comparison, page_state().view(SurfaceView))
    draw(lambda theme: figures.principal_axes(result, theme), "curvature")
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown(surface_text.curvature_table(result))
        st.markdown(surface_text.curvature_finding(result))
    with right:
        draw(lambda theme: figures.learning_rates(result, theme), "rates")


def _batches_part(comparison: Comparison) -> None:
    """The surface of one batch, and the minima of the others."""
    st.markdown(
        "Each batch has a loss of its own, and a minimum of its own; each step uses the next"
        " batch's gradient."
    )
    result = experiment.batches(comparison, page_state().view(SurfaceView), RESOURCES)
    if result.count > 1:
        with st.columns([1, 3])[0]:
            number("view.batch", f"Batch, 0 to {result.count - 1:,}", maximum=result.count - 1)
    draw(lambda theme: figures.one_batch(result, theme), "batches")
