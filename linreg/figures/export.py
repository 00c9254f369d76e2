"""A figure set as a file: SVG, PDF, PNG, HTML, CSV, or its caption."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

import pandas as pd

from linreg.figures import fonts, renderer
from linreg.figures.figure import FigureSet
from linreg.figures.renderer import RenderError, render
from linreg.figures.sheet import (
    FONTS,
    SOURCE,
    Size,
    legend_svg,
    svg_document,
    without_empty_legend,
)
from linreg.figures.theme import Theme
from linreg.settings.dependencies import FIGURES, missing, missing_message


class ExportError(ValueError):
    """An unknown format, size or theme."""


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
    """A kind of file, and how it is made from a figure set."""

    key: str
    title: str
    mime: str
    make: Callable[[FigureSet, Size], bytes]
    sized: bool = True  # whether it depends on the size
    drawn: bool = True  # whether it needs the packages for figures


def exported(figures: FigureSet, kind: str = "svg", size: str = "page") -> bytes:
    """The figure set as a file of a format of FORMATS, in one of SIZES.

    Raises `ExportError` for an unknown format or size, and `RenderError` where packages are missing
    or the renderer fails.
    """
    check_packages([kind])
    if size not in SIZES:
        raise ExportError(f"size {size!r} is not known; use one of {', '.join(SIZES)}")
    return FORMATS[kind].make(figures, SIZES[size])


def with_source(figures: FigureSet, source: str) -> FigureSet:
    """The figure set with the line that says where it is from, such as an address, and with a
    heading where no panel has a title."""
    is_titled = any(panel.spec.get("title", {}).get("text") for panel in figures.panels)
    heading = figures.heading if is_titled else title(figures)
    return replace(figures, heading=heading, source=source)


def title(figures: FigureSet) -> str:
    """The title of a figure set: its heading, or its name."""
    return figures.heading or f"{figures.name[:1].upper()}{figures.name[1:]}"


def check_packages(kinds: Sequence[str]) -> None:
    """Check that files of these formats can be made.

    Raises `ExportError` for an unknown format, `RenderError` where packages are missing.
    """
    for kind in kinds:
        if kind not in FORMATS:
            raise ExportError(f"format {kind!r} is not known; use one of {', '.join(FORMATS)}")
    if any(FORMATS[kind].drawn for kind in kinds) and missing(FIGURES):
        raise RenderError(missing_message("figures as files need", missing(FIGURES)))


def file_name(figures: FigureSet, kind: str, size: str = "page", of: str = "") -> str:
    """A name that says what the file shows, and `of` which settings:
    `loss-surfaces_rmsprop-lr-0.01-batch-100_page_dark.svg`."""
    words = [
        figures.name,
        of,
        size if kind in FORMATS and FORMATS[kind].sized else "",
        "dark" if figures.theme.name == "dark" else "",
    ]
    return "_".join(slug(word) for word in words if word) + f".{kind}"


def slug(text: str) -> str:
    """A text as part of a file's name, and of a link: `Loss surfaces` as `loss-surfaces`."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


# ---- formats -------------------------------------------------------------------------------------


def _as_svg(figures: FigureSet, size: Size) -> bytes:
    return svg_document(figures, size).encode()


def _as_pdf(figures: FigureSet, size: Size) -> bytes:
    return render(renderer.svg_to_pdf, svg_document(figures, size, "pt"))


def _as_png(figures: FigureSet, size: Size) -> bytes:
    return render(renderer.svg_to_png, svg_document(figures, size, "pt"), 300)


def _as_csv(figures: FigureSet, _: Size) -> bytes:
    """The tables of all panels; where there are several, a column says which panel a row is of."""
    tables = [panel.shown_table() for panel in figures.panels]
    if figures.labels:
        tables = [
            table.assign(panel=label) for table, label in zip(tables, figures.labels, strict=True)
        ]
    return pd.concat(tables).to_csv(index=False).encode()


def _as_caption(figures: FigureSet, _: Size) -> bytes:
    source = f"{SOURCE}{figures.source}\n" if figures.source else ""
    return f"{figures.caption}\n{source}".encode()


def _style_sheet(theme: Theme) -> str:
    body = (
        "margin: 1rem auto; max-width: 72rem; padding: 0 1rem;"
        f" background: {theme.background}; color: {theme.foreground};"
    )
    caption = f"color: {theme.muted}; font-size: 0.9rem; line-height: 1.4; margin-top: 0.5rem;"
    return f"""body {{ {body}
  font-family: {FONTS}; }}
figure {{ margin: 0; }}
h1 {{ font-size: 1.1rem; font-weight: 600; }}
figcaption p {{ font-size: 0.8rem; overflow-wrap: anywhere; }}
.panels {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
.panels > div {{ flex: 1 1 20rem; min-width: 0; }}
figcaption {{ {caption} }}"""


def _as_html(figures: FigureSet, _: Size) -> bytes:
    """A page that needs no network, with its panels side by side where there is room."""
    specs = [without_empty_legend(panel.standalone()) for panel in figures.panels]
    bundle = renderer.vega_bundle().replace("</script", "<\\/script")
    specs_json = json.dumps(specs, allow_nan=False).replace("<", "\\u003c")
    places = "".join(
        f'<div id="panel{k}" role="img" aria-label="{escape(panel.alt)}"></div>'
        for k, panel in enumerate(figures.panels)
    )
    width = SIZES["page"].layout
    legend, height = legend_svg(figures, width)
    if legend:
        style = f"max-width:{width}px"
        legend = f'<svg viewBox="0 0 {width} {height}" style="{style}">{legend}</svg>'
    heading = f"<h1>{escape(figures.heading)}</h1>" if figures.heading else ""
    source = f"<p>{SOURCE}{escape(figures.source)}</p>" if figures.source else ""
    latin = "".join(map(chr, range(0xA0, 0x180)))  # what Vega may write with a reader's locale
    typeface = fonts.rules(latin)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title(figures))}</title>
<style>
{typeface}
{_style_sheet(figures.theme)}
</style>
</head>
<body>
<figure>
{heading}
<div class="panels">{places}</div>
{legend}
<figcaption>{escape(figures.caption)}{source}</figcaption>
</figure>
<script type="module">
{bundle}
const specs = {specs_json};
// before it is loaded, texts would be laid out by the widths of another typeface
await Promise.allSettled([...document.fonts].map(face => face.load()));
specs.forEach((spec, k) => vegaEmbed("#panel" + k, spec, {{renderer: "svg", actions: false}}));
</script>
</body>
</html>
""".encode()


FORMATS: dict[str, Format] = {
    file_format.key: file_format
    for file_format in (
        Format("svg", "SVG", "image/svg+xml", _as_svg),
        Format("pdf", "PDF", "application/pdf", _as_pdf),
        Format("png", "PNG, 300 dpi", "image/png", _as_png),
        Format("html", "HTML", "text/html", _as_html, sized=False),
        Format("csv", "CSV of the data", "text/csv", _as_csv, sized=False, drawn=False),
        Format("txt", "Caption", "text/plain", _as_caption, sized=False, drawn=False),
    )
}
