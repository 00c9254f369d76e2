"""A plate, which is one figure or a few panels side by side, as a file: SVG, PDF, PNG, HTML, CSV,
or its caption.

Every picture is made of the same layers as on the screen: each panel is drawn as SVG, and the
panels are laid on one sheet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from typing import Any

import pandas as pd

from linreg.figures import fonts, renderer
from linreg.figures.figure import Figure, FigureSet, LegendEntry
from linreg.figures.layers import ASPECT
from linreg.figures.renderer import RenderError, render
from linreg.figures.theme import SMALLEST, in_frame
from linreg.settings.dependencies import FIGURES, missing, missing_message

POINTS = 72 / 25.4  # a millimetre
LEAST_TEXT = 7  # points
GAP = 14  # layout pixels between panels, and around the key
KEY_TEXT, KEY_ROW, KEY_SYMBOL, HEADING = 12.5, 21, 22, 15


class ExportError(ValueError):
    """A format, size or theme that there is not."""


@dataclass(frozen=True)
class Size:
    """How large a picture is on paper, and how wide its layout is in pixels: together they set the
    size of its text."""

    key: str
    title: str
    width: float  # mm
    height: float | None  # mm; with none, as high as its panels need
    layout: int
    across: int  # panels in a row
    margin: float = 0.0  # layout pixels

    @property
    def inner(self) -> float:
        """The width between the margins, in layout pixels."""
        return self.layout - 2 * self.margin

    @property
    def scale(self) -> float:
        """Points a layout pixel."""
        return self.width * POINTS / self.layout


SIZES: dict[str, Size] = {
    size.key: size
    for size in (
        Size("column", "one column, 85 mm", 85, None, 370, 1),
        Size("page", "two columns, 175 mm", 175, None, 760, 2),
        Size("slide", "slide, 16:9", 254, 142.875, 760, 2, margin=16),
    )
}


@dataclass(frozen=True)
class Format:
    """A kind of file and how it is made of a plate."""

    key: str
    title: str
    mime: str
    make: Callable[[FigureSet, Size], bytes]
    sized: bool = True  # whether it differs from size to size
    drawn: bool = True  # whether it needs the packages for figures


def exported(plate: FigureSet, kind: str = "svg", size: str = "page") -> bytes:
    """The plate as a file of a kind of FORMATS, in one of SIZES. Raises `ExportError` for another
    kind or size."""
    check_packages([kind])
    if size not in SIZES:
        raise ExportError(f"size {size!r} is not known; use one of {', '.join(SIZES)}")
    return FORMATS[kind].make(plate, SIZES[size])


def check_packages(kinds: Sequence[str]) -> None:
    """Raise `ExportError` for a kind that there is not, `RenderError` for one that needs packages
    that are not here."""
    for kind in kinds:
        if kind not in FORMATS:
            raise ExportError(f"format {kind!r} is not known; use one of {', '.join(FORMATS)}")
    if any(FORMATS[kind].drawn for kind in kinds) and missing(FIGURES):
        raise RenderError(missing_message("figures as files need", missing(FIGURES)))


def file_name(plate: FigureSet, kind: str, size: str = "page", of: str = "") -> str:
    """A name that says what the file shows, and `of` what:
    `loss-surfaces_rmsprop-lr-0.01-batch-100_page_dark.svg`."""
    words = [
        plate.name,
        of,
        size if FORMATS[kind].sized else "",
        "dark" if plate.theme.name == "dark" else "",
    ]
    return "_".join(_slug(word) for word in words if word) + f".{kind}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


# ---- panels --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drawn:
    """A panel as SVG without its outermost element, and in it where its plot begins."""

    inner: str
    width: float
    height: float
    left: float
    top: float


def _drawn(
    figure: Figure, size: Size, width: float, height: float | None, mark: str, shared: bool
) -> _Drawn:
    """A panel whose plot is so wide, and where its height is its own so high. `mark` keeps its
    definitions apart from other panels'; with `shared` what the panel to its left already says is
    left out: the vertical axis and the legends."""
    spec = _laid_out(figure.standalone(), size, width, height)
    spec = _without(spec, axis=True) if shared else _without_empty_legend(spec)
    svg = render(renderer.spec_to_svg, spec)
    head = re.match(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>', svg)
    plot = re.search(r'<g [^>]*transform="translate\(([\d.-]+),([\d.-]+)\)"', svg)
    if head is None or plot is None:
        raise RenderError(
            "the renderer's picture does not begin with its size and the place of its plot"
        )
    inner = svg[head.end() : svg.rindex("</svg>")]
    known: dict[str, str] = {}  # the renderer counts its definitions on from picture to picture
    inner = re.sub(
        r'(?<=id=")[^"]+|(?<=url\(#)[^)]+',
        lambda one: known.setdefault(one[0], f"{mark}d{len(known)}"),
        inner,
    )
    inner = re.sub(r'font-family="[^"]*"', f'font-family="{FONTS}"', inner)
    return _Drawn(inner, *(float(number) for number in (*head.groups(), *plot.groups())))


FONTS = f"'{fonts.FAMILY}', 'DejaVu Sans', sans-serif"


def _laid_out(
    spec: Mapping[str, Any], size: Size, width: float, height: float | None
) -> dict[str, Any]:
    """The spec with a plot of a width in pixels, and its titles broken into lines that fit above
    it."""
    values = _frame_values(spec)
    title = {name: part for name, part in spec.get("title", {}).items() if name != "limit"}
    config = spec["config"]["title"]
    for name, text_size, weight in (
        ("text", "fontSize", fonts.SEMIBOLD),
        ("subtitle", "subtitleFontSize", fonts.REGULAR),
    ):
        if name in title:
            text = title[name]
            text = values.get(text["expr"], "") if isinstance(text, dict) else text
            title[name] = broken(text, width, config[text_size], weight)
    fixed: dict[str, Any] = {"height": height} if height is not None else {}
    if (
        "layer" in spec
    ):  # what cannot be seen is for the mouse, but for the layer that brings the frame along
        seen = [
            layer
            for layer in spec["layer"]
            if layer["mark"].get("opacity") != 0 or _has_frame(layer)
        ]
        fixed["layer"] = [_with_all_labels(layer) for layer in seen]
    if "params" in spec:
        legible = {"value": LEAST_TEXT / size.scale}
        fixed["params"] = [
            one | legible if one["name"] == SMALLEST else one for one in spec["params"]
        ]
    return {**spec, "title": title, "width": width, "autosize": {"type": "pad"}, **fixed}


def _has_frame(layer: Mapping[str, Any]) -> bool:
    found: bool = layer.get("data", {}).get("name") == "frame"
    return found


def _with_all_labels(layer: dict[str, Any]) -> dict[str, Any]:
    """A layer whose labels below may stand out on the right: here the picture grows with them, and
    its width is given."""
    x = layer.get("encoding", {}).get("x", {})
    if "labelBound" not in (x.get("axis") or {}):
        return layer
    return {
        **layer,
        "encoding": {**layer["encoding"], "x": {**x, "axis": {**x["axis"], "labelBound": False}}},
    }


def _frame_values(spec: Mapping[str, Any]) -> dict[str, str]:
    """What the expressions for a frame's values stand for."""
    rows = spec["datasets"].get("frame", [{}])
    return {in_frame(name): value for name, value in rows[0].items()}


def broken(text: str | Sequence[str], width: float, size: float, weight: int) -> list[str]:
    """A text in lines that fit a width, broken at spaces."""
    lines: list[str] = []
    for given in [text] if isinstance(text, str) else text:
        lines.append("")
        for word in given.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and fonts.width(longer, size, weight) > width:
                lines.append(word)
            else:
                lines[-1] = longer
    return lines


def _without_empty_legend(spec: dict[str, Any]) -> dict[str, Any]:
    """A legend of nothing has no size, and what stands below it no place."""
    without: dict[str, Any] = (
        _without(spec) if _frame_values(spec).get(in_frame("optimizers")) == "" else spec
    )
    return without


def _without(part: Any, axis: bool = False) -> Any:
    """The spec without its legends, and where asked without its vertical axis."""
    if isinstance(part, list):
        return [_without(one, axis) for one in part]
    if not isinstance(part, dict):
        return part
    changed = {
        name: one if name == "datasets" else _without(one, axis) for name, one in part.items()
    }
    for channel, encoding in changed.get("encoding", {}).items():
        if axis and channel == "y" and "field" in encoding:
            bare = {"labels": False, "ticks": False, "title": None, "minExtent": 0}
            encoding["axis"] = {**(encoding.get("axis") or {}), **bare}
        if channel in ("color", "fill", "stroke") and "field" in encoding:
            encoding["legend"] = None
    return changed


# ---- the sheet -----------------------------------------------------------------------------------


def _sheet(plate: FigureSet, size: Size) -> tuple[str, float, float]:
    """The panels and the key on one sheet: what is inside of its SVG, its width and its height in
    layout pixels."""
    rows = [
        plate.panels[first : first + size.across]
        for first in range(0, len(plate.panels), size.across)
    ]
    drawn, top = _heading(plate, size.inner)
    room = None if size.height is None else size.height / size.width * size.layout - 2 * size.margin
    key, key_height = _key(plate, size.inner)
    for number, row in enumerate(rows):
        available = (
            None
            if room is None
            else (room - top - key_height - GAP * len(rows)) / (len(rows) - number)
        )
        panels = _row(row, size, f"r{number}", plate.shared, available)
        middle = max(panel.top for panel in panels)
        wide = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
        left = (size.inner - wide) / 2
        for panel in panels:
            drawn.append(
                f'<g transform="translate({left:.2f},{top + middle - panel.top:.2f})">{panel.inner}</g>'
            )
            left += panel.width + GAP
        top += max(middle - panel.top + panel.height for panel in panels)
        top += GAP if number < len(rows) - 1 else 0
    if key:
        drawn.append(f'<g transform="translate(0,{top + GAP / 2:.2f})">{key}</g>')
        top += key_height + GAP
    if room is not None:
        scale = min(room / top, 1.0)
        left, above = (
            size.margin + (size.inner - size.inner * scale) / 2,
            size.margin + (room - top * scale) / 2,
        )
        drawn = [
            f'<g transform="translate({left:.2f},{above:.2f}) scale({scale:.4f})">',
            *drawn,
            "</g>",
        ]
        top = room + 2 * size.margin
    return "".join(drawn), size.layout, top


def _row(
    figures: Sequence[Figure], size: Size, mark: str, shared: bool, room: float | None
) -> list[_Drawn]:
    """Panels beside each other, with plots of one size, that fill a width, and where there is
    `room` a height, or are as wide as fits into it."""

    def drawn(plot: float, height: float | None) -> list[_Drawn]:
        return [
            _drawn(figure, size, plot, height, f"{mark}p{k}", shared and k > 0)
            for k, figure in enumerate(figures)
        ]

    def left(panels: Sequence[_Drawn]) -> float:
        return size.inner - sum(panel.width for panel in panels) - GAP * (len(panels) - 1)

    plot, height = size.inner / len(figures) - 70, None
    panels = drawn(plot, height)
    for _ in range(4):  # a wider plot may have other labels on its axes
        if 0 <= left(panels) < 1:
            break
        plot += left(panels) / len(figures) - 0.1
        panels = drawn(plot, height)
    tallest = max(panel.height for panel in panels)
    if room is not None and all("height" in figure.spec for figure in figures):
        panels = drawn(plot, min(figure.spec["height"] for figure in figures) + room - tallest)
    elif room is not None and tallest > room:  # the height follows the width
        panels = drawn(plot - (tallest - room) / ASPECT, height)
    return panels


def _heading(plate: FigureSet, width: float) -> tuple[list[str], float]:
    """The heading in lines that fit the width, and how high they are."""
    lines = broken(plate.heading, width, HEADING, fonts.SEMIBOLD) if plate.heading else []
    ink, line = plate.theme.ink, HEADING * 1.25
    drawn = [
        _text(text, 2, line * (k + 1), HEADING, ink, fonts.SEMIBOLD) for k, text in enumerate(lines)
    ]
    return drawn, (line * len(lines) + GAP if lines else 0.0)


def _text(
    text: str, x: float, y: float, size: float, color: str, weight: int = fonts.REGULAR
) -> str:
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size}px" font-weight="{weight}" font-family="{FONTS}"'
        f' fill="{color}">{escape(text)}</text>'
    )


def _key(plate: FigureSet, width: float) -> tuple[str, float]:
    """The key's entries in rows that fit the width, and how high that is."""
    if not plate.key:
        return "", 0.0
    rows: list[list[tuple[LegendEntry, float]]] = [[]]
    for mark in plate.key:
        taken = KEY_SYMBOL + fonts.width(mark.text, KEY_TEXT) + GAP
        if rows[-1] and sum(one for _, one in rows[-1]) + taken > width:
            rows.append([])
        rows[-1].append((mark, taken))
    drawn = []
    for number, row in enumerate(rows):
        left, y = (width - sum(taken for _, taken in row)) / 2, (number + 0.5) * KEY_ROW
        for mark, taken in row:
            x = left + KEY_SYMBOL / 2
            if mark.symbol == "line":
                drawn.append(
                    f'<path d="M{x - 8:.2f},{y:.2f}h14" stroke="{mark.stroke}" stroke-width="3.5"/>'
                )
            else:
                drawn.append(
                    f'<path transform="translate({x:.2f},{y:.2f}) scale(6.5)" d="{mark.symbol}" fill="{mark.fill}"'
                    f' stroke="{mark.stroke}" stroke-width="0.25"/>'
                )
            drawn.append(_text(mark.text, left + KEY_SYMBOL, y + 4, KEY_TEXT, plate.theme.ink))
            left += taken
    return "".join(drawn), KEY_ROW * len(rows)


def _svg(plate: FigureSet, size: Size, unit: str = "mm") -> str:
    inner, width, height = _sheet(plate, size)
    points = size.width * POINTS, size.width * POINTS * height / width
    wide, high = points if unit == "pt" else (points[0] / POINTS, points[1] / POINTS)
    ends = "" if unit == "pt" else unit
    style = "" if unit == "pt" else f"<style>{fonts.rules(_said(inner))}</style>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img"'
        f' width="{wide:.3f}{ends}" height="{high:.3f}{ends}" viewBox="0 0 {width:.2f} {height:.2f}">'
        f"<title>{escape(plate.name)}</title><desc>{escape(plate.alt)}</desc>{style}"
        f'<rect width="100%" height="100%" fill="{plate.theme.background}"/>{inner}</svg>'
    )


def _said(svg: str) -> str:
    """All the text of an SVG."""
    return unescape("".join(re.findall(r">([^<]+)</t", svg)))


# ---- formats -------------------------------------------------------------------------------------


def _as_svg(plate: FigureSet, size: Size) -> bytes:
    return _svg(plate, size).encode()


def _as_pdf(plate: FigureSet, size: Size) -> bytes:
    return render(renderer.svg_to_pdf, _svg(plate, size, "pt"))


def _as_png(plate: FigureSet, size: Size) -> bytes:
    return render(renderer.svg_to_png, _svg(plate, size, "pt"), 300)


def _as_csv(plate: FigureSet, _: Size) -> bytes:
    """The table of each panel, under each other; a column says which where there are several."""
    tables = [panel.shown_table() for panel in plate.panels]
    if plate.labels:
        tables = [
            table.assign(panel=label) for table, label in zip(tables, plate.labels, strict=True)
        ]
    return pd.concat(tables).to_csv(index=False).encode()


def _as_caption(plate: FigureSet, _: Size) -> bytes:
    return f"{plate.caption}\n".encode()


@lru_cache(maxsize=1)
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script."""
    return render(renderer.javascript_bundle).replace("</script", "<\\/script")


def _as_html(plate: FigureSet, _: Size) -> bytes:
    """A page that needs no network; its panels stand side by side where there is room."""
    specs = json.dumps(
        [_without_empty_legend(panel.standalone()) for panel in plate.panels], allow_nan=False
    ).replace("<", "\\u003c")
    places = "".join(
        f'<div id="panel{k}" role="img" aria-label="{escape(p.alt)}"></div>'
        for k, p in enumerate(plate.panels)
    )
    key, height = _key(plate, SIZES["page"].layout)
    typeface = fonts.rules(
        "".join(map(chr, range(0xA0, 0x180)))
    )  # what a reader's own renderer may come to write
    drawn = f'<svg viewBox="0 0 {SIZES["page"].layout} {height}" style="max-width:{SIZES["page"].layout}px">{key}</svg>'
    theme = plate.theme
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(plate.name)}</title>
<style>
{typeface}
body {{ margin: 1rem auto; max-width: 72rem; padding: 0 1rem; background: {theme.background}; color: {theme.ink};
  font-family: {FONTS}; }}
figure {{ margin: 0; }}
.panels {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
.panels > div {{ flex: 1 1 20rem; min-width: 0; }}
figcaption {{ color: {theme.quiet}; font-size: 0.9rem; line-height: 1.4; margin-top: 0.5rem; }}
</style>
</head>
<body>
<figure>
<div class="panels">{places}</div>
{drawn if key else ""}
<figcaption>{escape(plate.caption)}</figcaption>
</figure>
<script type="module">
{_bundle()}
const specs = {specs};
specs.forEach((spec, k) => vegaEmbed("#panel" + k, spec, {{renderer: "svg", actions: false}}));
</script>
</body>
</html>
""".encode()


FORMATS: dict[str, Format] = {
    one.key: one
    for one in (
        Format("svg", "SVG", "image/svg+xml", _as_svg),
        Format("pdf", "PDF", "application/pdf", _as_pdf),
        Format("png", "PNG, 300 dpi", "image/png", _as_png),
        Format("html", "HTML", "text/html", _as_html, sized=False),
        Format("csv", "CSV of the data", "text/csv", _as_csv, sized=False, drawn=False),
        Format("txt", "Caption", "text/plain", _as_caption, sized=False, drawn=False),
    )
}
