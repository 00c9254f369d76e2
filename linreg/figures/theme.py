"""What all figures share: colours for light and dark, fonts, axes, and the config that goes into
every spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import pandas as pd

from linreg.settings.model import LABELS


@dataclass(frozen=True)
class Theme:
    """Colours of a figure. Original and fixed are Okabe and Ito's vermilion and bluish green, the
    same everywhere."""

    name: str
    background: str
    ink: str
    quiet: str
    grid: str
    inner: str  # the lowest ring
    outer: str  # the highest
    contour: str
    original: str = "#D55E00"
    fixed: str = "#009E73"
    original_text: str = "#b04e00"  # the same darker: letters need a contrast of 4.5, marks of 3
    fixed_text: str = "#007a59"
    star: str = "#F0E442"
    ramp: tuple[str, ...] = ("#f3f5f8", "#9fc5c3", "#0b6e6e")  # of a map: low to high
    series: tuple[str, ...] = (  # of things that are neither original nor fixed, such as optimizers
        "#332288", "#cc6677", "#0077bb", "#aa4499", "#999933", "#117733", "#882255", "#cc7a00", "#2f9486", "#555555",
    )  # fmt: skip

    @property
    def sides(self) -> list[str]:
        """The colours of original and fixed."""
        return [self.original, self.fixed]


LIGHT = Theme("light", "#ffffff", "#1f2430", "#5b6472", "#e6e9ee", "#8ba0bb", "#f3f5f8", "#ffffff")
DARK = Theme(
    "dark", "#0e1117", "#e8eaf0", "#a3acba", "#262c38", "#4d6078", "#151a22", "#0e1117", original="#ee7733", fixed="#1fbf92",
    original_text="#ee7733", fixed_text="#1fbf92",
    ramp=("#1a2230", "#2f6f78", "#8ff0d8"),
    series=(
        "#88ccee", "#ee8899", "#5599ff", "#cc88ff", "#cccc66", "#66cc77", "#d2a679", "#eebb55", "#55ddbb", "#bbbbbb",
    ),
)  # fmt: skip
SIDE_MARKS = ("square", "circle")  # original and fixed, told apart without their colours
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


# the parameter of a spec that holds the smallest size of text to be drawn, in pixels
SMALLEST = "smallest"
SLOT = "§"  # in front of a name in a template: what each figure fills in


def placeholder(name: str) -> Any:
    """A place in a template for a number, a text or, alone in a list, for a whole list."""
    return SLOT + name


def _fill(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with every slot filled. To build and check a chart takes Altair a hundred times
    as long."""
    if isinstance(template, dict):
        return {name: _fill(part, values) for name, part in template.items()}
    if isinstance(template, list):
        if len(template) == 1 and isinstance(template[0], str) and template[0].startswith(SLOT):
            value = values[template[0][1:]]
            return list(value) if isinstance(value, list | tuple) else [value]
        return [_fill(part, values) for part in template]
    if isinstance(template, str) and template.startswith(SLOT):
        return values[template[1:]]
    return template


Template = Callable[..., dict[str, Any]]
_TEMPLATES: list[tuple[Template, tuple[Any, ...]]] = []


def template(*variants: Any) -> Callable[[Template], Template]:
    """For a function of a theme, and of one of these `variants` where there are any, that builds
    what its figures share: each is built once, by `build_templates` or when it is first drawn."""

    def kept(build: Template) -> Template:
        built = cache(build)
        _TEMPLATES.extend((built, (variant,)) for variant in variants)
        if not variants:
            _TEMPLATES.append((built, ()))
        return built

    return kept


def build_templates() -> Iterator[None]:
    """Build all templates of the modules that are loaded, one each time that the iterator is
    asked."""
    for theme in THEMES.values():
        for built, variant in _TEMPLATES:
            built(theme, *variant)
            yield


def in_frame(name: str) -> str:
    """The expression for a value of the table `frame`, which has one row."""
    return f"data('frame')[0]['{name}']"


class _InFrame(dict[str, Any]):
    def __missing__(self, name: str) -> dict[str, str]:
        return {"expr": in_frame(name)}


def with_frame_data(template: Mapping[str, Any], **known: Any) -> dict[str, Any]:
    """The layers with every slot that is not `known` read from the table `frame` when they are
    drawn, and its `alt` as their description.

    Figures that differ in their data alone share this spec, so that a page draws one after the
    other in place: a new spec, as a new description from outside, has to be compiled again, which
    takes several times as long."""
    everywhere = {
        "x": {"value": 0},
        "x2": {"value": "width"},
        "y": {"value": 0},
        "y2": {"value": "height"},
    }
    described = {
        "data": {"name": "frame"},
        "mark": {"type": "rect", "opacity": 0, "aria": True},
        "encoding": {**everywhere, "description": {"field": "alt", "type": "nominal"}},
    }
    spec: dict[str, Any] = _fill(template, _InFrame(known))
    return {**spec, "layer": [described, *spec["layer"]]}


def frame_of(**values: str | float) -> pd.DataFrame:
    """The table that `framed` reads, in one row."""
    return pd.DataFrame({name: [value] for name, value in values.items()})


def side_color(theme: Theme, symbol: str = "stroke") -> alt.Color:
    """Original and fixed, with a legend above, of strokes or of squares."""
    return alt.Color(
        "side:N",
        scale=alt.Scale(domain=list(LABELS), range=theme.sides),
        legend=alt.Legend(
            orient="top",
            title=None,
            symbolType=symbol,
            symbolStrokeWidth=3 if symbol == "stroke" else 0,
            offset=4,
        ),
    )


def side_text(theme: Theme) -> Any:
    """Original and fixed, of letters."""
    return alt.condition(
        f"datum.side === '{LABELS[0]}'", alt.value(theme.original_text), alt.value(theme.fixed_text)
    )


def text_halo(theme: Theme) -> dict[str, Any]:
    """What a text is drawn with behind itself, to be read over lines."""
    return {"stroke": theme.background, "strokeWidth": 3.5, "strokeJoin": "round"}


def side_shape() -> alt.Shape:
    """Original and fixed told apart without their colours."""
    return alt.Shape(
        "side:N",
        scale=alt.Scale(domain=list(LABELS), range=list(SIDE_MARKS)),
        legend=None,
    )


def step_rule(theme: Theme, step: alt.X) -> alt.Chart:
    """The replayed step as a line."""
    rule: alt.Chart = (
        alt.Chart(alt.NamedData("now")).mark_rule(color=theme.quiet, strokeWidth=1).encode(x=step)
    )
    return rule


def number_axis() -> alt.Axis:
    """Labels that stay short whatever a run does: `1,000,000`, and from there `1e+9`."""
    return alt.Axis(tickCount=6, labelExpr=_SHORT)


_SHORT = (
    "abs(datum.value) >= 1e7 || (datum.value != 0 && abs(datum.value) < 1e-3)"
    " ? format(datum.value, '.0e') : format(datum.value, ',')"
)


def log_axis() -> alt.Axis:
    """As `number_axis`, with labels at 1, 10, 100, over less than three decades also at 2 and 5,
    and within one at all."""
    decades = "log(domain('y')[1] / domain('y')[0]) / LN10"
    lead = "datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))"  # 1 to 10
    shown = f"{decades} < 1 || abs({lead} - 1) < 1e-6 || {decades} < 3 && indexof([2, 5], round({lead} * 1e6) / 1e6) >= 0"
    return alt.Axis(tickCount=6, labelExpr=f"{shown} ? {_SHORT} : ''")


def apply_theme(spec: dict[str, Any], theme: Theme, height: str = "") -> dict[str, Any]:
    """The spec with the theme's colours and fonts in its own config, and where asked a height that
    follows the width.

    No mark has a text of its own for a screen reader: a figure says its finding once, as a whole,
    and is a table below. Mark by mark Vega would say the names of columns, and of every contour
    "geometry: [object Object]"."""
    params = [*spec.get("params", []), *([{"name": "height", "expr": height}] if height else [])]
    text = {
        "labelColor": theme.quiet,
        "titleColor": theme.quiet,
        "labelFontSize": 12,
        "titleFontSize": 12.5,
    }
    config = {
        "font": "'Source Sans', 'Source Sans Pro', 'DejaVu Sans', sans-serif",
        "background": theme.background,
        "view": {"stroke": None},
        "mark": {"aria": False},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "domainColor": theme.quiet,
            "tickColor": theme.quiet,
            "gridColor": theme.grid,
            "labelFlush": False,
            "labelOverlap": "greedy",
            "labelSeparation": 6,
        },
        "axisX": {"titleLimit": {"expr": "width"}},
        "legend": {"labelColor": theme.ink, "labelFontSize": 12.5},
        "title": {
            "anchor": "start",
            "frame": "group",
            "color": theme.ink,
            "fontSize": 16,
            "fontWeight": 600,
            "subtitleColor": theme.quiet,
            "subtitleFontSize": 13,
            "subtitlePadding": 5,
        },
    }
    svg = {"embedOptions": {"renderer": "svg"}}
    padding = {"left": 2, "right": 6, "top": 4, "bottom": 4}
    title = spec.get("title", "")
    title = {"text": title} if isinstance(title, str) else title
    whole = {
        **spec,
        "title": {
            **title,
            "limit": {"expr": "width"},
        },  # a wider one would make the renderer shrink the picture
        "usermeta": svg,
        "padding": padding,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": config,
    }
    return {**whole, "params": params} if params else whole
