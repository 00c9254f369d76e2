"""Filled contours of loss surfaces: their levels, points, labels and colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.figures.figure import ColorBar
from linreg.figures.label_places import LabelPlaces
from linreg.figures.simplify import kept_points
from linreg.figures.templates import in_frame
from linreg.figures.theme import Theme, text_halo
from linreg.quadratic.contours import Domain, sublevel_contours
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.fields import SettingsError
from linreg.text.numbers import quantity

TARGET_LEVELS = 11  # approximate number of contours
COLOR_BAR_TITLE = "RMSE, one scale for both"
LABEL_SIZE = 11  # pixels
MARGIN = 0.05  # labels stand at least this far inside the plot, relative to its width
DIRECTIONS = np.radians([-45, -135, 45, 135, -90, 90, 0, 180])  # of labels, best first


# ---- levels --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Levels:
    """Contour levels at multiples of `spacing` in the RMSE, the root of the loss, in units of y.

    They are numbered from 1, the lowest that any of the surfaces reaches, to `count`, which covers
    the domain on all of them.
    """

    spacing: float
    below: int  # level k is at (below + k) · spacing
    count: int

    def rmse(self) -> Float[np.ndarray, " L"]:
        """The RMSE of each level, the lowest first."""
        return self.spacing * (self.below + np.arange(1.0, self.count + 1))

    def excess(self, surface: Quadratic) -> Float[np.ndarray, " L"]:
        """How far each level lies above the minimum loss of a surface; 0 where it lies below."""
        return np.maximum(self.rmse() ** 2 - surface.min_loss, 0.0)


def rmse_levels(surfaces: Sequence[Quadratic], domain: Domain) -> Levels:
    """Levels for all surfaces at once, at multiples of a round number."""
    least = min(math.sqrt(max(surface.min_loss, 0.0)) for surface in surfaces)
    most = max(
        math.sqrt(max(surface.min_loss, 0.0) + highest_excess(surface, domain))
        for surface in surfaces
    )
    spacing = round_number((most - least) / TARGET_LEVELS)
    if not spacing or most - least <= 1e-9 * most:  # flat surfaces
        return Levels(0.0, 0, 0)
    below = math.floor(least / spacing)
    return Levels(spacing, below, math.ceil(most / spacing) - below)


def excess_levels(spacing: float, count: int) -> Float[np.ndarray, " L"]:
    """Excess losses at equal steps of √(loss − minimum), the lowest first."""
    return (spacing * np.arange(1.0, count + 1)) ** 2


def excess_spacing(surfaces: Sequence[Quadratic], domain: Domain) -> float:
    """A round spacing of contours in √(loss − minimum), the same for all surfaces."""
    highest = max(highest_excess(surface, domain) for surface in surfaces)
    return round_number(math.sqrt(highest) / TARGET_LEVELS)


def excess_count(surface: Quadratic, domain: Domain, spacing: float) -> int:
    """How many levels of this spacing in √(loss − minimum) cover the domain."""
    return math.ceil(math.sqrt(highest_excess(surface, domain)) / spacing) if spacing else 0


def highest_excess(surface: Quadratic, domain: Domain) -> float:
    """The largest loss − minimum in the domain, which is at one of its corners.

    Raises `SettingsError` where the loss overflows.
    """
    corners = np.array([[w1, w2] for w1 in domain[:2] for w2 in domain[2:]])
    with np.errstate(over="ignore", invalid="ignore"):
        excess = float((surface.value(corners) - surface.min_loss).max())
    if not math.isfinite(excess):
        farthest = max(map(abs, domain))
        raise SettingsError(
            f"the loss overflows double precision at weights of {farthest:.2g}, which are in the"
            " picture; start nearer, or standardise the features",
            "init",
        )
    return max(excess, 0.0)  # rounding may give less than 0 on a flat surface


def round_number(value: float) -> float:
    """The nearest of 1, 2, 2.5 and 5 times a power of ten; 0 for 0."""
    if not value > 0 or not math.isfinite(value):
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return min(
        (factor * power for factor in (1, 2, 2.5, 5, 10)),
        key=lambda number: abs(math.log(number / value)),
    )


def coordinate_dtype(domain: Domain) -> Literal["float32", "float64"]:
    """The dtype of coordinates in a domain: float32, half the bytes, where its range suffices."""
    farthest = max(map(abs, domain))
    return "float32" if 1e-30 < farthest < 1e30 else "float64"


# ---- tables --------------------------------------------------------------------------------------


def contour_table(
    surface: Quadratic, domain: Domain, excess: Float[np.ndarray, " L"]
) -> pd.DataFrame:
    """The points of the contours at these excess losses, numbered from 1, the last drawn first."""
    count = len(excess)
    contours = simplify_contours(sublevel_contours(surface, excess[::-1], domain), domain)
    w = np.concatenate([*contours, np.empty((0, 2))]).astype(coordinate_dtype(domain))  # (n, 2)
    sizes = [len(contour) for contour in contours]
    # A chart that is updated in place draws the lines it had before below those that are new, and
    # tells lines apart by level and order. Where the number of levels changes, every contour has
    # another order, so all are new; otherwise all are the same.
    order = np.repeat(np.arange(count, dtype=np.int16), sizes)
    level = np.repeat(np.arange(count, 0, -1, dtype=np.int16), sizes)
    return pd.DataFrame({"w1": w[:, 0], "w2": w[:, 1], "level": level, "order": order})


def simplify_contours(contours: Sequence[np.ndarray], domain: Domain) -> list[np.ndarray]:
    """The contours, each (n, 2), without the points that a plot of 4,000 pixels does not need."""
    span = np.array([domain[1] - domain[0], domain[3] - domain[2]])
    starts = np.cumsum([0, *map(len, contours)])
    points = np.concatenate([*contours, np.empty((0, 2))])
    kept = kept_points(points / (span / 4000), begins=starts[:-1])  # of all contours at once
    return np.split(points[kept], np.searchsorted(kept, starts[1:-1]))[: len(contours)]


def contour_labels(surface: Quadratic, levels: Levels, places: LabelPlaces) -> pd.DataFrame:
    """The RMSE on contours, along one direction from the minimum: the one with the most labels
    that keep off all that a plot shows so far.
    """
    domain = places.domain
    labels = [_labels_along(surface, levels, direction, places) for direction in DIRECTIONS]
    return max(labels, key=len).astype(dict.fromkeys(("w1", "w2"), coordinate_dtype(domain)))


def _labels_along(
    surface: Quadratic, levels: Levels, direction: float, places: LabelPlaces
) -> pd.DataFrame:
    """The labels along one direction, an angle on the screen, as far as they find room."""
    domain, places = places.domain, places.copy()
    width, height = domain[1] - domain[0], domain[3] - domain[2]
    step = np.array([math.cos(direction) * width, math.sin(direction) * width])
    curvature = float(step @ surface.A @ step)  # loss − minimum = curvature · t² along it
    excess = levels.excess(surface)
    rows: list[tuple[float, float, str]] = []
    if not curvature > 0:
        return pd.DataFrame(rows, columns=["w1", "w2", "label"])
    inner = np.array([width, height]) * [MARGIN, MARGIN * width / height]
    for rmse, above in zip(levels.rmse(), excess, strict=True):
        t = math.sqrt(above / curvature)
        place = surface.minimum + t * step
        low, high = np.array(domain[::2]) + inner, np.array(domain[1::2]) - inner
        if not above > 0 or (place < low).any() or (place > high).any():
            continue
        text = quantity(rmse)
        box = places.label_box(text, LABEL_SIZE, places.pixels(place[None])[0], 0, 0)
        if not places.covered(box):
            rows.append((*place.tolist(), text))
            places.add(box)
    return pd.DataFrame(rows, columns=["w1", "w2", "label"])


# ---- layers --------------------------------------------------------------------------------------


def fill_scale(theme: Theme) -> alt.Scale:
    """The colours of the levels 1 to `levels`, a value of the table `frame`."""
    last = len(theme.loss_ramp) - 1
    stops = [{"expr": f"1 + {k / last} * ({in_frame('levels')} - 1)"} for k in range(last + 1)]
    return alt.Scale(domain=stops, range=list(theme.loss_ramp), interpolate="rgb")


def level_colors(theme: Theme, count: int) -> tuple[str, ...]:
    """The colour of each level, as `fill_scale` gives it."""
    ramp = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in theme.loss_ramp])
    stops = np.linspace(0, 1, len(ramp))
    at = np.linspace(0, 1, count) if count > 1 else np.zeros(count)
    colors = np.stack([np.interp(at, stops, channel) for channel in ramp.T], axis=1)  # (count, 3)
    return tuple("#" + "".join(f"{round(c):02x}" for c in color) for color in colors.tolist())


def loss_color_bar(theme: Theme, levels: Levels, unit: str = "") -> ColorBar:
    """The colours of the levels, labelled with the RMSE at which each begins and ends; `unit` is
    that of the RMSE."""
    ends = [levels.spacing * (levels.below + k) for k in range(levels.count + 1)]
    title = f"{COLOR_BAR_TITLE}, in {unit}" if unit else COLOR_BAR_TITLE
    return ColorBar(title, level_colors(theme, levels.count), tuple(map(quantity, ends)))


def contour_label_layers(theme: Theme, w1: alt.X, w2: alt.Y) -> tuple[alt.Chart, alt.Chart]:
    """The labels of the contours, with their halos, from the table `heights`."""
    base = alt.Chart(alt.NamedData("heights")).encode(x=w1, y=w2, text="label:N")
    style: dict[str, Any] = {"fontSize": LABEL_SIZE}
    halo = base.mark_text(**text_halo(theme), opacity=0.75, **style)
    return halo, base.mark_text(color=theme.foreground, **style)
