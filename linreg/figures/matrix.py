"""A matrix of predictions and targets, as cells with a text each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from linreg.experiments.broadcast_terms import Pairs
from linreg.figures.figure import Figure
from linreg.figures.templates import frame_table, in_frame, template, with_frame_data
from linreg.figures.theme import MIN_FONT_SIZE, Theme, apply_theme
from linreg.text.numbers import coordinate, share_text

MARGIN = 1.5  # cells between the matrix and the labels of its rows and columns


def matrix_figure(pairs: Pairs, theme: Theme, alpha: float = 1.0) -> Figure:
    """All differences p_i − y_j of a batch as cells, with the diagonal outlined.

    Predictions are the labels of the rows, targets those of the columns. Off the diagonal the cells
    have the opacity `alpha`.
    """
    rows, differences = len(pairs), pairs.differences
    size = np.abs(differences)
    data = matrix_data(
        fill=size / (size.max() or 1.0),
        outlined=np.eye(rows, dtype=bool),
        texts=[[cell_text(value) for value in row] for row in differences],
        row_labels=[cell_text(value) for value in pairs.predictions],
        column_labels=[cell_text(value) for value in pairs.targets],
    )
    data["cells"]["difference"] = differences.ravel()
    on_diagonal, off_diagonal = pairs.loss_parts
    loss = on_diagonal + off_diagonal
    share = f"{off_diagonal / loss:.1%}" if loss else "none"
    alt_text = (
        f"{rows} predictions against {rows} targets give a matrix of {rows * rows} differences."
        f" {rows} lie on the diagonal; the {rows * rows - rows} others make {share} of the loss."
    )
    caption = (
        "Left: the predictions. Above: the targets. A cell is their difference, the"
        f" {'brighter' if theme.name == 'dark' else 'darker'} the larger its size."
        " Outlined: the diagonal, what was meant."
    )
    if alpha < 1:
        faded = f" Off the diagonal the cells are faded to {share_text(alpha)}."
        alt_text, caption = alt_text + faded, caption + faded
    data["frame"] = frame_table(alt=alt_text, alpha=alpha)
    moving = {"cells": {"rule": "cells"}, "heads": {"rule": "heads"}, "frame": {"rule": "frame"}}
    name = "The differences of all pairs of a batch"
    return Figure(_difference_spec(theme), data, alt_text, caption, "cells", name, moving)


def matrix_data(
    fill: Float[np.ndarray, "R C"],
    outlined: Bool[np.ndarray, "R C"],
    texts: Sequence[Sequence[str]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """The tables of `matrix_spec`, with a row per prediction and a column per target.

    `fill` is between 0 and 1.
    """
    row, column = (index.ravel() for index in np.indices(fill.shape))
    cells = pd.DataFrame(
        {
            "prediction": row,
            "target": column,
            "size": fill.ravel(),
            "text": [text for texts_of_row in texts for text in texts_of_row],
        }
    )
    predictions = {"prediction": range(len(row_labels)), "target": -MARGIN, "text": row_labels}
    targets = {"prediction": -MARGIN, "target": range(len(column_labels)), "text": column_labels}
    labels = pd.concat([pd.DataFrame(predictions), pd.DataFrame(targets)])
    unit = 1 / (max(fill.shape) + MARGIN)  # the size of a cell, relative to the plot
    for table in (cells, labels):
        table["x"] = (table["target"] + MARGIN) * unit
        table["y"] = (table["prediction"] + MARGIN) * unit
        table["x2"] = table["x"] + unit
        table["y2"] = table["y"] + unit
        table["mx"] = table["x"] + unit / 2
        table["my"] = table["y"] + unit / 2
        table["unit"] = unit
    return {"cells": cells, "outlined": cells[outlined.ravel()], "heads": labels}


def cell_text(value: float) -> str:
    """A number in at most four digits."""
    size = abs(value)
    if size >= 9_999.5:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e").replace("-", "−")
    if size >= 100:
        return coordinate(value, 0)
    return coordinate(value, 1 if size >= 1 else 2)


@template()
def _difference_spec(theme: Theme) -> dict[str, Any]:
    scale = alt.Scale(domain=[0, 1], range=list(theme.ramp), interpolate="lab")
    title = alt.TitleParams("Prediction − target", subtitle="rows: predictions, columns: targets")
    opacity = f"(datum.prediction == datum.target ? 1 : {in_frame('alpha')})"
    is_own = "datum.prediction == datum.target"
    tooltip = (
        "{'prediction': datum.prediction + 1,"
        f" 'target': (datum.target + 1) + ({is_own} ? ', its own' : ', of another row'),"
        " 'difference': datum.text,"
        " 'squared': format(datum.difference * datum.difference, ',.3~r')}"
    )
    fill = alt.Fill("size:Q", scale=scale, legend=None)
    return with_frame_data(matrix_spec(theme, fill, title, tooltip, opacity))


def matrix_spec(
    theme: Theme, fill: alt.Fill, title: alt.TitleParams, tooltip: str, opacity: str = ""
) -> dict[str, Any]:
    """The spec of the tables of `matrix_data`, with this encoding of the cells' fill.

    `tooltip` is a Vega expression for what a cell says at the pointer, `opacity` one for that of a
    cell and its text, if not all are opaque.
    """
    x_scale = alt.Scale(domain=[0, 1], nice=False)
    y_scale = alt.Scale(domain=[1, 0])
    corner: dict[str, Any] = {
        "x": alt.X("x:Q", scale=x_scale, axis=None),
        "y": alt.Y("y:Q", scale=y_scale, axis=None),
        "x2": "x2",
        "y2": "y2",
    }
    center: dict[str, Any] = {
        "x": alt.X("mx:Q", scale=x_scale, axis=None),
        "y": alt.Y("my:Q", scale=y_scale, axis=None),
    }
    available = (
        "0.27 * width * datum.unit"  # pixels for a text, so that four digits fit into a cell
    )
    fits = f"{available} >= {MIN_FONT_SIZE}"
    text: dict[str, Any] = {"fontSize": {"expr": f"min(14, {available})"}}

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table))

    said: dict[str, Any] = {"tooltip": alt.expr(tooltip)}
    faded: dict[str, Any] = {"opacity": alt.expr(opacity)} if opacity else {}
    squares = over("cells").mark_rect(stroke=theme.background, strokeWidth=1.5, **said, **faded)
    outline = over("outlined").mark_rect(
        filled=False, stroke=theme.fixed, strokeWidth=3, opacity=1, aria=False
    )
    text_color = alt.condition(
        f"datum.size{f' * {opacity}' if opacity else ''} > 0.75",
        alt.value(theme.background),
        alt.value(theme.foreground),
    )
    texts = over("cells").mark_text(
        **text, **said, opacity=alt.expr(f"{fits} ? {opacity or 1} : 0")
    )
    labels = over("heads").mark_text(
        fontWeight=600, color=theme.foreground, **text, opacity=alt.expr(f"{fits} ? 1 : 0")
    )
    chart = alt.layer(
        squares.encode(**corner, fill=fill),
        outline.encode(**corner),
        texts.encode(**center, text="text:N", color=text_color),
        labels.encode(**center, text="text:N"),
    )
    chart = chart.properties(width="container", title=title)
    spec = chart.add_params(alt.param(MIN_FONT_SIZE, value=7.2)).to_dict()  # in pixels, on screen
    return apply_theme(spec, theme, height="min(width, 520) * 0.82")
