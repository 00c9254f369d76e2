"""Colours, fonts and axes that all figures share, and the Vega-Lite config of every spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

from linreg.settings.model import LABELS

MIN_FONT_SIZE = "smallest"  # the spec parameter with the size in pixels below which text is hidden
FONTS = "'Source Sans', 'Source Sans Pro', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Original and fixed have the vermilion and the bluish green of Okabe and Ito in every figure.
    """

    name: str
    background: str
    foreground: str  # text and lines
    muted: str  # axes, labels and subtitles
    grid: str
    loss_ramp: tuple[str, ...]  # fills of contours, from the lowest loss to the highest
    contour: str  # lines between the contours
    original: str = "#D55E00"
    fixed: str = "#009E73"
    original_text: str = "#b04e00"  # darker: text needs a contrast of 4.5, a mark of 3
    fixed_text: str = "#007a59"
    star: str = "#F0E442"
    ramp: tuple[str, ...] = ("#f3f5f8", "#9fc5c3", "#0b6e6e")  # of a heat map, low to high
    series: tuple[str, ...] = (  # categories other than original and fixed, such as optimizers
        "#332288",
        "#cc6677",
        "#0077bb",
        "#aa4499",
        "#999933",
        "#117733",
        "#882255",
        "#cc7a00",
        "#2f9486",
        "#555555",
    )

    @property
    def side_colors(self) -> list[str]:
        """The colours of original and fixed."""
        return [self.original, self.fixed]


LIGHT = Theme(
    name="light",
    background="#ffffff",
    foreground="#1f2430",
    muted="#5b6472",
    grid="#e6e9ee",
    loss_ramp=("#6c90be", "#94b0d2", "#b9cbe2", "#d9e3ef", "#f4f6f9"),
    contour="#ffffff",
)
DARK = Theme(
    name="dark",
    background="#0e1117",
    foreground="#e8eaf0",
    muted="#a3acba",
    grid="#262c38",
    loss_ramp=("#486690", "#3b5477", "#2f435e", "#233146", "#161c26"),
    contour="#0e1117",
    original="#ee7733",
    fixed="#1fbf92",
    original_text="#ee7733",
    fixed_text="#1fbf92",
    ramp=("#1a2230", "#2f6f78", "#8ff0d8"),
    series=(
        "#88ccee",
        "#ee8899",
        "#5599ff",
        "#cc88ff",
        "#cccc66",
        "#66cc77",
        "#d2a679",
        "#eebb55",
        "#55ddbb",
        "#bbbbbb",
    ),
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
SIDE_MARKS = ("square", "circle")  # original and fixed, for readers who cannot tell the colours


def side_color(theme: Theme, symbol: str = "stroke") -> alt.Color:
    """The colour encoding of original and fixed, with a legend above the plot."""
    return alt.Color(
        "side:N",
        scale=alt.Scale(domain=list(LABELS), range=theme.side_colors),
        legend=alt.Legend(
            orient="top",
            title=None,
            symbolType=symbol,
            symbolStrokeWidth=3 if symbol == "stroke" else 0,
            offset=4,
        ),
    )


def side_text(theme: Theme) -> Any:
    """The text colour of original and fixed."""
    return alt.condition(
        f"datum.side === '{LABELS[0]}'", alt.value(theme.original_text), alt.value(theme.fixed_text)
    )


def text_halo(theme: Theme) -> dict[str, Any]:
    """Mark properties of the outline behind a label, which keeps it legible over lines."""
    return {"stroke": theme.background, "strokeWidth": 3.5, "strokeJoin": "round"}


def dot(theme: Theme, size: int, stroke_width: float = 1.5) -> dict[str, Any]:
    """Mark properties of a filled point of this area, outlined in the background's colour."""
    return {
        "filled": True,
        "size": size,
        "opacity": 1,
        "stroke": theme.background,
        "strokeWidth": stroke_width,
    }


def side_shape() -> Any:
    """The shape encoding of original and fixed, without a scale: the legend shows colours alone."""
    original, fixed = SIDE_MARKS
    return alt.condition(
        f"datum.side === '{LABELS[0]}'", alt.ShapeValue(original), alt.ShapeValue(fixed)
    )


def weight_color(theme: Theme) -> alt.Color:
    """The colour encoding of w1 and w2, with a legend above the plot."""
    return alt.Color(
        "weight:N",
        scale=alt.Scale(domain=["w1", "w2"], range=[theme.series[2], theme.series[3]]),
        legend=alt.Legend(
            orient="top",
            title=None,
            symbolType="stroke",
            symbolStrokeWidth=3,
            symbolOpacity=1,
            offset=4,
        ),
    )


def step_axis() -> alt.X:
    """The x axis of a curve against step."""
    return alt.X(
        "step:Q",
        title="step",
        axis=alt.Axis(grid=False, tickMinStep=1, tickCount=6),
        scale=alt.Scale(nice=False),
    )


STEP_RULE = {"rule": "step"}  # of the table `now` that `step_rule` draws, for `Figure.moving`


def step_rule(theme: Theme, step: alt.X) -> alt.Chart:
    """A vertical line at the replayed step."""
    rule: alt.Chart = (
        alt.Chart(alt.NamedData("now")).mark_rule(color=theme.muted, strokeWidth=1).encode(x=step)
    )
    return rule


def number_text(column: str) -> str:
    """A Vega expression for a number with three digits, without an exponent where it has few."""
    value = f"datum.{column}"
    is_long = f"abs({value}) >= 1e9 || {value} != 0 && abs({value}) < 1e-6"
    return f"format({value}, {is_long} ? '.1e' : abs({value}) >= 100 ? ',.0f' : '.3~r')"


def point_text() -> str:
    """A Vega expression for the weights (w1, w2) of a row."""
    return f"'(' + {number_text('w1')} + ', ' + {number_text('w2')} + ')'"


def number_axis() -> alt.Axis:
    """An axis whose labels stay short for any run: `1,000,000`, but `1e+7`."""
    return alt.Axis(tickCount=6, labelExpr=_SHORT)


_SHORT = (
    "abs(datum.value) >= 1e7 || (datum.value != 0 && abs(datum.value) < 1e-3)"
    " ? format(datum.value, '.2~e') : format(datum.value, ',')"
)


def log_axis() -> alt.Axis:
    """A log axis with short labels at 1, 10, 100, …

    It has labels at 2 and 5 as well where it spans less than three decades, and at every tick
    where it spans less than one.
    """
    decades = "log(domain('y')[1] / domain('y')[0]) / LN10"
    mantissa = "datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))"  # 1 to 10
    has_label = (
        f"{decades} < 1 || abs({mantissa} - 1) < 1e-6"
        f" || {decades} < 3 && indexof([2, 5], round({mantissa} * 1e6) / 1e6) >= 0"
    )
    return alt.Axis(tickCount=6, labelExpr=f"{has_label} ? {_SHORT} : ''")


def apply_theme(spec: dict[str, Any], theme: Theme, height: str = "") -> dict[str, Any]:
    """The spec with the theme's colours and fonts in its config.

    `height` is a Vega expression, for a plot whose height follows its width.

    Marks have no ARIA labels: Vega would read out the names of columns, and "geometry: [object
    Object]" for each contour. A figure has one description of the whole, and a table below it. For
    the same reason a mark has no tooltip but its own: Streamlit's default shows all of its columns.
    """
    params = list(spec.get("params", []))
    if height:
        params.append({"name": "height", "expr": height})
    title = spec.get("title", "")
    title = {"text": title} if isinstance(title, str) else title
    padding = {"left": 2, "right": 6, "top": 4, "bottom": 4}
    themed = {
        **spec,
        # a wider title would make the renderer shrink the picture
        "title": {**title, "limit": {"expr": "width"}},
        "usermeta": {"embedOptions": {"renderer": "svg"}},
        "padding": padding,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _config(theme),
    }
    return {**themed, "params": params} if params else themed


def _config(theme: Theme) -> dict[str, Any]:
    """The Vega-Lite config of a theme."""
    axis_text = {
        "labelColor": theme.muted,
        "titleColor": theme.muted,
        "labelFontSize": 12,
        "titleFontSize": 12.5,
    }
    return {
        "font": FONTS,
        "background": theme.background,
        "view": {"stroke": None},
        "mark": {"aria": False, "tooltip": None},
        "axis": {
            **axis_text,
            "titleFontWeight": "normal",
            "domainColor": theme.muted,
            "tickColor": theme.muted,
            "gridColor": theme.grid,
            "labelFlush": False,
            "labelOverlap": "greedy",
            "labelSeparation": 6,
        },
        "axisX": {"titleLimit": {"expr": "width"}},
        "legend": {"labelColor": theme.foreground, "labelFontSize": 12.5},
        "title": {
            "anchor": "start",
            "frame": "group",
            "color": theme.foreground,
            "fontSize": 16,
            "fontWeight": 600,
            "subtitleColor": theme.muted,
            "subtitleFontSize": 13,
            "subtitlePadding": 5,
        },
    }
