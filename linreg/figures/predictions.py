"""Predicted against true values of both sides, at a step of the replay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.experiments.comparison import ComparisonResult, Sample, SideResult
from linreg.figures.figure import Figure
from linreg.figures.layers import ASPECT, point_shapes
from linreg.figures.templates import (
    frame_table,
    in_frame,
    placeholder,
    template,
    with_frame_data,
)
from linreg.figures.theme import Theme, apply_theme, side_shape, side_text, text_halo
from linreg.settings.fields import shorten
from linreg.settings.model import LABELS
from linreg.text.numbers import quantity, r2_text
from linreg.training.browser import browser_evaluation

MAX_HEIGHT = 440  # pixels; a wider plot has room on the left and on the right instead
MARGIN = 0.06  # around the values, relative to their range
MAX_WIDENING = 1.0  # predictions widen the range of the true values by this factor at most
FLAT_BELOW = 0.1  # spread of predictions, relative to the range of the targets
SAME_WITHIN = 1e-12  # relative difference of numbers that count as one
TICKS = 5  # approximate number on an axis
CAP_LENGTH = 5e-5  # of the height of the plot: 0.01 to 0.02 pixels
MAX_DECIMALS = 100  # of a number at the pointer
LINE_HEIGHT = 19  # pixels, of the text above the plot
DIGIT_WIDTH = 6.6  # pixels, of an axis label

STATE_WORDS = {  # of a side, also for the browser, which writes them at every step
    "r2": "R² {r2}",
    "diverged": "diverged at step {step}",
    "outside": ", {count} outside the plot",
    "all": "all",
}

Range = tuple[float, float]


def predictions_figure(result: ComparisonResult, step: int, theme: Theme) -> Figure:
    """Predicted against true values of the sample's rows, both sides, at a step of trained runs.

    Both axes have one scale, which holds all true values, and the predictions at the start and at
    the end of the runs where these are not far beyond them. Points outside of it are not drawn.

    Two tables move with the replay; everything else stays. `points` has a row for each row of the
    sample and side, first the original's, with the columns `true`, `predicted` and `side`, and the
    features `feature1` and `feature2`, which give the prediction: predicted = offset + scale ·
    (feature1·w1 + feature2·w2 + bias), where `offset` and `scale` are in the table `frame`: 0 and 1
    unless the target is standardised. `sides` has a row per side: `side`, `index`, and `text` with
    its R².
    """
    sample, domain = result.sample, _domain(result)
    points = [_predictions_at(side, sample, step) for side in result.sides]
    texts = [
        f"{side.label.lower()}: {_state(side, predicted, domain, step)}"
        for side, predicted in zip(result.sides, points, strict=True)
    ]
    target = shorten(sample.target)
    alt_text = f"Predicted against true {target}, {_rows_text(sample)}. {_findings(result)}"
    count = len(sample.y)
    data = {
        "points": pd.DataFrame(
            {
                "true": np.tile(sample.y, 2),
                "predicted": np.concatenate(points),
                "side": pd.Categorical.from_codes(np.repeat([0, 1], count), pd.Index(LABELS)),
                "feature1": np.tile(sample.X[:, 0], 2),
                "feature2": np.tile(sample.X[:, 1], 2),
            }
        ),
        "sides": pd.DataFrame({"side": LABELS, "index": [0, 1], "text": texts}),
        "frame": frame_table(
            subtitle=_rows_text(sample),
            alt=alt_text,
            low=domain[0],
            high=domain[1],
            mean=sample.mean,
            offset=sample.scaling.mean,
            scale=sample.scaling.deviation,
            **_mean_label(sample, domain),
            **_axis_values(domain),
        ),
    }
    caption = (
        "Each point is a row of the table on one side; where it is predicted well, it lies on the"
        f" dashed line. {_findings(result)}"
    )
    if count < sample.rows:
        caption += f" R² is that of all {sample.rows:,} rows."
    evaluation = browser_evaluation(result.sides[0].baseline)
    moving: dict[str, dict[str, Any]] = {
        "points": {"rule": "predictions"},
        "sides": {"rule": "r_squared", "evaluation": evaluation, "words": STATE_WORDS},
    }
    name = "Predicted against true values"
    hover = {"rule": "predictions", "decimals": min(max(3 - _tick_place(domain), 0), MAX_DECIMALS)}
    spec = _spec(theme, target)
    return Figure(spec, data, alt_text, caption, "points", name, moving, hover=hover)


def _predictions_at(side: SideResult, sample: Sample, step: int) -> Float[np.ndarray, " n"]:
    assert side.run is not None, "the side is trained"
    weights = side.run.weights[min(step, len(side.run.weights) - 1)]
    return sample.predictions(weights)


def _domain(result: ComparisonResult) -> Range:
    """The range of both axes, which stays the same while the runs are replayed."""
    y = result.sample.y
    low, high = float(y.min()), float(y.max())
    span = high - low
    if span <= SAME_WITHIN * max(abs(low), abs(high)):  # one row, or a constant target
        span = abs(low) or 1.0
        low, high = low - span / 2, high + span / 2
    shown = [np.array([low, high])]
    for side in result.sides:
        for step in (0, result.last_step):
            predicted = _predictions_at(side, result.sample, step)
            near = low - MAX_WIDENING * span <= predicted
            shown.append(predicted[near & (predicted <= high + MAX_WIDENING * span)])
    values = np.concatenate(shown)
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low)
    return low - margin, high + margin


def _mean_label(sample: Sample, domain: Range) -> dict[str, str | float]:
    """The label of the line at the mean, and its offset in pixels: below the line, if that fits."""
    height = (sample.mean - domain[0]) / (domain[1] - domain[0])
    label = f"mean of {shorten(sample.target)}: {quantity(sample.mean)}"
    return {"mean label": label, "mean dy": 15.0 if height > 0.15 else -15.0}


def _axis_values(domain: Range) -> dict[str, str | float]:
    """The number format of the axes, and the room for the labels of the y axis.

    The labels of neighbouring ticks differ, whatever the unit and the offset of the values.
    """
    largest, place = max(map(abs, domain)), _tick_place(domain)
    digits = max(math.floor(math.log10(largest)) - place, 0)
    if largest < 1e7 and place >= -4:
        axis = f",.{max(-place, 0)}~f"
        longest = max(len(f"{value:,.{max(-place, 0)}f}") for value in domain)
    else:
        axis = f".{digits}~e"
        longest = max(len(f"{value:.{digits}e}") for value in domain)
    extent = math.ceil(DIGIT_WIDTH * longest) + 7.5  # .5 avoids a rounding tie
    return {"format": axis, "extent": max(extent, 36.5)}


def _tick_place(domain: Range) -> int:
    """The place of the last digit of a tick, as a power of ten."""
    return math.floor(math.log10((domain[1] - domain[0]) / TICKS))


# ---- in words ------------------------------------------------------------------------------------


def _rows_text(sample: Sample) -> str:
    count = len(sample.y)
    if count < sample.rows:
        return f"{count:,} of {sample.rows:,} rows, evenly spaced"
    return f"all {count:,} rows" if count > 1 else "the only row"


def _outside(predicted: np.ndarray, domain: Range) -> int:
    """How many predictions lie outside the plot."""
    return int((~((predicted >= domain[0]) & (predicted <= domain[1]))).sum())


def _state(side: SideResult, predicted: np.ndarray, domain: Range, step: int) -> str:
    """R² of a side at a step, and what of it is not drawn."""
    assert side.run is not None, "the side is trained"
    outside = _outside(predicted, domain)
    every = STATE_WORDS["all"]
    count = every if outside == len(predicted) else f"{outside:,} of {len(predicted):,}"
    beyond = STATE_WORDS["outside"].format(count=count) if outside else ""
    if side.run.diverged_at is not None and step >= len(side.run.weights) - 1:
        return STATE_WORDS["diverged"].format(step=f"{side.run.diverged_at:,}") + beyond
    return STATE_WORDS["r2"].format(r2=r2_text(side.r_squared(step))) + beyond


def _findings(result: ComparisonResult) -> str:
    """What the predictions of both sides are at the end of their runs, as sentences."""
    return " ".join(_finding(side, result.sample, result.last_step) for side in result.sides)


def _finding(side: SideResult, sample: Sample, step: int) -> str:
    assert side.run is not None, "the side is trained"
    if side.run.diverged_at is not None:
        return f"{side.label}: the run diverges at step {side.run.diverged_at:,}."
    of_y = float(np.ptp(sample.y))
    if not of_y:
        return f"{side.label}: R² is undefined, because the target is constant."
    spread = float(np.ptp(_predictions_at(side, sample, step))) / of_y
    flat = "almost the same value for every row; " if spread < FLAT_BELOW else ""
    return (
        f"{side.label}: {flat}the predictions spread over {_percent(spread)} of the range of the"
        f" targets (R² {r2_text(side.r_squared(step))})."
    )


def _percent(share: float) -> str:
    percent = f"{100 * share:,.0f}" if share >= 0.01 else quantity(100 * share, 1)
    return f"{percent}\N{NO-BREAK SPACE}%"


# ---- the spec ------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _spec(theme: Theme, target: str) -> dict[str, Any]:
    known = {"x title": f"true {target}", "y title": f"predicted {target}"}
    height = f"min(width * {ASPECT}, {MAX_HEIGHT})"
    return apply_theme(with_frame_data(_template(theme), **known), theme, height=height)


def _axes() -> tuple[dict[str, Any], dict[str, Any]]:
    """Scale, axis and title of x and y: one unit has the same length in pixels on both.

    As on a surface, no label may change the width of the plot, from which the height follows.
    """
    low, high = in_frame("low"), in_frame("high")
    center, half = f"({low} + {high}) / 2", f"({high} - {low}) / 2 * width / height"
    x_domain = [alt.ExprRef(f"{center} - {half}"), alt.ExprRef(f"{center} + {half}")]
    label = f"datum.value == 0 ? '0' : format(datum.value, {in_frame('format')})"
    fitting = f"clamp(floor(width / (1.2 * {in_frame('extent')})), 2, {TICKS})"
    x = {
        "title": placeholder("x title"),
        "scale": alt.Scale(domain=x_domain, nice=False, zero=False),
        "axis": alt.Axis(labelBound=0.01, labelExpr=label, tickCount=alt.ExprRef(fitting)),
    }
    extent = alt.ExprRef(in_frame("extent"))
    y = {
        "title": placeholder("y title"),
        "scale": alt.Scale(
            domain=[placeholder("low"), placeholder("high")], nice=False, zero=False
        ),
        "axis": alt.Axis(
            labelExpr=label,
            tickCount=TICKS,
            minExtent=extent,
            maxExtent=extent,
            titleLimit=alt.ExprRef("height"),
        ),
    }
    return x, y


def _labelled(chart: alt.Chart, theme: Theme, color: Any, **text: Any) -> Sequence[alt.Chart]:
    """A text and its halo."""
    halo = chart.mark_text(**text_halo(theme), **text)
    return halo, chart.mark_text(**text).encode(color=color)


@template()
def _template(theme: Theme) -> dict[str, Any]:
    x, y = _axes()
    frame = alt.Chart(alt.NamedData("frame"))
    sides = alt.Chart(alt.NamedData("sides"))
    color = alt.Color(
        "side:N", scale=alt.Scale(domain=list(LABELS), range=theme.side_colors), legend=None
    )

    low, high = in_frame("low"), in_frame("high")
    is_inside = f"datum.predicted >= {low} && datum.predicted <= {high}"
    points = alt.Chart(alt.NamedData("points"))
    points = points.transform_filter(f"isValid(datum.predicted) && {is_inside}")
    points = point_shapes(points, "true", "predicted", "side", f"{CAP_LENGTH} * ({high} - {low})")
    cap = alt.ExprRef(f"datum.side === '{LABELS[0]}' ? 'square' : 'round'")  # as SIDE_MARKS
    points = points.mark_geoshape(filled=False, strokeWidth=5, strokeCap=cap, opacity=0.65)
    points = points.encode(stroke=color)

    diagonal_ends = {"x": alt.X("low:Q", **x), "x2": "high:Q", "y": alt.Y("low:Q", **y)}
    diagonal = frame.mark_rule(strokeDash=[6, 4], color=theme.muted).encode(
        **diagonal_ends, y2="high:Q"
    )
    beside_diagonal = frame.encode(
        x=alt.X("high:Q", **x), y=alt.Y("high:Q", **y), text=alt.value("predicted = true")
    )
    diagonal_label = _labelled(
        beside_diagonal,
        theme,
        alt.value(theme.muted),
        angle=315,
        align="right",
        baseline="top",
        dx=-14,
        dy=9,
        fontSize=12,
    )

    mean = frame.mark_rule(color=theme.muted, opacity=0.55)
    mean = mean.encode(y=alt.Y("mean:Q", **y))
    at_right = frame.encode(x=alt.value("width"), y=alt.Y("mean:Q", **y), text="mean label:N")
    mean_label = _labelled(
        at_right,
        theme,
        alt.value(theme.muted),
        align="right",
        baseline="middle",
        dx=-2,
        dy=alt.ExprRef(in_frame("mean dy")),
        fontSize=12,
    )

    first_line = -10 - LINE_HEIGHT
    symbol = sides.mark_point(
        filled=True,
        size=70,
        opacity=1,
        yOffset=alt.ExprRef(f"datum.index * {LINE_HEIGHT}"),
    )
    symbol = symbol.encode(x=alt.value(5), y=alt.value(first_line), color=color, shape=side_shape())
    side_lines = _labelled(
        sides.encode(x=alt.value(14), y=alt.value(first_line), text="text:N"),
        theme,
        side_text(theme),
        align="left",
        baseline="middle",
        dy=alt.ExprRef(f"datum.index * {LINE_HEIGHT}"),
        limit=alt.ExprRef("width - 14"),
        fontSize=13,
        fontWeight=600,
    )
    chart = alt.layer(mean, diagonal, *mean_label, *diagonal_label, points, symbol, *side_lines)
    heading = alt.TitleParams("Predictions", subtitle=placeholder("subtitle"), offset=8)
    return chart.properties(title=heading, width="container").to_dict()
