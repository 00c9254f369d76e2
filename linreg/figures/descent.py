"""Loss and distance to the minimum of optimizers against step, and their learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from linreg.experiments.optimizer_paths import Panel, Paths
from linreg.figures.figure import Figure
from linreg.figures.optimizer_paths import early_rows, optimizer_color
from linreg.figures.templates import frame_table, template, with_frame_data
from linreg.figures.theme import STEP_RULE, Theme, apply_theme, log_axis, number_text, step_rule
from linreg.settings.model import LABELS
from linreg.text.numbers import quantity
from linreg.training.browser import browser_surface

DESCENTS = {  # what decreases -> title and unit
    "loss": ("Loss above its minimum", "mean squared error"),
    "distance": ("Distance to the minimum", "distance in weights"),
}


def descent_figure(panels: Sequence[Panel], what: str, step: int, theme: Theme) -> Figure:
    """Excess loss (`loss`) or distance to the minimum (`distance`) against step.

    There is a curve per optimizer and side: the median of its starts.
    """
    title, _ = DESCENTS[what]
    optimizers = list(dict.fromkeys(path.optimizer for panel in panels for path in panel.paths))
    curves, ends = [], []  # curves: step, value, index of the optimizer, index of the side (n, 4)
    for side, panel in enumerate(panels):
        for path in panel.paths:
            steps, median = _median_curve(path, panel, what)
            indices = np.tile([optimizers.index(path.optimizer), side], (len(steps), 1))  # (n, 2)
            curves.append(np.column_stack([steps, median, indices]))
            if len(median):
                end = quantity(float(median[-1]))
                ends.append(f"{panel.label.lower()} {path.optimizer} {end}")
    steps, values, optimizer, side_index = np.concatenate([*curves, np.empty((0, 4))]).T
    labels = pd.Index([panel.label for panel in panels])
    table = pd.DataFrame(
        {
            "step": steps.astype(np.int32),
            "value": values,
            "optimizer": pd.Categorical.from_codes(optimizer.astype(int), pd.Index(optimizers)),
            "side": pd.Categorical.from_codes(side_index.astype(int), labels),
        }
    )
    alt_text = (
        f"{title} against step, the median of the starts. At the end: {', '.join(ends) or 'none'}."
    )
    caption = (
        "The median of the starts, for each surface above its own minimum. Logarithmic axes, the"
        " steps from 0."
    )
    data = {
        "curve": table,
        "now": pd.DataFrame({"step": [step]}),
        "frame": frame_table(alt=alt_text, optimizers=",".join(optimizers)),
    }
    name = f"{title} against step"
    spec, moving = _descent_spec(theme, what), {"now": STEP_RULE}
    medians = {"rule": "medians", "what": what, "sides": [_measure(panel) for panel in panels]}
    retrained = {"curve": medians}
    hover = {"rule": "curves", "table": "curve"}
    return Figure(spec, data, alt_text, caption, "curve", name, moving, retrained, hover)


def _measure(panel: Panel) -> dict[str, Any]:
    """What the browser measures the runs of a side by."""
    return {
        "label": panel.label,
        "surface": browser_surface(panel.surface),
        "minimum": panel.surface.minimum.tolist(),
        "min_loss": panel.surface.min_loss,
    }


def _median_curve(path: Paths, panel: Panel, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps (n,) and medians over the starts (n,), where these are finite and positive."""
    rows = early_rows(path.steps)
    record = replace(path, steps=path.steps[rows], weights=path.weights[rows])
    if what == "loss":
        values = record.losses(panel.surface) - panel.surface.min_loss  # (S, R)
    else:
        values = record.distances(panel.surface)
    median = np.median(np.where(np.isfinite(values), values, np.inf), axis=1)  # (S,)
    drawn = np.isfinite(median) & (median > 0)
    return record.steps[drawn], median[drawn]


@template(*DESCENTS)
def _descent_spec(theme: Theme, what: str) -> dict[str, Any]:
    title, unit = DESCENTS[what]
    axis = alt.Axis(
        grid=False,
        values=[0, *(10**power for power in range(7))],
        labelExpr="format(datum.value, ',')",
    )
    step = alt.X(
        "step:Q", title="step", axis=axis, scale=alt.Scale(type="symlog", constant=1, nice=False)
    )
    value = alt.Y("value:Q", title=unit, scale=alt.Scale(type="log"), axis=log_axis())
    lines = alt.Chart(alt.NamedData("curve")).mark_line(strokeWidth=1.8, strokeJoin="round")
    dash = alt.StrokeDash(
        "side:N",
        scale=alt.Scale(domain=list(LABELS), range=[[5, 3], [1, 0]]),
        legend=alt.Legend(
            orient="bottom", title=None, symbolType="stroke", symbolSize=400, offset=4
        ),
    )
    lines = lines.encode(x=step, y=value, color=optimizer_color(theme), strokeDash=dash)
    chart = alt.layer(lines, step_rule(theme, step))
    spec = chart.properties(title=title, width="container", height=230).to_dict()
    return apply_theme(with_frame_data(spec), theme)


def rates_figure(
    rates: Sequence[tuple[str, str, float]], limits: Sequence[tuple[str, float]], theme: Theme
) -> Figure:
    """Learning rates (label, side, lr) as dots, and stability limits (label, lr) as rules."""
    table = pd.DataFrame(rates, columns=["label", "side", "lr"])
    rules = pd.DataFrame(
        [(name, lr) for name, lr in limits if np.isfinite(lr)], columns=["label", "lr"]
    )
    rules["align"] = ["right", "left"][: len(rules)]
    limits_text = "; ".join(f"{name} {quantity(lr)}" for name, lr in limits)
    table["row"] = pd.factorize(table["label"])[0]  # in the order in which they are given
    alt_text = (
        f"Learning rates in use, and the limits of gradient descent on this surface: {limits_text}."
    )
    caption = (
        "Dashed: below it gradient descent settles on this surface, above it diverges. The other"
        " optimizers divide by the gradient's size and have no such limit."
    )
    data = {"rates": table, "limits": rules, "frame": frame_table(alt=alt_text)}
    spec = {**_rates_spec(theme), "height": 40 + 30 * table["label"].nunique()}
    return Figure(spec, data, alt_text, caption, "rates", "Learning rates")


@template()
def _rates_spec(theme: Theme) -> dict[str, Any]:
    lr = alt.X(
        "lr:Q",
        title="learning rate",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(format="~g", grid=False),
    )
    in_order = alt.EncodingSortField("row", op="min")
    row = alt.Y(
        "label:N",
        title=None,
        sort=in_order,
        axis=alt.Axis(labelFontSize=12.5, ticks=False, domain=False),
    )
    side_offset = alt.YOffset("side:N", sort=list(LABELS), scale=alt.Scale(paddingOuter=1))
    color = alt.Color(
        "side:N",
        scale=alt.Scale(domain=list(LABELS), range=theme.side_colors),
        legend=alt.Legend(orient="top", title=None, symbolType="circle", offset=4),
    )
    in_use = f"datum.label + ', ' + lower(datum.side) + ': ' + {number_text('lr')}"
    limit = f"datum.label + ' is stable below ' + {number_text('lr')}"
    dots = (
        alt.Chart(alt.NamedData("rates"))
        .mark_point(filled=True, size=80, opacity=1, tooltip=alt.ExprRef(in_use))
        .encode(x=lr, y=row, yOffset=side_offset, color=color)
    )
    rules = (
        alt.Chart(alt.NamedData("limits"))
        .mark_rule(
            strokeDash=[6, 4],
            color=theme.foreground,
            strokeWidth=1.2,
            tooltip=alt.ExprRef(limit),
        )
        .encode(x=lr)
    )
    text = alt.Chart(alt.NamedData("limits")).mark_text(
        align={"expr": "datum.align"},
        baseline="top",
        dx={"expr": "datum.align == 'right' ? -5 : 5"},
        color=theme.foreground,
        fontSize=12,
    )
    text = text.encode(x=lr, y=alt.value(3), text="label:N")
    heading = alt.TitleParams(
        "Learning rates", subtitle="in use, and the limits of gradient descent"
    )
    chart = alt.layer(rules, dots, text).properties(title=heading, width="container")
    return apply_theme(with_frame_data(chart.to_dict()), theme)
