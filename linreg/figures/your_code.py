"""The figure of the page of your own code: which prediction meets which target."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import altair as alt
import numpy as np
from jaxtyping import Bool

from linreg.experiments.your_code import CodeResult, ShapeDiagnosis
from linreg.figures.cause import matrix_data, matrix_spec
from linreg.figures.figure import Figure, FigureSet, single_figure
from linreg.figures.theme import Theme, frame_of, in_frame, template, with_frame_data
from linreg.settings.losses import Shape

LONGEST, MOST_DRAWN = 6, 12  # of an axis, and of the elements of a side


def figures(result: CodeResult, theme: Theme) -> Iterator[FigureSet]:
    """The pairs of the two shapes, where they can be drawn."""
    if drawn_shapes(result.diagnosis):
        yield pairs(result, theme)


def pairs(result: CodeResult, theme: Theme) -> FigureSet:
    """Which prediction is compared with which target."""
    return single_figure("pairs of two shapes", shapes_figure(result.diagnosis, theme), theme)


def drawn_shapes(diagnosis: ShapeDiagnosis) -> tuple[Shape, Shape] | None:
    """The shapes as they are drawn, long axes shortened; None where PyTorch raises, and where there
    is nothing, or too much, to draw."""
    shapes = diagnosis.prediction_shape, diagnosis.target_shape
    return (
        None if diagnosis.broadcast_shape is None or not all(map(prod, shapes)) else _drawn(*shapes)
    )


def shapes_figure(diagnosis: ShapeDiagnosis, theme: Theme) -> Figure:
    """A cell for each pair of a prediction and a target: whether the loss compares them, and
    whether they belong together.

    Raises `ValueError` where `drawn_shapes` has nothing to draw.
    """
    shapes, drawn = (diagnosis.prediction_shape, diagnosis.target_shape), drawn_shapes(diagnosis)
    if drawn is None:
        raise ValueError(
            f"the shapes {shapes[0]} and {shapes[1]} cannot be drawn; drawn_shapes tells which can"
        )
    met = pairs_that_meet(*drawn)
    several = [[size for size in shape if size != 1] for shape in drawn]
    belong = several[0] == several[1]  # each prediction has a target of its own
    own = np.eye(met.shape[0], met.shape[1], dtype=bool) if belong else np.zeros_like(met)
    labels = [[str(list(index)) for index in np.ndindex(shape)] for shape in drawn]
    data = matrix_data(
        met.astype(float), np.zeros_like(met), [[""] * met.shape[1]] * met.shape[0], *labels
    )
    data["cells"]["compared"] = np.select([own, met & belong, met], KINDS[:3], KINDS[3]).ravel()
    shortened = (
        "" if drawn == shapes else f" Drawn for {drawn[0]} and {drawn[1]}: long axes are shortened."
    )
    beyond = int((met & ~own).sum())
    shown = set(data["cells"]["compared"])
    alt_text = (
        f"Of {met.size} pairs of a prediction and a target the loss compares {int(met.sum())}"
        + (f", {beyond} of them beside those that belong together." if belong else ".")
    )
    kinds = ",".join(kind for kind in KINDS if kind in shown)
    caption = (
        f"Rows: predictions. Columns: targets. A cell: what the loss does with the two.{shortened}"
    )
    return Figure(
        _shapes_spec(theme),
        {**data, "frame": frame_of(alt=alt_text, kinds=kinds)},
        alt_text,
        caption,
        "cells",
        "Which pairs the loss compares",
    )


KINDS = ("its own target", "another's target", "compared", "not compared")


@template()
def _shapes_spec(theme: Theme) -> dict[str, Any]:
    colors = [theme.fixed, theme.original, theme.series[2], theme.grid]
    legend = alt.Legend(
        orient="top",
        title=None,
        symbolType="square",
        symbolStrokeWidth=0,
        columns=2,
        values=alt.ExprRef(f"split({in_frame('kinds')}, ',')"),
    )
    fill = alt.Fill("compared:N", scale=alt.Scale(domain=list(KINDS), range=colors), legend=legend)
    title = alt.TitleParams(
        "Which pairs the loss compares", subtitle="rows: predictions, columns: targets"
    )
    return with_frame_data(matrix_spec(theme, fill, title))


def pairs_that_meet(prediction: Shape, target: Shape) -> Bool[np.ndarray, "P T"]:
    """Which element of one shape meets which of the other when the two are broadcast."""
    numbered = [np.arange(prod(shape)).reshape(shape) for shape in (prediction, target)]
    met = np.zeros((prod(prediction), prod(target)), dtype=bool)
    met[tuple(side.ravel() for side in np.broadcast_arrays(*numbered))] = True
    return met


def _drawn(prediction: Shape, target: Shape) -> tuple[Shape, Shape] | None:
    """Both shapes with axes short enough to draw; equal sizes stay equal, different ones
    different."""
    sizes = sorted({size for size in (*prediction, *target) if size > 1}, reverse=True)
    for longest in range(LONGEST, 1, -1):
        short: dict[int, int] = {1: 1}
        for k, size in enumerate(sizes):
            short[size] = min(size, max(longest - k, 2))
        if len(set(short.values())) < len(short):
            continue
        drawn = tuple(short[size] for size in prediction), tuple(short[size] for size in target)
        if max(map(prod, drawn)) <= MOST_DRAWN:
            return drawn
    return None
