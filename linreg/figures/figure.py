"""A figure as a value: a Vega-Lite spec over named data, the data, a caption and an alt text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from linreg.figures.theme import Theme

# columns that only say how something is drawn
DRAWING_COLUMNS = ("piece", "line", "x", "x2", "y", "y2", "mx", "my", "unit", "dx", "dy", "tooltip")

# symbols of a legend, as SVG paths within ±1
CIRCLE = "M-0.7,0A0.7,0.7 0 1,0 0.7,0A0.7,0.7 0 1,0 -0.7,0Z"
DASHES = "M-1,-0.12H-0.3V0.12H-1ZM0.3,-0.12H1V0.12H0.3Z"
CROSSED_CIRCLE = CIRCLE + "M-0.32,-0.32L0.32,0.32M-0.32,0.32L0.32,-0.32"


@dataclass(frozen=True, eq=False)
class Figure:
    """A Vega-Lite `spec` that refers to the tables of `data` by name.

    `alt` states the finding for screen readers. A figure with a `name`, which describes it without
    its finding, has `alt` in its data, so a page can update the chart in place.

    `moving` says how tables follow from the runs and the step of the replay, so that a browser can
    compute them by itself: table -> the name of a rule in `linreg/ui/live/tables.js` under `rule`,
    and what else that rule needs, as JSON values. `retrained` does the same for tables that depend
    on the runs alone, which the browser may train itself, by the rules of `retrained.js`.

    `hover` says what a live figure tells of the place under the pointer: the name of a rule in
    `linreg/ui/live/hover.js` under `rule`, and what else that needs, as JSON values.
    """

    spec: Mapping[str, Any]
    data: Mapping[str, pd.DataFrame]
    alt: str
    caption: str
    table: str  # the name of the table that is shown to readers
    name: str = ""
    moving: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    retrained: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hover: Mapping[str, Any] = field(default_factory=dict)

    def drawn(self) -> dict[str, dict[str, pd.Series]]:
        """The tables by column, as the spec reads them, with points as `line_shapes` needs them."""
        lines = {
            layer["data"]["name"]: layer["transform"][0]["groupby"]
            for layer in self.spec.get("layer", ())
            if layer["mark"]["type"] == "geoshape" and "groupby" in layer["transform"][0]
        }
        tables: dict[str, dict[str, pd.Series]] = {}
        for name, table in self.data.items():
            columns = {str(column): values for column, values in table.items()}
            if name in lines:
                columns = {
                    "0": columns["w1"],
                    "1": columns["w2"],
                    **{column: columns[column] for column in lines[name]},
                }
            tables[name] = columns
        return tables

    def standalone(self) -> dict[str, Any]:
        """The spec with its data inside, as JSON values, for any Vega-Lite renderer."""
        return {
            **self.spec,
            "datasets": {name: _records(columns) for name, columns in self.drawn().items()},
        }

    def shown_table(self) -> pd.DataFrame:
        """The figure's main table, without the columns that only say how it is drawn."""
        return self.data[self.table].drop(columns=list(DRAWING_COLUMNS), errors="ignore")


def _records(table: Mapping[str, pd.Series]) -> list[dict[str, Any]]:
    """The rows, with None for NaN and infinities."""
    columns = {
        name: [
            None if isinstance(value, float) and not math.isfinite(value) else value
            for value in column.tolist()
        ]
        for name, column in table.items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True)
class LegendEntry:
    """An entry of a legend. `symbol` is an SVG path within ±1, or `line`."""

    text: str
    symbol: str
    fill: str
    stroke: str = ""


@dataclass(frozen=True)
class ColorBar:
    """A legend of bands of colour. There is one label more than colours: at each end of a band."""

    title: str
    colors: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FigureSet:
    """Figures that are shown, and exported, as one image: a single one, or panels side by side.

    `name` becomes a file's name. `heading` is drawn above the image where no panel has a title.
    `source` says in files where the figure is from. `shared` panels have one y axis and one legend.
    """

    name: str
    panels: tuple[Figure, ...]
    theme: Theme
    caption: str
    labels: tuple[str, ...] = ()  # of the panels
    legend: tuple[LegendEntry, ...] = ()
    color_bar: ColorBar | None = None
    shared: bool = False
    heading: str = ""
    source: str = ""

    @property
    def alt(self) -> str:
        """The alt texts of all panels."""
        return " ".join(panel.alt for panel in self.panels)


def single_figure(name: str, figure: Figure, theme: Theme, heading: str = "") -> FigureSet:
    """A set of one figure."""
    return FigureSet(name, (figure,), theme, figure.caption, heading=heading)
