"""The paths of optimizers on the loss surfaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.experiments.optimizer_paths import Panel, Paths, curvature
from linreg.figures.figure import Figure
from linreg.figures.layers import (
    ASPECT,
    OPEN_LINE,
    PIXELS,
    contours,
    cross_layer,
    cut_at_edge,
    domain_around,
    domain_slots,
    drawn_as,
    inside,
    kept_inside,
    levels_over,
    lines_over,
    points_of,
    ring_layer,
    round_number,
    star_layer,
    weight_axes,
)
from linreg.figures.simplify import kept_points
from linreg.figures.theme import (
    Theme,
    apply_theme,
    frame_of,
    in_frame,
    placeholder,
    template,
    text_halo,
    with_frame_data,
)
from linreg.quadratic.contours import Domain
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.optimizers import OPTIMIZERS
from linreg.text.comparison import shapes_met
from linreg.text.numbers import point, quantity

CURVE_STEPS = 140  # of a curve against step, closer together where it is early
TRAIL_POINTS = 1_400  # of all paths of one panel

SNAP = (24, 19)  # cells across and up the picture; a click on one sets a start

ARROWS = 15


@dataclass(frozen=True, eq=False)
class PathScene:
    """What stays the same while the paths are replayed: one picture for all panels, their rings and
    their whole paths."""

    domain: Domain
    spacing: float
    levels: int
    least_squares: Float[np.ndarray, " P"]
    rings: tuple[pd.DataFrame, ...]
    trails: tuple[pd.DataFrame, ...]


def path_scene(panels: Sequence[Panel], least_squares: Float[np.ndarray, " P"]) -> PathScene:
    """The scene that holds the minima, least squares and all starts, and the paths where they stay
    near."""
    surfaces = [panel.surface.profile() for panel in panels]
    starts = [start[:2] for panel in panels for path in panel.paths for start in path.weights[0]]
    walked = [
        path.weights[..., :2].reshape(-1, 2) for panel in panels for path in panel.paths
    ]  # (n, 2) of all starts
    domain = domain_around(
        np.array([*(surface.minimum for surface in surfaces), least_squares[:2], *starts]), walked
    )
    spacing, levels = levels_over(surfaces, domain)
    return PathScene(
        domain,
        spacing,
        levels,
        least_squares,
        tuple(contours(surface, domain, spacing, levels) for surface in surfaces),
        tuple(_trails(panel, domain) for panel in panels),
    )


def _trails(panel: Panel, domain: Domain) -> pd.DataFrame:
    """All paths of a panel within the picture, in one table: of each the first steps densely, then
    every k-th, and of those what the eye sees."""
    runs = sum(path.weights.shape[1] for path in panel.paths)
    most = max(TRAIL_POINTS // max(runs, 1), 20)
    pixel = np.array([domain[1] - domain[0], domain[3] - domain[2]]) / PIXELS
    known = list(OPTIMIZERS)
    steps, lines, optimizers = [], [], []
    for path in panel.paths:
        rows = early_rows(path.steps)
        for track in path.weights[rows, :, :2].transpose(1, 0, 2):  # (S, 2)
            finite = np.isfinite(track).all(1)
            steps.append(path.steps[rows[finite]])
            lines.append(track[finite])
            optimizers.append(known.index(path.optimizer))
    begins = np.cumsum([0, *map(len, lines)])
    kept = kept_points(
        np.concatenate([*lines, np.empty((0, 2))]) / pixel, begins=begins[:-1]
    )  # of all paths at once
    for k, here in enumerate(np.split(kept, np.searchsorted(kept, begins[1:-1]))[: len(lines)]):
        few = (
            here
            if len(here) <= most
            else here[np.unique(np.linspace(0, len(here) - 1, most).astype(int))]
        )
        steps[k], lines[k] = steps[k][few - begins[k]], lines[k][few - begins[k]]
    table = cut_at_edge(steps, lines, domain)
    table["optimizer"] = pd.Categorical.from_codes(
        np.array(optimizers, dtype=int)[table.pop("line")], pd.Index(known)
    )
    return table


def early_rows(steps: np.ndarray) -> np.ndarray:
    """Rows of the record in even ratios of their steps, so that the first steps are seen as well as
    the last."""
    last = len(steps) - 1
    if last <= CURVE_STEPS:
        return np.arange(last + 1)
    return np.unique(np.rint(np.geomspace(1, last + 1, CURVE_STEPS)).astype(int) - 1)


def of_panel(scene: PathScene, which: int) -> PathScene:
    """The scene of one panel without its paths."""
    return replace(scene, rings=(scene.rings[which],), trails=(scene.trails[which].iloc[:0],))


def paths_figure(
    panels: Sequence[Panel],
    which: int,
    scene: PathScene,
    step: int,
    theme: Theme,
    arrows: bool = False,
) -> Figure:
    """All paths on one surface up to `step`: starts as rings, where each is now as a dot, the axes
    of the bowl as lines."""
    panel, surface = panels[which], panels[which].surface.profile()
    heads = [
        (path.optimizer, *path.weights[k, run, :2].tolist())
        for path in panel.paths
        for run in range(path.weights.shape[1])
        for k in [_seen(path, run, step)]
    ]
    now = pd.DataFrame(heads, columns=["optimizer", "w1", "w2"])
    starts = sorted(
        {tuple(start[:2].tolist()) for path in panel.paths for start in path.weights[0]}
    )
    marks = [
        ("minimum", *surface.minimum.tolist()),
        ("least squares", *scene.least_squares[:2].tolist()),
    ]
    trail = scene.trails[which]
    data = {
        "rings": scene.rings[which],
        "trail": trail,
        "path": trail[trail["step"] <= step],
        "now": now[inside(points_of(now), scene.domain)] if len(now) else now,
        "starts": points_in_picture(starts, scene.domain),
        "marks": pd.DataFrame(marks, columns=["kind", "w1", "w2"]),
        "axes": _axes(surface, scene),
        "arrows": _arrows(surface, scene.domain)
        if arrows
        else pd.DataFrame({"w1": [], "w2": [], "angle": [], "size": []}),
        "snap": _snap(),
    }
    names = [path.optimizer for path in panel.paths]
    arrived = [path.optimizer for path in panel.paths if path.settled_at(panel.surface) is not None]
    floor = f"mean loss never below {quantity(surface.floor)}"
    least = f"minimum at {point(surface.minimum)}, {floor}"
    if names:
        what = f"paths of {', '.join(names)} on the loss surface, which has its {least}"
        found = f"{len(arrived)} of {len(names)} come close to it"
    else:
        what = f"the loss surface has its {least}"
        bowl = curvature(surface)
        along = zip(bowl.values.tolist(), bowl.directions, strict=True)
        found = " and ".join(f"λ = {quantity(value)} along {point(axis)}" for value, axis in along)
    alt_text = f"{panel.label}, {shapes_met(panel.settings)}: {what}. {found}."
    title = f"{panel.label}: {shapes_met(panel.settings)}"
    data["frame"] = frame_of(
        title=title,
        subtitle=floor,
        alt=alt_text,
        levels=max(scene.levels, 2),
        optimizers=",".join(names),
        **domain_slots(scene.domain),
    )
    caption = (
        ("Open circles: starts. Dots: where each path is. " if names else "")
        + "Star: where this loss is least. Cross: least squares. Dashed: the bowl's axes, with the curvature λ along each."
        + f" From contour to contour √(loss − its least value) grows by {quantity(scene.spacing)}."
        + (" Arrows: down the gradient, larger where it is steeper." if arrows else "")
    )
    name = (
        f"{panel.label}: {'paths on the loss surface' if names else 'the axes of the loss surface'}"
    )
    return Figure(_paths_spec(theme), data, alt_text, caption, "trail", name)


def _seen(path: Paths, run: int, step: int) -> int:
    """The last recorded row of a run at or before `step` at which it is finite."""
    k = int(np.searchsorted(path.steps, step, side="right")) - 1
    lost = path.diverged_at[run]
    return (
        k if lost < 0 else min(k, max(int(np.searchsorted(path.steps, lost, side="left")) - 1, 0))
    )


def points_in_picture(points: Sequence[Sequence[float]], domain: Domain) -> pd.DataFrame:
    array = np.array(points, dtype=np.float64).reshape(-1, 2)
    return pd.DataFrame(array[inside(array, domain)], columns=["w1", "w2"])


def _axes(surface: Quadratic, scene: PathScene) -> pd.DataFrame:
    """The axes of the bowl within the picture: from the minimum to the contour a third of the way
    out, and λ along each.

    Nothing lies outside the picture: a label there would make the renderer shrink it.
    """
    values, vectors = np.linalg.eigh(surface.hessian)
    out = math.sqrt(2) * scene.spacing * max(scene.levels, 1) / 3  # √(2·excess)
    longest = np.hypot(scene.domain[1] - scene.domain[0], scene.domain[3] - scene.domain[2])
    halves = [
        min(out / math.sqrt(value), longest) if value > 0 else longest for value in values.tolist()
    ]
    lines = [
        surface.minimum + np.array([[-1.0], [1.0]]) * half * along
        for half, along in zip(halves, vectors.T, strict=True)
    ]
    cut = cut_at_edge([np.array([-1, 1])] * len(lines), lines, scene.domain)
    w = points_of(cut)
    at = surface.minimum + 0.8 * (w - surface.minimum)
    ends = zip(cut["line"], cut["step"], strict=True)
    labels = [f"λ = {quantity(values[axis])}" if order == 1 else "" for axis, order in ends]
    columns = {"order": cut["step"], "w1": w[:, 0], "w2": w[:, 1], "axis": cut["line"]}
    return pd.DataFrame({**columns, "label": labels, "at1": at[:, 0], "at2": at[:, 1]})


def _arrows(surface: Quadratic, domain: Domain) -> pd.DataFrame:
    """Down the gradient on a grid: the direction in degrees from straight up, clockwise, and the
    size by the steepness."""
    across, up = (
        (np.arange(ARROWS) + 0.5) / ARROWS,
        (np.arange(int(ARROWS * ASPECT)) + 0.5) / int(ARROWS * ASPECT),
    )
    w1, w2 = np.meshgrid(
        domain[0] + across * (domain[1] - domain[0]), domain[2] + up * (domain[3] - domain[2])
    )
    points = np.stack([w1.ravel(), w2.ravel()], axis=1)
    downhill = -surface.gradient(points)  # (n, 2)
    steepness = np.hypot(*downhill.T)  # (n,), without a square that could overflow
    frame = pd.DataFrame({"w1": w1.ravel(), "w2": w2.ravel()})
    frame["angle"] = np.degrees(np.arctan2(downhill[:, 0], downhill[:, 1]))
    frame["size"] = steepness / max(steepness.max(), np.finfo(float).tiny)
    return frame.astype(drawn_as(domain))


def snapped(domain: Domain, column: int, row: int) -> tuple[float, float]:
    """The start that a click on a cell of the picture sets: its middle, in numbers as round as the
    picture is large."""
    grid = round_number((domain[1] - domain[0]) / SNAP[0])
    across, up = ((place + 0.5) / count for place, count in zip((column, row), SNAP, strict=True))
    middle = domain[0] + across * (domain[1] - domain[0]), domain[2] + up * (domain[3] - domain[2])
    w1, w2 = (round(place / grid) * grid for place in middle)
    return (round(w1, 12), round(w2, 12)) if 1e-9 < grid < 1e9 else (w1, w2)


@cache
def _snap() -> pd.DataFrame:
    """The cells, by their places alone: they are the same in every picture, which need not be drawn
    anew for them."""
    rows, columns = np.divmod(np.arange(SNAP[0] * SNAP[1], dtype=np.int16), np.int16(SNAP[0]))
    return pd.DataFrame({"column": columns, "row": rows})


def _snap_layer() -> alt.Chart:
    clicked = alt.selection_point(name="clicked", fields=["column", "row"], on="click", empty=False)
    across, up = f"width / {SNAP[0]}", f"height / {SNAP[1]}"
    edges = {
        "x": f"datum.column * {across}",
        "x2": f"(datum.column + 1) * {across}",
        "y": f"height - (datum.row + 1) * {up}",
        "y2": f"height - datum.row * {up}",
    }
    layer: alt.Chart = (
        alt.Chart(alt.NamedData("snap")).mark_rect(opacity=0, aria=False).add_params(clicked)
    )
    return layer.encode(**{edge: alt.value({"expr": place}) for edge, place in edges.items()})


def optimizer_color(theme: Theme) -> alt.Color:
    """One colour an optimizer, the same in every figure, and a legend of those that the frame's
    `optimizers` names."""
    shown = in_frame("optimizers")
    return alt.Color(
        "optimizer:N",
        scale=alt.Scale(domain=list(OPTIMIZERS), range=list((theme.series * 2)[: len(OPTIMIZERS)])),
        legend=alt.Legend(
            orient="top",
            title=None,
            values=alt.ExprRef(f"{shown} ? split({shown}, ',') : []"),
            symbolType="stroke",
            symbolStrokeWidth=3,
            symbolOpacity=1,
            offset=4,
            columns=alt.ExprRef("max(1, floor(width / 74))"),
        ),
    )


@template()
def _paths_spec(theme: Theme) -> dict[str, Any]:
    w1, w2 = weight_axes()
    color = optimizer_color(theme)

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=w1, y=w2)

    trails, paths = (lines_over(table, ["piece", "optimizer"]) for table in ("trail", "path"))
    whole = trails.mark_geoshape(strokeWidth=1.2, opacity=0.4, **OPEN_LINE).encode(color=color)
    halo = paths.mark_geoshape(stroke=theme.background, strokeWidth=5, opacity=0.8, **OPEN_LINE)
    path = paths.mark_geoshape(strokeWidth=2.4, **OPEN_LINE).encode(color=color)
    axes = over("axes").mark_line(
        stroke=theme.ink, strokeWidth=1, strokeDash=[5, 4], opacity=0.7, clip=True
    )
    axes = axes.encode(detail="axis:N", order="order:Q")
    text = {"dy": -8, **kept_inside(11.5, "at1")}
    curvature = alt.Chart(alt.NamedData("axes")).mark_text(color=theme.ink, **text)
    curvature = curvature.encode(
        x=alt.X("at1:Q", title="weight 1"), y=alt.Y("at2:Q", title="weight 2"), text="label:N"
    )
    behind = curvature.mark_text(**text_halo(theme), **text)
    arrows = over("arrows").mark_point(
        shape="arrow", filled=True, fill=theme.quiet, opacity=0.55, strokeWidth=0
    )
    arrows = arrows.encode(
        angle=alt.Angle("angle:Q", scale=None),
        size=alt.Size("size:Q", scale=alt.Scale(range=[60, 420]), legend=None),
    )
    starts = over("starts").mark_point(
        shape="circle",
        size=70,
        filled=True,
        fill=theme.background,
        stroke=theme.ink,
        strokeWidth=2,
        opacity=1,
    )
    now = over("now").mark_point(
        shape="circle", size=55, filled=True, stroke=theme.background, strokeWidth=1.2, opacity=1
    )
    marks = over("marks")
    star = star_layer(theme, marks.transform_filter("datum.kind == 'minimum'"))
    cross = cross_layer(theme, marks.transform_filter("datum.kind == 'least squares'"))
    chart = alt.layer(
        ring_layer(theme),
        arrows,
        axes,
        whole,
        halo,
        path,
        cross,
        star,
        starts,
        now.encode(color=color),
        behind,
        curvature,
        _snap_layer(),
    )
    heading = alt.TitleParams(placeholder("title"), subtitle=placeholder("subtitle"))
    spec = chart.properties(title=heading, width="container").to_dict()
    return apply_theme(with_frame_data(spec), theme, height=f"width * {ASPECT}")
