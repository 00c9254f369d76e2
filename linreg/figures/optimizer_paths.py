"""The paths of optimizers on the loss surfaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from linreg.experiments.optimizer_paths import Panel, Paths, curvature
from linreg.figures.contours import LABEL_SIZE as CONTOUR_LABEL
from linreg.figures.contours import contour_label_layers, coordinate_dtype, highest_excess
from linreg.figures.figure import Figure
from linreg.figures.label_places import LabelPlaces
from linreg.figures.layers import (
    ASPECT,
    OPEN_LINE,
    PATH_RESOLUTION,
    Layout,
    clip_to_domain,
    contour_layer,
    domain_values,
    evenly_spaced,
    inside,
    is_elsewhere,
    is_tangled,
    label_inside,
    layout_around,
    line_shapes,
    minimum_layer,
    minimum_loss,
    places_beside,
    points_inside,
    star_layer,
    surface_hover,
    weight_axes,
    weights_of,
    with_contour_labels,
)
from linreg.figures.simplify import kept_points
from linreg.figures.templates import frame_table, in_frame, placeholder, template, with_frame_data
from linreg.figures.theme import Theme, apply_theme, dot, text_halo
from linreg.quadratic.contours import Domain
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.optimizers import OPTIMIZERS
from linreg.text.comparison import shapes_met
from linreg.text.numbers import point, quantity

CURVE_STEPS = 140  # points of a curve against step, denser at the start
MAX_PANEL_POINTS = 1_400  # of all paths of a panel
ARROWS = 15  # columns of gradient arrows
AXIS_LABEL, AXIS_LABEL_DY = 11.5, -8  # font size and offset in pixels
ARROWS_NOTE = " Arrows: down the gradient, larger where it is steeper."
LABEL_SHARES = (0.8, 0.95, 0.65, 0.5, 1.1, 1.3, 0.35)  # of half an axis: places for its label


def paths_layout(panels: Sequence[Panel], least_squares: Float[np.ndarray, " P"]) -> Layout:
    """The layout that holds the minima, the least-squares solution, all starts, and near paths."""
    surfaces = [panel.surface.profile() for panel in panels]
    all_paths = [path for panel in panels for path in panel.paths]
    starts = [start for path in all_paths for start in path.weights[0]]
    visited = [path.weights[..., :2].reshape(-1, 2) for path in all_paths]  # (n, 2), of all starts
    layout = layout_around(surfaces, least_squares, starts, visited)
    layout = replace(
        layout, full_paths=tuple(_full_paths(panel, layout.domain) for panel in panels)
    )
    places = [_places(panel, layout, k) for k, panel in enumerate(panels)]
    invitations = tuple(
        free.place_invitation(panel.paths[0].weights[0][0, :2]) if panel.paths else "above"
        for free, panel in zip(places, panels, strict=True)
    )
    layout = with_contour_labels(layout, surfaces, places)
    axes = (_axes(surface, layout, k, places[k]) for k, surface in enumerate(surfaces))
    tangled = any(is_tangled(paths, layout.domain) for paths in layout.full_paths)
    return replace(layout, axes=tuple(axes), invitations=invitations, tangled=tangled)


def _places(panel: Panel, layout: Layout, which: int) -> LabelPlaces:
    """The places for labels beside the marks and the paths of a panel."""
    starts = list(panel.paths[0].weights[0]) if panel.paths else []  # those of all optimizers
    table = layout.full_paths[which]
    pieces = np.flatnonzero(np.diff(table["piece"].to_numpy())) + 1
    paths = np.split(weights_of(table), pieces)
    return places_beside(panel.surface.profile(), layout, starts, paths)


def _full_paths(panel: Panel, domain: Domain) -> pd.DataFrame:
    """All paths of a panel, clipped to the domain, in one table.

    The first steps of a path are recorded densely, the later ones at growing distances; what the
    eye cannot see is then left out.
    """
    names = list(OPTIMIZERS)
    steps, lines, optimizers = [], [], []
    for path in panel.paths:
        rows = early_rows(path.steps)
        for run in path.weights[rows, :, :2].transpose(1, 0, 2):  # (S, 2)
            finite = np.isfinite(run).all(1)
            steps.append(path.steps[rows[finite]])
            lines.append(run[finite])
            optimizers.append(names.index(path.optimizer))
    for k, kept in enumerate(_kept_of_lines(lines, domain)):
        steps[k], lines[k] = steps[k][kept], lines[k][kept]
    table = clip_to_domain(steps, lines, domain)
    codes = np.array(optimizers, dtype=int)[table.pop("line")]
    table["optimizer"] = pd.Categorical.from_codes(codes, pd.Index(names))
    return table


def _kept_of_lines(
    lines: Sequence[Float[np.ndarray, "_ 2"]], domain: Domain
) -> list[Int[np.ndarray, " _"]]:
    """The indices of the points of each line (n, 2) that are drawn: what the eye sees, if few."""
    most = max(MAX_PANEL_POINTS // max(len(lines), 1), 20)
    pixel = np.array([domain[1] - domain[0], domain[3] - domain[2]]) / PATH_RESOLUTION
    first = np.cumsum([0, *map(len, lines)])
    points = np.concatenate([*lines, np.empty((0, 2))])
    kept = kept_points(points / pixel, begins=first[:-1])  # of all lines at once
    kept_by_line = np.split(kept, np.searchsorted(kept, first[1:-1]))[: len(lines)]
    return [evenly_spaced(rows, most) - first[k] for k, rows in enumerate(kept_by_line)]


def early_rows(steps: np.ndarray) -> np.ndarray:
    """Rows of a record at geometrically growing distances, so the first steps are seen as well."""
    last = len(steps) - 1
    if last <= CURVE_STEPS:
        return np.arange(last + 1)
    return np.unique(np.rint(np.geomspace(1, last + 1, CURVE_STEPS)).astype(int) - 1)


def surface_only(panel: Panel, layout: Layout, which: int) -> Layout:
    """The layout of one panel, which is given without its paths."""
    layout = replace(
        layout,
        contours=(layout.contours[which],),
        contour_labels=(layout.contour_labels[which],),
        full_paths=(layout.full_paths[which].iloc[:0],),
        invitations=(layout.invitations[which],),
        tangled=False,
    )
    axes = _axes(panel.surface.profile(), layout, 0, _places(panel, layout, 0))
    return replace(layout, axes=(axes,))


def paths_figure(
    panels: Sequence[Panel],
    which: int,
    layout: Layout,
    step: int,
    theme: Theme,
    arrows: bool = False,
) -> Figure:
    """All paths on one surface up to `step`, their starts, and the principal axes of the surface.

    With `arrows` also the downhill directions on a grid.
    """
    panel, surface = panels[which], panels[which].surface.profile()
    min_loss = minimum_loss(surface)
    names = [path.optimizer for path in panel.paths]
    title = f"{panel.label}: {shapes_met(panel.settings)}"
    alt_text = f"{panel.label}, {shapes_met(panel.settings)}: {_paths_finding(panel, min_loss)}."
    whole_paths = layout.full_paths[which]
    current = _current_points(panel, step)
    starts = sorted(
        {tuple(start[:2].tolist()) for path in panel.paths for start in path.weights[0]}
    )
    marks = [("solution", *layout.least_squares[:2].tolist())]
    if is_elsewhere(surface, layout):
        marks.append(("minimum", *surface.minimum.tolist()))
    data = {
        "rings": layout.contours[which],
        "heights": layout.contour_labels[which],
        "trail": whole_paths,
        "path": whole_paths[whole_paths["step"] <= step],
        "now": current[inside(weights_of(current), layout.domain)] if len(current) else current,
        "starts": points_inside(starts, layout.domain),
        "marks": pd.DataFrame(marks, columns=["kind", "w1", "w2"]),
        "axes": layout.axes[which],
        "arrows": _arrows(surface, layout.domain) if arrows else _no_arrows(),
        "frame": frame_table(
            title=title,
            subtitle=min_loss,
            alt=alt_text,
            levels=max(layout.levels.count, 2),
            optimizers=",".join(names),
            tangled=layout.tangled,
            invitation=layout.invitations[which],
            **domain_values(layout.domain),
        ),
    }
    shown = "paths on the loss surface" if names else "the axes of the loss surface"
    caption = _paths_caption(panel, arrows)
    name = f"{panel.label}: {shown}"
    side = {"label": panel.label}
    moving = {"path": {"rule": "paths"}, "now": {"rule": "points", **side}}
    retrained = {"trail": {"rule": "trails", **side}, "starts": {"rule": "starts", **side}}
    hover = surface_hover(panel.surface, panel.baseline)
    return Figure(
        _paths_spec(theme), data, alt_text, caption, "trail", name, moving, retrained, hover
    )


def _paths_finding(panel: Panel, min_loss: str) -> str:
    """How many paths come close to the minimum; without paths, the curvature of the surface."""
    surface = panel.surface.profile()
    minimum = f"minimum at {point(surface.minimum)}, {min_loss}"
    if panel.paths:
        names = ", ".join(path.optimizer for path in panel.paths)
        settled = sum(path.settled_at(panel.surface) is not None for path in panel.paths)
        return (
            f"paths of {names} on the loss surface, which has its {minimum}."
            f" {settled} of {len(panel.paths)} come close to it"
        )
    axes = curvature(surface)
    pairs = zip(axes.values.tolist(), axes.directions, strict=True)
    along = " and ".join(f"λ = {quantity(value)} along {point(axis)}" for value, axis in pairs)
    return f"the loss surface has its {minimum}. {along}"


def _paths_caption(panel: Panel, arrows: bool) -> str:
    """What marks, contours and arrows mean."""
    caption = "Open circles: starts. Dots: where each path is. " if panel.paths else ""
    caption += (
        "Star: the correct solution. Crossed circle: the minimum of this loss, where that is"
        " elsewhere. Dashed: the principal axes, with the curvature λ along each. Contours and"
        " colours: the RMSE, the root of the loss, on one scale."
    )
    if arrows:
        caption += ARROWS_NOTE
    return caption


def _current_points(panel: Panel, step: int) -> pd.DataFrame:
    """The weights of every run at `step`."""
    rows = [
        (path.optimizer, *path.weights[_last_finite(path, run, step), run, :2].tolist())
        for path in panel.paths
        for run in range(path.weights.shape[1])
    ]
    return pd.DataFrame(rows, columns=["optimizer", "w1", "w2"])


def _last_finite(path: Paths, run: int, step: int) -> int:
    """The last recorded row of a run at or before `step` in which its weights are finite."""
    row = int(np.searchsorted(path.steps, step, side="right")) - 1
    diverged_at = path.diverged_at[run]
    if diverged_at < 0:
        return row
    before = int(np.searchsorted(path.steps, diverged_at, side="left")) - 1
    return min(row, max(before, 0))


def _axes(surface: Quadratic, layout: Layout, which: int, places: LabelPlaces) -> pd.DataFrame:
    """The principal axes of the surface, labelled with the curvature λ along each.

    They reach a third of the way, in √(loss − minimum), to the highest loss of the picture. All of
    it lies inside the domain: a label outside would make the renderer shrink the picture. A label
    keeps off the labels of the contours and what else the plot shows.
    """
    domain = layout.domain
    values, vectors = np.linalg.eigh(surface.hessian)
    reach = math.sqrt(2 * highest_excess(surface, domain)) / 3  # √(2·excess loss)
    diagonal = np.hypot(domain[1] - domain[0], domain[3] - domain[2])
    half_lengths = [  # along an axis the excess loss is λ·length²/2
        min(reach / math.sqrt(value), diagonal) if value > 0 else diagonal
        for value in values.tolist()
    ]
    lines = [
        surface.minimum + np.array([[-1.0], [1.0]]) * half * direction  # (2, 2)
        for half, direction in zip(half_lengths, vectors.T, strict=True)
    ]
    clipped = clip_to_domain([np.array([-1, 1])] * len(lines), lines, domain)
    ends = weights_of(clipped)  # (n, 2)
    for text, *weights in layout.contour_labels[which][["label", "w1", "w2"]].itertuples(
        index=False
    ):
        at = places.pixels(np.array([weights]))[0]
        places.add(places.label_box(text, CONTOUR_LABEL, at, 0, 0))
    label_at, labels = ends.copy(), [""] * len(clipped)
    for axis in dict.fromkeys(clipped["line"]):
        own = np.flatnonzero(clipped["line"] == axis)[::-1]  # the far end first
        label = f"λ = {quantity(values[axis])}"
        candidates = [
            (row, surface.minimum + share * (ends[row] - surface.minimum))
            for share in LABEL_SHARES
            for row in own
        ]
        candidates = [one for one in candidates if inside(one[1][None], domain).all()]
        boxes = [
            places.label_box(label, AXIS_LABEL, places.pixels(place[None])[0], 0, AXIS_LABEL_DY)
            for _, place in candidates
        ]
        row, place = candidates[places.place(boxes)]
        label_at[row], labels[row] = place, label
    return pd.DataFrame(
        {
            "order": clipped["step"],
            "w1": ends[:, 0],
            "w2": ends[:, 1],
            "axis": clipped["line"],
            "label": labels,
            "at1": label_at[:, 0],
            "at2": label_at[:, 1],
        }
    )


def _arrows(surface: Quadratic, domain: Domain) -> pd.DataFrame:
    """The downhill direction on a grid, in degrees clockwise from up, and the relative slope."""
    rows = int(ARROWS * ASPECT)
    x = (np.arange(ARROWS) + 0.5) / ARROWS
    y = (np.arange(rows) + 0.5) / rows
    w1, w2 = np.meshgrid(
        domain[0] + x * (domain[1] - domain[0]), domain[2] + y * (domain[3] - domain[2])
    )
    points = np.stack([w1.ravel(), w2.ravel()], axis=1)  # (n, 2)
    downhill = -surface.gradient(points)  # (n, 2)
    slope = np.hypot(*downhill.T)  # (n,); hypot, as squares could overflow
    table = pd.DataFrame({"w1": w1.ravel(), "w2": w2.ravel()})
    table["angle"] = np.degrees(np.arctan2(downhill[:, 0], downhill[:, 1]))
    table["size"] = slope / max(slope.max(), np.finfo(float).tiny)
    return table.astype(coordinate_dtype(domain))


def _no_arrows() -> pd.DataFrame:
    return pd.DataFrame({"w1": [], "w2": [], "angle": [], "size": []})


# ---- the chart -----------------------------------------------------------------------------------


def optimizer_color(theme: Theme) -> alt.Color:
    """The colour encoding of optimizers, the same in every figure.

    The legend shows those that the value `optimizers` of the table `frame` names.
    """
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

    by = ["piece", "optimizer"]
    whole_paths = line_shapes("trail", by).mark_geoshape(strokeWidth=1.2, opacity=0.4, **OPEN_LINE)
    paths = line_shapes("path", by)
    tangled = in_frame("tangled")
    path_halo = paths.mark_geoshape(
        stroke=theme.background,
        strokeWidth=5,
        opacity={"expr": f"{tangled} ? 0 : 0.8"},
        **OPEN_LINE,
    )
    paths = paths.mark_geoshape(
        strokeWidth={"expr": f"{tangled} ? 1.2 : 2.4"},
        opacity={"expr": f"{tangled} ? 0.7 : 1"},
        **OPEN_LINE,
    )
    axes = over("axes").mark_line(
        stroke=theme.foreground, strokeWidth=1, strokeDash=[5, 4], opacity=0.7, clip=True
    )
    label_text = {"dy": AXIS_LABEL_DY, **label_inside(AXIS_LABEL, "at1")}
    label_position: dict[str, Any] = {
        "x": alt.X("at1:Q", title="weight 1"),
        "y": alt.Y("at2:Q", title="weight 2"),
    }
    labels = alt.Chart(alt.NamedData("axes")).encode(**label_position, text="label:N")
    arrows = over("arrows").mark_point(
        shape="arrow", filled=True, fill=theme.muted, opacity=0.55, strokeWidth=0
    )
    starts = over("starts").mark_point(
        shape="circle",
        size=70,
        filled=True,
        fill=theme.background,
        stroke=theme.foreground,
        strokeWidth=2,
        opacity=1,
    )
    current = over("now").mark_point(shape="circle", **dot(theme, 55, 1.2))
    marks = over("marks")
    chart = alt.layer(
        contour_layer(theme),
        *contour_label_layers(theme, w1, w2),
        arrows.encode(
            angle=alt.Angle("angle:Q", scale=None),
            size=alt.Size("size:Q", scale=alt.Scale(range=[60, 420]), legend=None),
        ),
        axes.encode(detail="axis:N", order="order:Q"),
        whole_paths.encode(color=color),
        path_halo,
        paths.encode(color=color),
        star_layer(theme, marks.transform_filter("datum.kind == 'solution'"), size=420),
        minimum_layer(theme, marks.transform_filter("datum.kind == 'minimum'"), theme.foreground),
        starts,
        current.encode(color=color),
        labels.mark_text(**text_halo(theme), **label_text),
        labels.mark_text(color=theme.foreground, **label_text),
    )
    heading = alt.TitleParams(placeholder("title"), subtitle=placeholder("subtitle"))
    spec = chart.properties(title=heading, width="container").to_dict()
    return apply_theme(with_frame_data(spec), theme, height=f"width * {ASPECT}")
