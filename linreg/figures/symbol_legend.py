"""A legend of symbols within a figure: what its bars, rings and lines stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import altair as alt

from linreg.figures.figure import LegendEntry

BAR = "M-1,-0.45L1,-0.45L1,0.45L-1,0.45Z"
LINE = "M-1,0L1,0"
LETTER, SYMBOL = 7, 40  # pixels that an entry takes at most


def symbol_legend(
    entries: Sequence[LegendEntry], orient: Literal["top", "bottom"] = "top"
) -> alt.Chart:
    """A layer over the table `frame` that draws nothing, and has these entries as its legend."""
    texts = [entry.text for entry in entries]
    symbols = [entry.symbol for entry in entries]
    fills = [entry.fill or "transparent" for entry in entries]
    strokes = [entry.stroke or "transparent" for entry in entries]
    two_columns = 2 * (max(map(len, texts)) * LETTER + SYMBOL)
    legend = alt.Legend(
        orient=orient,
        title=None,
        columns=alt.ExprRef(f"width < {two_columns} ? 1 : 2"),
        labelLimit=320,
        symbolSize=130,
        symbolOpacity=1,
        symbolStrokeWidth=1.8,
        rowPadding=2,
        offset=6,
    )

    def scale(values: Sequence[str]) -> alt.Scale:
        return alt.Scale(domain=texts, range=list(values))

    chart: alt.Chart = (
        alt.Chart(alt.NamedData("frame"))
        .transform_calculate(entry=f"'{texts[0]}'")
        .mark_point(opacity=0)
        .encode(
            shape=alt.Shape("entry:N", scale=scale(symbols), legend=legend),
            fill=alt.Fill("entry:N", scale=scale(fills), legend=legend),
            stroke=alt.Stroke("entry:N", scale=scale(strokes), legend=legend),
        )
    )
    return chart
