"""Specs as templates over named data: built once per theme, then filled in for each figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pandas as pd

from linreg.figures.theme import THEMES

PLACEHOLDER = "§"  # the first character of a placeholder

Template = Callable[..., dict[str, Any]]
_TEMPLATES: list[tuple[Template, tuple[Any, ...]]] = []


def template(*variants: Any) -> Callable[[Template], Template]:
    """Decorator for a function that builds a spec with placeholders from a theme.

    With `variants`, the function takes one of them as its second argument. Each spec is built once,
    by `build_templates` or when a figure first needs it.
    """

    def register(build: Template) -> Template:
        built = cache(build)
        _TEMPLATES.extend((built, (variant,)) for variant in variants)
        if not variants:
            _TEMPLATES.append((built, ()))
        return built

    return register


def build_templates() -> Iterator[None]:
    """Build the templates of all loaded modules, one per iteration."""
    for theme in THEMES.values():
        for built, variant in _TEMPLATES:
            built(theme, *variant)
            yield


def placeholder(name: str) -> Any:
    """A placeholder for a number or a text; as the only item of a list, for the whole list."""
    return PLACEHOLDER + name


def _fill(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with a value for every placeholder.

    Building and validating the chart with Altair takes a hundred times as long.
    """
    if isinstance(template, dict):
        return {name: _fill(part, values) for name, part in template.items()}
    if isinstance(template, list):
        if len(template) == 1 and _is_placeholder(template[0]):
            value = values[template[0][1:]]
            return list(value) if isinstance(value, list | tuple) else [value]
        return [_fill(part, values) for part in template]
    return values[template[1:]] if _is_placeholder(template) else template


def _is_placeholder(part: Any) -> bool:
    return isinstance(part, str) and part.startswith(PLACEHOLDER)


# ---- the table `frame` ---------------------------------------------------------------------------


def in_frame(name: str) -> str:
    """The Vega expression for a value in the one row of the table `frame`."""
    return f"data('frame')[0]['{name}']"


class _FrameValues(dict[str, Any]):
    """Values of placeholders; those that are missing are read from the table `frame`."""

    def __missing__(self, name: str) -> dict[str, str]:
        return {"expr": in_frame(name)}


def with_frame_data(template: Mapping[str, Any], **known: Any) -> dict[str, Any]:
    """The layers, with each placeholder that is not `known` read from the table `frame`.

    The column `alt` of that table becomes the description of the chart. Figures that differ in
    their data alone share this spec, so a page updates the chart in place; a new spec, or a new
    description outside the data, has to be compiled again, which takes several times as long.
    """
    whole_plot = {
        "x": {"value": 0},
        "x2": {"value": "width"},
        "y": {"value": 0},
        "y2": {"value": "height"},
    }
    description = {
        "data": {"name": "frame"},
        "mark": {"type": "rect", "opacity": 0, "aria": True},
        "encoding": {**whole_plot, "description": {"field": "alt", "type": "nominal"}},
    }
    spec: dict[str, Any] = _fill(template, _FrameValues(known))
    return {**spec, "layer": [description, *spec["layer"]]}


def frame_table(**values: str | float) -> pd.DataFrame:
    """The table `frame`: one row, with a column per value."""
    return pd.DataFrame({name: [value] for name, value in values.items()})
