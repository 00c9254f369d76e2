"""A figure as a value: a Vega-Lite spec over named data, the data, and the words that go with
it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from linreg.figures.theme import Theme

DRAWING = ("piece", "line", "x", "x2", "y", "y2", "mx", "my", "unit", "dy")  # columns
CIRCLE = "M-0.7,0A0.7,0.7 0 1,0 0.7,0A0.7,0.7 0 1,0 -0.7,0Z"
CROSS = (
    "M-0.9,-0.5L-0.5,-0.9L0,-0.4L0.5,-0.9L0.9,-0.5L0.4,0"
    "L0.9,0.5L0.5,0.9L0,0.4L-0.5,0.9L-0.9,0.5L-0.4,0Z"
)


@dataclass(frozen=True, eq=False)
class Figure:
    """`spec` refers to the tables of `data` by name; `alt` states the finding for those who cannot
    see the figure.

    A figure with a `name`, which says what it is whatever it shows, has `alt` in its data: a page
    redraws it in place."""

    spec: Mapping[str, Any]
    data: Mapping[str, pd.DataFrame]
    alt: str
    caption: str
    table: str  # the name of the table that holds what the figure is about
    name: str = ""

    def drawn(self) -> dict[str, dict[str, pd.Series]]:
        """The tables as the spec reads them, by column: the points of lines as `layers.lines_over`
        wants them."""
        lines = {
            layer["data"]["name"]: layer["transform"][0]["groupby"]
            for layer in self.spec.get("layer", ())
            if layer["mark"]["type"] == "geoshape"
        }
        tables: dict[str, dict[str, pd.Series]] = {}
        for name, frame in self.data.items():
            columns = {str(column): values for column, values in frame.items()}
            if name in lines:
                columns = {
                    "0": columns["w1"],
                    "1": columns["w2"],
                    **{column: columns[column] for column in lines[name]},
                }
            tables[name] = columns
        return tables

    def standalone(self) -> dict[str, Any]:
        """The spec with its data inside, as JSON has it: what any Vega-Lite renderer draws."""
        return {
            **self.spec,
            "datasets": {name: _records(columns) for name, columns in self.drawn().items()},
        }

    def shown_table(self) -> pd.DataFrame:
        """What the figure is about, for a reader: without the columns that only say how lines are
        drawn."""
        return self.data[self.table].drop(columns=list(DRAWING), errors="ignore")


def _records(table: Mapping[str, pd.Series]) -> list[dict[str, Any]]:
    """The rows, with None for what is not a finite number."""
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
    """An entry of a key: what it says, and its symbol, a path within ±1 or the word `line`."""

    text: str
    symbol: str
    fill: str
    stroke: str = ""


@dataclass(frozen=True, eq=False)
class FigureSet:
    """What leaves the app as one picture: a figure, or panels side by side with what is said of
    them together.

    `name` says what it shows, for a file, and `heading` does on a sheet where no panel has a title
    of its own. With `shared` the panels have one vertical axis and one legend."""

    name: str
    panels: tuple[Figure, ...]
    theme: Theme
    caption: str
    labels: tuple[str, ...] = ()  # of the panels, as their tables have it
    key: tuple[LegendEntry, ...] = ()
    shared: bool = False
    heading: str = ""

    @property
    def alt(self) -> str:
        return " ".join(panel.alt for panel in self.panels)


def single_figure(name: str, figure: Figure, theme: Theme, heading: str = "") -> FigureSet:
    """A set of one figure."""
    return FigureSet(name, (figure,), theme, figure.caption, heading=heading)
