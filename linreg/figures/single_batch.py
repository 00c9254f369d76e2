"""The loss surface of a single batch, with the minima of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.experiments.surface import BatchesOfSide
from linreg.figures.contours import (
    contour_table,
    coordinate_dtype,
    excess_count,
    excess_levels,
)
from linreg.figures.figure import Figure
from linreg.figures.layers import (
    ASPECT,
    contour_layer,
    domain_values,
    inside,
    minimum_layer,
    points_inside,
    weight_axes,
    weights_of,
)
from linreg.figures.templates import frame_table, placeholder, template, with_frame_data
from linreg.figures.theme import Theme, apply_theme, dot, point_text
from linreg.quadratic.contours import Domain
from linreg.settings.model import LABELS
from linreg.text.comparison import shapes_met
from linreg.text.numbers import point


def batch_domains(minima: Sequence[Float[np.ndarray, "_ 2"]], scale: float) -> list[Domain]:
    """Domains of one size, each around the median of a side's minima.

    They hold most of the minima, as those of tiny batches may lie anywhere. Minima that differ by
    rounding alone, relative to weights of this `scale`, are all in the center.
    """
    centers = [np.median(points, axis=0) for points in minima]
    spread = max(
        float(np.quantile(np.abs(points - center), 0.96))
        for points, center in zip(minima, centers, strict=True)
    )
    is_rounding = spread <= 1e-12 * scale
    half1 = (scale or 1.0) if is_rounding else 1.5 * spread
    half2 = ASPECT * half1
    domains = (
        (w1 - half1, w1 + half1, w2 - half2, w2 + half2)
        for w1, w2 in (center.tolist() for center in centers)
    )
    return list(domains)


def batch_figure(
    batches: BatchesOfSide,
    k: int,
    minima: Float[np.ndarray, "n 2"],
    domain: Domain,
    spacing: float,
    theme: Theme,
) -> Figure:
    """The loss surface of batch `k` alone, its minimum, and the minima of the other batches."""
    surface = batches.moments.batch(k).profile()
    mean = batches.moments.mean().profile()
    levels = excess_count(surface, domain, spacing)
    spread = np.quantile(np.abs(minima - np.median(minima, axis=0)), 0.68, axis=0)
    marks = pd.DataFrame(
        [("minimum", *surface.minimum.tolist()), ("mean", *mean.minimum.tolist())],
        columns=["kind", "w1", "w2"],
    )
    alt_text = (
        f"{batches.label}: the loss of batch {k} alone has its minimum at"
        f" {point(surface.minimum)}. Two thirds of the batches have their minimum within"
        f" {point(spread, 3)} of the middle; that"
        f" of their mean is {point(mean.minimum)}."
    )
    caption = (
        f"{batches.label}: two batches in three have their minimum within ±{point(spread, 3)} of"
        " the middle one."
    )
    data = {
        "rings": contour_table(surface, domain, excess_levels(spacing, levels)),
        "cloud": points_inside(minima.tolist(), domain).astype(coordinate_dtype(domain)),
        "marks": marks[inside(weights_of(marks), domain)],
        "frame": frame_table(
            title=f"{batches.label}, batch {k}: {shapes_met(batches.settings)}",
            subtitle=f"minimum at {point(surface.minimum, 3)}",
            alt=alt_text,
            levels=max(levels, 2),
            **domain_values(domain),
        ),
    }
    spec = _batch_spec(theme, batches.label == LABELS[0])
    name = f"{batches.label}: the loss surface of one batch"
    return Figure(spec, data, alt_text, caption, "cloud", name)


@template(True, False)
def _batch_spec(theme: Theme, original: bool) -> dict[str, Any]:
    w1, w2 = weight_axes()

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=w1, y=w2)

    color = theme.original if original else theme.fixed
    minima = over("cloud").mark_point(
        clip=True,
        filled=True,
        size=26,
        fill=color,
        opacity=0.55,
        stroke=theme.background,
        strokeWidth=0.4,
        tooltip=alt.ExprRef(f"'the minimum of a batch: ' + {point_text()}"),
    )
    marks = over("marks")
    minimum = minimum_layer(theme, marks.transform_filter("datum.kind == 'minimum'"), color)
    mean = marks.transform_filter("datum.kind == 'mean'").mark_point(
        shape="diamond", fill=theme.foreground, **dot(theme, 130)
    )
    chart = alt.layer(contour_layer(theme), minimum, minima, mean)
    heading = alt.TitleParams(placeholder("title"), subtitle=placeholder("subtitle"))
    spec = chart.properties(title=heading, width="container").to_dict()
    return apply_theme(with_frame_data(spec), theme, height=f"width * {ASPECT}")
