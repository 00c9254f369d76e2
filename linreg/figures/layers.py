"""The parts that figures over (w1, w2) share: domain, contours, paths, axes and layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from linreg.figures.contours import (
    Levels,
    contour_labels,
    contour_table,
    coordinate_dtype,
    fill_scale,
    rmse_levels,
)
from linreg.figures.figure import CROSSED_CIRCLE
from linreg.figures.label_places import LabelPlaces
from linreg.figures.simplify import significance
from linreg.figures.templates import placeholder
from linreg.figures.theme import Theme
from linreg.quadratic.contours import Domain
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.quadratic import Quadratic
from linreg.text.numbers import quantity
from linreg.training.browser import browser_surface

ASPECT = 0.8  # height of a surface plot relative to its width
WEIGHT_TITLES = ("weight 1", "weight 2")  # of the axes
AXIS_WIDTH = 36.5  # pixels between a surface and the title of its y axis; .5 avoids a rounding tie
WEIGHT_LABEL = (  # of the axes: short enough for `AXIS_WIDTH` in any unit
    "abs(datum.value) >= 1e4 || datum.value != 0 && abs(datum.value) < 1e-3"
    " ? replace(format(datum.value, '.2~e'), 'e+', 'e') : datum.label"
)
LETTER_WIDTH = 0.58  # relative to the font size, in the widest of the possible typefaces

MARK_RADIUS = 13.0  # pixels that a star or a crossed circle takes
START_RADIUS = 17.0  # with the disc by which it is dragged
TANGLED = 3  # widths of the plot that a path is long from which on it is drawn thinly
APART = 0.02  # least distance of two marks, relative to the width
PATH_RESOLUTION = 1500  # a path is exact to this fraction of the plot's width and height
MAX_POINTS = 500  # of one path
MAX_RECORDED = 20_000  # steps of a path; of a longer one every k-th is looked at

MIN_HALF_WIDTH = 0.1  # of a domain, relative to the largest weight in it
MAX_WIDENING = 2.5  # paths may widen the domain by this factor; beyond it they are clipped

STAR = (
    "M0,-1L0.225,-0.309L0.951,-0.309L0.363,0.118L0.588,0.809L0,0.382"
    "L-0.588,0.809L-0.363,0.118L-0.951,-0.309L-0.225,-0.309Z"
)


# ---- domain and levels ---------------------------------------------------------------------------


def domain_around(needed: Float[np.ndarray, "n 2"], paths: Sequence[np.ndarray] = ()) -> Domain:
    """A domain in true aspect that holds all `needed` points.

    It is widened for the points of the `paths`, each (n, 2), that do not stray too far from them.
    """
    center, half = _fit_box(needed, margin=1.9)
    points = np.concatenate([needed[:0], *paths])  # (n, 2)
    near = [  # False where a weight is NaN
        np.abs(points[:, i] - center[i]) <= MAX_WIDENING * half[i] for i in range(2)
    ]
    drawn = np.concatenate([needed, points[near[0] & near[1]]])
    if (np.abs(drawn - center) > 0.97 * half).any():
        center, half = _fit_box(drawn, margin=1.12)
    (w1, w2), (half1, half2) = center.tolist(), half.tolist()
    return w1 - half1, w1 + half1, w2 - half2, w2 + half2


def _fit_box(points: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The center and the half widths of a box in true aspect around the points."""
    low, high = points.min(0), points.max(0)
    half = (high - low) / 2
    width = max(half[0], half[1] / ASPECT) * margin
    width = max(width, MIN_HALF_WIDTH * np.abs(points).max()) or 1.0  # where all points coincide
    return (low + high) / 2, np.array([width, width * ASPECT])


# ---- layout --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Layout:
    """What all panels share and the replay does not change: the domain and the contour levels.

    There is a table of contours, one of their labels, one of full paths, one of the labels of
    marks, one of the line to the correct solution, and one of the principal axes per panel, as far
    as a figure has them. `invitations` say for each panel where the page invites to drag the start,
    `above` or `below` it. `tangled` says that paths hide so much that all are drawn thinly.
    """

    domain: Domain
    levels: Levels
    least_squares: Float[np.ndarray, " P"]
    contours: tuple[pd.DataFrame, ...]
    contour_labels: tuple[pd.DataFrame, ...] = ()
    full_paths: tuple[pd.DataFrame, ...] = ()
    mark_labels: tuple[pd.DataFrame, ...] = ()
    gaps: tuple[pd.DataFrame, ...] = ()
    axes: tuple[pd.DataFrame, ...] = ()
    invitations: tuple[str, ...] = ()
    tangled: bool = False


def layout_around(
    surfaces: Sequence[Quadratic],
    least_squares: Float[np.ndarray, " P"],
    starts: Sequence[Sequence[float] | np.ndarray],
    paths: Sequence[Float[np.ndarray, "_ 2"]],
) -> Layout:
    """The layout, without paths and labels, of surfaces over (w1, w2).

    Its domain holds the minima, the least-squares solution and the `starts`, and the `paths` where
    they stay near these.
    """
    minima = [surface.minimum for surface in surfaces]
    first_weights = [start[:2] for start in starts]
    domain = domain_around(np.array([*minima, least_squares[:2], *first_weights]), paths)
    levels = rmse_levels(surfaces, domain)
    contours = (contour_table(surface, domain, levels.excess(surface)) for surface in surfaces)
    return Layout(domain, levels, least_squares, tuple(contours))


def places_beside(
    surface: Quadratic,
    layout: Layout,
    starts: Sequence[Sequence[float] | np.ndarray],
    paths: Sequence[Float[np.ndarray, "_ 2"]],
) -> LabelPlaces:
    """The places for labels beside the marks and the paths of one surface."""
    places = LabelPlaces(layout.domain, ASPECT)
    marks = np.array([surface.minimum, layout.least_squares[:2]])
    places.add_marks(marks, MARK_RADIUS)
    if len(starts):
        first = np.array([start[:2] for start in starts])
        places.add_marks(first, START_RADIUS, weight=1)  # most of it is a translucent disc
    for path in paths:
        places.add_path(path)
    return places


def with_contour_labels(
    layout: Layout, surfaces: Sequence[Quadratic], places: Sequence[LabelPlaces]
) -> Layout:
    """The layout with labels of contours where each surface has places for them."""
    labels = (
        contour_labels(surface, layout.levels, free)
        for surface, free in zip(surfaces, places, strict=True)
    )
    return replace(layout, contour_labels=tuple(labels))


def is_elsewhere(surface: Quadratic, layout: Layout) -> bool:
    """Whether the minimum of a loss is so far from the correct solution that both are marked."""
    distance = np.hypot(*(surface.minimum - layout.least_squares[:2]))
    return bool(distance > APART * (layout.domain[1] - layout.domain[0]))


def minimum_loss(surface: Quadratic) -> str:
    """The minimum of a loss and its root: `minimum loss 333,052 · RMSE 577`."""
    rmse = math.sqrt(max(surface.min_loss, 0.0))
    return f"minimum loss {quantity(surface.min_loss)} · RMSE {quantity(rmse)}"


# ---- paths ---------------------------------------------------------------------------------------


def full_path(weights: np.ndarray | None, domain: Domain, most: int = MAX_POINTS) -> pd.DataFrame:
    """The whole path of a run, clipped to the domain, as a table like that of `clip_to_domain`.

    The path is simplified to a 1,500th of the plot and, where that leaves more than `most` points,
    further; its ends and its jumps are kept.
    """
    if weights is None:
        return clip_to_domain([], [], domain)
    path = weights[:, :2].astype(np.float64)
    pixel = np.array([domain[1] - domain[0], domain[3] - domain[2]]) / PATH_RESOLUTION
    steps = np.arange(len(path))
    if len(path) > MAX_RECORDED:
        steps = np.unique(np.append(steps[:: len(path) // 10_000], len(path) - 1))
    tolerance = 0.5
    squared = significance(path[steps] / pixel, tolerance)
    while (squared > tolerance**2).sum() > most and tolerance < 4:
        tolerance *= 2
    kept = steps[evenly_spaced(np.flatnonzero(squared > tolerance**2), most)]
    return clip_to_domain([kept], [path[kept]], domain)


def is_tangled(whole_paths: pd.DataFrame, domain: Domain) -> bool:
    """Whether the longest path in the plot goes to and fro so much that it would hide the rest."""
    points = weights_of(whole_paths)
    is_one_piece = np.diff(whole_paths["piece"].to_numpy()) == 0
    lengths = np.hypot(*np.diff(points, axis=0).T) * is_one_piece  # (n - 1,)
    by_piece = np.bincount(whole_paths["piece"].to_numpy()[1:], lengths) if len(points) else lengths
    return bool(by_piece.max(initial=0) > TANGLED * (domain[1] - domain[0]))


def evenly_spaced(indices: Int[np.ndarray, " n"], most: int) -> Int[np.ndarray, " m"]:
    """At most this many of the indices, evenly spaced, with the first and the last."""
    if len(indices) <= most:
        return indices
    return np.take(indices, np.unique(np.linspace(0, len(indices) - 1, most).astype(int)))


def clip_to_domain(
    steps: Sequence[np.ndarray], lines: Sequence[np.ndarray], domain: Domain
) -> pd.DataFrame:
    """Lines (n, 2), with the step of each point (n,), as the connected pieces inside the domain.

    Segments are clipped as by Liang and Barsky (1984). The column `line` is the index of a row's
    line; a line of a single point stays if it is inside.
    """
    dtype = coordinate_dtype(domain)
    dtypes = {"step": "int32", "w1": dtype, "w2": dtype, "piece": "int16", "line": "int16"}
    if not lines:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in dtypes.items()})
    lines, steps = _at_least_two_points(lines), _at_least_two_points(steps)
    line = np.repeat(np.arange(len(lines)), [len(points) - 1 for points in lines])  # (segments,)
    a = np.concatenate([points[:-1] for points in lines])  # (segments, 2)
    b = np.concatenate([points[1:] for points in lines])  # (segments, 2)
    first = np.concatenate([numbers[:-1] for numbers in steps])  # (segments,)
    last = np.concatenate([numbers[1:] for numbers in steps])  # (segments,)
    start, end, visible = _clip_segments(a, b, domain)
    line, first, last = line[visible], first[visible], last[visible]
    starts_piece = np.ones(len(line), dtype=bool)
    starts_piece[1:] = (start[1:] != end[:-1]).any(1) | (line[1:] != line[:-1])
    # a piece is the first point of its first segment, and then the last point of each segment
    at = np.flatnonzero(starts_piece)
    piece = np.cumsum(starts_piece)
    columns = {
        "step": np.insert(last, at, first[at]),
        "w1": np.insert(end[:, 0], at, start[at, 0]),
        "w2": np.insert(end[:, 1], at, start[at, 1]),
        "piece": np.insert(piece, at, piece[at]),
        "line": np.insert(line, at, line[at]),
    }
    return pd.DataFrame({name: column.astype(dtypes[name]) for name, column in columns.items()})


def _at_least_two_points(lines: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The lines, with the point of a line of one point repeated."""
    return [np.repeat(line, 2, axis=0) if len(line) == 1 else line for line in lines]


def _clip_segments(
    a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"], domain: Domain
) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"], Bool[np.ndarray, " n"]]:
    """The parts of the segments `a` to `b` inside the domain: starts, ends, and which have one."""
    low, high = np.array(domain[::2]), np.array(domain[1::2])
    direction = b - a
    parallel = direction == 0  # to an edge, (n, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(low - a) / direction, (high - a) / direction])  # (2, n, 2)
    enter = np.where(parallel, 0.0, t.min(0)).max(1, initial=0.0)  # (n,)
    leave = np.where(parallel, 1.0, t.max(0)).min(1, initial=1.0)
    beside = parallel & ((a < low) | (a > high))
    visible = (enter <= leave) & ~beside.any(1)
    a, b = a[visible], b[visible]
    enter, leave = enter[visible, None], leave[visible, None]
    start = np.where(enter == 0, a, a + enter * (b - a))
    end = np.where(leave == 1, b, a + leave * (b - a))
    return start, end, visible


# ---- points --------------------------------------------------------------------------------------


def weights_of(table: pd.DataFrame) -> Float[np.ndarray, "n 2"]:
    """The columns w1 and w2. `table[["w1", "w2"]]` would cost pandas as much as the drawing."""
    return np.stack([table["w1"].to_numpy(float), table["w2"].to_numpy(float)], axis=1)


def inside(points: np.ndarray, domain: Domain) -> np.ndarray:
    """Which of the points (..., 2) lie inside the domain, (...)."""
    within: np.ndarray = np.all(
        (points >= np.array(domain[::2])) & (points <= np.array(domain[1::2])), axis=-1
    )
    return within


def points_inside(points: Sequence[Sequence[float]], domain: Domain) -> pd.DataFrame:
    """The points that lie inside the domain, as a table of w1 and w2."""
    array = np.array(points, dtype=np.float64).reshape(-1, 2)
    return pd.DataFrame(array[inside(array, domain)], columns=["w1", "w2"])


# ---- axes, labels and layers ---------------------------------------------------------------------


def weight_axes() -> tuple[alt.X, alt.Y]:
    """The axes of a surface, with placeholders for its domain.

    No label may change the width of the plot: labels depend on its size and its height follows its
    width, so a page could lay itself out anew for a minute. The y axis therefore has a fixed width,
    no label of the x axis reaches beyond the plot, and labels of points use `label_inside`.
    """
    w1_domain, w2_domain = (
        [placeholder(f"{name} from"), placeholder(f"{name} to")] for name in ("w1", "w2")
    )
    w1 = alt.X(
        "w1:Q",
        title=WEIGHT_TITLES[0],
        scale=alt.Scale(domain=w1_domain, nice=False, zero=False),
        axis=alt.Axis(  # the bound in pixels; True would allow a whole one
            labelBound=0.01, labelExpr=WEIGHT_LABEL
        ),
    )
    w2 = alt.Y(
        "w2:Q",
        title=WEIGHT_TITLES[1],
        scale=alt.Scale(domain=w2_domain, nice=False, zero=False),
        axis=alt.Axis(minExtent=AXIS_WIDTH, maxExtent=AXIS_WIDTH, labelExpr=WEIGHT_LABEL),
    )
    return w1, w2


def with_titles(spec: Any, titles: Mapping[str, str]) -> Any:
    """A copy of a spec in which the axes with one of these titles have another."""
    if isinstance(spec, list):
        return [with_titles(part, titles) for part in spec]
    if not isinstance(spec, dict):
        return spec
    copy = {name: with_titles(part, titles) for name, part in spec.items()}
    title = copy.get("title")
    if "axis" in copy and isinstance(title, str):
        copy["title"] = titles.get(title, title)
    return copy


def domain_values(domain: Domain) -> dict[str, float]:
    """The values of the placeholders of `weight_axes`."""
    return dict(zip(("w1 from", "w1 to", "w2 from", "w2 to"), domain, strict=True))


def label_inside(size: float, x_field: str = "w1", offset: str = "0") -> dict[str, Any]:
    """Mark properties of a label of this font size that is centred at its point.

    It is shifted by `offset` pixels, a Vega expression, and then as far as it takes to stay inside
    the plot.
    """
    x, half = f"(scale('x', datum.{x_field}) + {offset})", f"{_label_width(size)} / 2"
    return {
        "fontSize": size,
        "dx": {"expr": f"{offset} + max(0, {half} - {x}) - max(0, {x} + {half} - width)"},
    }


def label_beside(size: float, gap: float) -> dict[str, Any]:
    """Mark properties of a label of this font size that stands `gap` pixels right of its point.

    Without room there it stands on the left, and without room on either side at the right edge of
    the plot.
    """
    x, width = "scale('x', datum.w1)", _label_width(size)
    right, left = f"{x} + {gap} + {width} <= width", f"{x} - {gap} - {width} >= 0"
    return {
        "fontSize": size,
        "align": {"expr": f"{right} || !({left}) ? 'left' : 'right'"},
        "dx": {"expr": f"{right} ? {gap} : {left} ? {-gap} : width - {x} - {width}"},
    }


def _label_width(size: float) -> str:
    """The Vega expression for an upper bound of a label's width: Vega measures it only later."""
    return f"{LETTER_WIDTH * size} * length(datum.label)"


# Mark properties of a line. Not clipped: a clip path has an id, which another figure on the page
# may have too.
OPEN_LINE: dict[str, Any] = {
    "filled": False,
    "clip": False,
    "strokeJoin": "round",
    "strokeCap": "round",
}


def line_shapes(table: str, by: Sequence[str], closed: bool = False) -> alt.Chart:
    """The lines of a table whose rows are points in order, grouped by these columns.

    `closed` lines can be filled. Each line is one geoshape: of a line mark, Vega would evaluate
    every point, most of the time that a figure takes. The geoshape reads the two coordinates of a
    point as its fields 0 and 1, see `Figure.drawn`. The plot is in true aspect, so both axes have
    one scale.
    """
    kind, points = ("Polygon", "[datum.points]") if closed else ("LineString", "datum.points")
    return _shapes(alt.Chart(alt.NamedData(table)), by, kind, points)


def point_shapes(chart: alt.Chart, x: str, y: str, by: str, length: str) -> alt.Chart:
    """The points of a chart, those of each value of a column as one geoshape: a line too short to
    be seen at each, of which a stroke draws the round or square caps.

    The browser moves hundreds of points 60 times a second, for which a mark each is too slow. The
    plot is in true aspect, as for `line_shapes`. `length` is an expression in units of `x`: 0 would
    leave a PDF without square caps, which have no direction then.
    """
    lines = chart.transform_calculate(
        **{
            "0": f"[datum['{x}'], datum['{y}']]",
            "1": f"[datum['{x}'] + {length}, datum['{y}']]",
            "length": "2",  # so that a row is an array to the projection
        }
    )
    return _shapes(lines, [by], "MultiLineString", "datum.points")


def _shapes(chart: alt.Chart, by: Sequence[str], kind: str, points: str) -> alt.Chart:
    scale = "width / (domain('x')[1] - domain('x')[0])"
    shapes: alt.Chart = (
        chart.transform_aggregate(
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
    return shapes


def contour_layer(theme: Theme) -> alt.Chart:
    """The filled contours, the highest first, with a placeholder for the number of `levels`."""
    fill = alt.Fill("level:Q", scale=fill_scale(theme), legend=None)
    layer: alt.Chart = (
        line_shapes("rings", ["level", "order"], closed=True)
        .mark_geoshape(clip=False, stroke=theme.contour, strokeWidth=0.7, strokeOpacity=0.9)
        .encode(fill=fill)
    )
    return layer


def star_layer(theme: Theme, marks: alt.Chart, size: int = 700) -> alt.Chart:
    """Stars, for the correct weights."""
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


def minimum_layer(theme: Theme, marks: alt.Chart, color: str) -> alt.Chart:
    """Crossed circles, for the minimum of a loss where that is not at the correct weights."""
    layer: alt.Chart = marks.mark_point(
        shape=CROSSED_CIRCLE,
        size=560,
        filled=True,
        fill=theme.background,
        stroke=color,
        strokeWidth=2.5,
        opacity=1,
    )
    return layer


# ---- what is said at the pointer -----------------------------------------------------------------


def surface_hover(surface: Quadratic, baseline: Baseline | None) -> dict[str, Any]:
    """`Figure.hover` of a loss surface: the loss, and the correct one where that is another.

    With a bias, both have it at its best for each pair of weights, as the contours have.
    """
    profile = surface.profile()
    correct = baseline and baseline.surface.profile()
    if correct and _are_same(profile, correct):
        correct = None
    return {
        "rule": "surface",
        "loss": browser_surface(profile),
        "correct": correct and browser_surface(correct),
        "has_bias": len(surface.c) > 2,
    }


def _are_same(one: Quadratic, other: Quadratic) -> bool:
    """Whether two quadratics of two weights are equal but for rounding."""
    scale = float(np.abs(one.minimum).max()) or 1.0
    grid = np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (1, 1)])  # they determine it
    values, others = (surface.value(one.minimum + scale * grid) for surface in (one, other))
    return np.allclose(values, others, rtol=1e-9, atol=1e-9 * float(np.abs(values).max()))
