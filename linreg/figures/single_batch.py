"""The loss surface of a single batch, with the minima of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.experiments.surface import BatchesOfSide
from linreg.figures.figure import Figure
from linreg.figures.layers import (
    ASPECT,
    contours,
    cross_layer,
    domain_slots,
    drawn_as,
    inside,
    levels_at,
    points_of,
    ring_layer,
    star_layer,
    weight_axes,
)
from linreg.figures.optimizer_paths import points_in_picture
from linreg.figures.theme import (
    Theme,
    apply_theme,
    frame_of,
    placeholder,
    template,
    with_frame_data,
)
from linreg.quadratic.contours import Domain
from linreg.settings.model import LABELS
from linreg.text.comparison import shapes_met
from linreg.text.numbers import point


def batch_domains(minima: Sequence[Float[np.ndarray, "n 2"]], size: float) -> list[Domain]:
    """Pictures of one size, each around the middle of its minima, that hold the bulk of them: those
    of tiny batches may lie anywhere. Minima that only rounding tells apart, in weights of this
    `size`, are all in the middle."""
    middles = [np.median(cloud, axis=0) for cloud in minima]
    reach = max(
        float(np.quantile(np.abs(cloud - middle), 0.96))
        for cloud, middle in zip(minima, middles, strict=True)
    )
    half = np.array([1, ASPECT]) * (1.5 * reach if reach > 1e-12 * size else size or 1.0)
    return [
        (*(middle[0] + (-half[0], half[0])).tolist(), *(middle[1] + (-half[1], half[1])).tolist())
        for middle in middles
    ]


def batch_figure(
    batches: BatchesOfSide,
    k: int,
    minima: Float[np.ndarray, "n 2"],
    domain: Domain,
    spacing: float,
    theme: Theme,
) -> Figure:
    """The surface of batch `k` alone, its minimum, and the minima of the other batches."""
    surface = batches.moments.batch(k).profile()
    mean = batches.moments.mean().profile()
    levels = levels_at(surface, domain, spacing)
    spread = np.quantile(np.abs(minima - np.median(minima, axis=0)), 0.68, axis=0)
    marks = [("minimum", *surface.minimum.tolist()), ("mean", *mean.minimum.tolist())]
    frame = pd.DataFrame(marks, columns=["kind", "w1", "w2"])
    data = {
        "rings": contours(surface, domain, spacing, levels),
        "cloud": points_in_picture(minima.tolist(), domain).astype(drawn_as(domain)),
        "marks": frame[inside(points_of(frame), domain)],
    }
    alt_text = (
        f"{batches.label}: the loss of batch {k} alone is least at {point(surface.minimum)}. Two"
        " thirds of the"
        f" batches have their minimum within {point(spread, 3)} of the middle; that of their mean"
        f" is {point(mean.minimum)}."
    )
    caption = f"{batches.label}: two batches in three have their minimum within ±{point(spread, 3)} of the middle one."
    data["frame"] = frame_of(
        title=f"{batches.label}, batch {k}: {shapes_met(batches.settings)}",
        subtitle=f"least at {point(surface.minimum, 3)}",
        alt=alt_text,
        levels=max(levels, 2),
        **domain_slots(domain),
    )
    spec = _batch_spec(theme, batches.label == LABELS[0])
    return Figure(
        spec, data, alt_text, caption, "cloud", f"{batches.label}: the loss surface of one batch"
    )


@template(True, False)
def _batch_spec(theme: Theme, original: bool) -> dict[str, Any]:
    w1, w2 = weight_axes()

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=w1, y=w2)

    color = theme.original if original else theme.fixed
    cloud = over("cloud").mark_point(
        clip=True,
        filled=True,
        size=26,
        fill=color,
        opacity=0.55,
        stroke=theme.background,
        strokeWidth=0.4,
    )
    marks = over("marks")
    star = star_layer(theme, marks.transform_filter("datum.kind == 'minimum'"), size=320)
    cross = cross_layer(theme, marks.transform_filter("datum.kind == 'mean'"))
    chart = alt.layer(ring_layer(theme), star, cloud, cross)
    heading = alt.TitleParams(placeholder("title"), subtitle=placeholder("subtitle"))
    spec = chart.properties(title=heading, width="container").to_dict()
    return apply_theme(with_frame_data(spec), theme, height=f"width * {ASPECT}")
