"""The figures of the cause page: pairs of a batch, terms of the loss, and where its minimum is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from linreg.experiments.broadcast_terms import MinimumByBatchSize, Terms
from linreg.experiments.cause import CauseResult
from linreg.figures.fade import both_surfaces_figure, predictions_figure, section_figure
from linreg.figures.figure import Figure, FigureSet, single_figure
from linreg.figures.layers import (
    ASPECT,
    domain_around,
    domain_values,
    label_beside,
    weight_axes,
)
from linreg.figures.matrix import matrix_figure
from linreg.figures.templates import frame_table, template, with_frame_data
from linreg.figures.theme import (
    Theme,
    apply_theme,
    dot,
    point_text,
    side_color,
    text_halo,
)
from linreg.settings.model import LABELS
from linreg.text.numbers import point, quantity

TERMS = ("Var(p)", "Var(y)", "−2·Cov(p, y)", "(p̄ − ȳ)²", "loss, their sum")


# ---- the page ------------------------------------------------------------------------------------


def figures(result: CauseResult, theme: Theme) -> Iterator[FigureSet]:
    """The figures of the page."""
    yield matrix(result, theme)
    yield both_surfaces(result, theme)
    yield section(result, theme)
    yield terms(result, theme)
    yield predictions(result, theme)
    yield minimum_by_batch_size(result, theme)


def matrix(result: CauseResult, theme: Theme) -> FigureSet:
    """The differences of all pairs of a batch."""
    return single_figure(
        "matrix of all pairs", matrix_figure(result.pairs, theme, result.fade.alpha), theme
    )


def terms(result: CauseResult, theme: Theme) -> FigureSet:
    """The four terms that both losses are made of."""
    return single_figure("four terms of the loss", terms_figure(result.terms, theme), theme)


def both_surfaces(result: CauseResult, theme: Theme) -> FigureSet:
    """Both loss surfaces in one plot."""
    figure = both_surfaces_figure(result.fade, theme)
    return single_figure("both bowls in one picture", figure, theme)


def section(result: CauseResult, theme: Theme) -> FigureSet:
    """Both losses along the line through their minima."""
    figure = section_figure(result.fade, theme)
    return single_figure("section through both bowls", figure, theme)


def predictions(result: CauseResult, theme: Theme) -> FigureSet:
    """Predicted against true values at the minimum."""
    return single_figure("predictions at the minimum", predictions_figure(result, theme), theme)


def minimum_by_batch_size(result: CauseResult, theme: Theme) -> FigureSet:
    """The minimum of the loss over all pairs, by batch size."""
    figure = minimum_by_batch_size_figure(
        result.minimum_by_batch_size, result.settings.batch_size, theme
    )
    return single_figure("minimum by batch size", figure, theme)


# ---- the four terms ------------------------------------------------------------------------------


def terms_figure(terms: Terms, theme: Theme) -> Figure:
    """The four terms of both losses, and their sums, as bars.

    The loss over all pairs has no covariance, so its bar is missing.
    """
    shared = (terms.var_p, terms.var_y)
    values = {
        LABELS[0]: (*shared, 0.0, terms.means, terms.all_pairs),
        LABELS[1]: (*shared, terms.minus_twice_cov, terms.means, terms.matched),
    }
    rows = [
        (term, side, value, quantity(value))
        for side in LABELS
        for term, value in zip(TERMS, values[side], strict=True)
    ]
    table = pd.DataFrame(rows, columns=["term", "side", "value", "text"])
    table.loc[(table["side"] == LABELS[0]) & (table["term"] == TERMS[2]), "text"] = "erased"
    table["share"] = table["value"] / (table["value"].abs().max() or 1.0)
    alt_text = (
        f"Var(p) {quantity(terms.var_p)}, Var(y) {quantity(terms.var_y)}, minus twice the"
        f" covariance {quantity(terms.minus_twice_cov)}, squared difference of the means"
        f" {quantity(terms.means)}: the original's loss is {quantity(terms.all_pairs)}, the fixed"
        f" one {quantity(terms.matched)}."
    )
    caption = (
        "Each term is a mean over the batches, in squared units of the target. The original has no"
        " covariance."
    )
    data = {"terms": table, "frame": frame_table(alt=alt_text)}
    moving = {"terms": {"rule": "terms", "terms": TERMS, "sides": LABELS}}
    name = "The four terms of both losses"
    return Figure(_terms_spec(theme), data, alt_text, caption, "terms", name, moving)


@template()
def _terms_spec(theme: Theme) -> dict[str, Any]:
    scale = alt.Scale(domain=[-1.8, 1.8], nice=False)  # with room for the texts on a phone
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
        .mark_rule(color=theme.muted, strokeWidth=1, aria=False)
        .encode(x=alt.datum(0, scale=scale))
    )
    to_the_right = base.transform_filter("datum.share >= 0").mark_text(
        align="left", dx=5, color=theme.foreground
    )
    to_the_left = base.transform_filter("datum.share < 0").mark_text(
        align="right", dx=-5, color=theme.foreground
    )
    texts = [
        part.encode(x=alt.X("share:Q", scale=scale), text="text:N")
        for part in (to_the_right, to_the_left)
    ]
    heading = alt.TitleParams("The terms of both losses", subtitle="means over the batches")
    chart = alt.layer(bars, zero, *texts).properties(width="container", height=260, title=heading)
    return apply_theme(with_frame_data(chart.to_dict()), theme)


# ---- minimum by batch size -----------------------------------------------------------------------


def minimum_by_batch_size_figure(
    result: MinimumByBatchSize, batch_size: int, theme: Theme
) -> Figure:
    """The minimum of the loss over all pairs for each batch size, exact and as predicted."""
    current = result.sizes.index(batch_size)
    exact = pd.DataFrame(
        {
            "B": result.sizes,
            "w1": result.minima[:, 0],
            "w2": result.minima[:, 1],
            "floor": result.floors,
        }
    )
    predicted = pd.DataFrame(
        {"B": result.sizes, "w1": result.predicted[:, 0], "w2": result.predicted[:, 1]}
    )
    labels = exact.loc[_has_label(result.minima, current), ["B", "w1", "w2"]]
    labels["label"] = [
        f"B = {size:,}, the comparison's" if size == batch_size else f"B = {size:,}"
        for size in labels["B"]
    ]
    origin = np.zeros((1, result.minima.shape[1]))
    domain = domain_around(np.concatenate([result.minima, result.predicted, origin]))
    alt_text = (
        f"The minimum of the all-pairs loss moves from {point(result.minima[0])} with one row per"
        f" batch to {point(result.minima[-1])} with {result.sizes[-1]:,}; with the comparison's"
        f" {batch_size:,} it is at {point(result.minima[current])}."
    )
    caption = (
        "Dots: the exact minimum with B rows per batch. Rings: its mean over all tables like this"
        " one."
    )
    data = {
        "walk": exact,
        "theory": predicted,
        "labels": labels,
        "frame": frame_table(alt=alt_text, **domain_values(domain)),
    }
    name = "The original's minimum by batch size"
    return Figure(_by_batch_size_template(theme), data, alt_text, caption, "walk", name)


def _has_label(
    points: Float[np.ndarray, "S 2"], current: int, min_distance: float = 0.1
) -> Bool[np.ndarray, " S"]:
    """Which points have a label: the current one, and those far enough from all that have one.

    `min_distance` is relative to the extent of the points.
    """
    extent = float(np.hypot(*(points.max(0) - points.min(0)))) or 1.0
    labelled = [current]
    for k in range(len(points)):
        if np.hypot(*(points[labelled] - points[k]).T).min() >= min_distance * extent:
            labelled.append(k)
    return np.isin(np.arange(len(points)), labelled)


@template()
def _by_batch_size_template(theme: Theme) -> dict[str, Any]:
    w1, w2 = weight_axes()

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=w1, y=w2)

    line = over("walk").mark_line(color=theme.original, strokeWidth=2, opacity=0.6)
    predicted = over("theory").mark_point(
        shape="circle",
        size=170,
        stroke=theme.foreground,
        strokeWidth=1.4,
        opacity=1,
    )
    tooltip = alt.expr(
        "{'rows per batch': format(datum.B, ','),"
        f" 'minimum': {point_text()},"
        " 'minimum loss': format(datum.floor, ',.4~r')}"
    )
    exact = over("walk").mark_point(color=theme.original, tooltip=tooltip, **dot(theme, 70, 1))
    text: dict[str, Any] = {"dy": 10, "tooltip": None, **label_beside(12.5, 12)}
    halo = over("labels").mark_text(**text_halo(theme), **text).encode(text="label:N")
    label = over("labels").mark_text(color=theme.foreground, **text).encode(text="label:N")
    chart = alt.layer(line.encode(order="B:Q"), predicted, exact, halo, label)
    heading = alt.TitleParams(
        "The minimum of the loss over all pairs", subtitle="with B rows per batch"
    )
    spec = with_frame_data(chart.properties(width="container", title=heading).to_dict())
    return apply_theme(spec, theme, height=f"width * {ASPECT}")
