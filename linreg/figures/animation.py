"""A replay as an animated GIF.

The sheet of the last step is drawn once. Of the other steps only the layers are drawn whose tables
move with the step, and take the places of those of the last: a tenth of the work.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float, Int, UInt8

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
Pixels = UInt8[np.ndarray, "H W 4"]
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
    from PIL import Image  # Streamlit's, and only needed here

    steps = replay_steps(figures_of(theme, None), last, frames)
    painter = _Painter(figures_of(theme, None), steps[-1])
    pictures = []
    for k, step in enumerate(steps):
        pictures.append(painter.picture(figures_of(theme, step), step))
        progress(k + 1, len(steps))
    # colours of the first and the last frame, which have all that there are
    both = Image.new("RGB", (pictures[0].width, 2 * pictures[0].height))
    both.paste(pictures[0])
    both.paste(pictures[-1], (0, pictures[0].height))
    palette = both.quantize(COLORS, Image.Quantize.MAXCOVERAGE, kmeans=1)
    first, *others = (
        picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
    )
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


class _Painter:
    """Draws frames: what does not move is drawn once, below them and, texts, above them."""

    def __init__(self, at_end: FigureSet, last: int) -> None:
        self.size: Size = SIZES["page"]
        document = svg_document(replace(at_end, heading=_heading(last)), self.size, "pt")
        self.sheet = ElementTree.fromstring(document)
        self.layers = _layers_by_panel(self.sheet)
        self.moving = [_moving_layers(panel, self.size) for panel in at_end.panels]
        self.plots = [_plot_size(layers[0]) for layers in self.layers]
        self.below = self._drawn(lambda panel, layer: layer < min(self.moving[panel]), rest=True)
        self.above = self._drawn(lambda panel, layer: self._place(panel, layer) == "above")

    def _place(self, panel: int, layer: int) -> str:
        """Where a layer is drawn: `below` all frames, in each `frame`, or `above` all of them."""
        moving = self.moving[panel]
        if layer < min(moving):
            return "below"
        is_still_text = layer not in moving and "mark-text" in self.layers[panel][layer].get(
            "class", ""
        )
        return "above" if is_still_text else "frame"

    def picture(self, figures: FigureSet, step: int) -> Image:
        """The frame of a step."""
        from PIL import Image

        moved = [self._moved(panel, k) for k, panel in enumerate(figures.panels)]
        frame = self._drawn(
            lambda panel, layer: self._place(panel, layer) == "frame", moved=moved, step=step
        )
        return Image.fromarray(_over(self.above, _over(frame, self.below))[..., :3])

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
        return dict(zip(self.moving[panel], layers[1:], strict=True))

    def _drawn(
        self,
        is_shown: Callable[[int, int], bool],
        rest: bool = False,
        moved: Sequence[dict[int, Element]] = (),
        step: int | None = None,
    ) -> Pixels:
        """The chosen layers as a picture, and where asked the `rest` of the sheet.

        `moved` take the places of layers; `step` is written into the heading.
        """
        from PIL import Image

        sheet = deepcopy(self.sheet)
        for k, layers in enumerate(_layers_by_panel(sheet)):
            for layer, element in enumerate(layers):
                content = list(element) if is_shown(k, layer) else []
                if content and moved and layer in moved[k]:
                    content = list(moved[k][layer])
                element[:] = content
        if not rest:
            _keep_layers(sheet)
        if step is not None:
            sheet.append(deepcopy(_heading_element(self.sheet)))
            sheet[-1].text = _heading(step)
        elif rest:
            _heading_element(sheet).text = ""
        png = render(svg_to_png, ElementTree.tostring(sheet, "unicode"), PPI)
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def _over(top: Pixels, bottom: Pixels) -> Pixels:
    """A picture on another. The renderer's colours are multiplied by their opacity already."""
    transparency = 255 - top[..., 3:].astype(np.uint16)  # (H, W, 1)
    seen: Pixels = top + (bottom * transparency / 255 + 0.5).astype(np.uint8)
    return seen


def _heading(step: int) -> str:
    return f"Step {step:,}"


def _heading_element(sheet: Element) -> Element:
    return next(part for part in sheet if part.tag == f"{{{SVG}}}text")


def _keep_layers(element: Element) -> bool:
    """Remove what is in an element, other than layers that show something. Whether one is left."""
    if "role-mark" in element.get("class", ""):
        return len(element) > 0
    element[:] = [part for part in element if _keep_layers(part)]
    return len(element) > 0


def _layers_by_panel(sheet: Element) -> list[list[Element]]:
    """The groups of each panel's layers."""
    panels: list[list[Element]] = []
    for element in sheet.iter(f"{{{SVG}}}g"):
        match = re.search(r"\blayer_(\d+)_marks", element.get("class", ""))
        if match:
            if match[1] == "0":
                panels.append([])
            panels[-1].append(element)
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
