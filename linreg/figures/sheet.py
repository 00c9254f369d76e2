"""A figure set as one SVG: its panels, a heading and a legend, laid out on a sheet.

Each panel is drawn by the renderer with the layers that are on the screen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from linreg.figures import fonts
from linreg.figures.figure import Figure, FigureSet, LegendEntry
from linreg.figures.layers import ASPECT
from linreg.figures.renderer import RenderError, render, spec_to_svg
from linreg.figures.templates import in_frame
from linreg.figures.theme import MIN_FONT_SIZE

SOURCE = "Source: "  # before the line that says where a figure is from
POINTS = 72 / 25.4  # per millimetre
MIN_TEXT = 7  # points
FONTS = f"'{fonts.FAMILY}', 'DejaVu Sans', sans-serif"

# in layout pixels
GAP = 14  # between panels, and around the legend
HEADING_SIZE = 15
LEGEND_TEXT, LEGEND_ROW, LEGEND_SYMBOL = 12.5, 21, 22
BAND_WIDTH = 44  # of a colour bar
INVISIBLE = dict.fromkeys(  # a legend
    ["titleOpacity", "labelOpacity", "symbolOpacity", "gradientOpacity"], 0
)


@dataclass(frozen=True)
class Size:
    """The size of a figure on paper, and the width of its layout in pixels.

    Together they determine the size of its text.
    """

    key: str
    title: str
    width: float  # mm
    height: float | None  # mm; None: what the panels need
    layout: int  # pixels
    columns: int  # of panels
    margin: float = 0.0  # layout pixels

    @property
    def inner(self) -> float:
        """The width between the margins, in layout pixels."""
        return self.layout - 2 * self.margin

    @property
    def inner_height(self) -> float | None:
        """The height between the margins, in layout pixels."""
        if self.height is None:
            return None
        return self.height / self.width * self.layout - 2 * self.margin

    @property
    def scale(self) -> float:
        """Points per layout pixel."""
        return self.width * POINTS / self.layout


def svg_document(figures: FigureSet, size: Size, unit: str = "mm") -> str:
    """The figure set as an SVG document.

    `unit` is mm, or pt for the renderer, which has the fonts; one in mm embeds them.
    """
    inner, width, height = _sheet(figures, size)
    page_width = size.width if unit == "mm" else size.width * POINTS
    page_height = page_width * height / width
    suffix, style = "", ""
    if unit == "mm":
        suffix, style = "mm", f"<style>{fonts.rules(_text_of(inner))}</style>"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' role="img" width="{page_width:.3f}{suffix}" height="{page_height:.3f}{suffix}"'
        f' viewBox="0 0 {width:.2f} {height:.2f}">'
        f"<title>{escape(figures.heading or figures.name)}</title>"
        f"<desc>{escape(figures.alt)}</desc>{style}"
        f'<rect width="100%" height="100%" fill="{figures.theme.background}"/>{inner}</svg>'
    )


def _text_of(svg: str) -> str:
    """All text of an SVG."""
    return unescape("".join(re.findall(r">([^<]+)</t", svg)))


# ---- panels --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Panel:
    """A panel as SVG without its outermost element, and where its plot begins, in pixels."""

    svg: str
    width: float
    height: float
    left: float
    top: float


def _panel(
    figure: Figure, size: Size, width: float, height: float | None, prefix: str, shared: bool
) -> _Panel:
    """A panel with a plot of this width, and of this height unless it follows from the width.

    `prefix` makes its ids unique on the sheet. A `shared` panel is drawn without its y axis, and
    without its legends but for their room, as the panel on its left has them.
    """
    spec = without_empty_legend(for_paper(figure.standalone(), size, width, height))
    spec = without_guides(spec, shared=True) if shared else spec
    svg = render(spec_to_svg, spec)
    root = re.match(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>', svg)
    plot = re.search(r'<g [^>]*transform="translate\(([\d.-]+),([\d.-]+)\)"', svg)
    if root is None or plot is None:
        raise RenderError(
            "the renderer's picture does not begin with its size and the place of its plot"
        )
    inner = _with_unique_ids(svg[root.end() : svg.rindex("</svg>")], prefix)
    inner = re.sub(r'font-family="[^"]*"', f'font-family="{FONTS}"', inner)
    return _Panel(inner, *(float(number) for number in (*root.groups(), *plot.groups())))


def _with_unique_ids(svg: str, prefix: str) -> str:
    """The SVG with its ids numbered from 0: the renderer's own go on from picture to picture."""
    new_ids: dict[str, str] = {}

    def new_id(match: re.Match[str]) -> str:
        return new_ids.setdefault(match[0], f"{prefix}d{len(new_ids)}")

    return re.sub(r'(?<=id=")[^"]+|(?<=url\(#)[^)]+', new_id, svg)


def for_paper(
    spec: Mapping[str, Any], size: Size, width: float, height: float | None
) -> dict[str, Any]:
    """The spec with a plot of this width in pixels, and its titles wrapped to fit above it."""
    changes: dict[str, Any] = {} if height is None else {"height": height}
    if "layer" in spec:
        # invisible layers are for the mouse, except the one with the table `frame`
        layers = [
            layer
            for layer in spec["layer"]
            if layer["mark"].get("opacity") != 0 or layer.get("data", {}).get("name") == "frame"
        ]
        changes["layer"] = [_with_all_labels(layer) for layer in layers]
    if "params" in spec:
        min_size = {"value": MIN_TEXT / size.scale}
        changes["params"] = [
            param | min_size if param["name"] == MIN_FONT_SIZE else param
            for param in spec["params"]
        ]
    title = _wrapped_title(spec, width)
    return {**spec, "title": title, "width": width, "autosize": {"type": "pad"}, **changes}


def _wrapped_title(spec: Mapping[str, Any], width: float) -> dict[str, Any]:
    """The title and the subtitle of a spec in lines that fit a width."""
    values = _frame_values(spec)
    title = {name: part for name, part in spec.get("title", {}).items() if name != "limit"}
    config = spec["config"]["title"]
    for name, font_size, weight in (
        ("text", config["fontSize"], fonts.SEMIBOLD),
        ("subtitle", config["subtitleFontSize"], fonts.REGULAR),
    ):
        if name in title:
            text = title[name]
            text = values.get(text["expr"], "") if isinstance(text, dict) else text
            title[name] = wrap(text, width, font_size, weight)
    return title


def _frame_values(spec: Mapping[str, Any]) -> dict[str, str]:
    """The values of the table `frame`, by the expressions that read them."""
    rows = spec["datasets"].get("frame", [{}])
    return {in_frame(name): value for name, value in rows[0].items()}


def wrap(text: str | Sequence[str], width: float, size: float, weight: int) -> list[str]:
    """A text in lines that fit a width, broken at spaces."""
    lines: list[str] = []
    for line in [text] if isinstance(text, str) else text:
        lines.append("")
        for word in line.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and fonts.width(longer, size, weight) > width:
                lines.append(word)
            else:
                lines[-1] = longer
    return lines


def _with_all_labels(layer: dict[str, Any]) -> dict[str, Any]:
    """The layer with all labels of its x axis: on paper the picture grows where they stand out."""
    x = layer.get("encoding", {}).get("x", {})
    if "labelBound" not in (x.get("axis") or {}):
        return layer
    x = {**x, "axis": {**x["axis"], "labelBound": False}}
    return {**layer, "encoding": {**layer["encoding"], "x": x}}


def without_empty_legend(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec without legends that would be empty, which Vega cannot lay out."""
    if _frame_values(spec).get(in_frame("optimizers")) != "":
        return spec
    bare: dict[str, Any] = without_guides(spec)
    return bare


def without_guides(part: Any, shared: bool = False) -> Any:
    """The spec without its legends, or, as that of a shared panel, without its y axis and with
    invisible legends."""
    if isinstance(part, list):
        return [without_guides(item, shared) for item in part]
    if not isinstance(part, dict):
        return part
    bare = {
        name: value if name == "datasets" else without_guides(value, shared)
        for name, value in part.items()
    }
    for channel, encoding in bare.get("encoding", {}).items():
        if shared and channel == "y" and "field" in encoding:
            hidden = {"labels": False, "ticks": False, "title": None, "minExtent": 0}
            encoding["axis"] = {**(encoding.get("axis") or {}), **hidden}
        if channel in ("color", "fill", "stroke") and "field" in encoding:
            legend = encoding.get("legend", {})
            is_kept = shared and legend is not None
            encoding["legend"] = {**legend, **INVISIBLE} if is_kept else None
    return bare


# ---- the sheet -----------------------------------------------------------------------------------


def _sheet(figures: FigureSet, size: Size) -> tuple[str, float, float]:
    """Heading, panels, legend and source as SVG, and their width and height in layout pixels."""
    starts = range(0, len(figures.panels), size.columns)
    rows = [figures.panels[first : first + size.columns] for first in starts]
    drawn, top = _heading(figures, size.inner)
    legend, legend_height = legend_svg(figures, size.inner)
    source, source_height = _source(figures, size)
    for number, row in enumerate(rows):
        room = None
        if size.inner_height is not None:
            below = legend_height + source_height
            free = size.inner_height - top - below - GAP * len(rows)
            room = free / (len(rows) - number)
        panels = _row(row, size, f"r{number}", figures.shared, room)
        row_svg, row_height = _row_svg(panels, size, top)
        drawn += row_svg
        top += row_height
        top += GAP if number < len(rows) - 1 else 0
    if legend:
        drawn.append(f'<g transform="translate(0,{top + GAP / 2:.2f})">{legend}</g>')
        top += legend_height + GAP
    if source:
        drawn.append(f'<g transform="translate(0,{top:.2f})">{source}</g>')
        top += source_height
    svg = "".join(drawn)
    if size.inner_height is None:
        return svg, size.layout, top
    return _centered(svg, top, size), size.layout, size.inner_height + 2 * size.margin


def _row_svg(panels: Sequence[_Panel], size: Size, top: float) -> tuple[list[str], float]:
    """Panels side by side, with their plots aligned at the top, and the height of the row."""
    plot_top = max(panel.top for panel in panels)
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    left = (size.inner - width) / 2
    drawn = []
    for panel in panels:
        place = f"{left:.2f},{top + plot_top - panel.top:.2f}"
        drawn.append(f'<g transform="translate({place})">{panel.svg}</g>')
        left += panel.width + GAP
    return drawn, max(plot_top - panel.top + panel.height for panel in panels)


def _centered(svg: str, height: float, size: Size) -> str:
    """The SVG in the middle of a page of given height, scaled down where it does not fit."""
    room = size.inner_height or height
    scale = min(room / height, 1.0)
    left = size.margin + (size.inner - size.inner * scale) / 2
    top = size.margin + (room - height * scale) / 2
    return f'<g transform="translate({left:.2f},{top:.2f}) scale({scale:.4f})">{svg}</g>'


def _row(
    figures: Sequence[Figure], size: Size, prefix: str, shared: bool, room: float | None
) -> list[_Panel]:
    """Panels with plots of one size that fill the width or, where that is less, this height."""

    def draw(width: float, height: float | None) -> list[_Panel]:
        return [
            _panel(figure, size, width, height, f"{prefix}p{k}", shared and k > 0)
            for k, figure in enumerate(figures)
        ]

    def free_width(panels: Sequence[_Panel]) -> float:
        return size.inner - sum(panel.width for panel in panels) - GAP * (len(panels) - 1)

    plot_width, plot_height = size.inner / len(figures) - 70, None
    panels = draw(plot_width, plot_height)
    for _ in range(4):  # a wider plot may have other labels on its axes
        if 0 <= free_width(panels) < 1:
            break
        plot_width += free_width(panels) / len(figures) - 0.1
        panels = draw(plot_width, plot_height)
    tallest = max(panel.height for panel in panels)
    if room is not None and all("height" in figure.spec for figure in figures):
        lowest_plot = min(figure.spec["height"] for figure in figures)
        panels = draw(plot_width, lowest_plot + room - tallest)
    elif room is not None and tallest > room:  # here the height follows from the width
        panels = draw(plot_width - (tallest - room) / ASPECT, plot_height)
    return panels


def _heading(figures: FigureSet, width: float) -> tuple[list[str], float]:
    """The heading in lines that fit the width, and their height."""
    if not figures.heading:
        return [], 0.0
    lines = wrap(figures.heading, width, HEADING_SIZE, fonts.SEMIBOLD)
    color, line_height = figures.theme.foreground, HEADING_SIZE * 1.25
    drawn = [
        _text(line, 2, line_height * (k + 1), HEADING_SIZE, color, fonts.SEMIBOLD)
        for k, line in enumerate(lines)
    ]
    return drawn, line_height * len(lines) + GAP


def _source(figures: FigureSet, size: Size) -> tuple[str, float]:
    """The line that says where the figure is from, as small as text may be, and its height.

    An address has no spaces: it is broken before the names of its query.
    """
    if not figures.source:
        return "", 0.0
    font_size = MIN_TEXT / size.scale
    lines = [""]
    for part in re.split(r"(?<=[ /])|(?=[?&])", f"{SOURCE}{figures.source}"):
        for piece in _pieces(part, size.inner, font_size):
            if lines[-1] and fonts.width(lines[-1] + piece, font_size) > size.inner:
                lines.append("")
            lines[-1] += piece
    line_height, color = 1.25 * font_size, figures.theme.muted
    drawn = [
        _text(line, 2, line_height * (k + 1), font_size, color) for k, line in enumerate(lines)
    ]
    return "".join(drawn), line_height * (len(lines) + 0.5)


def _pieces(text: str, width: float, font_size: float) -> list[str]:
    """A text in pieces that fit a width, which a long name of a column may not."""
    count = math.ceil(fonts.width(text, font_size) / (0.8 * width)) or 1
    length = math.ceil(len(text) / count) or 1
    return [text[first : first + length] for first in range(0, len(text), length)]


def _text(
    text: str,
    x: float,
    y: float,
    size: float,
    color: str,
    weight: int = fonts.REGULAR,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}px" font-weight="{weight}"'
        f' text-anchor="{anchor}"'
        f' font-family="{FONTS}" fill="{color}">{escape(text)}</text>'
    )


# ---- the legend ----------------------------------------------------------------------------------


def legend_svg(figures: FigureSet, width: float) -> tuple[str, float]:
    """The legend in rows that fit the width, and its height; empty where there is none."""
    if not figures.legend:
        return "", 0.0
    bar, bar_height = _color_bar(figures, width)
    rows: list[list[tuple[LegendEntry, float]]] = [[]]
    for entry in figures.legend:
        entry_width = LEGEND_SYMBOL + fonts.width(entry.text, LEGEND_TEXT) + GAP
        if rows[-1] and sum(width for _, width in rows[-1]) + entry_width > width:
            rows.append([])
        rows[-1].append((entry, entry_width))
    drawn = []
    for number, row in enumerate(rows):
        y = (number + 0.5) * LEGEND_ROW
        left = (width - sum(entry_width for _, entry_width in row)) / 2
        for entry, entry_width in row:
            drawn.append(_symbol(entry, left + LEGEND_SYMBOL / 2, y))
            color = figures.theme.foreground
            drawn.append(_text(entry.text, left + LEGEND_SYMBOL, y + 4, LEGEND_TEXT, color))
            left += entry_width
    legend = f'<g transform="translate(0,{bar_height})">{"".join(drawn)}</g>'
    return bar + legend, bar_height + LEGEND_ROW * len(rows)


def _color_bar(figures: FigureSet, width: float) -> tuple[str, float]:
    """The bands of colour with their title above and their labels below, and their height."""
    bar = figures.color_bar
    if bar is None or not bar.colors:
        return "", 0.0
    band = min(BAND_WIDTH, (width - 4 * GAP) / len(bar.colors))  # labels stand out at both ends
    left = (width - band * len(bar.colors)) / 2
    muted, middle = figures.theme.muted, width / 2
    drawn = [_text(bar.title, middle, 12, LEGEND_TEXT, muted, anchor="middle")]
    for k, color in enumerate(bar.colors):
        x = left + k * band
        drawn.append(f'<rect x="{x:.2f}" y="18" width="{band:.2f}" height="10" fill="{color}"/>')
    every = math.ceil(max(fonts.width(label, LEGEND_TEXT) for label in bar.labels) * 1.3 / band)
    for k, label in enumerate(bar.labels):
        if k % every == 0:
            drawn.append(_text(label, left + k * band, 42, LEGEND_TEXT, muted, anchor="middle"))
    return "".join(drawn), 50.0


def _symbol(entry: LegendEntry, x: float, y: float) -> str:
    """The symbol of an entry, centered at a point."""
    if entry.symbol == "line":
        return f'<path d="M{x - 8:.2f},{y:.2f}h14" stroke="{entry.stroke}" stroke-width="3.5"/>'
    return (
        f'<path transform="translate({x:.2f},{y:.2f}) scale(6.5)" d="{entry.symbol}"'
        f' fill="{entry.fill}" stroke="{entry.stroke}" stroke-width="0.25"/>'
    )
