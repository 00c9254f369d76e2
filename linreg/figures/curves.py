"""Loss and weights of both sides against step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from linreg.figures.figure import Figure
from linreg.figures.side_surfaces import Side
from linreg.figures.templates import template
from linreg.figures.theme import (
    STEP_RULE,
    Theme,
    apply_theme,
    dot,
    log_axis,
    number_axis,
    side_color,
    side_shape,
    side_text,
    step_axis,
    step_rule,
    text_halo,
)
from linreg.text.numbers import coordinate, point, quantity
from linreg.training.browser import browser_surface

PADDING = 14  # pixels between the highest point of a curve and the top of the plot
BINS = 300  # of a loss curve, each drawn by its lowest and its highest loss
TARGETS = 200  # steps of a loss curve that can be clicked; Vega draws two shapes for each

LABEL_HEIGHT = 0.075  # relative to the range of the y axis
MERGE_DISTANCE = 0.06  # below which two labels become one, relative to that range

CORRECT_LOSS = "correct loss of the original's weights"
TRUE_WEIGHTS = "true weights"  # of synthetic data
LEAST_SQUARES_WEIGHTS = "least squares weights"  # of a table
WEIGHT_NAMES = ("w1", "w2", "bias")
WEIGHT_COLUMNS = ["step", "value", "side", "weight"]
WEIGHTS_RULE: dict[str, Any] = {"rule": "weights", "names": WEIGHT_NAMES}


# ---- loss ----------------------------------------------------------------------------------------


def loss_figure(
    sides: Sequence[Side],
    step: int,
    theme: Theme,
    correct: Float[np.ndarray, " T"] | None = None,
) -> Figure:
    """The loss of each batch against step on a log axis, and the floor of each side's surface.

    `correct` is the correct loss of the original's weights at each of its steps, a dotted curve.
    """
    curves, current = [], []
    for side in sides:
        if side.losses is None or not len(side.losses):
            continue
        k = min(step, len(side.losses) - 1)
        rows = _envelope(side.losses)
        curves.append(pd.DataFrame({"step": rows, "loss": side.losses[rows], "side": side.label}))
        current.append((k, float(side.losses[k]), side.label))
    curve = pd.concat([*curves, pd.DataFrame({"step": [], "loss": [], "side": []})])
    curve = curve.astype({"step": "int32", "loss": "float64"})
    floors = pd.DataFrame(
        [(side.surface.min_loss, side.label) for side in sides], columns=["loss", "side"]
    )
    points = pd.DataFrame(current, columns=["step", "loss", "side"])
    correct_curve = _correct_curve(correct)
    data = {
        "targets": _click_targets(sides),
        "correct": correct_curve,
        "correct end": _correct_end(correct_curve),
        "loss": curve[curve["loss"] > 0],  # a log axis has no zero
        "floors": floors[floors["loss"] > 0],
        "here": points[points["loss"] > 0],
        "now": pd.DataFrame({"step": [step]}),
    }
    ends = [
        f"{side.label.lower()} ends at {quantity(float(side.losses[-1]))}"
        for side in sides
        if side.losses is not None and len(side.losses)
    ]
    alt_text = (
        f"Loss of each batch against step: {'; '.join(ends)}. Least possible mean loss:"
        f" {_floors_text(sides)}."
    )
    if len(correct_curve):
        end = quantity(float(correct_curve["loss"].iloc[-1]))
        alt_text += f" Dotted: the {CORRECT_LOSS}, over all rows, ends at {end}."
    caption = _loss_caption(sides, zeros=int((curve["loss"] <= 0).sum()))
    if len(correct_curve):
        caption += (
            f" Dotted: the {CORRECT_LOSS}, over all rows, to compare with the loss of the fixed"
            " side."
        )
    moving = {"here": {"rule": "losses"}, "now": STEP_RULE}
    retrained: dict[str, dict[str, Any]] = {"loss": {"rule": "curves"}}
    baseline = sides[0].baseline
    if correct is not None and baseline:
        rule = {"rule": "correct", "run": 0, "surface": browser_surface(baseline.surface)}
        retrained |= {"correct": rule, "correct end": {**rule, "words": CORRECT_LOSS}}
    return Figure(
        _loss_spec(theme),
        data,
        alt_text,
        caption,
        "loss",
        moving=moving,
        retrained=retrained,
        hover={"rule": "step", "value": "loss"},
    )


def _correct_curve(losses: Float[np.ndarray, " T"] | None) -> pd.DataFrame:
    """The rows of a curve of losses that have a place on a log axis."""
    losses = np.empty(0) if losses is None else losses
    losses = losses[np.logical_and.accumulate(np.isfinite(losses))]  # up to a divergence
    rows = _envelope(losses)
    curve = pd.DataFrame({"step": rows.astype(np.int32), "loss": losses[rows]})
    return curve[curve["loss"] > 0]


def _correct_end(curve: pd.DataFrame) -> pd.DataFrame:
    """The last point of the curve, with its label."""
    end = curve.tail(1)
    return end.assign(label=[f"{CORRECT_LOSS}: {quantity(loss)}" for loss in end["loss"].tolist()])


def _click_targets(sides: Sequence[Side]) -> pd.DataFrame:
    """Evenly spaced steps of the longest run."""
    last = max((len(side.losses) - 1 for side in sides if side.losses is not None), default=-1)
    return pd.DataFrame({"step": np.linspace(0, last, min(TARGETS, last + 1)).astype("int32")})


def _floors_text(sides: Sequence[Side]) -> str:
    return ", ".join(f"{side.label.lower()} {quantity(side.surface.min_loss)}" for side in sides)


def _loss_caption(sides: Sequence[Side], zeros: int) -> str:
    """What is drawn, and what a log axis cannot show, such as this many `zeros`."""
    bin_sizes = {round(len(side.losses) / BINS) for side in sides if side.losses is not None}
    thinned = [f"{size:,}" for size in sorted(bin_sizes) if size > 2]
    caption = ""
    if thinned:
        caption += f"Showing the minimum and maximum of every {' or '.join(thinned)} steps. "
    caption += (
        f"Dashed: the minimum loss of each surface, {_floors_text(sides)}; one batch may go below."
    )
    if any(side.surface.min_loss == 0 for side in sides):
        caption += " A least loss of 0 has no place on a log axis."
    if zeros:
        caption += f" {zeros:,} of the points are exactly 0 and have no place on a log axis."
    return caption


def _envelope(values: Float[np.ndarray, " T"]) -> Int[np.ndarray, " n"]:
    """The indices of the minimum and the maximum of each of BINS bins, and of both ends, in order.

    All indices where there are few values.
    """
    if len(values) <= 2 * BINS:
        return np.arange(len(values))
    first = np.linspace(0, len(values), BINS + 1).astype(int)[:-1]  # (BINS,)
    sizes = np.diff(first, append=len(values))
    indices = [np.array([0, len(values) - 1])]
    for extreme in (np.minimum, np.maximum):
        is_extreme = values == np.repeat(extreme.reduceat(values, first), sizes)
        extremes = np.flatnonzero(is_extreme)
        indices.append(extremes[np.searchsorted(extremes, first)])  # the first of each bin
    return np.unique(np.concatenate(indices))


@template()
def _loss_spec(theme: Theme) -> dict[str, Any]:
    color = side_color(theme)
    step = step_axis()
    scale = alt.Scale(type="log", nice=False, padding=PADDING)
    loss = alt.Y("loss:Q", title="mean squared error", scale=scale, axis=log_axis())

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(y=loss, color=color)

    lines = over("loss").mark_line(strokeWidth=1.2, strokeJoin="round").encode(x=step)
    correct = alt.Chart(alt.NamedData("correct")).encode(x=step, y=loss)
    correct = correct.mark_line(strokeWidth=2, strokeDash=[2, 3], color=theme.foreground)
    end = alt.Chart(alt.NamedData("correct end")).encode(x=step, y=loss, text="label:N")
    below_end: dict[str, Any] = {"align": "right", "baseline": "top", "dx": -4, "dy": 12}
    end_halo = end.mark_text(**text_halo(theme), **below_end)
    end_label = end.mark_text(color=theme.foreground, **below_end)
    floors = over("floors").mark_rule(strokeDash=[6, 4], strokeWidth=1.4)
    clicked = alt.selection_point(
        name="clicked", fields=["step"], nearest=True, on="click", empty=False
    )
    targets = (
        alt.Chart(alt.NamedData("targets")).mark_point(opacity=0).encode(x=step).add_params(clicked)
    )
    current = over("here").mark_point(**dot(theme, 70))
    current = current.encode(x=step, shape=side_shape())
    chart = alt.layer(
        floors, lines, correct, step_rule(theme, step), end_halo, end_label, current, targets
    )
    heading = alt.TitleParams(
        "Loss of each batch", subtitle="dashed: the minimum loss of each surface"
    )
    chart = chart.properties(title=heading, width="container", height=280)
    return apply_theme(chart.to_dict(), theme)


# ---- weights -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Label:
    """A label of a curve or line, at a value of the y axis."""

    step: int
    value: float
    side: str
    text: str


def weights_figure(
    sides: Sequence[Side],
    correct: Sequence[float],
    step: int,
    theme: Theme,
    correct_name: str = TRUE_WEIGHTS,
) -> Figure:
    """Each weight against step, both sides, with the correct weights as lines.

    `correct_name` says what the correct weights are: TRUE_WEIGHTS or LEAST_SQUARES_WEIGHTS.
    """
    curves, ends, current = [], [], []
    for side in sides:
        if side.weights is None:
            continue
        last = len(side.weights) - 1
        k = min(step, last)
        for column, name in enumerate(WEIGHT_NAMES[: side.weights.shape[1]]):
            values = side.weights[:, column].astype(np.float64)
            rows = _envelope(values)
            columns = {"step": rows, "value": values[rows], "side": side.label, "weight": name}
            curves.append(pd.DataFrame(columns))
            ends.append(_Label(last, float(values[last]), side.label, name))
            current.append((k, values[k], side.label, name))
    curve = pd.concat([*curves, pd.DataFrame({name: [] for name in WEIGHT_COLUMNS})])
    curve = curve.astype({"step": "int32", "value": "float64"})
    drawn = [*curve["value"], *map(float, correct)]
    span = max(drawn) - min(drawn)
    data = {
        "weights": curve,
        "ends": _end_labels(ends, span),
        "here": pd.DataFrame(current, columns=WEIGHT_COLUMNS),
        "true": _correct_lines(correct, span, correct_name),
        "now": pd.DataFrame({"step": [step]}),
    }
    finals = [
        f"{side.label.lower()} ends at {point(side.weights[-1])}"
        for side in sides
        if side.weights is not None
    ]
    alt_text = (
        f"Weights against step: {'; '.join(finals)}; the {correct_name} are {point(correct)}."
    )
    caption = f"Each weight as it is trained. Dashed: the {correct_name}."
    spec = _weights_spec(theme, correct_name)
    moving = {"here": WEIGHTS_RULE, "now": STEP_RULE}
    aims = {"rule": "ends", "names": WEIGHT_NAMES, "correct": list(map(float, correct))}
    retrained = {"weights": WEIGHTS_RULE, "ends": aims}
    return Figure(
        spec,
        data,
        alt_text,
        caption,
        "weights",
        moving=moving,
        retrained=retrained,
        hover={"rule": "step", "value": "value"},
    )


def _correct_lines(correct: Sequence[float], span: float, correct_name: str) -> pd.DataFrame:
    """A row per correct weight: its value, and its label where that is not part of another's."""
    weights = [
        _Label(0, float(value), "", f"{name} = {coordinate(value)}")
        for name, value in zip(WEIGHT_NAMES, correct, strict=False)
    ]
    prefix = "true " if correct_name == TRUE_WEIGHTS else ""
    labels = [(label.value, prefix + label.text) for label in _merged(weights, span)]
    labelled = [value for value, _ in labels]
    others = [(weight.value, "") for weight in weights if weight.value not in labelled]
    return pd.DataFrame([*labels, *others], columns=["value", "label"])


def _end_labels(ends: Sequence[_Label], span: float) -> pd.DataFrame:
    """The labels at the ends of the curves; `at` is where each stands on the y axis."""
    rows = [
        (label.step, label.value, label.side, f"{label.side.lower()} {label.text}")
        for label in _merged(ends, span)
    ]
    labels = pd.DataFrame(rows, columns=WEIGHT_COLUMNS)
    labels["at"] = _without_overlap(labels["value"].to_numpy(float), LABEL_HEIGHT * span)
    return labels


def _merged(labels: Sequence[_Label], span: float) -> list[_Label]:
    """The labels, with those of one side that would overlap merged into one: `w1, w2`."""
    merged: list[_Label] = []
    for label in labels:
        for index, other in enumerate(merged):
            distance = abs(label.value - other.value)
            if label.side == other.side and distance <= MERGE_DISTANCE * span:
                value, text = max(label.value, other.value), f"{other.text}, {label.text}"
                merged[index] = replace(label, value=value, text=text)
                break
        else:
            merged.append(label)
    return merged


def _without_overlap(places: Float[np.ndarray, " n"], gap: float) -> Float[np.ndarray, " n"]:
    """The places on the y axis, each moved up where it is closer than `gap` to the one below."""
    moved = places.copy()
    for lower, upper in pairwise(np.argsort(places, kind="stable")):
        moved[upper] = max(moved[upper], moved[lower] + gap)
    return moved


@template(TRUE_WEIGHTS, LEAST_SQUARES_WEIGHTS)
def _weights_spec(theme: Theme, correct_name: str) -> dict[str, Any]:
    color = side_color(theme)
    step = step_axis()

    def over(table: str, place: str = "value") -> alt.Chart:
        scale = alt.Scale(zero=False, nice=False, padding=PADDING)
        value = alt.Y(f"{place}:Q", title="weight", scale=scale, axis=number_axis())
        return alt.Chart(alt.NamedData(table)).encode(y=value)

    lines = (
        over("weights")
        .mark_line(strokeWidth=2, strokeJoin="round")
        .encode(x=step, color=color, detail="weight:N")
    )
    left_of_ends: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -92, "dy": -3}
    aims = over("true").mark_rule(strokeDash=[6, 4], color=theme.muted)
    aim_text = over("true").encode(x=alt.value("width"), text="label:N")
    aim_label = aim_text.mark_text(color=theme.muted, **left_of_ends)
    above_ends: dict[str, Any] = {
        "align": "right",
        "baseline": "bottom",
        "dx": -2,
        "dy": -4,
        "fontWeight": 600,
    }
    end_text = over("ends", "at").encode(x=step, text="weight:N")
    ends = end_text.mark_text(**above_ends).encode(color=side_text(theme))
    halos = (
        aim_text.mark_text(**text_halo(theme), **left_of_ends),
        end_text.mark_text(**text_halo(theme), **above_ends),
    )
    current = over("here").mark_point(**dot(theme, 70))
    current = current.encode(x=step, color=color, shape=side_shape())
    chart = alt.layer(aims, lines, step_rule(theme, step), *halos, aim_label, current, ends)
    heading = alt.TitleParams("Weights", subtitle=f"dashed: the {correct_name}")
    chart = chart.properties(title=heading, width="container", height=280)
    return apply_theme(chart.to_dict(), theme)
