"""The figure of the page for your own code: which prediction is paired with which target."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import altair as alt
import numpy as np
from jaxtyping import Bool

from linreg.experiments.your_code import CodeResult, ShapeDiagnosis
from linreg.figures.figure import Figure, FigureSet, single_figure
from linreg.figures.matrix import matrix_data, matrix_spec
from linreg.figures.templates import frame_table, in_frame, template, with_frame_data
from linreg.figures.theme import Theme
from linreg.settings.losses import Shape

MAX_AXIS = 6  # size of an axis as it is drawn
MAX_ELEMENTS = 12  # of a shape as it is drawn

OWN, OTHER, COMPARED, NOT_COMPARED = (
    "its own target",
    "another's target",
    "compared",
    "not compared",
)
PAIR_KINDS = (OWN, OTHER, COMPARED, NOT_COMPARED)


def figures(result: CodeResult, theme: Theme) -> Iterator[FigureSet]:
    """The figure of the page, where the shapes can be drawn."""
    if drawn_shapes(result.diagnosis):
        yield pairs(result, theme)


def pairs(result: CodeResult, theme: Theme) -> FigureSet:
    """Which prediction is compared with which target."""
    return single_figure("pairs of two shapes", shapes_figure(result.diagnosis, theme), theme)


def drawn_shapes(diagnosis: ShapeDiagnosis) -> tuple[Shape, Shape] | None:
    """The shapes as they are drawn, with long axes shortened.

    None where PyTorch raises, where a shape is empty, and where there are too many elements.
    """
    shapes = diagnosis.prediction_shape, diagnosis.target_shape
    if diagnosis.broadcast_shape is None or not all(map(prod, shapes)):
        return None
    return _shortened(*shapes)


def shapes_figure(diagnosis: ShapeDiagnosis, theme: Theme) -> Figure:
    """A cell per prediction and target: whether the loss compares them, and whether it should.

    Raises `ValueError` where `drawn_shapes` is None.
    """
    shapes, drawn = (diagnosis.prediction_shape, diagnosis.target_shape), drawn_shapes(diagnosis)
    if drawn is None:
        raise ValueError(
            f"the shapes {shapes[0]} and {shapes[1]} cannot be drawn; drawn_shapes tells which can"
        )
    compared = pairs_that_meet(*drawn)
    own = pairs_in_order(*drawn)
    is_matched = bool(own.any())  # each prediction has a target of its own
    kinds = np.select([own, compared & is_matched, compared], [OWN, OTHER, COMPARED], NOT_COMPARED)
    row_labels, column_labels = ([str(list(i)) for i in np.ndindex(shape)] for shape in drawn)
    data = matrix_data(
        fill=compared.astype(float),
        outlined=np.zeros_like(compared),
        texts=[[""] * compared.shape[1]] * compared.shape[0],
        row_labels=row_labels,
        column_labels=column_labels,
    )
    data["cells"]["compared"] = kinds.ravel()
    data["cells"]["tooltip"] = [
        f"prediction {row}, target {column}: {kind}"
        for (row, column), kind in zip(product(row_labels, column_labels), kinds.flat, strict=True)
    ]
    alt_text = (
        f"Of {compared.size} pairs of a prediction and a target the loss compares"
        f" {int(compared.sum())}"
    )
    if is_matched:
        alt_text += f", {int((compared & ~own).sum())} of them beside those that belong together"
    alt_text += "."
    caption = "Rows: predictions. Columns: targets. A cell: what the loss does with the two."
    if drawn != shapes:
        caption += f" Drawn for {drawn[0]} and {drawn[1]}: long axes are shortened."
    shown_kinds = ",".join(kind for kind in PAIR_KINDS if (kinds == kind).any())
    data["frame"] = frame_table(alt=alt_text, kinds=shown_kinds)
    name = "Which pairs the loss compares"
    return Figure(_shapes_spec(theme), data, alt_text, caption, "cells", name)


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
    fill = alt.Fill(
        "compared:N", scale=alt.Scale(domain=list(PAIR_KINDS), range=colors), legend=legend
    )
    title = alt.TitleParams(
        "Which pairs the loss compares", subtitle="rows: predictions, columns: targets"
    )
    return with_frame_data(matrix_spec(theme, fill, title, "datum.tooltip"))


def pairs_that_meet(prediction: Shape, target: Shape) -> Bool[np.ndarray, "P T"]:
    """Which element of one shape is paired with which of the other when both are broadcast."""
    indices = [np.arange(prod(shape)).reshape(shape) for shape in (prediction, target)]
    paired = np.zeros((prod(prediction), prod(target)), dtype=bool)
    rows, columns = (side.ravel() for side in np.broadcast_arrays(*indices))
    paired[rows, columns] = True
    return paired


def pairs_in_order(prediction: Shape, target: Shape) -> Bool[np.ndarray, "P T"]:
    """Which element of one shape belongs to which of the other: the same, or that of its row.

    None does if neither shape is the start of the other once axes of size one are left out."""
    sizes = [tuple(size for size in shape if size != 1) for shape in (prediction, target)]
    common = min(map(len, sizes))
    counts = prod(prediction), prod(target)
    if not common or sizes[0][:common] != sizes[1][:common]:
        return np.full(counts, sizes[0] == sizes[1])
    rows = prod(sizes[0][:common])
    row, column = (np.arange(count) // (count // rows) for count in counts)
    return np.equal.outer(row, column)


def _shortened(prediction: Shape, target: Shape) -> tuple[Shape, Shape] | None:
    """Both shapes with axes short enough to draw: equal sizes stay equal, different ones differ."""
    sizes = sorted({size for size in (*prediction, *target) if size > 1}, reverse=True)
    for longest in range(MAX_AXIS, 1, -1):
        short = {1: 1}
        for k, size in enumerate(sizes):
            short[size] = min(size, max(longest - k, 2))
        if len(set(short.values())) < len(short):
            continue
        shapes = tuple(short[size] for size in prediction), tuple(short[size] for size in target)
        if max(map(prod, shapes)) <= MAX_ELEMENTS:
            return shapes
    return None
