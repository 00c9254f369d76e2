"""The surface page: any optimizers from any starts on both surfaces, the curvature, and the surface
of a single batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from linreg.experiments.optimizer_paths import Panel, curvature
from linreg.figures import gallery
from linreg.figures import surface as surface_figures
from linreg.figures.gallery import shown_sides
from linreg.figures.surface import Batches, PathScene
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import MOST_STARTS, SurfaceView
from linreg.text import comparison as comparison_text
from linreg.text import surface as surface_text
from linreg.ui.cache import AS_TEXT, CORE, moments_of, surface_of
from linreg.ui.controls import choice, number, several, slider, text, toggle
from linreg.ui.elements import compiled, plain_table
from linreg.ui.figure_view import Selection, draw
from linreg.ui.page import begin_fragment
from linreg.ui.replay import FRAME_SECONDS, forget_step_controls, step_controls, step_to_show
from linreg.ui.state import page_state

RATES = {"tuned": "tuned for each", "one": "one for all", "own": "typed"}
PARTS = {"paths": "paths", "curvature": "curvature", "batches": "single batches"}
SIDES = {"both": "both", "original": "original", "fixed": "fixed"}


def surface_section(comparison: Comparison) -> None:
    """The part of the page that is chosen: paths, curvature, or single batches."""
    st.fragment(_surface)(comparison)  # a control of the view leaves the sidebar as it is


def _surface(comparison: Comparison) -> None:
    begin_fragment()
    which, sides, correlation, scale = st.columns(
        [2.5, 2, 2, 1.3], gap="medium", vertical_alignment="bottom"
    )
    with which:
        choice("view.part", "Show", titles=PARTS.__getitem__, buttons=True)
    with sides:
        choice("view.sides", "Surfaces", titles=SIDES.__getitem__, buttons=True)
    if isinstance(comparison.original.data, DataSettings):
        with correlation:
            slider("correlation", "Correlation of the features", -0.99, 0.99, 0.01)
        with scale:
            number("scale", "Feature scale", key_suffix=".again")
    part = page_state().view(SurfaceView).part
    if part != "paths":
        forget_step_controls()
    {"paths": _paths_part, "curvature": _curvature_part, "batches": _batches_part}[part](comparison)


def _paths_part(comparison: Comparison) -> None:
    """All paths on the chosen surfaces, and how loss and distance fall, replayed by one slider."""
    _paths_controls()
    playing = page_state().playing
    st.fragment(_paths_figures, run_every=FRAME_SECONDS if playing else None)(comparison)


def _paths_controls() -> None:
    """What is trained from where."""
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
            help="Tuned: the rate with the fewest steps to lose 99 % of the excess loss, for each optimizer and side.",
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
            "Starts: w1, w2, w1, w2, …",
            "or click on a surface; with none, the run's own initial weights",
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
    if state.start_was_added:
        state.start_was_added = False
        st.rerun()  # a click runs this fragment alone; the field that lists the starts is outside
    shown = state.view(SurfaceView)
    panels, scene = _panels(comparison, shown)
    last = gallery.last_step(panels)
    step = step_to_show(last)
    st.markdown("  \n".join(surface_text.paths_finding(panel) for panel in panels))
    step_controls(step, last)
    draw(
        lambda theme: gallery.paths_plate(panels, scene, step, shown.arrows, theme),
        "paths",
        [Selection(f"paths.{panel.label}", "clicked", _start_at) for panel in panels],
        " A click on a surface adds a start.",
    )
    plain_table(surface_text.paths_table(panels))
    left, right = st.columns(2, gap="medium")
    with left:
        draw(lambda theme: gallery.descent_plate(panels, "loss", step, theme), "descent")
    with right:
        draw(lambda theme: gallery.descent_plate(panels, "distance", step, theme), "distance")


def _start_at(key: str) -> None:
    """Add a start at the clicked cell."""
    state = page_state()
    clicked = [
        (int(point["column"]), int(point["row"])) for point in state.selected_points(key, "clicked")
    ]
    if state.is_new_click(key, clicked):
        shown = state.view(SurfaceView)
        _, scene = _panels(state.comparison, shown)
        start = surface_figures.snapped(scene.domain, *clicked[0])
        state.change_view(starts=(*shown.starts, *start)[-2 * MOST_STARTS :])
        state.start_was_added = True


def _panels(comparison: Comparison, shown: SurfaceView) -> tuple[list[Panel], PathScene]:
    with compiled(
        shown.optimizers, max(2 + settings.bias for _, settings in shown_sides(comparison, shown))
    ):
        return _trained_panels(comparison, replace(shown, part="paths", arrows=False, batch=0))


@st.cache_resource(hash_funcs=AS_TEXT, max_entries=8, show_spinner=False)
def _trained_panels(comparison: Comparison, shown: SurfaceView) -> tuple[list[Panel], PathScene]:
    """All paths of the view and their picture; shared by all visitors, since nothing changes
    them."""
    return gallery.panels_of(comparison, shown, CORE)


def _curvature_part(comparison: Comparison) -> None:
    """The bowl's axes, its condition number and the stable learning rates."""
    shown = page_state().view(SurfaceView)
    sides = shown_sides(comparison, shown)
    surface = surface_of(sides[-1][1])
    bowl = curvature(surface)
    panels, scene = _panels(comparison, shown)
    draw(lambda theme: gallery.curvature_plate(panels, scene, theme), "curvature")
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown(surface_text.curvature_table(bowl.values, bowl.directions))
        steepest = [moments_of(settings).stable_lr() for _, settings in sides]
        st.markdown(
            surface_text.curvature_finding(
                [(surface_of(settings), settings) for _, settings in sides], steepest
            )
        )
    with right:
        draw(lambda theme: gallery.rates_plate(comparison, panels, surface, theme), "rates")


def _batches_part(comparison: Comparison) -> None:
    """One batch's own surface, and where the other batches have their minima."""
    shown = page_state().view(SurfaceView)
    sides = shown_sides(comparison, shown)
    st.markdown(
        "Each batch has a loss of its own, and a minimum of its own; a run descends on one batch"
        " after the other."
    )
    every = [
        Batches(label, comparison_text.shapes_met(settings), moments_of(settings))
        for label, settings in sides
    ]
    count = min(len(one.moments) for one in every)
    if count > 1:
        with st.columns([1, 3])[0]:
            number("view.batch", f"Batch, 0 to {count - 1:,}", maximum=count - 1)
    k = min(shown.batch, count - 1)
    minima = [_minima(settings) for _, settings in sides]
    draw(lambda theme: gallery.batches_plate(every, minima, k, theme), "batches")


@st.cache_data(
    hash_funcs=AS_TEXT, max_entries=64, max_size=LIMITS.kept_path_bytes, show_spinner=False
)
def _minima(settings: Settings) -> Any:
    return surface_figures.batch_minima(moments_of(settings))
