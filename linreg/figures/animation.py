"""A replay as an animated GIF.

The sheet of the last step is drawn once. Of the other steps only the layers are drawn whose tables
move with the step, and take the places of those of the last: a third of the work.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float, Int

from linreg.figures.export import SIZES, file_name
from linreg.figures.figure import Figure, FigureSet
from linreg.figures.renderer import render, spec_to_svg, svg_to_png
from linreg.figures.sheet import FONTS, Size, for_paper, svg_document, without_guides
from linreg.figures.theme import Theme

if TYPE_CHECKING:
    from PIL.Image import Image

FRAMES = 60
FRAME_SECONDS, LAST_SECONDS = 0.07, 2.0  # a frame is shown so long, and the last one
COLORS = 256
PPI = 110  # of the page's width: 757 pixels
SETTLED = 1e-3  # of the whole length, which goes evenly to all steps

Element = ElementTree.Element
FiguresAt = Callable[[Theme, "int | None"], FigureSet]
SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", SVG)


def is_animated(figures: FigureSet) -> bool:
    """Whether paths move in all panels."""
    return all(len(panel.data.get("trail", ())) and panel.moving for panel in figures.panels)


def animated_gif(
    figures_of: FiguresAt,
    theme: Theme,
    last: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    frames: int = FRAMES,
) -> bytes:
    """The replay of a figure set from step 0 to `last`, as an animated GIF.

    `progress` is called with the number of frames that are done and of all; what it raises ends
    the work. Raises `RenderError`.
    """

    steps = replay_steps(figures_of(theme, None), last, frames)
    painter = _Painter(figures_of(theme, None), steps[-1])
    pictures = []
    for k, step in enumerate(steps):
        pictures.append(painter.picture(figures_of(theme, step), step))
        progress(k + 1, len(steps))
    first, *others = _with_one_palette(pictures)
    file = io.BytesIO()
    durations = [round(1000 * FRAME_SECONDS)] * len(others) + [round(1000 * LAST_SECONDS)]
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    return file.getvalue()


def animation_name(figures: FigureSet, of: str) -> str:
    """The name of the file, like that of a still figure."""
    return file_name(figures, "gif", of=of)


# ---- time ----------------------------------------------------------------------------------------


def replay_steps(figures: FigureSet, last: int, count: int) -> list[int]:
    """Up to `count` steps from 0 to `last`, at equal times of a replay; each once.

    Equal times are equal lengths of all paths together, as in `linreg/ui/live/clock.js`.
    """
    steps, times = replay_clock(figures, last)
    shown = np.interp(np.linspace(0, 1, count), times, steps)
    return np.unique(np.floor(shown + 0.5).astype(int)).tolist()  # type: ignore[no-any-return]


def replay_clock(
    figures: FigureSet, last: int
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Ascending steps, and the time from 0 to 1 of each."""
    segments = [_segments(panel) for panel in figures.panels if len(panel.data.get("trail", ()))]
    begin, end, length = np.concatenate([*segments, np.empty((0, 3))]).T  # (segments,)
    steps = np.unique(np.concatenate([[0, last], begin, end])).astype(int)  # (n,)
    total = length.sum()
    if not total > 0:
        return steps, steps / max(last, 1)
    rate = length / (end - begin)  # of length per step
    changes = np.zeros(len(steps))
    np.add.at(changes, np.searchsorted(steps, begin), rate)
    np.add.at(changes, np.searchsorted(steps, end), -rate)
    rates = np.maximum(np.cumsum(changes)[:-1], 0)
    before = np.append(0, np.cumsum(rates * np.diff(steps)))  # length up to each step, (n,)
    return steps, (1 - SETTLED) * np.minimum(before / total, 1) + SETTLED * steps / last


def _segments(panel: Figure) -> Float[np.ndarray, "n 3"]:
    """First step, last step, and length in widths of the plot of the lines of a panel's paths."""
    trail, frame = panel.data["trail"], panel.data["frame"]
    steps, pieces = trail["step"].to_numpy(float), trail["piece"].to_numpy()
    lengths = np.hypot(np.diff(trail["w1"].to_numpy(float)), np.diff(trail["w2"].to_numpy(float)))
    connected = (np.diff(pieces) == 0) & (np.diff(steps) > 0)
    width = float(frame["w1 to"].iloc[0] - frame["w1 from"].iloc[0])
    columns = np.stack([steps[:-1], steps[1:], lengths / width], axis=1)  # (n, 3)
    kept: np.ndarray = columns[connected]
    return kept


# ---- pictures ------------------------------------------------------------------------------------


def _with_one_palette(pictures: Sequence[Image]) -> list[Image]:
    """The pictures in the colours of the first and the last, which have nearly all that there are.

    Pillow itself looks for the nearest colour with six bits only, which tints large areas.
    """
    from PIL import Image

    width, height = pictures[0].size
    both = Image.new("RGB", (width, 2 * height))
    both.paste(pictures[0])
    both.paste(pictures[-1], (0, height))
    chosen = both.quantize(COLORS, Image.Quantize.MAXCOVERAGE, kmeans=1)
    palette = np.array(chosen.getpalette()).reshape(-1, 3)  # (C, 3)
    weights = np.array([1 << 16, 1 << 8, 1])
    found = []
    for picture in pictures:
        codes, places = np.unique(
            np.asarray(picture) @ weights, return_inverse=True
        )  # (n,), (H, W)
        colors = codes[:, None] // weights % 256  # (n, 3)
        nearest = ((colors[:, None] - palette) ** 2).sum(-1).argmin(1)  # (n,)
        indexed = Image.fromarray(nearest[places].reshape(height, width).astype(np.uint8), "P")
        indexed.putpalette(palette.astype(np.uint8).tobytes())
        found.append(indexed)
    return found


class _Painter:
    """Draws frames: what lies below all that moves is drawn once, and stays as an image."""

    def __init__(self, at_end: FigureSet, last: int) -> None:
        self.size: Size = SIZES["page"]
        document = svg_document(replace(at_end, heading=_heading(last)), self.size, "pt")
        self.sheet = ElementTree.fromstring(document)
        self.moving = [_moving_layers(panel, self.size) for panel in at_end.panels]
        layers = _layers_by_panel(self.sheet)
        self.plots = [_plot_size(panel[0][0]) for panel in layers]
        below = deepcopy(self.sheet)
        for panel, first in zip(_layers_by_panel(below), map(min, self.moving), strict=True):
            for number, groups in panel.items():
                for group in groups:
                    group[:] = list(group) if number < first else []
        heading = _heading_of(below)
        heading.text = ""
        self.below = self._image(render(svg_to_png, _text(below), PPI))

    def _image(self, png: bytes) -> Element:
        """A picture of the sheet as an element of it, whose pixels are those of the frame."""
        from PIL import Image

        _, _, layout_width, _ = map(float, self.sheet.get("viewBox", "").split())
        pixel = layout_width / (float(self.sheet.get("width", "")) * PPI / 72)  # in layout pixels
        width, height = Image.open(io.BytesIO(png)).size
        attributes = {
            "href": f"data:image/png;base64,{b64encode(png).decode()}",
            "width": str(width * pixel),
            "height": str(height * pixel),
            "preserveAspectRatio": "none",
            "image-rendering": "optimizeSpeed",
        }
        return Element(f"{{{SVG}}}image", attributes)

    def picture(self, figures: FigureSet, step: int) -> Image:
        """The frame of a step."""
        from PIL import Image

        sheet = deepcopy(self.sheet)
        for k, layers in enumerate(_layers_by_panel(sheet)):
            moved = self._moved(figures.panels[k], k)
            for number, groups in layers.items():
                for group in groups:
                    if number < min(self.moving[k]):
                        group[:] = []
                    elif number in moved:
                        group[:] = list(moved[number])
        heading = _heading_of(sheet)
        heading.text = _heading(step)
        panels = [part for part in sheet if part is not heading and _keep_layers(part)]
        sheet[:] = [self.below, *panels, heading]
        png = render(svg_to_png, _text(sheet), PPI)
        return Image.open(io.BytesIO(png)).convert("RGB")

    def _moved(self, figure: Figure, panel: int) -> dict[int, Element]:
        """The layers of a panel that move, by their place among all layers."""
        width, height = self.plots[panel]
        spec = for_paper(figure.standalone(), self.size, width, height)
        own = {"frame", *(spec["layer"][k]["data"]["name"] for k in self.moving[panel])}
        spec["layer"] = [_without_axes(spec["layer"][k]) for k in (0, *self.moving[panel])]
        spec["datasets"] = {name: spec["datasets"][name] for name in own}
        spec = {name: part for name, part in spec.items() if name != "title"}
        svg = render(spec_to_svg, without_guides(spec))
        svg = re.sub(r'font-family="[^"]*"', f'font-family="{FONTS}"', svg)
        (layers,) = _layers_by_panel(ElementTree.fromstring(svg))
        return {number: layers[k + 1][0] for k, number in enumerate(self.moving[panel])}


def _heading(step: int) -> str:
    return f"Step {step:,}"


def _text(sheet: Element) -> str:
    return ElementTree.tostring(sheet, "unicode")


def _heading_of(sheet: Element) -> Element:
    return next(part for part in sheet if part.tag == f"{{{SVG}}}text")


def _keep_layers(element: Element) -> bool:
    """Remove what is in an element, other than layers that show something. Whether one is left."""
    if "role-mark" in element.get("class", ""):
        return len(element) > 0
    element[:] = [part for part in element if _keep_layers(part)]
    return len(element) > 0


def _layers_by_panel(sheet: Element) -> list[dict[int, list[Element]]]:
    """The groups of each panel's layers, by number. A layer of several lines has several."""
    panels: list[dict[int, list[Element]]] = []
    for element in sheet.iter(f"{{{SVG}}}g"):
        match = re.search(r"\blayer_(\d+)_marks", element.get("class", ""))
        if match:
            if match[1] == "0":
                panels.append({})
            panels[-1].setdefault(int(match[1]), []).append(element)
    return panels


def _moving_layers(figure: Figure, size: Size) -> list[int]:
    """The layers on paper whose table moves with the step."""
    layers: list[dict[str, Any]] = for_paper(figure.standalone(), size, 100, None)["layer"]
    return [k for k, layer in enumerate(layers) if layer["data"]["name"] in figure.moving]


def _without_axes(layer: dict[str, Any]) -> dict[str, Any]:
    encoding = {
        channel: {**part, "axis": None} if channel in ("x", "y") and "field" in part else part
        for channel, part in layer["encoding"].items()
    }
    return {**layer, "encoding": encoding}


def _plot_size(whole_plot: Element) -> tuple[float, float]:
    """Width and height of a plot, in pixels, from the rectangle that covers it."""
    match = re.search(r"h(-?[\d.]+)v(-?[\d.]+)", next(iter(whole_plot)).get("d", ""))
    assert match, "the first layer is a rectangle"
    return abs(float(match[1])), abs(float(match[2]))
