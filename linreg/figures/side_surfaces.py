"""The loss surface of each side, with the path of its run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.figures.contours import contour_label_layers, coordinate_dtype
from linreg.figures.figure import Figure
from linreg.figures.label_places import LabelPlaces, text_width
from linreg.figures.layers import (
    ASPECT,
    MARK_RADIUS,
    OPEN_LINE,
    WEIGHT_TITLES,
    Layout,
    contour_layer,
    domain_values,
    full_path,
    inside,
    is_elsewhere,
    is_tangled,
    label_inside,
    layout_around,
    line_shapes,
    minimum_layer,
    minimum_loss,
    places_beside,
    star_layer,
    surface_hover,
    weight_axes,
    weights_of,
    with_contour_labels,
    with_titles,
)
from linreg.figures.templates import frame_table, in_frame, placeholder, template, with_frame_data
from linreg.figures.theme import Theme, apply_theme, dot, text_halo
from linreg.quadratic.contours import Domain
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.quadratic import Quadratic
from linreg.text.numbers import point, quantity, r2_text
from linreg.training.browser import browser_evaluation

MAX_COVERED = 0.1  # of the plot, by a path that is drawn as usual
MARK_LABEL, GAP_LABEL = 12.5, 12.0  # font sizes in pixels
POSITION_WORDS = {  # of a path, also for the browser, which writes them at every step
    "on its way": "is at {point} after {steps} steps",
    "at its end": "ends at {point} after {steps} steps",
    "R²": "R² {r2}\n",
    "outside": ", outside the picture",
    "left": "leaves the picture at step {step} and ",
    "diverged": "diverges at step {step}",
}


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison, as figures need it.

    `weights` and `losses` are None before the side is trained.
    """

    label: str
    shapes: str
    surface: Quadratic
    weights: Float[np.ndarray, "T1 P"] | None = None
    losses: Float[np.ndarray, " T"] | None = None
    diverged_at: int | None = None
    baseline: Baseline | None = None  # by which R² is computed


def surfaces_layout(
    sides: Sequence[Side], least_squares: Float[np.ndarray, " P"], starts: Sequence[Sequence[float]]
) -> Layout:
    """The layout that holds the minima, the least-squares solution, all starts, and near paths."""
    surfaces = [side.surface.profile() for side in sides]
    paths_of = [  # of each side: none before it is trained
        [] if side.weights is None else [side.weights[:, :2].astype(np.float64)] for side in sides
    ]
    paths = [path for own in paths_of for path in own]
    layout = layout_around(surfaces, least_squares, [*starts, *(path[0] for path in paths)], paths)
    places, invitations, labels, gaps = [], [], [], []
    for own, surface in zip(paths_of, surfaces, strict=True):
        free = places_beside(surface, layout, [path[0] for path in own], own)
        invitations.append(free.place_invitation(own[0][0]) if own else "above")
        labels.append(_mark_labels(surface, layout, free))
        gaps.append(_gap(surface, layout, free))
        places.append(free)
    full_paths = tuple(full_path(side.weights, layout.domain) for side in sides)
    return replace(
        with_contour_labels(layout, surfaces, places),
        full_paths=full_paths,
        mark_labels=tuple(labels),
        gaps=tuple(gaps),
        invitations=tuple(invitations),
        tangled=any(_is_tangled(path, layout.domain) for path in full_paths),
    )


def surface_figure(
    sides: Sequence[Side],
    which: int,
    layout: Layout,
    step: int,
    theme: Theme,
    axis_titles: tuple[str, str] = WEIGHT_TITLES,
) -> Figure:
    """The loss over (w1, w2) of one side as filled contours, and its path up to `step`."""
    side, whole_path = sides[which], layout.full_paths[which]
    surface = side.surface.profile()
    min_loss = minimum_loss(surface)
    alt_text = (
        f"{side.label}, {side.shapes}: the loss surface has its minimum at"
        f" {point(surface.minimum)}, {min_loss}. {_path_finding(side, layout.domain)}."
    )
    data = {
        "rings": layout.contours[which],
        "trail": whole_path,
        "path": _path_until(step, whole_path, side, layout.domain),
        "marks": _marks(side, layout, which, step),
        "gap": layout.gaps[which],
        "heights": layout.contour_labels[which],
        "now": pd.DataFrame({"text": [_position(side, layout.domain, step)]}),
        "frame": frame_table(
            title=f"{side.label}: {side.shapes}",
            subtitle=min_loss,
            alt=alt_text,
            levels=max(layout.levels.count, 2),
            tangled=layout.tangled,
            invitation=layout.invitations[which],
            **domain_values(layout.domain),
        ),
    }
    caption, name = _surface_caption(sides), f"{side.label}: path on the loss surface"
    spec = _spec(theme, which, axis_titles)
    moving, retrained = _rules(side, which)
    hover = surface_hover(side.surface, side.baseline)
    return Figure(spec, data, alt_text, caption, "trail", name, moving, retrained, hover)


Rules = dict[str, dict[str, Any]]


def _rules(side: Side, run: int) -> tuple[Rules, Rules]:
    """How the browser moves the tables, and computes those of runs that it trains itself."""
    evaluation = side.baseline and browser_evaluation(side.baseline)
    moving = {
        "path": {"rule": "path", "run": run},
        "marks": {"rule": "marks", "run": run},
        "now": {
            "rule": "position",
            "run": run,
            "words": POSITION_WORDS,
            "evaluation": evaluation,
        },
    }
    return moving, {"trail": {"rule": "trail", "run": run}}


def _surface_caption(sides: Sequence[Side]) -> str:
    """What marks and contours mean, for both sides, which share a caption."""
    caption = (
        "Open circle: start. Dot: the current weights. Star: the correct solution, by least"
        " squares. Crossed circle: the minimum of this loss, where that is elsewhere. Contours and"
        " colours: the RMSE, the root of the loss, on one scale for both sides."
    )
    if any(len(side.surface.c) > 2 for side in sides):
        caption += (
            " The surface has the bias at its best for each pair of weights; a path whose bias is"
            " still on its way has a higher loss than its place shows."
        )
    singular = [side.label.lower() for side in sides if not side.surface.profile().unique]
    if singular:
        caption += (
            f" The minimum is not unique ({', '.join(singular)}): the one of least norm is marked."
        )
    return caption


def _path_until(step: int, whole_path: pd.DataFrame, side: Side, domain: Domain) -> pd.DataFrame:
    """The path up to `step`, which may lie between two points of the simplified whole path."""
    path = whole_path.loc[whole_path["step"] <= step, ["w1", "w2", "piece"]]
    if side.weights is not None and len(path) and step < len(side.weights) - 1:
        current = side.weights[[step], :2].astype(np.float64)  # (1, 2)
        if inside(current, domain).all():
            last = pd.DataFrame(current, columns=["w1", "w2"])
            path = pd.concat([path, last.assign(piece=path["piece"].iloc[-1])])
    dtype = coordinate_dtype(domain)
    return path.astype({"w1": dtype, "w2": dtype, "piece": "int16"})


def _path_finding(side: Side, domain: Domain) -> str:
    """Where the path of a side ends, as a sentence without its full stop."""
    if side.weights is None:
        return "The run has yet to be trained"
    return f"The path {_position(side, domain, len(side.weights))}"


def _position(side: Side, domain: Domain, step: int) -> str:
    """Where the path is at `step`, in words."""
    if side.weights is None:
        return "not trained yet"
    last = len(side.weights) - 1
    k = min(step, last)
    outside = ~inside(side.weights[:, :2].astype(np.float64), domain)
    if side.diverged_at is not None and step >= last:
        left_at = f"{int(outside.argmax()):,}"
        left = POSITION_WORDS["left"].format(step=left_at) if outside.any() else ""
        return left + POSITION_WORDS["diverged"].format(step=f"{side.diverged_at:,}")
    words = POSITION_WORDS["at its end" if k == last else "on its way"]
    position = words.format(point=point(side.weights[k]), steps=f"{k:,}")
    if side.baseline:
        r_squared = float(side.baseline.r_squared(side.weights[k].astype(np.float64)))
        position = POSITION_WORDS["R²"].format(r2=r2_text(r_squared)) + position
    return position + (POSITION_WORDS["outside"] if outside[k] else "")


MARKS_COLUMNS = ["kind", "w1", "w2", "label", "dx", "dy"]


def _marks(side: Side, layout: Layout, which: int, step: int) -> pd.DataFrame:
    """The marked points: kind, weights, label, and the offset of the label in pixels."""
    labelled, rows = layout.mark_labels[which], []
    if side.weights is not None:
        last = len(side.weights) - 1
        k = min(step, last)
        rows.append(("start", *side.weights[0, :2].tolist(), "", 0, 0))
        rows.append(("end" if k == last else "here", *side.weights[k, :2].tolist(), "", 0, 0))
    marks = pd.DataFrame([*rows, *labelled.itertuples(index=False)], columns=MARKS_COLUMNS)
    marks = marks[inside(weights_of(marks), layout.domain)]
    dtype = coordinate_dtype(layout.domain)
    return marks.astype({"w1": dtype, "w2": dtype, "dx": "int16", "dy": "int16"})


def _is_tangled(whole_path: pd.DataFrame, domain: Domain) -> bool:
    """Whether a path hides much of the surface, rather than a spot around the minimum."""
    lines = LabelPlaces(domain, ASPECT)
    lines.add_path(weights_of(whole_path))
    return is_tangled(whole_path, domain) and lines.share_of_lines() > MAX_COVERED


def _mark_labels(surface: Quadratic, layout: Layout, places: LabelPlaces) -> pd.DataFrame:
    """The correct solution, and the minimum where that is elsewhere, with labels that keep off
    what the plot shows."""
    solution, minimum = layout.least_squares[:2], surface.minimum
    marked = [("solution", solution, f"correct solution {point(solution)}")]
    if is_elsewhere(surface, layout):
        marked.append(("minimum", minimum, f"minimum of this loss {point(minimum)}"))
        places.add_path(np.array([solution, minimum]))
    rows = []
    for kind, weights, label in marked:
        beside = round(MARK_RADIUS + 3 + text_width(label, MARK_LABEL) / 2)
        offsets = [(0, -20), (0, 25), (beside, 0), (-beside, 0), (0, -38), (0, 43)]
        at = places.pixels(weights[None])[0]
        chosen = places.place(
            [places.label_box(label, MARK_LABEL, at, dx, dy) for dx, dy in offsets]
        )
        rows.append((kind, *weights.tolist(), label, *offsets[chosen]))
    return pd.DataFrame(rows, columns=MARKS_COLUMNS)


def _gap(surface: Quadratic, layout: Layout, places: LabelPlaces) -> pd.DataFrame:
    """The line from the minimum to the correct solution, with its length as a label along it, or
    beside it where there is no room.

    `angle` is that of the label on the screen, in degrees clockwise; `dx` and `dy` are turned with
    it. Empty where the two are the same.
    """
    names = ["order", "w1", "w2", "label", "angle", "dx", "dy"]
    solution = layout.least_squares[:2]
    if not is_elsewhere(surface, layout):
        return pd.DataFrame({name: [] for name in names})
    delta = solution - surface.minimum
    angle = -math.degrees(math.atan2(delta[1], delta[0]))
    angle += 180 if angle < -90 else -180 if angle > 90 else 0  # never upside down
    label = f"off by {quantity(float(np.hypot(*delta)), 2)}"
    beside = round(8 + text_width(label, GAP_LABEL) / 2)
    candidates, boxes = [], []  # (share of the line, angle, dx, dy), and the boxes of each
    for share in (0.5, 0.62, 0.38, 0.72, 0.28):
        at = places.pixels((surface.minimum + share * delta)[None])[0]
        for dy in (-9, 11):
            candidates.append((share, angle, 0, dy))
            boxes.append(places.turned_box(label, GAP_LABEL, at, angle, dy))
        for dx in (beside, -beside):
            candidates.append((share, 0.0, dx, 0))
            boxes.append(places.label_box(label, GAP_LABEL, at, dx, 0))
    share, angle, dx, dy = candidates[places.place(boxes)]
    rows = [
        (0, *surface.minimum.tolist(), "", angle, dx, dy),
        (1, *(surface.minimum + share * delta).tolist(), label, angle, dx, dy),
        (2, *solution.tolist(), "", angle, dx, dy),
    ]
    return pd.DataFrame(rows, columns=names)


@lru_cache(maxsize=128)
def _spec(theme: Theme, which: int, axis_titles: tuple[str, str]) -> dict[str, Any]:
    spec = _surface_template(theme, which)
    if axis_titles == WEIGHT_TITLES:
        return spec
    renamed: dict[str, Any] = with_titles(spec, dict(zip(WEIGHT_TITLES, axis_titles, strict=True)))
    return renamed


@template(0, 1)
def _surface_template(theme: Theme, which: int) -> dict[str, Any]:
    color = (theme.original, theme.fixed)[which]
    text_color = (theme.original_text, theme.fixed_text)[which]
    w1, w2 = weight_axes()
    tangled = in_frame("tangled")
    whole_path = line_shapes("trail", ["piece"])
    whole_path = whole_path.mark_geoshape(
        stroke=color, strokeWidth=1.5, opacity={"expr": f"{tangled} ? 0.15 : 0.45"}, **OPEN_LINE
    )
    path = line_shapes("path", ["piece"])
    halo = path.mark_geoshape(
        stroke=theme.background,
        strokeWidth=6.5,
        opacity={"expr": f"{tangled} ? 0 : 1"},
        **OPEN_LINE,
    )
    path = path.mark_geoshape(
        stroke=color,
        strokeWidth={"expr": f"{tangled} ? 1 : 3.5"},
        opacity={"expr": f"{tangled} ? 0.6 : 1"},
        **OPEN_LINE,
    )
    marks = alt.Chart(alt.NamedData("marks")).encode(x=w1, y=w2)
    start = marks.transform_filter("datum.kind == 'start'").mark_point(
        shape="circle",
        size=130,
        filled=True,
        fill=theme.background,
        stroke=color,
        strokeWidth=3,
        opacity=1,
        aria=False,
    )
    solution = star_layer(theme, marks.transform_filter("datum.kind == 'solution'"))
    minimum = minimum_layer(theme, marks.transform_filter("datum.kind == 'minimum'"), color)
    gap = alt.Chart(alt.NamedData("gap")).encode(x=w1, y=w2)
    gap_line = gap.mark_line(stroke=theme.foreground, strokeWidth=1.3, strokeDash=[5, 4]).encode(
        order="order:Q"
    )
    gap_text = gap.encode(text="label:N", angle=alt.Angle("angle:Q", scale=None))
    gap_style: dict[str, Any] = {
        "dx": {"expr": "datum.dx"},
        "dy": {"expr": "datum.dy"},
        "fontSize": GAP_LABEL,
    }
    gap_label = (
        gap_text.mark_text(**text_halo(theme), **gap_style),
        gap_text.mark_text(color=theme.foreground, **gap_style),
    )
    current = marks.transform_filter("datum.kind == 'here' || datum.kind == 'end'").mark_point(
        shape="circle", fill=color, aria=False, **dot(theme, 60)
    )
    text = {"dy": {"expr": "datum.dy"}, **label_inside(MARK_LABEL, offset="datum.dx")}
    label_halo = marks.mark_text(**text_halo(theme), opacity=0.85, **text).encode(text="label:N")
    label = marks.mark_text(color=theme.foreground, **text).encode(text="label:N")
    position = (
        alt.Chart(alt.NamedData("now"))
        # always two lines: a picture that is drawn has no room for another one above them
        .transform_calculate(
            lines="indexof(datum.text, '\\n') < 0 ? '\\n' + datum.text : datum.text"
        )
        .mark_text(
            align="left",
            baseline="bottom",
            color=text_color,
            fontSize=13,
            fontWeight=600,
            limit={"expr": "width"},
            lineBreak="\n",
            dy=-16,
        )
        .encode(x=alt.value(0), y=alt.value(-8), text="lines:N")
    )
    chart = alt.layer(
        contour_layer(theme),
        *contour_label_layers(theme, w1, w2),
        gap_line,
        whole_path,
        halo,
        path,
        *gap_label,
        solution,
        start,
        current,
        minimum,
        label_halo,
        label,
        position,
    )
    heading = alt.TitleParams(placeholder("title"), subtitle=placeholder("subtitle"), offset=20)
    spec = chart.properties(title=heading, width="container").to_dict()
    return apply_theme(with_frame_data(spec), theme, height=f"width * {ASPECT}")
