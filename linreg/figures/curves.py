"""Loss and weights of both sides against step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.figures.figure import Figure
from linreg.figures.side_surfaces import Side
from linreg.figures.theme import (
    Theme,
    apply_theme,
    log_axis,
    number_axis,
    side_color,
    side_shape,
    side_text,
    step_rule,
    template,
    text_halo,
)
from linreg.text.numbers import coordinate, point, quantity

LABEL_HEIGHT = 0.075  # of the height of a figure

PADDING = 14  # pixels between the highest point of a curve and the frame

AIMS = ("true weights", "least squares weights")  # of synthetic data, and of a table

TARGETS = 200  # steps of a loss curve that can be clicked: the browser draws two shapes for each

BINS = 300  # of a loss curve, each drawn by its least and its greatest loss


def loss_figure(sides: Sequence[Side], step: int, theme: Theme) -> Figure:
    """Batch loss against step on a log axis, both sides, each with its surface's floor, and the
    replayed step marked."""
    curves, here = [], []
    for side in sides:
        if side.losses is None or not len(side.losses):
            continue
        k = min(step, len(side.losses) - 1)
        shown = _envelope(side.losses)
        curves.append(pd.DataFrame({"step": shown, "loss": side.losses[shown], "side": side.label}))
        here.append((k, float(side.losses[k]), side.label))
    table = pd.concat([*curves, pd.DataFrame({"step": [], "loss": [], "side": []})]).astype(
        {"step": "int32", "loss": "float64"}
    )
    floors = pd.DataFrame(
        [(side.surface.floor, side.label) for side in sides], columns=["loss", "side"]
    )
    now = pd.DataFrame(here, columns=["step", "loss", "side"])
    last = max((len(side.losses) - 1 for side in sides if side.losses is not None), default=-1)
    data = {
        "targets": pd.DataFrame(
            {"step": np.linspace(0, last, min(TARGETS, last + 1)).astype("int32")}
        ),
        "loss": table[table["loss"] > 0],  # a log axis has no zero
        "floors": floors[floors["loss"] > 0],
        "here": now[now["loss"] > 0],
        "now": pd.DataFrame({"step": [step]}),
    }
    ends = [
        f"{side.label.lower()} ends at {quantity(float(side.losses[-1]))}"
        for side in sides
        if side.losses is not None and len(side.losses)
    ]
    lowest = [f"{side.label.lower()} {quantity(side.surface.floor)}" for side in sides]
    alt_text = f"Loss of each batch against step: {'; '.join(ends)}. Least possible mean loss: {', '.join(lowest)}."
    stretches = sorted(
        {round(len(side.losses) / BINS) for side in sides if side.losses is not None}
    )
    every = [f"{stretch:,}" for stretch in stretches if stretch > 2]
    thinned = (
        f"Of every {' or '.join(every)} steps the least and the greatest are drawn. "
        if every
        else ""
    )
    caption = f"{thinned}Dashed: the least mean loss that each surface allows, {', '.join(lowest)}; one batch may go below."
    zeros = int((table["loss"] <= 0).sum())
    if any(side.surface.floor == 0 for side in sides):
        caption += " A least loss of 0 has no place on a log axis."
    if zeros:
        caption += f" {zeros:,} of the points are exactly 0 and have no place on a log axis."
    return Figure(_loss_spec(theme), data, alt_text, caption, "loss")


def _envelope(values: np.ndarray) -> np.ndarray:
    """Indices of the least and the greatest value in each of BINS stretches, and of both ends, in
    order."""
    if len(values) <= 2 * BINS:
        return np.arange(len(values))
    first = np.linspace(0, len(values), BINS + 1).astype(int)[:-1]
    sizes = np.diff(first, append=len(values))
    found = [np.array([0, len(values) - 1])]
    for extreme in (np.minimum, np.maximum):
        at = np.flatnonzero(values == np.repeat(extreme.reduceat(values, first), sizes))
        found.append(at[np.searchsorted(at, first)])  # the first of its stretch
    return np.unique(np.concatenate(found))


@template()
def _loss_spec(theme: Theme) -> dict[str, Any]:
    color = side_color(theme)
    step = alt.X(
        "step:Q",
        title="step",
        axis=alt.Axis(grid=False, tickMinStep=1, tickCount=6),
        scale=alt.Scale(nice=False),
    )
    scale = alt.Scale(type="log", nice=False, padding=PADDING)
    loss = alt.Y("loss:Q", title="mean squared error", scale=scale, axis=log_axis())

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(y=loss, color=color)

    lines = over("loss").mark_line(strokeWidth=1.2, strokeJoin="round").encode(x=step)
    floors = over("floors").mark_rule(strokeDash=[6, 4], strokeWidth=1.4)
    clicked = alt.selection_point(
        name="clicked", fields=["step"], nearest=True, on="click", empty=False
    )
    targets = (
        alt.Chart(alt.NamedData("targets")).mark_point(opacity=0).encode(x=step).add_params(clicked)
    )
    here = (
        over("here")
        .mark_point(filled=True, size=70, opacity=1, stroke=theme.background, strokeWidth=1.5)
        .encode(x=step, shape=side_shape())
    )
    chart = alt.layer(floors, lines, step_rule(theme, step), here, targets)
    heading = alt.TitleParams(
        "Loss of each batch", subtitle="dashed: the least mean loss of each surface"
    )
    return apply_theme(
        chart.properties(title=heading, width="container", height=280).to_dict(), theme
    )


def weights_figure(
    sides: Sequence[Side], aim: Sequence[float], step: int, theme: Theme, aim_is: str = AIMS[0]
) -> Figure:
    """Each weight against step, both sides, with the weights to aim at as lines, and the replayed
    step marked."""
    names = ("w1", "w2", "bias")
    curves, ends, here = [], [], []
    for side in sides:
        if side.weights is None:
            continue
        last = len(side.weights) - 1
        for column, name in enumerate(names[: side.weights.shape[1]]):
            values = side.weights[:, column].astype(np.float64)
            shown = _envelope(values)
            curves.append(
                pd.DataFrame(
                    {"step": shown, "value": values[shown], "side": side.label, "weight": name}
                )
            )
            ends.append((last, float(values[last]), side.label, name))
            k = min(step, last)
            here.append((k, values[k], side.label, name))
    columns = ["step", "value", "side", "weight"]
    table = pd.concat([*curves, pd.DataFrame({name: [] for name in columns})]).astype(
        {"step": "int32", "value": "float64"}
    )
    drawn = [*table["value"], *map(float, aim)]
    span = max(drawn) - min(drawn)
    true = [
        (0, float(value), "", f"{name} = {coordinate(value)}")
        for name, value in zip(names, aim, strict=False)
    ]
    labels = [
        (value, f"true {label}" if aim_is == AIMS[0] else label)
        for _, value, _, label in _joined(true, span)
    ]
    lines = [(value, "") for _, value, _, _ in true if value not in [place for place, _ in labels]]
    named = [
        (k, value, label, f"{label.lower()} {name}")
        for k, value, label, name in _joined(ends, span)
    ]
    texts = pd.DataFrame(named, columns=columns)
    texts["at"] = _apart(texts["value"].to_numpy(float), LABEL_HEIGHT * span)
    data = {
        "weights": table,
        "ends": texts,
        "here": pd.DataFrame(here, columns=columns),
        "true": pd.DataFrame([*labels, *lines], columns=["value", "label"]),
        "now": pd.DataFrame({"step": [step]}),
    }
    finals = [
        f"{side.label.lower()} ends at {point(side.weights[-1])}"
        for side in sides
        if side.weights is not None
    ]
    alt_text = f"Weights against step: {'; '.join(finals)}; the {aim_is} are {point(aim)}."
    caption = f"Each weight as it is trained. Dashed: the {aim_is}."
    return Figure(_weights_spec(theme, aim_is), data, alt_text, caption, "weights")


def _joined(
    ends: Sequence[tuple[int, float, str, str]], span: float
) -> list[tuple[int, float, str, str]]:
    """Labels of one side that would stand on one another in a picture of that span, joined into
    one: `w1, w2`."""
    close = 0.06 * span
    joined: list[tuple[int, float, str, str]] = []
    for last, value, side, name in ends:
        for index, (_, other, other_side, names) in enumerate(joined):
            if side == other_side and abs(value - other) <= close:
                joined[index] = (last, max(value, other), side, f"{names}, {name}")
                break
        else:
            joined.append((last, value, side, name))
    return joined


def _apart(places: Float[np.ndarray, " n"], gap: float) -> Float[np.ndarray, " n"]:
    """The places of labels, in the same order: higher where the one below would stand on them."""
    found = places.copy()
    for lower, upper in pairwise(np.argsort(places, kind="stable")):
        found[upper] = max(found[upper], found[lower] + gap)
    return found


@template(*AIMS)
def _weights_spec(theme: Theme, aim_is: str) -> dict[str, Any]:
    color = side_color(theme)
    step = alt.X(
        "step:Q",
        title="step",
        axis=alt.Axis(grid=False, tickMinStep=1, tickCount=6),
        scale=alt.Scale(nice=False),
    )

    def over(table: str, place: str = "value") -> alt.Chart:
        scale = alt.Scale(zero=False, nice=False, padding=PADDING)
        value = alt.Y(f"{place}:Q", title="weight", scale=scale, axis=number_axis())
        return alt.Chart(alt.NamedData(table)).encode(y=value)

    lines = (
        over("weights")
        .mark_line(strokeWidth=2, strokeJoin="round")
        .encode(x=step, color=color, detail="weight:N")
    )
    true = over("true").mark_rule(strokeDash=[6, 4], color=theme.quiet)
    beside_the_ends: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -92, "dy": -3}
    true_text = over("true").encode(x=alt.value("width"), text="label:N")
    true_label = true_text.mark_text(color=theme.quiet, **beside_the_ends)
    above_the_ends: dict[str, Any] = {
        "align": "right",
        "baseline": "bottom",
        "dx": -2,
        "dy": -4,
        "fontWeight": 600,
    }
    end_text = over("ends", "at").encode(x=step, text="weight:N")
    ends = end_text.mark_text(**above_the_ends).encode(color=side_text(theme))
    behind = (
        true_text.mark_text(**text_halo(theme), **beside_the_ends),
        end_text.mark_text(**text_halo(theme), **above_the_ends),
    )
    here = (
        over("here")
        .mark_point(filled=True, size=70, opacity=1, stroke=theme.background, strokeWidth=1.5)
        .encode(x=step, color=color, shape=side_shape())
    )
    chart = alt.layer(true, lines, step_rule(theme, step), *behind, true_label, here, ends)
    heading = alt.TitleParams("Weights", subtitle=f"dashed: the {aim_is}")
    return apply_theme(
        chart.properties(title=heading, width="container", height=280).to_dict(), theme
    )
