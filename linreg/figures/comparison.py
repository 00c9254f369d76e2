"""The figures of the home page: both surfaces with their paths, loss and weights against step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.figures.figure import Figure
from linreg.figures.layers import (
    ASPECT,
    OPEN_LINE,
    contours,
    cross_layer,
    domain_around,
    domain_slots,
    drawn_as,
    full_path,
    inside,
    kept_inside,
    levels_over,
    lines_over,
    points_of,
    ring_layer,
    star_layer,
    weight_axes,
)
from linreg.figures.theme import (
    Theme,
    apply_theme,
    fill,
    log_axis,
    number_axis,
    placeholder,
    side_color,
    side_shape,
    side_text,
    step_rule,
    template,
    text_halo,
)
from linreg.quadratic.contours import Domain
from linreg.quadratic.quadratic import Quadratic
from linreg.text.numbers import coordinate, point, quantity

LABEL_HEIGHT = 0.075  # of the height of a figure


PADDING = 14  # pixels between the highest point of a curve and the frame


AIMS = ("true weights", "least squares weights")  # of synthetic data, and of a table


TARGETS = 200  # steps of a loss curve that can be clicked: the browser draws two shapes for each


BINS = 300  # of a loss curve, each drawn by its least and its greatest loss


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison as the figures need it. Before it has trained, `weights` and
    `losses` are None."""

    label: str
    shapes: str
    surface: Quadratic
    weights: Float[np.ndarray, "T1 P"] | None = None
    losses: Float[np.ndarray, " T"] | None = None
    diverged_at: int | None = None


@dataclass(frozen=True, eq=False)
class Layout:
    """What does not change while a comparison is replayed: one domain and one spacing of the levels
    for both surfaces, and for each side its rings and its whole path, shortened to what the eye
    sees."""

    domain: Domain
    spacing: float  # between levels, in √(loss − floor)
    levels: int
    least_squares: Float[np.ndarray, " P"]
    rings: tuple[pd.DataFrame, ...]
    trails: tuple[pd.DataFrame, ...]


def scene(
    sides: Sequence[Side], least_squares: Float[np.ndarray, " P"], starts: Sequence[Sequence[float]]
) -> Layout:
    """The scene that holds the minima, the least-squares solution and the starts, and the paths
    where they stay near."""
    surfaces = [side.surface.profile() for side in sides]
    paths = [side.weights[:, :2].astype(np.float64) for side in sides if side.weights is not None]
    begun = [*(start[:2] for start in starts), *(path[0] for path in paths)]
    needed = np.array([*(surface.minimum for surface in surfaces), least_squares[:2], *begun])
    domain = domain_around(needed, paths)
    spacing, levels = levels_over(surfaces, domain)
    return Layout(
        domain,
        spacing,
        levels,
        least_squares,
        tuple(contours(surface, domain, spacing, levels) for surface in surfaces),
        tuple(full_path(side.weights, domain) for side in sides),
    )


def surface_figure(
    sides: Sequence[Side], which: int, scene: Layout, step: int, theme: Theme
) -> Figure:
    """The loss over (w1, w2) as filled rings, one side's path up to `step`, its start, and the
    surface's minimum."""
    side, trail = sides[which], scene.trails[which]
    surface = side.surface.profile()
    now = _now(side, scene.domain, step)
    marks = _marks(side, surface, scene, step, with_least_squares=which == 0)
    data = {
        "rings": scene.rings[which],
        "trail": trail,
        "path": _path(trail, side, scene.domain, step),
        "marks": marks,
        "now": pd.DataFrame({"text": [now]}),
    }
    floor = f"mean loss never below {quantity(surface.floor)}"
    titles = {"title": f"{side.label}: {side.shapes}", "subtitle": floor}
    spec = fill(
        _surface_template(theme, which),
        {**domain_slots(scene.domain), "levels": max(scene.levels, 2), **titles},
    )
    whole = (
        "The run has yet to be trained"
        if side.weights is None
        else f"The path {_now(side, scene.domain, len(side.weights))}"
    )
    # The same at every step of a replay: Streamlit draws a chart anew when its text changes.
    alt_text = f"{side.label}, {side.shapes}: the loss surface has its minimum at {point(surface.minimum)}, {floor}. {whole}."
    return Figure(spec, data, alt_text, _surface_caption(sides, scene), "trail")


def _surface_caption(sides: Sequence[Side], scene: Layout) -> str:
    """What the marks and the contours mean, of both sides, since they are seen together."""
    loose = [side.label.lower() for side in sides if not side.surface.profile().unique]
    return (
        "Ring: start. Dot: where the path is. Star: where this loss is least. Cross: least squares,"
        " the best there is."
        f" From contour to contour √(loss − its least value) grows by {quantity(scene.spacing)}, on"
        " both sides alike."
        + (
            " The surface has the bias at its best for each pair of weights; a path whose bias is"
            " still on its way has a"
            " higher loss than its place shows."
            if any(len(side.surface.c) > 2 for side in sides)
            else ""
        )
        + (
            f" The minimum is not unique ({', '.join(loose)}): the star marks the one of least"
            " norm."
            if loose
            else ""
        )
    )


def _path(trail: pd.DataFrame, side: Side, domain: Domain, step: int) -> pd.DataFrame:
    """The trail up to `step`, and from its last corner on to where the path is now."""
    path = trail.loc[trail["step"] <= step, ["w1", "w2", "piece"]]
    if side.weights is not None and len(path) and step < len(side.weights) - 1:
        now = side.weights[[step], :2].astype(np.float64)
        if inside(now, domain).all():
            path = pd.concat(
                [path, pd.DataFrame(now, columns=["w1", "w2"]).assign(piece=path["piece"].iloc[-1])]
            )
    return path.astype({"w1": drawn_as(domain), "w2": drawn_as(domain), "piece": "int16"})


def _now(side: Side, domain: Domain, step: int) -> str:
    """Where the path is at `step`, as the line above the picture."""
    if side.weights is None:
        return "not trained yet"
    last = len(side.weights) - 1
    k = min(step, last)
    outside = ~inside(side.weights[:, :2].astype(np.float64), domain)
    if side.diverged_at is not None and step >= last:
        left = f"leaves the picture at step {int(outside.argmax()):,} and " if outside.any() else ""
        return f"{left}diverges at step {side.diverged_at:,}"
    beyond = ", outside the picture" if outside[k] else ""
    return (
        f"{'ends at' if k == last else 'is at'} {point(side.weights[k])} after {k:,} steps{beyond}"
    )


def _marks(
    side: Side, surface: Quadratic, scene: Layout, step: int, with_least_squares: bool
) -> pd.DataFrame:
    """The marked points: kind, place, label, and on which side of the point the label stands."""
    _, _, low2, high2 = scene.domain
    rows: list[tuple[str, float, float, str]] = []
    if side.weights is not None:
        k = min(step, len(side.weights) - 1)
        rows.append(("start", *side.weights[0, :2].tolist(), ""))
        rows.append(
            ("end" if k == len(side.weights) - 1 else "here", *side.weights[k, :2].tolist(), "")
        )
    rows.append(("minimum", *surface.minimum.tolist(), f"minimum {point(surface.minimum)}"))
    if with_least_squares:
        rows.append(
            (
                "least squares",
                *scene.least_squares[:2].tolist(),
                f"least squares {point(scene.least_squares[:2])}",
            )
        )
    frame = pd.DataFrame(rows, columns=["kind", "w1", "w2", "label"])
    frame = frame[inside(points_of(frame), scene.domain)]
    begun_above = side.weights is not None and bool(
        side.weights[0, 1] > surface.minimum[1]
    )  # and so its path
    below = (frame["kind"] == "minimum") & begun_above
    if with_least_squares:  # the two labels keep apart
        rise = (scene.least_squares[1] - surface.minimum[1]) / (high2 - low2)
        lower = frame["kind"] == ("minimum" if rise > 0 else "least squares")
        below = lower if abs(rise) < 0.25 else lower | below
    up = (frame["w2"] - low2) / (high2 - low2)
    below = (below & (up > 0.12)) | (up > 0.9)
    frame["dy"] = np.where(below, 24, -16).astype(np.int8)
    return frame.astype({"w1": drawn_as(scene.domain), "w2": drawn_as(scene.domain)})


@template(0, 1)
def _surface_template(theme: Theme, which: int) -> dict[str, Any]:
    color = (theme.original, theme.fixed)[which]
    text_color = (theme.original_text, theme.fixed_text)[which]
    w1, w2 = weight_axes()

    trail, path = (lines_over(table, ["piece"]) for table in ("trail", "path"))
    trail = trail.mark_geoshape(stroke=color, strokeWidth=1.5, opacity=0.45, **OPEN_LINE)
    halo = path.mark_geoshape(stroke=theme.background, strokeWidth=6.5, **OPEN_LINE)
    path = path.mark_geoshape(stroke=color, strokeWidth=3.5, **OPEN_LINE)
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
    minimum = star_layer(theme, marks.transform_filter("datum.kind == 'minimum'"))
    least_squares = cross_layer(theme, marks.transform_filter("datum.kind == 'least squares'"))
    here = marks.transform_filter("datum.kind == 'here' || datum.kind == 'end'").mark_point(
        shape="circle",
        size=60,
        filled=True,
        fill=color,
        stroke=theme.background,
        strokeWidth=1.5,
        opacity=1,
        aria=False,
    )
    text = {"dy": {"expr": "datum.dy"}, **kept_inside(12.5)}
    label_halo = marks.mark_text(**text_halo(theme), opacity=0.85, **text).encode(text="label:N")
    label = marks.mark_text(color=theme.ink, **text).encode(text="label:N")
    now = (
        alt.Chart(alt.NamedData("now"))
        .mark_text(
            align="left",
            baseline="bottom",
            color=text_color,
            fontSize=13,
            fontWeight=600,
            limit={"expr": "width"},
        )
        .encode(x=alt.value(0), y=alt.value(-8), text="text:N")
    )
    chart = alt.layer(
        ring_layer(theme),
        trail,
        halo,
        path,
        least_squares,
        minimum,
        start,
        here,
        label_halo,
        label,
        now,
    )
    heading = alt.TitleParams(placeholder("title"), subtitle=placeholder("subtitle"), offset=20)
    spec = chart.properties(title=heading, width="container").to_dict()
    return apply_theme(spec, theme, height=f"width * {ASPECT}")


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
