"""Places for the labels of a plot over (w1, w2): off its marks, its lines, and each other.

Labels have a size in pixels, and a plot has one only in the browser. Places are chosen for a plot
of `WIDTH` pixels, about the narrowest on any page: in a wider one there is more room between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from linreg.quadratic.contours import Domain

WIDTH = 300.0
LETTER_WIDTH = 0.52  # relative to the font size, about the mean of the typeface
LINE_HEIGHT = 1.15  # relative to the font size
PATH_STEP = 4.0  # pixels between two points of a path that labels keep off
PATH_WIDTH = 5.0
MARK_WEIGHT = 3  # how often a mark counts
MAX_PATH = 1000 * WIDTH  # of a path that is longer, the rest is left out

Boxes = Float[np.ndarray, "n 4"]  # left, top, right and bottom, in pixels


@dataclass
class LabelPlaces:
    """What a plot shows so far, which the next label keeps off."""

    domain: Domain
    aspect: float  # height relative to the width
    _boxes: list[np.ndarray] = field(default_factory=list)  # (n, 4) each

    def copy(self) -> LabelPlaces:
        """Places that can be taken without taking these."""
        return LabelPlaces(self.domain, self.aspect, list(self._boxes))

    def pixels(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Points (w1, w2) in pixels, from the left and from the top."""
        left, right, _, top = self.domain
        scale = WIDTH / (right - left)
        return np.stack([points[:, 0] - left, top - points[:, 1]], axis=1) * scale

    def add_marks(
        self, points: Float[np.ndarray, "n 2"], radius: float, weight: int = MARK_WEIGHT
    ) -> None:
        """Marks of this radius in pixels, which are worse to cover than a line."""
        at = self.pixels(points)
        half = radius * math.sqrt(math.pi) / 2  # of a square of the same area
        boxes = np.concatenate([at - half, at + half], axis=1)
        self._boxes.append(np.repeat(boxes, weight, axis=0))

    def add_path(self, points: Float[np.ndarray, "n 2"]) -> None:
        """A line through these points; what lies outside of the plot does not matter."""
        at = self.pixels(points[np.isfinite(points).all(1)])
        at = at.clip(-WIDTH, 2 * WIDTH)
        if len(at) < 2:
            return
        lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(at, axis=0).T))])
        along = np.arange(0, min(lengths[-1], MAX_PATH), PATH_STEP)
        x, y = (np.round(np.interp(along, lengths, at[:, k]) / PATH_STEP) for k in range(2))
        cells = np.unique(x + 1j * y) * PATH_STEP
        centers, half = np.stack([cells.real, cells.imag], axis=1), PATH_WIDTH / 2
        self._boxes.append(np.concatenate([centers - half, centers + half], axis=1))

    def add(self, boxes: Boxes) -> None:
        self._boxes.append(boxes)

    def place(self, candidates: Sequence[Boxes]) -> int:
        """The index of the candidate, each the boxes of a label, that covers least, of equally good
        ones the first. Its label is added to what the next ones keep off."""
        best = min(range(len(candidates)), key=lambda k: (self.covered(candidates[k]), k))
        self.add(candidates[best])
        return best

    def place_invitation(self, start: Float[np.ndarray, " 2"]) -> Literal["above", "below"]:
        """Where the note stands by which the page invites to drag a start."""
        at = self.pixels(start[None])[0]
        boxes = [self.label_box("start: drag me", 13, at, 0, dy) for dy in (-28, 28)]
        return "above" if self.place(boxes) == 0 else "below"

    def share_of_lines(self) -> float:
        """How much of the plot the lines so far cover, as drawn with a width of `PATH_STEP`."""
        return sum(map(len, self._boxes)) * PATH_STEP**2 / (WIDTH**2 * self.aspect)

    def covered(self, label: Boxes) -> float:
        """How much a label covers or is cut off, relative to its own area."""
        taken = np.concatenate([*self._boxes, np.empty((0, 4))])
        low = np.maximum(label[:, None, :2], taken[None, :, :2])  # (boxes, taken, 2)
        high = np.minimum(label[:, None, 2:], taken[None, :, 2:])
        overlap = (high - low).clip(0).prod(-1).sum()
        area = (label[:, 2:] - label[:, :2]).prod(1).sum()
        corner = np.array([WIDTH, WIDTH * self.aspect])
        inner = np.minimum(label[:, 2:], corner) - np.maximum(label[:, :2], 0)
        outside = area - inner.clip(0).prod(1).sum()
        return round(float((overlap + 3 * outside) / area), 3)

    # ---- boxes of labels -------------------------------------------------------------------------

    def label_box(
        self, text: str, size: float, at: Float[np.ndarray, " 2"], dx: float, dy: float
    ) -> Boxes:
        """A label that is centred at a point in pixels, moved by (dx, dy) and then as far as it
        takes to stay inside the plot, as by `label_inside`."""
        half = text_width(text, size) / 2
        x = at[0] + dx
        x += max(0.0, half - x) - max(0.0, x + half - WIDTH)
        y, half_height = at[1] + dy, LINE_HEIGHT * size / 2
        return np.array([[x - half, y - half_height, x + half, y + half_height]])

    def turned_box(
        self, text: str, size: float, at: Float[np.ndarray, " 2"], angle: float, dy: float
    ) -> Boxes:
        """A label that is centred at a point, moved by `dy` and turned by an angle in degrees
        clockwise: as one box a letter."""
        turn = math.radians(angle)
        along, down = (
            np.array([math.cos(turn), math.sin(turn)]),
            np.array([-math.sin(turn), math.cos(turn)]),
        )
        count = max(math.ceil(text_width(text, size) / size), 1)
        steps = (np.arange(count) - (count - 1) / 2) * size
        centers = at + dy * down + steps[:, None] * along  # (letters, 2)
        half = LINE_HEIGHT * size / 2
        return np.concatenate([centers - half, centers + half], axis=1)


def text_width(text: str, size: float) -> float:
    """The width of a text in pixels, about."""
    return LETTER_WIDTH * size * len(text)
