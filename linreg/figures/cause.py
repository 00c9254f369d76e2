"""The figures of the cause page: the matrix of a batch, the four terms, both bowls at once, and the
minimum's walk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from linreg.experiments.broadcast_terms import MinimumByBatchSize, Pairs, Terms
from linreg.experiments.cause import CauseResult
from linreg.figures.figure import Figure, FigureSet, single_figure
from linreg.figures.layers import (
    ASPECT,
    contours,
    domain_around,
    domain_slots,
    kept_beside,
    kept_inside,
    levels_over,
    lines_over,
    weight_axes,
)
from linreg.figures.theme import (
    SMALLEST,
    Theme,
    apply_theme,
    frame_of,
    number_axis,
    side_color,
    side_shape,
    side_text,
    template,
    text_halo,
    with_frame_data,
)
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import LABELS
from linreg.text.numbers import coordinate, point, quantity

MARGIN = 1.5  # cells, between the matrix and the numbers that it is made of
SECTION_POINTS = 121
OVERSHOOT = 0.7  # of the way between the minima, beyond each of them


# ---- the page ------------------------------------------------------------------------------------


def figures(result: CauseResult, theme: Theme) -> Iterator[FigureSet]:
    """All figures of the page."""
    yield matrix(result, theme)
    yield terms(result, theme)
    yield bowls(result, theme)
    yield section(result, theme)
    yield walk(result, theme)


def matrix(result: CauseResult, theme: Theme) -> FigureSet:
    """The differences of all pairs of a batch."""
    return single_figure("matrix of all pairs", matrix_figure(result.pairs, theme), theme)


def terms(result: CauseResult, theme: Theme) -> FigureSet:
    """The four terms that both losses are made of."""
    return single_figure("four terms of the loss", terms_figure(result.terms, theme), theme)


def bowls(result: CauseResult, theme: Theme) -> FigureSet:
    """Both loss surfaces in one picture."""
    figure = bowls_figure(result.surfaces, theme)
    return single_figure("both bowls in one picture", figure, theme)


def section(result: CauseResult, theme: Theme) -> FigureSet:
    """Both losses along the line through their minima."""
    figure = section_figure(result.surfaces, theme)
    return single_figure("section through both bowls", figure, theme)


def walk(result: CauseResult, theme: Theme) -> FigureSet:
    """The minimum of the loss over all pairs, by batch size."""
    figure = walk_figure(result.minimum_by_batch_size, result.original.batch_size, theme)
    return single_figure("minimum by batch size", figure, theme)


# ---- the matrix ----------------------------------------------------------------------------------


def matrix_figure(pairs: Pairs, theme: Theme) -> Figure:
    """All differences p_i − y_j of a batch as cells, the diagonal outlined, with the predictions
    and the targets beside."""
    rows, differences = len(pairs), pairs.differences
    size = np.abs(differences)
    data = matrix_data(
        size / (size.max() or 1.0),
        np.eye(rows, dtype=bool),
        [[short(value) for value in row] for row in differences],
        [short(value) for value in pairs.predictions],
        [short(value) for value in pairs.targets],
    )
    data["cells"]["difference"] = differences.ravel()
    on, off = pairs.loss_parts
    share = f"{off / (on + off):.1%}" if on + off else "none"
    alt_text = (
        f"{rows} predictions against {rows} targets give a matrix of {rows * rows} differences."
        f" {rows} lie on the diagonal;"
        f" the {rows * rows - rows} others make {share} of the loss."
    )
    caption = (
        "Left: the predictions. Above: the targets. A cell is their difference, the darker the"
        " larger its size."
        " Outlined: the diagonal, what was meant."
    )
    if theme.name == "dark":
        caption = caption.replace("darker", "brighter")
    return Figure(_size_matrix_spec(theme), data, alt_text, caption, "cells")


def matrix_data(
    fill: Float[np.ndarray, "R C"],
    outlined: Bool[np.ndarray, "R C"],
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """The tables of a matrix with a row for each prediction and a column for each target; `fill` is
    0 to 1."""
    i, j = (index.ravel() for index in np.indices(fill.shape))
    cells = pd.DataFrame(
        {
            "prediction": i,
            "target": j,
            "size": fill.ravel(),
            "text": [one for row in texts for one in row],
        }
    )
    heads = pd.concat(
        [
            pd.DataFrame({"prediction": range(len(rows)), "target": -MARGIN, "text": rows}),
            pd.DataFrame({"prediction": -MARGIN, "target": range(len(columns)), "text": columns}),
        ]
    )
    unit = 1 / (max(fill.shape) + MARGIN)  # of the picture: as many cells, whatever their number
    for frame in (cells, heads):
        frame["x"], frame["y"] = (
            (frame["target"] + MARGIN) * unit,
            (frame["prediction"] + MARGIN) * unit,
        )
        frame["x2"], frame["y2"] = frame["x"] + unit, frame["y"] + unit
        frame["mx"], frame["my"] = frame["x"] + unit / 2, frame["y"] + unit / 2
        frame["unit"] = unit
    return {"cells": cells, "outlined": cells[outlined.ravel()], "heads": heads}


def short(value: float) -> str:
    """A number of at most four digits for a cell."""
    if abs(value) >= 9_999.5:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e").replace("-", "−")
    return coordinate(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 2)


@template()
def _size_matrix_spec(theme: Theme) -> dict[str, Any]:
    scale = alt.Scale(domain=[0, 1], range=list(theme.ramp), interpolate="lab")
    title = alt.TitleParams("Prediction − target", subtitle="rows: predictions, columns: targets")
    return matrix_spec(theme, alt.Fill("size:Q", scale=scale, legend=None), title)


def matrix_spec(theme: Theme, fill: alt.Fill, title: alt.TitleParams) -> dict[str, Any]:
    """The template of `matrix_data`, with what its cells are filled by."""
    scale = alt.Scale(domain=[0, 1], nice=False)
    whole = {
        "x": alt.X("x:Q", scale=scale, axis=None),
        "y": alt.Y("y:Q", scale=alt.Scale(domain=[1, 0]), axis=None),
    }
    middle = {
        "x": alt.X("mx:Q", scale=scale, axis=None),
        "y": alt.Y("my:Q", scale=alt.Scale(domain=[1, 0]), axis=None),
    }
    font = {"expr": "min(14, 0.27 * width * datum.unit)"}
    legible = {"expr": f"0.27 * width * datum.unit >= {SMALLEST} ? 1 : 0"}

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table))

    squares = (
        over("cells")
        .mark_rect(stroke=theme.background, strokeWidth=1.5)
        .encode(**whole, x2="x2", y2="y2", fill=fill)
    )
    outline = (
        over("outlined")
        .mark_rect(filled=False, stroke=theme.fixed, strokeWidth=3, opacity=1, aria=False)
        .encode(**whole, x2="x2", y2="y2")
    )
    ink = alt.condition("datum.size > 0.75", alt.value(theme.background), alt.value(theme.ink))
    numbers = (
        over("cells")
        .mark_text(fontSize=font, opacity=legible)
        .encode(**middle, text="text:N", color=ink)
    )
    heads = (
        over("heads")
        .mark_text(fontSize=font, fontWeight=600, color=theme.ink, opacity=legible)
        .encode(**middle, text="text:N")
    )
    chart = alt.layer(squares, outline, numbers, heads).properties(width="container", title=title)
    spec = chart.add_params(alt.param(SMALLEST, value=7.2)).to_dict()  # pixels, on a screen
    return apply_theme(spec, theme, height="min(width, 520) * 0.82")


# ---- the four terms ------------------------------------------------------------------------------

TERMS = ("Var(p)", "Var(y)", "−2·Cov(p, y)", "(p̄ − ȳ)²", "loss, their sum")


def terms_figure(terms: Terms, theme: Theme) -> Figure:
    """The four terms and their sum as bars, for both losses; under all pairs there is no bar for
    the covariance."""
    shared = (terms.var_p, terms.var_y)
    values = {
        LABELS[0]: (*shared, 0.0, terms.means, terms.all_pairs),
        LABELS[1]: (*shared, terms.minus_twice_cov, terms.means, terms.matched),
    }
    rows = [
        (
            term,
            side,
            value,
            "erased" if side == LABELS[0] and term == TERMS[2] else quantity(value),
        )
        for side in LABELS
        for term, value in zip(TERMS, values[side], strict=True)
    ]
    table = pd.DataFrame(rows, columns=["term", "side", "value", "text"])
    widest = max(abs(value) for _, _, value, _ in rows) or 1.0
    table["share"] = table["value"] / widest
    alt_text = (
        f"Var(p) {quantity(terms.var_p)}, Var(y) {quantity(terms.var_y)}, minus twice the"
        " covariance"
        f" {quantity(terms.minus_twice_cov)}, squared difference of the means"
        f" {quantity(terms.means)}: the original's"
        f" loss is {quantity(terms.all_pairs)}, the fixed one {quantity(terms.matched)}."
    )
    caption = "Each term is a mean over the batches, in squared units of the target. The original has no covariance."
    return Figure(_terms_spec(theme), {"terms": table}, alt_text, caption, "terms")


@template()
def _terms_spec(theme: Theme) -> dict[str, Any]:
    scale = alt.Scale(domain=[-1.8, 1.8], nice=False)  # with room for the numbers on a phone
    row = alt.Y(
        "term:N",
        sort=list(TERMS),
        title=None,
        axis=alt.Axis(ticks=False, domain=False, labelFontSize=13, grid=False),
    )
    beside = alt.YOffset("side:N", sort=list(LABELS))
    base = alt.Chart(alt.NamedData("terms")).encode(y=row, yOffset=beside)
    bars = base.mark_bar(cornerRadius=2, height={"band": 0.8}).encode(
        x=alt.X("share:Q", scale=scale, axis=None), color=side_color(theme, symbol="square")
    )
    zero = (
        alt.Chart(alt.NamedData("terms"))
        .mark_rule(color=theme.quiet, strokeWidth=1, aria=False)
        .encode(x=alt.datum(0, scale=scale))
    )
    to_the_right = base.transform_filter("datum.share >= 0").mark_text(
        align="left", dx=5, color=theme.ink
    )
    to_the_left = base.transform_filter("datum.share < 0").mark_text(
        align="right", dx=-5, color=theme.ink
    )
    texts = [
        part.encode(x=alt.X("share:Q", scale=scale), text="text:N")
        for part in (to_the_right, to_the_left)
    ]
    heading = alt.TitleParams("The terms of both losses", subtitle="means over the batches")
    chart = alt.layer(bars, zero, *texts).properties(width="container", height=260, title=heading)
    return apply_theme(chart.to_dict(), theme)


# ---- the two bowls -------------------------------------------------------------------------------


def bowls_figure(surfaces: Sequence[Quadratic], theme: Theme) -> Figure:
    """Contours of both surfaces at the same heights above each one's floor, and the line between
    their minima."""
    both = [surface.profile() for surface in surfaces]
    minima = np.array([surface.minimum for surface in both])  # (2, 2)
    domain = domain_around(np.concatenate([minima, 2 * minima - minima.mean(0)]))
    spacing, _ = levels_over(both, domain)
    rings = [
        contours(surface, domain, 2 * spacing, 3).assign(side=side)
        for side, surface in zip(LABELS, both, strict=True)
    ]
    marks = pd.DataFrame(
        [
            (side, *map(float, at), f"minimum {point(at)}")
            for side, at in zip(LABELS, minima, strict=True)
        ],
        columns=["side", "w1", "w2", "label"],
    )
    marks["dy"] = (
        [-14, 18] if minima[0, 1] > minima[1, 1] else [18, -14]
    )  # away from the line between them
    alt_text = (
        "Contours of both losses over the two weights: the same ellipses, around"
        f" {point(minima[0])} for the original and"
        f" around {point(minima[1])} for the fixed one."
    )
    caption = "Contours of both losses, each at the same heights above its own least value. Dashed: the line between the minima."
    data = {
        "rings": pd.concat(rings),
        "marks": marks,
        "frame": frame_of(alt=alt_text, **domain_slots(domain)),
    }
    name = "Both losses over the weights"
    return Figure(_bowls_template(theme), data, alt_text, caption, "marks", name)


@template()
def _bowls_template(theme: Theme) -> dict[str, Any]:
    w1, w2 = weight_axes()
    color = side_color(theme)
    rings = lines_over("rings", ["level", "side"], closed=True)
    rings = rings.mark_geoshape(filled=False, clip=False, strokeWidth=1.8).encode(color=color)
    marks = alt.Chart(alt.NamedData("marks")).encode(x=w1, y=w2)
    between = marks.mark_line(color=theme.quiet, strokeDash=[6, 4], strokeWidth=1.5, order=False)
    dots = marks.mark_point(
        filled=True, size=90, opacity=1, stroke=theme.background, strokeWidth=1.5
    ).encode(color=color, shape=side_shape())
    text = {"dy": {"expr": "datum.dy"}, **kept_inside(12.5)}
    halo = marks.mark_text(**text_halo(theme), **text).encode(text="label:N")
    label = marks.mark_text(color=theme.ink, **text).encode(text="label:N")
    chart = alt.layer(rings, between, dots, halo, label).properties(width="container")
    heading = alt.TitleParams("Both losses over the weights", subtitle="the same contours, moved")
    spec = with_frame_data(chart.properties(title=heading).to_dict())
    return apply_theme(spec, theme, height=f"width * {ASPECT}")


def section_figure(surfaces: Sequence[Quadratic], theme: Theme) -> Figure:
    """Both losses along the straight line through their minima: the same parabola, moved and
    lifted."""
    both = [surface.profile() for surface in surfaces]
    start, end = (surface.minimum for surface in both)
    t = np.linspace(
        -OVERSHOOT, 1 + OVERSHOOT, SECTION_POINTS
    )  # 0 at the original's minimum, 1 at the fixed one's
    line = start + t[:, None] * (end - start)  # (n, 2)
    apart = float(np.hypot(*(end - start)))
    distance = t * apart
    table = pd.concat(
        [
            pd.DataFrame({"along": distance, "loss": surface.value(line), "side": side})
            for side, surface in zip(LABELS, both, strict=True)
        ]
    )
    places = (
        (-36, 14),
        (0, -14),
    )  # below on the left and above: the fixed side's curve falls through the first minimum
    minima = pd.DataFrame(
        [
            (at, surface.floor, side, quantity(surface.floor), *place)
            for at, surface, side, place in zip((0.0, apart), both, LABELS, places, strict=True)
        ],
        columns=["along", "loss", "side", "label", "aside", "dy"],
    )
    lift = both[0].floor - both[1].floor
    alt_text = (
        "Along the line through both minima both losses are the same parabola: the original's is"
        " moved by"
        f" {quantity(apart)} and lifted by {quantity(lift)}."
    )
    caption = "A section through both losses, along the dashed line. The numbers are the least loss of each."
    return Figure(
        _section_spec(theme), {"section": table, "minima": minima}, alt_text, caption, "section"
    )


@template()
def _section_spec(theme: Theme) -> dict[str, Any]:
    color = side_color(theme)
    along = alt.X(
        "along:Q",
        title="signed distance from the original's minimum",
        scale=alt.Scale(nice=False),
        axis=alt.Axis(grid=False, tickCount=6),
    )
    loss = alt.Y(
        "loss:Q", title="mean squared error", axis=number_axis(), scale=alt.Scale(zero=True)
    )
    lines = (
        alt.Chart(alt.NamedData("section"))
        .mark_line(strokeWidth=2.5)
        .encode(x=along, y=loss, color=color)
    )
    minima = alt.Chart(alt.NamedData("minima")).encode(x=along, y=loss)
    dots = minima.mark_point(
        filled=True, size=90, opacity=1, stroke=theme.background, strokeWidth=1.5
    ).encode(color=color, shape=side_shape())
    text = {
        "dy": {"expr": "datum.dy"},
        "fontWeight": 600,
        **kept_inside(12.5, "along", "datum.aside"),
    }
    halo = minima.mark_text(**text_halo(theme), **text).encode(text="label:N")
    labels = minima.mark_text(**text).encode(text="label:N", color=side_text(theme))
    chart = alt.layer(lines, dots, halo, labels).properties(width="container")
    heading = alt.TitleParams(
        "A section through both", subtitle="the same parabola, moved and lifted"
    )
    return apply_theme(chart.properties(title=heading).to_dict(), theme, height=f"width * {ASPECT}")


# ---- the walk ------------------------------------------------------------------------------------


def walk_figure(walk: MinimumByBatchSize, batch_size: int, theme: Theme) -> Figure:
    """The minimum of the all-pairs loss at each size of the batch, as dots on a line, with what
    theory predicts as rings."""
    here = walk.sizes.index(batch_size)
    table = pd.DataFrame(
        {"B": walk.sizes, "w1": walk.minima[:, 0], "w2": walk.minima[:, 1], "floor": walk.floors}
    )
    theory = pd.DataFrame({"B": walk.sizes, "w1": walk.predicted[:, 0], "w2": walk.predicted[:, 1]})
    labels = table.loc[_apart(walk.minima, here), ["B", "w1", "w2"]]
    labels["label"] = [
        f"B = {size:,}" + (", the comparison's" if size == batch_size else "")
        for size in labels["B"]
    ]
    domain = domain_around(
        np.concatenate([walk.minima, walk.predicted, np.zeros((1, walk.minima.shape[1]))])
    )
    alt_text = (
        f"The minimum of the all-pairs loss walks from {point(walk.minima[0])} with one row a batch"
        " to"
        f" {point(walk.minima[-1])} with {walk.sizes[-1]:,}; with the comparison's {batch_size:,}"
        " it is at"
        f" {point(walk.minima[here])}."
    )
    caption = "Dots: the exact minimum with B rows a batch. Rings: its mean over all tables like this one."
    data = {
        "walk": table,
        "theory": theory,
        "labels": labels,
        "frame": frame_of(alt=alt_text, **domain_slots(domain)),
    }
    name = "The original's minimum by batch size"
    return Figure(_walk_template(theme), data, alt_text, caption, "walk", name)


def _apart(
    points: Float[np.ndarray, "S 2"], here: int, least: float = 0.1
) -> Bool[np.ndarray, " S"]:
    """Which points carry a label of their own: one of them, and those that are far enough from all
    that do."""
    span = float(np.hypot(*(points.max(0) - points.min(0)))) or 1.0
    taken = [here]
    for k in range(len(points)):
        if np.hypot(*(points[taken] - points[k]).T).min() >= least * span:
            taken.append(k)
    return np.isin(np.arange(len(points)), taken)


@template()
def _walk_template(theme: Theme) -> dict[str, Any]:
    w1, w2 = weight_axes()

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=w1, y=w2)

    line = (
        over("walk").mark_line(color=theme.original, strokeWidth=2, opacity=0.6).encode(order="B:Q")
    )
    rings = over("theory").mark_point(
        shape="circle", size=170, stroke=theme.ink, strokeWidth=1.4, opacity=1
    )
    dots = over("walk").mark_point(
        filled=True,
        size=70,
        color=theme.original,
        opacity=1,
        stroke=theme.background,
        strokeWidth=1,
    )
    text = {"dy": 10, **kept_beside(12.5, 12)}
    halo = over("labels").mark_text(**text_halo(theme), **text).encode(text="label:N")
    label = over("labels").mark_text(color=theme.ink, **text).encode(text="label:N")
    chart = alt.layer(line, rings, dots, halo, label).properties(width="container")
    heading = alt.TitleParams("Where the original's loss is least", subtitle="with B rows a batch")
    spec = with_frame_data(chart.properties(title=heading).to_dict())
    return apply_theme(spec, theme, height=f"width * {ASPECT}")
