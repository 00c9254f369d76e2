"""The surface page: any optimizers from any starts on both surfaces, the curvature, and the surface of a single batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from linreg import charts_explore, wording
from linreg.charts_explore import Batches, Panel
from linreg.data import initial_weights
from linreg.explore import Paths, as_points, curvature, fitting_momentum, paths, ring, tuned_lr
from linreg.outcome import yardstick
from linreg.settings import Comparison, Settings
from linreg.ui.cached import least_squares_of, moments_of, surface_of, table_of
from linreg.ui.drawing import (
    FRAME_SECONDS,
    compiled,
    current_theme,
    data_table,
    show,
    step_controls,
    step_to_show,
    words,
)
from linreg.ui.frame import LABELS, change_view, choice, number, several, slider, text, toggle, view
from linreg.views import MOST_STARTS, SurfaceView

RATES = {"tuned": "tuned for each", "one": "the sidebar's for all", "own": "typed"}
SIDES = {"both": "both", "original": "original", "fixed": "fixed"}


def surface_controls() -> None:
    """What is trained from where, and on which surfaces."""
    shown = view(SurfaceView)
    several("view.optimizers", "Optimizers")
    left, middle, right = st.columns([3, 2, 2], gap="medium", vertical_alignment="bottom")
    with left:
        choice("view.rates", "Learning rates", titles=RATES.__getitem__, buttons=True)
    with middle:
        choice("view.sides", "Surfaces", titles=SIDES.__getitem__, buttons=True)
    with right:
        toggle("view.arrows", "Arrows down the gradient")
    if shown.rates == "own":
        text(
            "view.lrs",
            "Learning rates, in the order of the optimizers",
            "such as 0.01, 1e-5; one left out is the sidebar's",
        )
    left, middle, right, clear = st.columns([3, 1.5, 1.5, 1], gap="medium", vertical_alignment="bottom")
    with left:
        text("view.starts", "Starts: w1, w2, w1, w2, …", "or click on a surface; with none, the run's own initial weights")
    with middle:
        number("view.ring", "Starts in a ring")
    with right:
        number("view.radius", "Radius of the ring", disabled=not shown.ring)
    clear.button("Clear", key="clear", on_click=_clear, disabled=not (shown.starts or shown.ring), width="stretch")


def _clear() -> None:
    change_view(starts=(), ring=0)


def paths_section(comparison: Comparison) -> None:
    """All paths on the chosen surfaces, and how loss and distance fall, replayed by one slider."""
    playing = st.session_state["playing"]
    st.fragment(_paths_section, run_every=FRAME_SECONDS if playing else None)(comparison)


def _paths_section(comparison: Comparison) -> None:
    if st.session_state.pop("start_added", False):
        st.rerun()  # a click runs this fragment alone; the field that lists the starts is outside
    shown, theme = view(SurfaceView), current_theme()
    panels = _panels(comparison, shown)
    scene = charts_explore.path_scene(panels, least_squares_of(comparison.original.data, comparison.original.bias))
    last = max((int(path.steps[-1]) for panel in panels for path in panel.paths), default=1)
    step = step_to_show(last)
    st.markdown(_finding(panels, comparison))
    step_controls(step, last)
    columns = st.columns(len(panels), gap="medium")
    for which, column in enumerate(columns):
        with column:
            figure = charts_explore.paths_figure(panels, which, scene, step, theme, shown.arrows)
            key = f"paths.{panels[which].label}"
            show(figure, key=key, on_select=lambda key=key: _start_at(key), mode="clicked")
            data_table(figure, f"paths {panels[which].label}")
    st.caption(figure.caption + " A click on a surface adds a start.")
    st.markdown(_outcomes(panels, comparison))
    for column, panel in zip(st.columns(len(panels), gap="medium"), panels, strict=True):
        with column:
            for what in ("loss", "distance"):
                descent = charts_explore.descent_figure(panel, what, step, theme)
                show(descent)
                words(descent, f"{what} {panel.label}")


def _start_at(key: str) -> None:
    """Add the clicked start. A chart that is drawn again reports its last click again: that one is known."""
    state = st.session_state
    clicked = [(point["w1"], point["w2"]) for point in state[key]["selection"].get("clicked", [])]
    if clicked and clicked != state.get(f"{key}.clicked"):
        state[f"{key}.clicked"] = clicked
        change_view(starts=(*view(SurfaceView).starts, *map(float, clicked[0]))[-2 * MOST_STARTS :])
        state["start_added"] = True


def _shown_sides(comparison: Comparison, shown: SurfaceView) -> list[tuple[str, Settings]]:
    both = list(zip(LABELS, (comparison.original, comparison.fixed), strict=True))
    return both if shown.sides == "both" else [side for side in both if side[0].lower() == shown.sides]


def _panels(comparison: Comparison, shown: SurfaceView) -> list[Panel]:
    sides = _shown_sides(comparison, shown)
    middle = surface_of(sides[-1][1]).minimum  # of the fixed side where it is shown
    with compiled(shown.optimizers, 2 + comparison.original.bias):
        return [
            Panel(
                label,
                wording.met(settings),
                surface_of(settings),
                tuple(
                    _trained(settings, shown, index, _starts(settings, shown, middle))
                    for index in range(len(shown.optimizers))
                ),
            )
            for label, settings in sides
        ]


def _starts(settings: Settings, shown: SurfaceView, middle: np.ndarray) -> tuple[tuple[float, ...], ...]:
    own = initial_weights(settings)  # (P,)
    points = [*as_points(shown.starts), *(ring(middle[:2], shown.radius, shown.ring) if shown.ring else [])]
    return tuple((*map(float, point), *own[2:].tolist()) for point in points) or (tuple(own.tolist()),)


def _trained(settings: Settings, shown: SurfaceView, index: int, starts: tuple[tuple[float, ...], ...]) -> Paths:
    optimizer = shown.optimizers[index]
    lr = settings.lr
    if shown.rates == "tuned":
        lr = _tuned(settings, optimizer, starts)
    elif shown.rates == "own" and index < len(shown.lrs):
        lr = shown.lrs[index]
    return _paths(settings, optimizer, lr, starts)


@st.cache_data(max_entries=512, show_spinner=False)
def _tuned(settings: Settings, optimizer: str, starts: tuple[tuple[float, ...], ...]) -> float:
    momentum = fitting_momentum(optimizer, settings.momentum)
    return tuned_lr(moments_of(settings), optimizer, np.array(starts), min(settings.steps, 3_000), momentum)


@st.cache_data(max_entries=256, show_spinner=False)
def _paths(settings: Settings, optimizer: str, lr: float, starts: tuple[tuple[float, ...], ...]) -> Paths:
    momentum = fitting_momentum(optimizer, settings.momentum)
    return paths(moments_of(settings), optimizer, lr, np.array(starts), settings.steps, momentum)


def _finding(panels: Sequence[Panel], comparison: Comparison) -> str:
    """Where the paths end on each surface, and what the fit is worth there."""
    judge = yardstick(table_of(comparison.original.data), comparison.original.bias)
    return "  \n".join(wording.paths_finding(panel.label, panel.surface, panel.paths, judge) for panel in panels)


def _outcomes(panels: Sequence[Panel], comparison: Comparison) -> str:
    judge = yardstick(table_of(comparison.original.data), comparison.original.bias)
    return wording.paths_table([(panel.label, panel.surface, panel.paths) for panel in panels], judge)


def curvature_section(comparison: Comparison) -> None:
    """The bowl's axes, its condition number and the stable rates, beside controls for scale and correlation."""
    shown = view(SurfaceView)
    sides = _shown_sides(comparison, shown)
    surface = surface_of(sides[-1][1])
    bowl = curvature(surface)
    st.subheader("The bowl: how steep, along which axes")
    left, right = st.columns([2, 3], gap="large")
    with left:
        slider("correlation", "Correlation of the features", -0.99, 0.99, 0.01)
        number("scale", "Feature scale", again=".again")
        st.markdown(wording.curvature_table(bowl.values, bowl.directions))
        st.markdown(wording.curvature_finding(surface, [settings for _, settings in sides]))
    with right:
        momentum = comparison.original.momentum or 0.9
        limits = [("SGD", surface.stable_lr()), (f"SGD, momentum {momentum:g}", surface.stable_lr(momentum))]
        rates = [("the sidebar's lr", label, settings.lr) for label, settings in sides]
        for panel in _panels(comparison, shown):
            rates += [(path.optimizer, panel.label, path.lr) for path in panel.paths]
        figure = charts_explore.rates_figure(rates, limits, current_theme())
        show(figure)
        words(figure, "rates")


def batch_section(comparison: Comparison) -> None:
    """One batch's own surface, and where the other batches have their minima."""
    shown, theme = view(SurfaceView), current_theme()
    sides = _shown_sides(comparison, shown)
    st.subheader("Each batch has a minimum of its own")
    every = [Batches(label, wording.met(settings), moments_of(settings)) for label, settings in sides]
    count = min(len(one.moments) for one in every)
    if count > 1:
        with st.columns([1, 3])[0]:
            number("view.batch", f"Batch, 0 to {count - 1:,}", most=count - 1)
    k = min(shown.batch, count - 1)
    minima = [_minima(settings) for _, settings in sides]
    domains = charts_explore.batch_domains(minima)
    for column, one, cloud, domain in zip(st.columns(len(every), gap="medium"), every, minima, domains, strict=True):
        with column:
            figure = charts_explore.batch_figure(one, k, cloud, domain, theme)
            show(figure)
            data_table(figure, f"batch {one.label}")
    st.caption(figure.caption)


@st.cache_data(max_entries=64, show_spinner=False)
def _minima(settings: Settings) -> Any:
    return charts_explore.batch_minima(moments_of(settings))
