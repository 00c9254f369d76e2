"""Data in, Figure out: the templates are Altair charts over named data, built once for each theme, size and title."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.figure import Figure
from linreg.settings import SettingsError
from linreg.surface import Domain, Quadratic, sublevel_rings
from linreg.theme import (
    Theme,
    filled,
    finished,
    log_axis,
    number_axis,
    side_color,
    side_shape,
    side_text,
    slot,
    step_rule,
    template,
    text_halo,
)
from linreg.thinning import significance
from linreg.wording import coordinate, point, quantity

ASPECT = 0.8  # height of a surface by its width
LABEL_HEIGHT = 0.075  # of the height of a figure
RINGS = 11  # about so many levels
LETTER = 0.58  # width of a label's letters by their size, in the widest typeface that may stand in
AXIS_WIDTH = 36.5  # pixels between a surface and the title of its vertical axis; the half: a whole one rounds either way
PIXELS = 1500  # a path is exact to one of so many across the picture
MOST_POINTS = 500
PADDING = 14  # pixels between the highest point of a curve and the frame
AIMS = ("true weights", "least squares weights")  # of synthetic data, and of a table
TARGETS = 200  # steps of a loss curve that can be clicked: the browser draws two shapes for each
BINS = 300  # of a loss curve, each drawn by its least and its greatest loss
LEAST_REACH = 0.1  # half of a picture's width, by the largest weight in it
FAR = 2.5  # a path may widen the picture to so many times what the minima need; beyond it leaves the picture
STAR = (
    "M0,-1L0.225,-0.309L0.951,-0.309L0.363,0.118L0.588,0.809L0,0.382L-0.588,0.809L-0.363,0.118L-0.951,-0.309L-0.225,-0.309Z"
)


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison as the figures need it. Before it has trained, `weights` and `losses` are None."""

    label: str
    shapes: str
    surface: Quadratic
    weights: Float[np.ndarray, "T1 P"] | None = None
    losses: Float[np.ndarray, " T"] | None = None
    diverged_at: int | None = None


# ---- surfaces --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Scene:
    """What does not change while a comparison is replayed: one domain and one spacing of the levels for both surfaces,
    and for each side its rings and its whole path, shortened to what the eye sees."""

    domain: Domain
    spacing: float  # between levels, in √(loss − floor)
    levels: int
    least_squares: Float[np.ndarray, " P"]
    rings: tuple[pd.DataFrame, ...]
    trails: tuple[pd.DataFrame, ...]


def scene(sides: Sequence[Side], least_squares: Float[np.ndarray, " P"], starts: Sequence[Sequence[float]]) -> Scene:
    """The scene that holds the minima, the least-squares solution and the starts, and the paths where they stay near."""
    surfaces = [side.surface.profile() for side in sides]
    paths = [side.weights[:, :2].astype(np.float64) for side in sides if side.weights is not None]
    begun = [*(start[:2] for start in starts), *(path[0] for path in paths)]
    needed = np.array([*(surface.minimum for surface in surfaces), least_squares[:2], *begun])
    domain = domain_around(needed, paths)
    spacing, levels = levels_over(surfaces, domain)
    return Scene(
        domain,
        spacing,
        levels,
        least_squares,
        tuple(rings_of(surface, domain, spacing, levels) for surface in surfaces),
        tuple(trail_of(side.weights, domain) for side in sides),
    )


def domain_around(needed: Float[np.ndarray, "n 2"], paths: Sequence[np.ndarray] = ()) -> Domain:
    """A picture in true aspect that holds the needed points, and of the paths what does not stray too far from them."""
    middle, reach = _frame(needed, margin=1.9)
    walked = np.concatenate([needed[:0], *paths])  # (n, 2)
    near1, near2 = (np.abs(walked[:, i] - middle[i]) <= FAR * reach[i] for i in range(2))  # not where it is NaN
    box = np.concatenate([needed, walked[near1 & near2]])
    if (np.abs(box - middle) > 0.97 * reach).any():
        middle, reach = _frame(box, margin=1.12)
    (w1, w2), (half1, half2) = middle.tolist(), reach.tolist()
    return w1 - half1, w1 + half1, w2 - half2, w2 + half2


def levels_over(surfaces: Sequence[Quadratic], domain: Domain) -> tuple[float, int]:
    """The spacing of the levels in √(loss − floor), a round number, and how many there are: the same for all surfaces."""
    spacing = round_number(max(_furthest(surface, domain) for surface in surfaces) / RINGS)
    return spacing, max(levels_at(surface, domain, spacing) for surface in surfaces)


def levels_at(surface: Quadratic, domain: Domain, spacing: float) -> int:
    """How many levels of that spacing it takes to cover the picture."""
    return math.ceil(_furthest(surface, domain) / spacing) if spacing else 0


def _furthest(surface: Quadratic, domain: Domain) -> float:
    """The greatest √(loss − floor) in the picture: at one of its corners."""
    corners = np.array([[w1, w2] for w1 in domain[:2] for w2 in domain[2:]])
    with np.errstate(over="ignore", invalid="ignore"):
        most = float((surface.value(corners) - surface.floor).max())
    if not math.isfinite(most):
        reach = max(map(abs, domain))
        raise SettingsError(
            f"the loss overflows double precision at weights of {reach:.2g}, which are in the picture; start nearer, or"
            " standardise the features",
            "init",
        )
    return math.sqrt(max(most, 0.0))  # rounding may leave less than nothing of a flat surface


def drawn_as(domain: Domain) -> Literal["float32", "float64"]:
    """The type of a picture's coordinates: single precision, half the bytes, where it can tell them apart."""
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
    return min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda number: abs(math.log(number / value)))


def rings_of(surface: Quadratic, domain: Domain, spacing: float, levels: int) -> pd.DataFrame:
    """The rings as one table, the outermost first, so that it is drawn first."""
    numbers = np.arange(levels, 0, -1, dtype=np.int16)
    rings = sublevel_rings(surface, (spacing * numbers.astype(float)) ** 2, domain)
    w = np.concatenate([*rings, np.empty((0, 2))]).astype(drawn_as(domain))
    sizes = [len(ring) for ring in rings]
    # A figure that is redrawn in place keeps the rings that it had below those that are new: with the number from outside
    # beside the level all are new where the levels are others, and else all are the same.
    order = np.repeat(np.arange(levels, dtype=np.int16), sizes)
    return pd.DataFrame({"w1": w[:, 0], "w2": w[:, 1], "level": np.repeat(numbers, sizes), "order": order})


def trail_of(weights: np.ndarray | None, domain: Domain, most: int = MOST_POINTS) -> pd.DataFrame:
    """The path within the picture, cut at its edge: steps, points, and the number of its connected piece.

    Thinned to a 1,500th of the picture and, where that leaves more than `most` points, further; ends and jumps are kept.
    """
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


def cut_at_edge(steps: Sequence[np.ndarray], lines: Sequence[np.ndarray], domain: Domain) -> pd.DataFrame:
    """Lines (n, 2), with the step of each point, as connected pieces within the picture (Liang and Barsky, 1984).

    `line` says which line a row is of; a line of one point stays if it is in the picture.
    """
    kind = drawn_as(domain)
    kinds = {"step": "int32", "w1": kind, "w2": kind, "piece": "int16", "line": "int16"}
    if not lines:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    doubled = [np.repeat(line, 2, axis=0) if len(line) == 1 else line for line in lines]
    which = np.repeat(np.arange(len(lines)), [len(line) - 1 for line in doubled])  # (n,), of each segment
    a, b = np.concatenate([line[:-1] for line in doubled]), np.concatenate([line[1:] for line in doubled])  # (n, 2)
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
    start, end = np.where(enter == 0, a, a + enter * (b - a)), np.where(leave == 1, b, a + leave * (b - a))
    which, first, last = which[seen], first[seen], last[seen]
    begins = np.ones(len(which), dtype=bool)  # of a segment, whether it does not go on where the one before it ended
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
    within: np.ndarray = np.all((points >= np.array(domain[::2])) & (points <= np.array(domain[1::2])), axis=-1)
    return within


def surface_figure(sides: Sequence[Side], which: int, scene: Scene, step: int, theme: Theme) -> Figure:
    """The loss over (w1, w2) as filled rings, one side's path up to `step`, its start, and the surface's minimum."""
    side, trail = sides[which], scene.trails[which]
    surface = side.surface.profile()
    now = _now(side, scene.domain, step)
    marks = _marks(side, surface, scene, step, with_least_squares=which == 0)
    data = {
        "rings": scene.rings[which],
        "trail": trail,
        "path": _path(trail, side, scene.domain, step),
        "marks": marks,
        "now": pd.DataFrame({"text": [now]}),
    }
    floor = f"mean loss never below {quantity(surface.floor)}"
    titles = {"title": f"{side.label}: {side.shapes}", "subtitle": floor}
    spec = filled(_surface_template(theme, which), {**domain_slots(scene.domain), "levels": max(scene.levels, 2), **titles})
    whole = (
        "The run has yet to be trained"
        if side.weights is None
        else f"The path {_now(side, scene.domain, len(side.weights))}"
    )
    # The same at every step of a replay: Streamlit draws a chart anew when its text changes.
    alt_text = (
        f"{side.label}, {side.shapes}: the loss surface has its minimum at {point(surface.minimum)}, {floor}. {whole}."
    )
    return Figure(spec, data, alt_text, _surface_caption(sides, scene), "trail")


def _surface_caption(sides: Sequence[Side], scene: Scene) -> str:
    """What the marks and the contours mean, of both sides, since they are seen together."""
    loose = [side.label.lower() for side in sides if not side.surface.profile().unique]
    return (
        "Ring: start. Dot: where the path is. Star: where this loss is least. Cross: least squares, the best there is."
        f" From contour to contour √(loss − its least value) grows by {quantity(scene.spacing)}, on both sides alike."
        + (
            " The surface has the bias at its best for each pair of weights; a path whose bias is still on its way has a"
            " higher loss than its place shows."
            if any(len(side.surface.c) > 2 for side in sides)
            else ""
        )
        + (f" The minimum is not unique ({', '.join(loose)}): the star marks the one of least norm." if loose else "")
    )


def _path(trail: pd.DataFrame, side: Side, domain: Domain, step: int) -> pd.DataFrame:
    """The trail up to `step`, and from its last corner on to where the path is now."""
    path = trail.loc[trail["step"] <= step, ["w1", "w2", "piece"]]
    if side.weights is not None and len(path) and step < len(side.weights) - 1:
        now = side.weights[[step], :2].astype(np.float64)
        if inside(now, domain).all():
            path = pd.concat([path, pd.DataFrame(now, columns=["w1", "w2"]).assign(piece=path["piece"].iloc[-1])])
    return path.astype({"w1": drawn_as(domain), "w2": drawn_as(domain), "piece": "int16"})


def _now(side: Side, domain: Domain, step: int) -> str:
    """Where the path is at `step`, as the line above the picture."""
    if side.weights is None:
        return "not trained yet"
    last = len(side.weights) - 1
    k = min(step, last)
    outside = ~inside(side.weights[:, :2].astype(np.float64), domain)
    if side.diverged_at is not None and step >= last:
        left = f"leaves the picture at step {int(outside.argmax()):,} and " if outside.any() else ""
        return f"{left}diverges at step {side.diverged_at:,}"
    beyond = ", outside the picture" if outside[k] else ""
    return f"{'ends at' if k == last else 'is at'} {point(side.weights[k])} after {k:,} steps{beyond}"


def _marks(side: Side, surface: Quadratic, scene: Scene, step: int, with_least_squares: bool) -> pd.DataFrame:
    """The marked points: kind, place, label, and on which side of the point the label stands."""
    _, _, low2, high2 = scene.domain
    rows: list[tuple[str, float, float, str]] = []
    if side.weights is not None:
        k = min(step, len(side.weights) - 1)
        rows.append(("start", *side.weights[0, :2].tolist(), ""))
        rows.append(("end" if k == len(side.weights) - 1 else "here", *side.weights[k, :2].tolist(), ""))
    rows.append(("minimum", *surface.minimum.tolist(), f"minimum {point(surface.minimum)}"))
    if with_least_squares:
        rows.append(("least squares", *scene.least_squares[:2].tolist(), f"least squares {point(scene.least_squares[:2])}"))
    frame = pd.DataFrame(rows, columns=["kind", "w1", "w2", "label"])
    frame = frame[inside(points_of(frame), scene.domain)]
    begun_above = side.weights is not None and bool(side.weights[0, 1] > surface.minimum[1])  # and so its path
    below = (frame["kind"] == "minimum") & begun_above
    if with_least_squares:  # the two labels keep apart
        rise = (scene.least_squares[1] - surface.minimum[1]) / (high2 - low2)
        lower = frame["kind"] == ("minimum" if rise > 0 else "least squares")
        below = lower if abs(rise) < 0.25 else lower | below
    up = (frame["w2"] - low2) / (high2 - low2)
    below = (below & (up > 0.12)) | (up > 0.9)
    frame["dy"] = np.where(below, 24, -16).astype(np.int8)
    return frame.astype({"w1": drawn_as(scene.domain), "w2": drawn_as(scene.domain)})


def weight_axes() -> tuple[alt.X, alt.Y]:
    """The axes of a surface, with slots for its domain.

    No label may change the plot's width: labels follow the size of the plot, its height follows the width, and where that
    goes round in a circle a page stands still for a minute. So the left axis has one width whatever its labels, below there
    is no label that would stand out on the right, and what is written beside points is `kept_inside`.
    """
    w1_ends, w2_ends = ([slot(f"{name} from"), slot(f"{name} to")] for name in ("w1", "w2"))
    within = 0.01  # pixels; True would let a label stand out by a whole one
    below, left = alt.Axis(labelBound=within), alt.Axis(minExtent=AXIS_WIDTH, maxExtent=AXIS_WIDTH)
    w1 = alt.X("w1:Q", title="weight 1", scale=alt.Scale(domain=w1_ends, nice=False, zero=False), axis=below)
    w2 = alt.Y("w2:Q", title="weight 2", scale=alt.Scale(domain=w2_ends, nice=False, zero=False), axis=left)
    return w1, w2


def kept_inside(size: float, across: str = "w1", aside: str = "0") -> dict[str, Any]:
    """What a label of this size needs to stand in the middle over its point, or so many pixels `aside` of it, or as near to
    that as it is inside the plot."""
    x, half = f"(scale('x', datum.{across}) + {aside})", f"{_label_width(size)} / 2"
    return {"fontSize": size, "dx": {"expr": f"{aside} + max(0, {half} - {x}) - max(0, {x} + {half} - width)"}}


def kept_beside(size: float, apart: float) -> dict[str, Any]:
    """What a label of this size needs to stand so many pixels right of its point, or left of it where it has no room, and
    where there is none on either side as near to it as it is inside the plot."""
    x, wide = "scale('x', datum.w1)", _label_width(size)
    right, left = f"{x} + {apart} + {wide} <= width", f"{x} - {apart} - {wide} >= 0"
    return {
        "fontSize": size,
        "align": {"expr": f"{right} || !({left}) ? 'left' : 'right'"},
        "dx": {"expr": f"{right} ? {apart} : {left} ? {-apart} : width - {x} - {wide}"},
    }


def _label_width(size: float) -> str:
    """The expression for the most pixels that a label takes: how many it takes is known once it is drawn."""
    return f"{LETTER * size} * length(datum.label)"


def domain_slots(domain: Domain) -> dict[str, float]:
    """What fills the slots of `weight_axes`."""
    return dict(zip(("w1 from", "w1 to", "w2 from", "w2 to"), domain, strict=True))


# Of lines that are not filled. Not clipped: a clip has a name, and another figure on the page has one by the same name.
OPEN_LINE: dict[str, Any] = {"filled": False, "clip": False, "strokeJoin": "round", "strokeCap": "round"}


def lines_over(table: str, by: Sequence[str], closed: bool = False) -> alt.Chart:
    """The lines of a table whose rows are their points in order, told apart by these columns; `closed` ones can be filled.

    Each line is one shape: as a mark of lines each of its points would be worked out on its own, which takes the browser
    most of the time of a figure. What draws the shapes reads the two numbers of a point as its fields 0 and 1. A picture
    in true aspect has one scale for both axes.
    """
    kind, points = ("Polygon", "[datum.points]") if closed else ("LineString", "datum.points")
    scale = "width / (domain('x')[1] - domain('x')[0])"
    chart: alt.Chart = (
        alt.Chart(alt.NamedData(table))
        .transform_aggregate([alt.AggregatedFieldDef(op="values", field="0", **{"as": "points"})], groupby=list(by))
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
        scale=alt.Scale(domain=[1, slot("levels")], range=[theme.inner, theme.outer], interpolate="lab"),
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
        shape=STAR, size=size, filled=True, fill=theme.star, stroke="#1f2430", strokeWidth=1.2, opacity=1
    )
    return layer


def cross_layer(theme: Theme, marks: alt.Chart) -> alt.Chart:
    """Least squares."""
    layer: alt.Chart = marks.mark_point(
        shape="cross", angle=45, size=150, filled=True, fill=theme.ink, stroke=theme.background, strokeWidth=1.5, opacity=1,
        aria=False,
    )  # fmt: skip
    return layer


@template(0, 1)
def _surface_template(theme: Theme, which: int) -> dict[str, Any]:
    color = (theme.original, theme.fixed)[which]
    text_color = (theme.original_text, theme.fixed_text)[which]
    w1, w2 = weight_axes()

    trail, path = (lines_over(table, ["piece"]) for table in ("trail", "path"))
    trail = trail.mark_geoshape(stroke=color, strokeWidth=1.5, opacity=0.45, **OPEN_LINE)
    halo = path.mark_geoshape(stroke=theme.background, strokeWidth=6.5, **OPEN_LINE)
    path = path.mark_geoshape(stroke=color, strokeWidth=3.5, **OPEN_LINE)
    marks = alt.Chart(alt.NamedData("marks")).encode(x=w1, y=w2)
    start = marks.transform_filter("datum.kind == 'start'").mark_point(
        shape="circle", size=130, filled=True, fill=theme.background, stroke=color, strokeWidth=3, opacity=1, aria=False
    )
    minimum = star_layer(theme, marks.transform_filter("datum.kind == 'minimum'"))
    least_squares = cross_layer(theme, marks.transform_filter("datum.kind == 'least squares'"))
    here = marks.transform_filter("datum.kind == 'here' || datum.kind == 'end'").mark_point(
        shape="circle", size=60, filled=True, fill=color, stroke=theme.background, strokeWidth=1.5, opacity=1, aria=False
    )
    text = {"dy": {"expr": "datum.dy"}, **kept_inside(12.5)}
    label_halo = marks.mark_text(**text_halo(theme), opacity=0.85, **text).encode(text="label:N")
    label = marks.mark_text(color=theme.ink, **text).encode(text="label:N")
    now = (
        alt.Chart(alt.NamedData("now"))
        .mark_text(align="left", baseline="bottom", color=text_color, fontSize=13, fontWeight=600, limit={"expr": "width"})
        .encode(x=alt.value(0), y=alt.value(-8), text="text:N")
    )
    chart = alt.layer(ring_layer(theme), trail, halo, path, least_squares, minimum, start, here, label_halo, label, now)
    heading = alt.TitleParams(slot("title"), subtitle=slot("subtitle"), offset=20)
    spec = chart.properties(title=heading, width="container").to_dict()
    return finished(spec, theme, height=f"width * {ASPECT}")


# ---- curves ----------------------------------------------------------------------------------------------------------


def loss_figure(sides: Sequence[Side], step: int, theme: Theme) -> Figure:
    """Batch loss against step on a log axis, both sides, each with its surface's floor, and the replayed step marked."""
    curves, here = [], []
    for side in sides:
        if side.losses is None or not len(side.losses):
            continue
        k = min(step, len(side.losses) - 1)
        shown = _envelope(side.losses)
        curves.append(pd.DataFrame({"step": shown, "loss": side.losses[shown], "side": side.label}))
        here.append((k, float(side.losses[k]), side.label))
    table = pd.concat([*curves, pd.DataFrame({"step": [], "loss": [], "side": []})]).astype(
        {"step": "int32", "loss": "float64"}
    )
    floors = pd.DataFrame([(side.surface.floor, side.label) for side in sides], columns=["loss", "side"])
    now = pd.DataFrame(here, columns=["step", "loss", "side"])
    last = max((len(side.losses) - 1 for side in sides if side.losses is not None), default=-1)
    data = {
        "targets": pd.DataFrame({"step": np.linspace(0, last, min(TARGETS, last + 1)).astype("int32")}),
        "loss": table[table["loss"] > 0],  # a log axis has no zero
        "floors": floors[floors["loss"] > 0],
        "here": now[now["loss"] > 0],
        "now": pd.DataFrame({"step": [step]}),
    }
    ends = [
        f"{side.label.lower()} ends at {quantity(float(side.losses[-1]))}"
        for side in sides
        if side.losses is not None and len(side.losses)
    ]
    lowest = [f"{side.label.lower()} {quantity(side.surface.floor)}" for side in sides]
    alt_text = f"Loss of each batch against step: {'; '.join(ends)}. Least possible mean loss: {', '.join(lowest)}."
    stretches = sorted({round(len(side.losses) / BINS) for side in sides if side.losses is not None})
    every = [f"{stretch:,}" for stretch in stretches if stretch > 2]
    thinned = f"Of every {' or '.join(every)} steps the least and the greatest are drawn. " if every else ""
    caption = f"{thinned}Dashed: the least mean loss that each surface allows, {', '.join(lowest)}; one batch may go below."
    zeros = int((table["loss"] <= 0).sum())
    if any(side.surface.floor == 0 for side in sides):
        caption += " A least loss of 0 has no place on a log axis."
    if zeros:
        caption += f" {zeros:,} of the points are exactly 0 and have no place on a log axis."
    return Figure(_loss_spec(theme), data, alt_text, caption, "loss")


def _envelope(values: np.ndarray) -> np.ndarray:
    """Indices of the least and the greatest value in each of BINS stretches, and of both ends, in order."""
    if len(values) <= 2 * BINS:
        return np.arange(len(values))
    first = np.linspace(0, len(values), BINS + 1).astype(int)[:-1]
    sizes = np.diff(first, append=len(values))
    found = [np.array([0, len(values) - 1])]
    for extreme in (np.minimum, np.maximum):
        at = np.flatnonzero(values == np.repeat(extreme.reduceat(values, first), sizes))
        found.append(at[np.searchsorted(at, first)])  # the first of its stretch
    return np.unique(np.concatenate(found))


@template()
def _loss_spec(theme: Theme) -> dict[str, Any]:
    color = side_color(theme)
    step = alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickMinStep=1, tickCount=6), scale=alt.Scale(nice=False))
    scale = alt.Scale(type="log", nice=False, padding=PADDING)
    loss = alt.Y("loss:Q", title="mean squared error", scale=scale, axis=log_axis())

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(y=loss, color=color)

    lines = over("loss").mark_line(strokeWidth=1.2, strokeJoin="round").encode(x=step)
    floors = over("floors").mark_rule(strokeDash=[6, 4], strokeWidth=1.4)
    clicked = alt.selection_point(name="clicked", fields=["step"], nearest=True, on="click", empty=False)
    targets = alt.Chart(alt.NamedData("targets")).mark_point(opacity=0).encode(x=step).add_params(clicked)
    here = (
        over("here")
        .mark_point(filled=True, size=70, opacity=1, stroke=theme.background, strokeWidth=1.5)
        .encode(x=step, shape=side_shape())
    )
    chart = alt.layer(floors, lines, step_rule(theme, step), here, targets)
    heading = alt.TitleParams("Loss of each batch", subtitle="dashed: the least mean loss of each surface")
    return finished(chart.properties(title=heading, width="container", height=280).to_dict(), theme)


def weights_figure(sides: Sequence[Side], aim: Sequence[float], step: int, theme: Theme, aim_is: str = AIMS[0]) -> Figure:
    """Each weight against step, both sides, with the weights to aim at as lines, and the replayed step marked."""
    names = ("w1", "w2", "bias")
    curves, ends, here = [], [], []
    for side in sides:
        if side.weights is None:
            continue
        last = len(side.weights) - 1
        for column, name in enumerate(names[: side.weights.shape[1]]):
            values = side.weights[:, column].astype(np.float64)
            shown = _envelope(values)
            curves.append(pd.DataFrame({"step": shown, "value": values[shown], "side": side.label, "weight": name}))
            ends.append((last, float(values[last]), side.label, name))
            k = min(step, last)
            here.append((k, values[k], side.label, name))
    columns = ["step", "value", "side", "weight"]
    table = pd.concat([*curves, pd.DataFrame({name: [] for name in columns})]).astype({"step": "int32", "value": "float64"})
    drawn = [*table["value"], *map(float, aim)]
    span = max(drawn) - min(drawn)
    true = [(0, float(value), "", f"{name} = {coordinate(value)}") for name, value in zip(names, aim, strict=False)]
    labels = [(value, f"true {label}" if aim_is == AIMS[0] else label) for _, value, _, label in _joined(true, span)]
    lines = [(value, "") for _, value, _, _ in true if value not in [place for place, _ in labels]]
    named = [(k, value, label, f"{label.lower()} {name}") for k, value, label, name in _joined(ends, span)]
    texts = pd.DataFrame(named, columns=columns)
    texts["at"] = _apart(texts["value"].to_numpy(float), LABEL_HEIGHT * span)
    data = {
        "weights": table,
        "ends": texts,
        "here": pd.DataFrame(here, columns=columns),
        "true": pd.DataFrame([*labels, *lines], columns=["value", "label"]),
        "now": pd.DataFrame({"step": [step]}),
    }
    finals = [f"{side.label.lower()} ends at {point(side.weights[-1])}" for side in sides if side.weights is not None]
    alt_text = f"Weights against step: {'; '.join(finals)}; the {aim_is} are {point(aim)}."
    caption = f"Each weight as it is trained. Dashed: the {aim_is}."
    return Figure(_weights_spec(theme, aim_is), data, alt_text, caption, "weights")


def _joined(ends: Sequence[tuple[int, float, str, str]], span: float) -> list[tuple[int, float, str, str]]:
    """Labels of one side that would stand on one another in a picture of that span, joined into one: `w1, w2`."""
    close = 0.06 * span
    joined: list[tuple[int, float, str, str]] = []
    for last, value, side, name in ends:
        for index, (_, other, other_side, names) in enumerate(joined):
            if side == other_side and abs(value - other) <= close:
                joined[index] = (last, max(value, other), side, f"{names}, {name}")
                break
        else:
            joined.append((last, value, side, name))
    return joined


def _apart(places: Float[np.ndarray, " n"], gap: float) -> Float[np.ndarray, " n"]:
    """The places of labels, in the same order: higher where the one below would stand on them."""
    found = places.copy()
    for lower, upper in pairwise(np.argsort(places, kind="stable")):
        found[upper] = max(found[upper], found[lower] + gap)
    return found


@template(*AIMS)
def _weights_spec(theme: Theme, aim_is: str) -> dict[str, Any]:
    color = side_color(theme)
    step = alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickMinStep=1, tickCount=6), scale=alt.Scale(nice=False))

    def over(table: str, place: str = "value") -> alt.Chart:
        scale = alt.Scale(zero=False, nice=False, padding=PADDING)
        value = alt.Y(f"{place}:Q", title="weight", scale=scale, axis=number_axis())
        return alt.Chart(alt.NamedData(table)).encode(y=value)

    lines = over("weights").mark_line(strokeWidth=2, strokeJoin="round").encode(x=step, color=color, detail="weight:N")
    true = over("true").mark_rule(strokeDash=[6, 4], color=theme.quiet)
    beside_the_ends: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -92, "dy": -3}
    true_text = over("true").encode(x=alt.value("width"), text="label:N")
    true_label = true_text.mark_text(color=theme.quiet, **beside_the_ends)
    above_the_ends: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -2, "dy": -4, "fontWeight": 600}
    end_text = over("ends", "at").encode(x=step, text="weight:N")
    ends = end_text.mark_text(**above_the_ends).encode(color=side_text(theme))
    behind = (
        true_text.mark_text(**text_halo(theme), **beside_the_ends),
        end_text.mark_text(**text_halo(theme), **above_the_ends),
    )
    here = (
        over("here")
        .mark_point(filled=True, size=70, opacity=1, stroke=theme.background, strokeWidth=1.5)
        .encode(x=step, color=color, shape=side_shape())
    )
    chart = alt.layer(true, lines, step_rule(theme, step), *behind, true_label, here, ends)
    heading = alt.TitleParams("Weights", subtitle=f"dashed: the {aim_is}")
    return finished(chart.properties(title=heading, width="container", height=280).to_dict(), theme)
