"""Layers and scales that several figures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.figures.simplify import kept_points, significance
from linreg.figures.theme import Theme, placeholder
from linreg.quadratic.contours import Domain, sublevel_rings
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.fields import SettingsError

ASPECT = 0.8  # height of a surface by its width


RINGS = 11  # about so many levels


LETTER = 0.58  # width of a label's letters by their size, in the widest typeface that may stand in


# pixels between a surface and the title of its vertical axis; the half: a whole one rounds either
# way
AXIS_WIDTH = 36.5


PIXELS = 1500  # a path is exact to one of so many across the picture


MOST_POINTS = 500


LEAST_REACH = 0.1  # half of a picture's width, by the largest weight in it


# a path may widen the picture to so many times what the minima need; beyond it leaves the picture
FAR = 2.5


STAR = "M0,-1L0.225,-0.309L0.951,-0.309L0.363,0.118L0.588,0.809L0,0.382L-0.588,0.809L-0.363,0.118L-0.951,-0.309L-0.225,-0.309Z"


def domain_around(needed: Float[np.ndarray, "n 2"], paths: Sequence[np.ndarray] = ()) -> Domain:
    """A picture in true aspect that holds the needed points, and of the paths what does not stray
    too far from them."""
    middle, reach = _frame(needed, margin=1.9)
    walked = np.concatenate([needed[:0], *paths])  # (n, 2)
    near1, near2 = (
        np.abs(walked[:, i] - middle[i]) <= FAR * reach[i] for i in range(2)
    )  # not where it is NaN
    box = np.concatenate([needed, walked[near1 & near2]])
    if (np.abs(box - middle) > 0.97 * reach).any():
        middle, reach = _frame(box, margin=1.12)
    (w1, w2), (half1, half2) = middle.tolist(), reach.tolist()
    return w1 - half1, w1 + half1, w2 - half2, w2 + half2


def levels_over(surfaces: Sequence[Quadratic], domain: Domain) -> tuple[float, int]:
    """The spacing of the levels in √(loss − floor), a round number, and how many there are: the
    same for all surfaces."""
    spacing = round_number(max(_highest(surface, domain) for surface in surfaces) / RINGS)
    return spacing, max(levels_at(surface, domain, spacing) for surface in surfaces)


def levels_at(surface: Quadratic, domain: Domain, spacing: float) -> int:
    """How many levels of that spacing it takes to cover the picture."""
    return math.ceil(_highest(surface, domain) / spacing) if spacing else 0


def _highest(surface: Quadratic, domain: Domain) -> float:
    """The greatest √(loss − floor) in the picture: at one of its corners."""
    corners = np.array([[w1, w2] for w1 in domain[:2] for w2 in domain[2:]])
    with np.errstate(over="ignore", invalid="ignore"):
        most = float((surface.value(corners) - surface.floor).max())
    if not math.isfinite(most):
        reach = max(map(abs, domain))
        raise SettingsError(
            f"the loss overflows double precision at weights of {reach:.2g}, which are in the"
            " picture; start nearer, or"
            " standardise the features",
            "init",
        )
    return math.sqrt(max(most, 0.0))  # rounding may leave less than nothing of a flat surface


def drawn_as(domain: Domain) -> Literal["float32", "float64"]:
    """The type of a picture's coordinates: single precision, half the bytes, where it can tell them
    apart."""
    reach = max(map(abs, domain))
    return "float32" if 1e-30 < reach < 1e30 else "float64"


def _frame(points: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The middle and the half widths of a picture in true aspect around the points."""
    low, high = points.min(0), points.max(0)
    half = (high - low) / 2
    width = max(half[0], half[1] / ASPECT) * margin
    width = max(width, LEAST_REACH * np.abs(points).max()) or 1.0  # of points that all but coincide
    return (low + high) / 2, np.array([width, width * ASPECT])


def round_number(value: float) -> float:
    """The nearest of 1, 2, 2.5 and 5 times a power of ten; 0 for 0."""
    if not value > 0 or not math.isfinite(value):
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return min(
        (factor * power for factor in (1, 2, 2.5, 5, 10)),
        key=lambda number: abs(math.log(number / value)),
    )


def simplified(rings: Sequence[np.ndarray], domain: Domain) -> list[np.ndarray]:
    """The rings without the points closer to the outline than a quarter of a cell of a 4,000-pixel
    picture."""
    span = np.array([domain[1] - domain[0], domain[3] - domain[2]])
    begins = np.cumsum([0, *map(len, rings)])
    points = np.concatenate([*rings, np.empty((0, 2))])
    kept = kept_points(points / (span / 4000), begins=begins[:-1])  # of all rings at once
    return np.split(points[kept], np.searchsorted(kept, begins[1:-1]))[: len(rings)]


def contours(surface: Quadratic, domain: Domain, spacing: float, levels: int) -> pd.DataFrame:
    """The rings as one table, the outermost first, so that it is drawn first."""
    numbers = np.arange(levels, 0, -1, dtype=np.int16)
    rings = simplified(
        sublevel_rings(surface, (spacing * numbers.astype(float)) ** 2, domain), domain
    )
    w = np.concatenate([*rings, np.empty((0, 2))]).astype(drawn_as(domain))
    sizes = [len(ring) for ring in rings]
    # A figure that is redrawn in place keeps the rings that it had below those that are new: with
    # the number from outside
    # beside the level all are new where the levels are others, and else all are the same.
    order = np.repeat(np.arange(levels, dtype=np.int16), sizes)
    return pd.DataFrame(
        {"w1": w[:, 0], "w2": w[:, 1], "level": np.repeat(numbers, sizes), "order": order}
    )


def full_path(weights: np.ndarray | None, domain: Domain, most: int = MOST_POINTS) -> pd.DataFrame:
    """The path within the picture, cut at its edge: steps, points, and the number of its connected
    piece.

    Thinned to a 1,500th of the picture and, where that leaves more than `most` points, further;
    ends and jumps are kept."""
    if weights is None:
        return cut_at_edge([], [], domain)
    path = weights[:, :2].astype(np.float64)
    pixel = np.array([domain[1] - domain[0], domain[3] - domain[2]]) / PIXELS
    steps = np.arange(len(path))
    if len(path) > 20_000:  # kept: every k-th, then by shape
        steps = np.unique(np.append(steps[:: len(path) // 10_000], len(path) - 1))
    tolerance = 0.5
    matters = significance(path[steps] / pixel, tolerance)
    while (matters > tolerance**2).sum() > most and tolerance < 4:
        tolerance *= 2
    kept = np.flatnonzero(matters > tolerance**2)
    if len(kept) > most:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, most).astype(int))]
    return cut_at_edge([steps[kept]], [path[steps[kept]]], domain)


def cut_at_edge(
    steps: Sequence[np.ndarray], lines: Sequence[np.ndarray], domain: Domain
) -> pd.DataFrame:
    """Lines (n, 2), with the step of each point, as connected pieces within the picture (Liang and
    Barsky, 1984).

    `line` says which line a row is of; a line of one point stays if it is in the picture.
    """
    kind = drawn_as(domain)
    kinds = {"step": "int32", "w1": kind, "w2": kind, "piece": "int16", "line": "int16"}
    if not lines:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    doubled = [np.repeat(line, 2, axis=0) if len(line) == 1 else line for line in lines]
    which = np.repeat(
        np.arange(len(lines)), [len(line) - 1 for line in doubled]
    )  # (n,), of each segment
    a, b = (
        np.concatenate([line[:-1] for line in doubled]),
        np.concatenate([line[1:] for line in doubled]),
    )  # (n, 2)
    first, last = (
        np.concatenate([(np.repeat(of, 2) if len(of) == 1 else of)[part] for of in steps])
        for part in (slice(None, -1), slice(1, None))
    )
    low, high, along = np.array(domain[::2]), np.array(domain[1::2]), b - a
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(low - a) / along, (high - a) / along])  # (2, n, 2)
    still = along == 0
    enter = np.where(still, 0.0, t.min(0)).max(1, initial=0.0)  # (n,)
    leave = np.where(still, 1.0, t.max(0)).min(1, initial=1.0)
    seen = (enter <= leave) & ~(still & ((a < low) | (a > high))).any(1)
    a, b, enter, leave = a[seen], b[seen], enter[seen, None], leave[seen, None]
    start, end = (
        np.where(enter == 0, a, a + enter * (b - a)),
        np.where(leave == 1, b, a + leave * (b - a)),
    )
    which, first, last = which[seen], first[seen], last[seen]
    begins = np.ones(
        len(which), dtype=bool
    )  # of a segment, whether it does not go on where the one before it ended
    begins[1:] = (start[1:] != end[:-1]).any(1) | (which[1:] != which[:-1])
    at = np.flatnonzero(begins)
    piece = np.cumsum(begins)
    columns = {
        "step": np.insert(last, at, first[at]),
        "w1": np.insert(end[:, 0], at, start[at, 0]),
        "w2": np.insert(end[:, 1], at, start[at, 1]),
        "piece": np.insert(piece, at, piece[at]),
        "line": np.insert(which, at, which[at]),
    }
    return pd.DataFrame({name: column.astype(kinds[name]) for name, column in columns.items()})


def points_of(frame: pd.DataFrame) -> Float[np.ndarray, "n 2"]:
    """Its weights; to take two columns out by their names costs pandas as much as to draw."""
    return np.stack([frame["w1"].to_numpy(float), frame["w2"].to_numpy(float)], axis=1)


def inside(points: np.ndarray, domain: Domain) -> np.ndarray:
    """Which of the points lie in the picture."""
    within: np.ndarray = np.all(
        (points >= np.array(domain[::2])) & (points <= np.array(domain[1::2])), axis=-1
    )
    return within


def weight_axes() -> tuple[alt.X, alt.Y]:
    """The axes of a surface, with slots for its domain.

    No label may change the plot's width: labels follow the size of the plot, its height follows the
    width, and where that goes round in a circle a page stands still for a minute. So the left axis
    has one width whatever its labels, below there is no label that would stand out on the right,
    and what is written beside points is `kept_inside`."""
    w1_ends, w2_ends = (
        [placeholder(f"{name} from"), placeholder(f"{name} to")] for name in ("w1", "w2")
    )
    within = 0.01  # pixels; True would let a label stand out by a whole one
    below, left = alt.Axis(labelBound=within), alt.Axis(minExtent=AXIS_WIDTH, maxExtent=AXIS_WIDTH)
    w1 = alt.X(
        "w1:Q",
        title="weight 1",
        scale=alt.Scale(domain=w1_ends, nice=False, zero=False),
        axis=below,
    )
    w2 = alt.Y(
        "w2:Q", title="weight 2", scale=alt.Scale(domain=w2_ends, nice=False, zero=False), axis=left
    )
    return w1, w2


def kept_inside(size: float, across: str = "w1", aside: str = "0") -> dict[str, Any]:
    """What a label of this size needs to stand in the middle over its point, or so many pixels
    `aside` of it, or as near to that as it is inside the plot."""
    x, half = f"(scale('x', datum.{across}) + {aside})", f"{_label_width(size)} / 2"
    return {
        "fontSize": size,
        "dx": {"expr": f"{aside} + max(0, {half} - {x}) - max(0, {x} + {half} - width)"},
    }


def kept_beside(size: float, apart: float) -> dict[str, Any]:
    """What a label of this size needs to stand so many pixels right of its point, or left of it
    where it has no room, and where there is none on either side as near to it as it is inside the
    plot."""
    x, wide = "scale('x', datum.w1)", _label_width(size)
    right, left = f"{x} + {apart} + {wide} <= width", f"{x} - {apart} - {wide} >= 0"
    return {
        "fontSize": size,
        "align": {"expr": f"{right} || !({left}) ? 'left' : 'right'"},
        "dx": {"expr": f"{right} ? {apart} : {left} ? {-apart} : width - {x} - {wide}"},
    }


def _label_width(size: float) -> str:
    """The expression for the most pixels that a label takes: how many it takes is known once it is
    drawn."""
    return f"{LETTER * size} * length(datum.label)"


def domain_slots(domain: Domain) -> dict[str, float]:
    """What fills the slots of `weight_axes`."""
    return dict(zip(("w1 from", "w1 to", "w2 from", "w2 to"), domain, strict=True))


# Of lines that are not filled. Not clipped: a clip has a name, and another figure on the page has
# one by the same name.
OPEN_LINE: dict[str, Any] = {
    "filled": False,
    "clip": False,
    "strokeJoin": "round",
    "strokeCap": "round",
}


def lines_over(table: str, by: Sequence[str], closed: bool = False) -> alt.Chart:
    """The lines of a table whose rows are their points in order, told apart by these columns;
    `closed` ones can be filled.

    Each line is one shape: as a mark of lines each of its points would be worked out on its own,
    which takes the browser most of the time of a figure. What draws the shapes reads the two
    numbers of a point as its fields 0 and 1. A picture in true aspect has one scale for both axes.
    """
    kind, points = ("Polygon", "[datum.points]") if closed else ("LineString", "datum.points")
    scale = "width / (domain('x')[1] - domain('x')[0])"
    chart: alt.Chart = (
        alt.Chart(alt.NamedData(table))
        .transform_aggregate(
            [alt.AggregatedFieldDef(op="values", field="0", **{"as": "points"})], groupby=list(by)
        )
        .transform_calculate(geometry=f"{{type: '{kind}', coordinates: {points}}}")
        .project(
            "identity",
            reflectY=True,
            scale=alt.expr(scale),
            translate=alt.expr(f"[-domain('x')[0] * {scale}, domain('y')[1] * {scale}]"),
        )
        .encode(shape="geometry:G")
    )
    return chart


def ring_layer(theme: Theme) -> alt.Chart:
    """The filled rings, the outermost first, with a slot for the number of `levels`."""
    fill = alt.Fill(
        "level:Q",
        scale=alt.Scale(
            domain=[1, placeholder("levels")], range=[theme.inner, theme.outer], interpolate="lab"
        ),
        legend=None,
    )
    layer: alt.Chart = (
        lines_over("rings", ["level", "order"], closed=True)
        .mark_geoshape(clip=False, stroke=theme.contour, strokeWidth=0.7, strokeOpacity=0.9)
        .encode(fill=fill)
    )
    return layer


def star_layer(theme: Theme, marks: alt.Chart, size: int = 700) -> alt.Chart:
    """The minimum."""
    layer: alt.Chart = marks.mark_point(
        shape=STAR,
        size=size,
        filled=True,
        fill=theme.star,
        stroke="#1f2430",
        strokeWidth=1.2,
        opacity=1,
    )
    return layer


def cross_layer(theme: Theme, marks: alt.Chart) -> alt.Chart:
    """Least squares."""
    layer: alt.Chart = marks.mark_point(
        shape="cross", angle=45, size=150, filled=True, fill=theme.ink, stroke=theme.background, strokeWidth=1.5, opacity=1,
        aria=False,
    )  # fmt: skip
    return layer
