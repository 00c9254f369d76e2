"""The loss between the matched one and the one over all pairs: over the weights, along a line, and
in the predictions at its minimum."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.experiments.cause import CauseResult
from linreg.experiments.fade import BatchLosses, Fade
from linreg.figures.contours import excess_levels, excess_spacing
from linreg.figures.figure import Figure
from linreg.figures.layers import (
    ASPECT,
    domain_around,
    domain_values,
    label_inside,
    line_shapes,
    minimum_layer,
    star_layer,
    weight_axes,
)
from linreg.figures.templates import (
    frame_table,
    in_frame,
    placeholder,
    template,
    with_frame_data,
)
from linreg.figures.theme import (
    Theme,
    apply_theme,
    dot,
    number_axis,
    number_text,
    side_color,
    side_shape,
    side_text,
    text_halo,
)
from linreg.quadratic.contours import SINGULAR
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.fields import shorten
from linreg.settings.model import LABELS
from linreg.text.numbers import point, quantity, r2_text, share_text

CONTOURS = 3
CONTOUR_POINTS = 73  # of an ellipse; the last is the first
SECTION_POINTS = 81
OVERSHOOT = 0.7  # how far a section goes beyond each minimum, relative to their largest distance
MARGIN = 0.06  # around the predictions, relative to their range

AT_THE_ENDS = 0.04  # nearer to 0 or 1, the minimum's label would cover that of a side


def alpha_scale(theme: Theme) -> alt.Scale:
    """The colour of a loss between the matched one, at 0, and the one over all pairs, at 1."""
    return alt.Scale(domain=[0, 1], range=[theme.fixed, theme.original], interpolate="lab")


# ---- over the weights ----------------------------------------------------------------------------


def both_surfaces_figure(fade: Fade, theme: Theme) -> Figure:
    """Contours of both losses and of the one between them, at the same heights above their minima.

    The plot stays the same for every alpha and batch size.
    """
    minima = [loss.minimum[:2] for losses in fade.by_size for loss in losses.surfaces]
    low, high = np.min(minima, axis=0), np.max(minima, axis=0)
    domain = domain_around(np.array([low, high, (3 * low - high) / 2, (3 * high - low) / 2]))
    profiles = [loss.profile() for loss in fade.by_size[0].surfaces]
    sizes = np.sqrt(excess_levels(2 * excess_spacing(profiles, domain), CONTOURS))  # (L,)
    loss = fade.loss.profile()
    broadcast, matched = (surface.profile() for surface in fade.current.surfaces)
    alt_text = (
        "Contours over the two weights, the same ellipses around each minimum: the matched loss at"
        f" {point(matched.minimum)}, the loss over all pairs at {point(broadcast.minimum)}, the"
        f" loss with {share_text(fade.alpha)} of all pairs at {point(loss.minimum)}."
    )
    caption = (
        "Contours at the same heights above the minimum of each loss. Star: the minimum of the"
        " matched loss; crossed circle: that of the loss over all pairs. Dashed: the line between"
        f" them. Filled: the loss with {share_text(fade.alpha)} of all pairs."
    )
    axes = axes_of(matched)
    sides = [
        _ellipses(surface.minimum, axes, sizes).assign(side=side)
        for side, surface in zip(LABELS, (broadcast, matched), strict=True)
    ]
    data = {
        "rings": pd.concat(sides),
        "bowl": _ellipses(loss.minimum, axes, sizes).assign(alpha=fade.alpha),
        "marks": _minima_table(broadcast, matched),
        "now": pd.DataFrame(
            {
                "w1": [float(loss.minimum[0])],
                "w2": [float(loss.minimum[1])],
                "alpha": [fade.alpha],
            }
        ),
        "frame": frame_table(alt=alt_text, **domain_values(domain)),
    }
    moving = {
        "rings": {"rule": "rings", "sizes": sizes.tolist()},
        "bowl": {"rule": "bowl", "sizes": sizes.tolist()},
        "marks": {"rule": "minima"},
        "now": {"rule": "minimum"},
    }
    name = "Both losses over the weights, and the loss between them"
    spec = _both_surfaces_template(theme)
    return Figure(spec, data, alt_text, caption, "marks", name, moving)


def axes_of(surface: Quadratic) -> Float[np.ndarray, "2 2"]:
    """The semi-axes, in columns, of the contour at height 1 above the minimum; NaN if the minimum
    is not unique."""
    values, vectors = np.linalg.eigh(surface.A)
    if not values[0] > SINGULAR * values[-1]:
        return np.full((2, 2), np.nan)
    axes: np.ndarray = vectors / np.sqrt(values)
    return axes


def _ellipses(
    minimum: Float[np.ndarray, " 2"],
    axes: Float[np.ndarray, "2 2"],
    sizes: Float[np.ndarray, " L"],
) -> pd.DataFrame:
    """The contours at sizes² above the minimum, the highest first."""
    t = np.linspace(0, 2 * np.pi, CONTOUR_POINTS)  # (n,)
    unit = np.stack([np.cos(t), np.sin(t)], axis=1) @ axes.T  # (n, 2)
    if not np.isfinite(unit).all():
        sizes = sizes[:0]
    points = minimum + sizes[::-1, None, None] * unit  # (L, n, 2)
    level = np.repeat(np.arange(len(sizes), 0, -1), len(t))
    w1, w2 = points.reshape(-1, 2).T
    return pd.DataFrame({"w1": w1, "w2": w2, "level": level})


def _minima_table(broadcast: Quadratic, matched: Quadratic) -> pd.DataFrame:
    """A row per side; the labels keep off the line between the minima."""
    minima = [broadcast.minimum, matched.minimum]
    is_above = bool(minima[0][1] > minima[1][1])
    return pd.DataFrame(
        {
            "side": LABELS,
            "w1": [float(w1) for w1, _ in minima],
            "w2": [float(w2) for _, w2 in minima],
            "label": [f"all pairs {point(minima[0])}", f"matched {point(minima[1])}"],
            "dy": [-22, 24] if is_above else [24, -22],
        }
    )


def _clipped(shapes: alt.Chart) -> alt.Chart:
    """Shapes cut off at the edge of the plot. A clip path would need an id, see `OPEN_LINE`."""
    shapes.projection["clipExtent"] = alt.expr("[[0, 0], [width, height]]")
    return shapes


@template()
def _both_surfaces_template(theme: Theme) -> dict[str, Any]:
    w1, w2 = weight_axes()
    rings = _clipped(line_shapes("rings", ["level", "side"], closed=True))
    rings = rings.mark_geoshape(filled=False, clip=False, strokeWidth=1.4, opacity=0.55)
    bowl = _clipped(line_shapes("bowl", ["level", "alpha"], closed=True))
    bowl = bowl.mark_geoshape(clip=False, strokeWidth=2.2, fillOpacity=0.12)
    scale = alpha_scale(theme)
    bowl = bowl.encode(
        fill=alt.Fill("alpha:Q", scale=scale, legend=None),
        stroke=alt.Stroke("alpha:Q", scale=scale, legend=None),
    )
    marks = alt.Chart(alt.NamedData("marks")).encode(x=w1, y=w2)
    between = marks.mark_line(color=theme.muted, strokeDash=[6, 4], strokeWidth=1.5, order=False)
    star = star_layer(theme, marks.transform_filter(f"datum.side === '{LABELS[1]}'"), 420)
    wrong = minimum_layer(
        theme, marks.transform_filter(f"datum.side === '{LABELS[0]}'"), theme.original
    )
    now = (
        alt.Chart(alt.NamedData("now"))
        .mark_point(**dot(theme, 130))
        .encode(x=w1, y=w2, fill=alt.Fill("alpha:Q", scale=scale, legend=None))
    )
    text: dict[str, Any] = {"dy": {"expr": "datum.dy"}, **label_inside(12.5)}
    halo = marks.mark_text(**text_halo(theme), **text).encode(text="label:N")
    label = marks.mark_text(color=theme.foreground, **text).encode(text="label:N")
    chart = alt.layer(
        bowl, rings.encode(color=side_color(theme)), between, now, star, wrong, halo, label
    )
    heading = alt.TitleParams("The minimum moves", subtitle="the same contours, moved")
    spec = with_frame_data(chart.properties(width="container", title=heading).to_dict())
    return apply_theme(spec, theme, height=f"width * {ASPECT}")


# ---- along a line --------------------------------------------------------------------------------


def section_length(fade: Fade) -> float:
    """The largest distance between the minima of both losses over all batch sizes; where they have
    the same minima, that from the origin."""
    farthest = max(_distance(losses) for losses in fade.by_size)
    at_zero = float(np.hypot(*fade.by_size[0].matched.minimum[:2]))
    return farthest or at_zero or 1.0


def section_direction(losses: BatchLosses, fade: Fade) -> Float[np.ndarray, " 2"]:
    """The unit vector from the minimum of the matched loss to that of the loss over all pairs.

    With one row per batch they are the same, and the direction is that of the largest size; where
    that has none either, it leads to the origin.
    """
    for candidate in (losses, fade.by_size[-1]):
        distance = _distance(candidate)
        if distance > 1e-9 * section_length(fade):
            unit: np.ndarray = (
                candidate.broadcast.minimum[:2] - candidate.matched.minimum[:2]
            ) / distance
            return unit
    towards = -losses.matched.minimum[:2]
    length = float(np.hypot(*towards))
    return towards / length if length else np.array([1.0, 0.0])


def _distance(losses: BatchLosses) -> float:
    return float(np.hypot(*(losses.broadcast.minimum[:2] - losses.matched.minimum[:2])))


def section_figure(fade: Fade, theme: Theme) -> Figure:
    """Both losses, and the one between them, along the straight line through their minima."""
    losses, length = fade.current, section_length(fade)
    broadcast, matched = (surface.profile() for surface in losses.surfaces)
    loss = fade.loss.profile()
    along = np.linspace(-OVERSHOOT, 1 + OVERSHOOT, SECTION_POINTS) * length  # 0 at the correct one
    line = matched.minimum + along[:, None] * section_direction(losses, fade)  # (n, 2)
    section = pd.concat(
        [
            pd.DataFrame({"along": along, "loss": surface.value(line), "side": side})
            for side, surface in zip(LABELS, (broadcast, matched), strict=True)
        ]
    )
    curve = pd.DataFrame({"along": along, "loss": loss.value(line), "alpha": fade.alpha})
    distance = _distance(losses)
    minima = pd.DataFrame(
        {
            "along": [distance, 0.0],
            "loss": [broadcast.min_loss, matched.min_loss],
            "side": LABELS,
            "label": [quantity(broadcast.min_loss), quantity(matched.min_loss)],
            # the original's label stands below its minimum on the right, the fixed one's above: the
            # fixed side's curve rises through the original's minimum
            "aside": [36, 0],
            "dy": [14, -14],
        }
    )
    label = quantity(loss.min_loss) if AT_THE_ENDS < fade.alpha < 1 - AT_THE_ENDS else ""
    now = {
        "along": fade.alpha * distance,
        "loss": loss.min_loss,
        "label": label,
        "alpha": fade.alpha,
    }
    lift = broadcast.min_loss - matched.min_loss
    alt_text = (
        "Along the line through both minima both losses are the same parabola: that over all pairs"
        f" is moved by {quantity(distance)} and lifted by {quantity(lift)}. With"
        f" {share_text(fade.alpha)} of all pairs the minimum loss is {quantity(loss.min_loss)}."
    )
    caption = (
        "A section through both losses, and through the loss with"
        f" {share_text(fade.alpha)} of all pairs (thick), along the dashed line. The numbers are"
        " the minimum losses."
    )
    data = {
        "section": section,
        "curve": curve,
        "minima": minima,
        "now": pd.DataFrame([now]),
        "frame": frame_table(
            alt=alt_text, **{"along from": float(along[0]), "along to": float(along[-1])}
        ),
    }
    rule = {"from": -OVERSHOOT * length, "to": (1 + OVERSHOOT) * length, "points": SECTION_POINTS}
    moving: dict[str, dict[str, Any]] = {
        "section": {"rule": "section", **rule},
        "curve": {"rule": "curve", **rule},
        "minima": {"rule": "floors"},
        "now": {"rule": "floor", "ends": AT_THE_ENDS},
    }
    name = "A section through both losses, and through the loss between them"
    return Figure(_section_spec(theme), data, alt_text, caption, "section", name, moving)


@template()
def _section_spec(theme: Theme) -> dict[str, Any]:
    color, scale = side_color(theme), alpha_scale(theme)
    domain = [placeholder("along from"), placeholder("along to")]
    along = alt.X(
        "along:Q",
        title="distance along the line",
        scale=alt.Scale(domain=domain, nice=False),
        axis=alt.Axis(grid=False, tickCount=6),
    )
    loss = alt.Y(
        "loss:Q", title="mean squared error", axis=number_axis(), scale=alt.Scale(zero=True)
    )
    lines = (
        alt.Chart(alt.NamedData("section"))
        .mark_line(strokeWidth=1.5, opacity=0.7)
        .encode(x=along, y=loss, color=color)
    )
    curve = (
        alt.Chart(alt.NamedData("curve"))
        .mark_line(strokeWidth=3.5)
        .encode(x=along, y=loss, stroke=alt.Stroke("alpha:Q", scale=scale, legend=None))
    )
    minima = alt.Chart(alt.NamedData("minima")).encode(x=along, y=loss)
    dots = minima.mark_point(**dot(theme, 90)).encode(color=color, shape=side_shape())
    now = alt.Chart(alt.NamedData("now")).encode(x=along, y=loss)
    here = now.mark_point(**dot(theme, 130)).encode(
        fill=alt.Fill("alpha:Q", scale=scale, legend=None)
    )
    text: dict[str, Any] = {
        "dy": {"expr": "datum.dy"},
        "fontWeight": 600,
        **label_inside(12.5, "along", "datum.aside"),
    }
    halo = minima.mark_text(**text_halo(theme), **text).encode(text="label:N")
    labels = minima.mark_text(**text).encode(text="label:N", color=side_text(theme))
    text = {"dy": -18, "fontWeight": 600, **label_inside(12.5, "along")}
    now_halo = now.mark_text(**text_halo(theme), **text).encode(text="label:N")
    now_label = now.mark_text(color=theme.foreground, **text).encode(text="label:N")
    chart = alt.layer(lines, curve, dots, here, halo, labels, now_halo, now_label)
    heading = alt.TitleParams("Its loss rises", subtitle="along the dashed line")
    spec = with_frame_data(chart.properties(width="container", title=heading).to_dict())
    return apply_theme(spec, theme, height=f"width * {ASPECT}")


# ---- in the predictions --------------------------------------------------------------------------


def predictions_figure(result: CauseResult, theme: Theme) -> Figure:
    """Predicted against true values of some rows, at the minimum of the loss between both.

    The plot stays the same for every alpha and batch size; points outside of it are not drawn.
    """
    fade, sample = result.fade, result.sample
    weights = fade.loss.minimum
    r_squared = float(result.baseline.r_squared(weights))
    shown = np.concatenate([sample.y, sample.predictions(result.own.matched.minimum)])
    low, high = float(shown.min()), float(shown.max())
    margin = MARGIN * (high - low) or abs(low) or 1.0
    alt_text = (
        f"Predicted against true {shorten(sample.target)} at the minimum of the loss with"
        f" {share_text(fade.alpha)} of all pairs: R² {r2_text(r_squared)}."
    )
    caption = (
        f"{alt_text} Each point is a row of the table; where it is predicted well, it lies on the"
        " dashed line. The horizontal line is the mean of the targets."
    )
    data = {
        "points": pd.DataFrame(
            {
                "true": sample.y,
                "predicted": sample.predictions(weights),
                "alpha": fade.alpha,
                "feature1": sample.X[:, 0],
                "feature2": sample.X[:, 1],
            }
        ),
        "now": pd.DataFrame({"text": [f"R² {r2_text(r_squared)}"]}),
        "frame": frame_table(alt=alt_text, low=low - margin, high=high + margin, mean=sample.mean),
    }
    moving = {"points": {"rule": "points"}, "now": {"rule": "r2"}}
    name = "Predicted against true values at the minimum"
    return Figure(_predictions_spec(theme), data, alt_text, caption, "points", name, moving)


@template()
def _predictions_spec(theme: Theme) -> dict[str, Any]:
    low, high = in_frame("low"), in_frame("high")
    scale = alt.Scale(domain=[placeholder("low"), placeholder("high")], nice=False, zero=False)
    x: dict[str, Any] = {"title": "true value", "scale": scale, "axis": number_axis()}
    y: dict[str, Any] = {"title": "predicted value", "scale": scale, "axis": number_axis()}
    frame = alt.Chart(alt.NamedData("frame"))
    diagonal = frame.mark_rule(strokeDash=[6, 4], color=theme.muted).encode(
        x=alt.X("low:Q", **x), x2="high:Q", y=alt.Y("low:Q", **y), y2="high:Q"
    )
    mean = frame.mark_rule(color=theme.muted, opacity=0.55).encode(y=alt.Y("mean:Q", **y))
    fill = alt.Fill("alpha:Q", scale=alpha_scale(theme), legend=None)
    values = f"'true value': {number_text('true')}, 'predicted value': {number_text('predicted')}"
    points = (
        alt.Chart(alt.NamedData("points"))
        .transform_filter(f"datum.predicted >= {low} && datum.predicted <= {high}")
        .mark_point(
            filled=True, size=24, opacity=0.75, strokeWidth=0, tooltip=alt.ExprRef(f"{{{values}}}")
        )
        .encode(x=alt.X("true:Q", **x), y=alt.Y("predicted:Q", **y), fill=fill)
    )
    now = alt.Chart(alt.NamedData("now")).encode(
        x=alt.value(8), y=alt.value(14), text=alt.Text("text:N")
    )
    text: dict[str, Any] = {"align": "left", "fontSize": 15, "fontWeight": 600}
    halo = now.mark_text(**text_halo(theme), **text)
    label = now.mark_text(color=theme.foreground, **text)
    chart = alt.layer(mean, diagonal, points, halo, label)
    heading = alt.TitleParams("Predictions at the minimum", subtitle="dashed: predicted = true")
    spec = with_frame_data(chart.properties(width="container", title=heading).to_dict())
    return apply_theme(spec, theme, height=f"min(width * {ASPECT}, 400)")
