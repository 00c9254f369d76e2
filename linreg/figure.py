"""A figure as a value: a Vega-Lite spec over named data, the data, and the words that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, eq=False)
class Figure:
    """`spec` refers to the tables of `data` by name; `alt` states the finding for those who cannot see the figure.

    A figure with a `name`, which says what it is whatever it shows, has `alt` in its data: a page redraws it in place.
    """

    spec: Mapping[str, Any]
    data: Mapping[str, pd.DataFrame]
    alt: str
    caption: str
    table: str  # the name of the table that holds what the figure is about
    name: str = ""

    def standalone(self) -> dict[str, Any]:
        """The spec with its data inside: what any Vega-Lite renderer draws."""
        return {**self.spec, "datasets": {name: frame.to_dict("records") for name, frame in self.data.items()}}
