"""The figures of the surface page: many paths on one surface, their loss and distance, learning rates, single batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.charts import (
    ASPECT,
    cross_layer,
    domain_around,
    inside,
    levels_over,
    ring_layer,
    rings_of,
    star_layer,
    trail_of,
    weight_axes,
)
from linreg.explore import Paths
from linreg.figure import Figure
from linreg.optimizers import OPTIMIZERS
from linreg.surface import Domain, Moments, Quadratic
from linreg.theme import Theme, finished, number_axis
from linreg.wording import point, quantity, reaches

TRAIL_POINTS = 1_400  # of all paths of one panel
CURVE_STEPS = 140  # of a curve against step, closer together where it is early
SNAP = 30  # places across the picture where a click can set a start
ARROWS = 15
CLOUD = 500  # minima of single batches that are drawn


@dataclass(frozen=True, eq=False)
class Panel:
    """One side: its surface, and the paths that every optimizer took on it from the same starts."""

    label: str
    shapes: str
    surface: Quadratic
    paths: tuple[Paths, ...]


@dataclass(frozen=True, eq=False)
class PathScene:
    """What stays the same while the paths are replayed: one picture for all panels, their rings and their whole paths."""

    domain: Domain
    spacing: float
    levels: int
    least_squares: Float[np.ndarray, " P"]
    rings: tuple[pd.DataFrame, ...]
    trails: tuple[pd.DataFrame, ...]


def path_scene(panels: Sequence[Panel], least_squares: Float[np.ndarray, " P"]) -> PathScene:
    """The scene that holds the minima, least squares and all starts, and the paths where they stay near."""
    surfaces = [panel.surface.profile() for panel in panels]
    starts = [start[:2] for panel in panels for path in panel.paths for start in path.weights[0]]
    tracks = [path.weights[:, run, :2] for panel in panels for path in panel.paths for run in range(path.weights.shape[1])]
    finite = [track[np.isfinite(track).all(1)] for track in tracks]
    domain = domain_around(np.array([*(surface.minimum for surface in surfaces), least_squares[:2], *starts]), finite)
    spacing, levels = levels_over(surfaces, domain)
    return PathScene(
        domain,
        spacing,
        levels,
        least_squares,
        tuple(rings_of(surface, domain, spacing, levels) for surface in surfaces),
        tuple(_trails(panel, domain) for panel in panels),
    )


def _trails(panel: Panel, domain: Domain) -> pd.DataFrame:
    """All paths of a panel within the picture, in one table."""
    runs = sum(path.weights.shape[1] for path in panel.paths)
    parts = []
    piece = 0
    for path in panel.paths:
        for run in range(path.weights.shape[1]):
            track = path.weights[:, run]
            trail = trail_of(track[np.isfinite(track).all(1)], domain, max(TRAIL_POINTS // runs, 20))
            trail["step"] = path.steps[trail["step"]]
            trail["piece"] += piece
            piece = int(trail["piece"].max() if len(trail) else piece) + 1
            parts.append(trail.assign(optimizer=path.optimizer))
    empty = pd.DataFrame({"step": [], "w1": [], "w2": [], "piece": [], "optimizer": []})
    table = pd.concat(parts) if parts else empty
    kinds = {"step": "int32", "w1": "float32", "w2": "float32", "piece": "int16", "optimizer": "category"}
    return table.astype(kinds)


def paths_figure(
    panels: Sequence[Panel], which: int, scene: PathScene, step: int, theme: Theme, arrows: bool = False
) -> Figure:
    """All paths on one surface up to `step`: starts as rings, where each is now as a dot, the axes of the bowl as lines."""
    panel, surface = panels[which], panels[which].surface.profile()
    heads = [
        (path.optimizer, *path.weights[k, run, :2].tolist())
        for path in panel.paths
        for run in range(path.weights.shape[1])
        for k in [_seen(path, run, step)]
    ]
    now = pd.DataFrame(heads, columns=["optimizer", "w1", "w2"])
    starts = sorted({tuple(start[:2].tolist()) for path in panel.paths for start in path.weights[0]})
    marks = [("minimum", *surface.minimum.tolist()), ("least squares", *scene.least_squares[:2].tolist())]
    trail = scene.trails[which]
    data = {
        "rings": scene.rings[which],
        "trail": trail,
        "path": trail[trail["step"] <= step],
        "now": now[inside(now[["w1", "w2"]].to_numpy(float), scene.domain)] if len(now) else now,
        "starts": _points(starts, scene.domain),
        "marks": pd.DataFrame(marks, columns=["kind", "w1", "w2"]),
        "axes": _axes(surface, scene),
        "arrows": _arrows(surface, scene.domain) if arrows else pd.DataFrame({"w1": [], "w2": [], "angle": [], "size": []}),
        "snap": _snap(scene.domain),
    }
    names = [path.optimizer for path in panel.paths]
    arrived = [path.optimizer for path in panel.paths if reaches(path, panel.surface)]
    floor = f"loss never below {quantity(surface.floor)}"
    spec = _paths_spec(theme, scene.domain, scene.levels, f"{panel.label}: {panel.shapes}", floor, tuple(names))
    alt_text = (
        f"{panel.label}, {panel.shapes}: paths of {', '.join(names) or 'no optimizer'} on the loss surface, which has its"
        f" minimum at {point(surface.minimum)}, {floor}. {len(arrived)} of {len(names)} come close to it."
    )
    caption = (
        "Rings: starts. Dots: where each path is. Star: where this loss is least. Cross: least squares. Dashed: the bowl's"
        f" axes. From contour to contour √(loss − its least value) grows by {quantity(scene.spacing)}."
        + (" Arrows: down the gradient, larger where it is steeper." if arrows else "")
    )
    return Figure(spec, data, alt_text, caption, "trail")


def _seen(path: Paths, run: int, step: int) -> int:
    """The last recorded row of a run at or before `step` at which it is finite."""
    k = int(np.searchsorted(path.steps, step, side="right")) - 1
    lost = path.diverged_at[run]
    return k if lost < 0 else min(k, max(int(np.searchsorted(path.steps, lost, side="left")) - 1, 0))


def _points(points: Sequence[Sequence[float]], domain: Domain) -> pd.DataFrame:
    array = np.array(points, dtype=np.float64).reshape(-1, 2)
    return pd.DataFrame(array[inside(array, domain)], columns=["w1", "w2"])


def _axes(surface: Quadratic, scene: PathScene) -> pd.DataFrame:
    """The axes of the bowl: from the minimum to the contour that is a third of the way out, and what λ is along each."""
    values, vectors = np.linalg.eigh(surface.hessian)
    excess = (scene.spacing * max(scene.levels, 1) / 3) ** 2
    columns = ["w1", "w2", "axis", "order", "label"]
    rows = []
    longest = np.hypot(scene.domain[1] - scene.domain[0], scene.domain[3] - scene.domain[2])
    for number, (value, along) in enumerate(zip(values[::-1], vectors.T[::-1], strict=True)):
        half = min(np.sqrt(2 * excess / value), longest) if value > 0 else longest
        for end in (-1, 1):
            w1, w2 = surface.minimum + end * half * along
            rows.append((w1, w2, number, end, f"λ = {quantity(value)}" if end == 1 else ""))
    return pd.DataFrame(rows, columns=columns)


def _arrows(surface: Quadratic, domain: Domain) -> pd.DataFrame:
    """Down the gradient on a grid: the direction in degrees from straight up, clockwise, and the size by the steepness."""
    across, up = ((np.arange(ARROWS) + 0.5) / ARROWS, (np.arange(int(ARROWS * ASPECT)) + 0.5) / int(ARROWS * ASPECT))
    w1, w2 = np.meshgrid(domain[0] + across * (domain[1] - domain[0]), domain[2] + up * (domain[3] - domain[2]))
    points = np.stack([w1.ravel(), w2.ravel()], axis=1)
    downhill = -surface.gradient(points)  # (n, 2)
    steepness = np.linalg.norm(downhill, axis=1)
    frame = pd.DataFrame({"w1": w1.ravel(), "w2": w2.ravel()})
    frame["angle"] = np.degrees(np.arctan2(downhill[:, 0], downhill[:, 1]))
    frame["size"] = steepness / max(steepness.max(), np.finfo(float).tiny)
    return frame.astype("float32")


def _snap(domain: Domain) -> pd.DataFrame:
    """Where a click can set a start: numbers as round as the picture is large."""
    width = (domain[1] - domain[0]) / SNAP
    power = 10.0 ** np.floor(np.log10(width))
    grid = min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda size: abs(np.log(size / width)))
    w1, w2 = (
        np.round(np.arange(np.ceil(low / grid), np.floor(high / grid) + 1) * grid, 12)
        for low, high in (domain[:2], domain[2:])
    )
    columns, rows = np.meshgrid(w1, w2)
    return pd.DataFrame({"w1": columns.ravel(), "w2": rows.ravel()})


def optimizer_color(theme: Theme, names: Sequence[str]) -> alt.Color:
    """One colour an optimizer, the same in every figure, and a legend of those that are shown."""
    every = dict(zip(OPTIMIZERS, theme.series * 2, strict=False))
    return alt.Color(
        "optimizer:N",
        scale=alt.Scale(domain=list(names), range=[every[name] for name in names]),
        legend=alt.Legend(
            orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, symbolOpacity=1, offset=4, columns=5
        ),
    )


@lru_cache(maxsize=64)
def _paths_spec(
    theme: Theme, domain: Domain, levels: int, title: str, subtitle: str, names: tuple[str, ...]
) -> dict[str, Any]:
    w1, w2 = weight_axes(domain)
    color = optimizer_color(theme, names)

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=w1, y=w2)

    line: dict[str, Any] = {"strokeJoin": "round", "strokeCap": "round"}
    whole = over("trail").mark_line(strokeWidth=1.2, opacity=0.4, **line)
    whole = whole.encode(detail="piece:O", order="step:Q", color=color)
    halo = over("path").mark_line(stroke=theme.background, strokeWidth=5, opacity=0.8, **line)
    halo = halo.encode(detail="piece:O", order="step:Q")
    path = over("path").mark_line(strokeWidth=2.4, **line).encode(detail="piece:O", order="step:Q", color=color)
    axes = over("axes").mark_line(stroke=theme.ink, strokeWidth=1, strokeDash=[5, 4], opacity=0.7, clip=True)
    axes = axes.encode(detail="axis:N", order="order:Q")
    arrows = over("arrows").mark_point(shape="arrow", filled=True, fill=theme.quiet, opacity=0.55, strokeWidth=0)
    arrows = arrows.encode(
        angle=alt.Angle("angle:Q", scale=None), size=alt.Size("size:Q", scale=alt.Scale(range=[60, 420]), legend=None)
    )
    starts = over("starts").mark_point(
        shape="circle", size=70, filled=True, fill=theme.background, stroke=theme.ink, strokeWidth=2, opacity=1
    )
    now = over("now").mark_point(shape="circle", size=55, filled=True, stroke=theme.background, strokeWidth=1.2, opacity=1)
    marks = over("marks")
    star = star_layer(theme, marks.transform_filter("datum.kind == 'minimum'"))
    cross = cross_layer(theme, marks.transform_filter("datum.kind == 'least squares'"))
    clicked = alt.selection_point(name="clicked", fields=["w1", "w2"], nearest=True, on="click", empty=False)
    snap = over("snap").mark_point(opacity=0, size=30, aria=False).add_params(clicked)
    chart = alt.layer(
        ring_layer(theme, over("rings"), levels),
        arrows,
        axes,
        whole,
        halo,
        path,
        cross,
        star,
        starts,
        now.encode(color=color),
        snap,
    )
    heading = alt.TitleParams(title, subtitle=subtitle)
    spec = chart.properties(title=heading, width="container").to_dict()
    return finished(spec, theme, height=f"width * {ASPECT}")


# ---- loss and distance against step ------------------------------------------------------------------------------------


def descent_figure(panel: Panel, what: str, step: int, theme: Theme) -> Figure:
    """Excess loss (`loss`) or distance to the minimum (`distance`) against step: an optimizer a curve, the median of its
    starts."""
    title = {"loss": "Loss above its floor", "distance": "Distance to the minimum"}[what]
    parts = []
    for path in panel.paths:
        values = path.losses(panel.surface) - panel.surface.floor if what == "loss" else path.distances(panel.surface)
        rows = _early(path.steps)
        with np.errstate(invalid="ignore"):
            middle = np.median(np.where(np.isfinite(values[rows]), values[rows], np.inf), axis=1)  # (S,)
        parts.append(pd.DataFrame({"step": path.steps[rows], "value": middle, "optimizer": path.optimizer}))
    empty = pd.DataFrame({"step": [], "value": [], "optimizer": []})
    table = pd.concat(parts) if parts else empty
    table = table[np.isfinite(table["value"].astype(float)) & (table["value"] > 0)]
    table = table.astype({"step": "int32", "value": "float64", "optimizer": "category"})
    names = tuple(path.optimizer for path in panel.paths)
    ends = [
        f"{name} {quantity(float(group['value'].iloc[-1]))}" for name, group in table.groupby("optimizer", observed=True)
    ]
    unit = "mean squared error" if what == "loss" else "in units of the weights"
    spec = _descent_spec(theme, f"{panel.label}: {title[0].lower()}{title[1:]}", unit, names)
    alt_text = (
        f"{panel.label}: {title.lower()} against step, the median of the starts. At the end: {', '.join(ends) or 'none'}."
    )
    caption = "The median of the starts. Both axes are stretched where they are small."
    data = {"curve": table, "now": pd.DataFrame({"step": [step]})}
    return Figure(spec, data, alt_text, caption, "curve")


def _early(steps: np.ndarray) -> np.ndarray:
    """Rows of the record in even ratios of their steps, so that the first steps are seen as well as the last."""
    last = len(steps) - 1
    if last <= CURVE_STEPS:
        return np.arange(last + 1)
    return np.unique(np.rint(np.geomspace(1, last + 1, CURVE_STEPS)).astype(int) - 1)


@lru_cache(maxsize=64)
def _descent_spec(theme: Theme, title: str, unit: str, names: tuple[str, ...]) -> dict[str, Any]:
    axis = alt.Axis(grid=False, values=[0, *(10**power for power in range(7))], labelExpr="format(datum.value, ',')")
    step = alt.X("step:Q", title="step", axis=axis, scale=alt.Scale(type="symlog", constant=1, nice=False))
    value = alt.Y("value:Q", title=unit, scale=alt.Scale(type="log"), axis=number_axis())
    lines = alt.Chart(alt.NamedData("curve")).mark_line(strokeWidth=1.8, strokeJoin="round")
    lines = lines.encode(x=step, y=value, color=optimizer_color(theme, names))
    rule = alt.Chart(alt.NamedData("now")).mark_rule(color=theme.quiet, strokeWidth=1).encode(x=step)
    return finished(alt.layer(lines, rule).properties(title=title, width="container", height=230).to_dict(), theme)


# ---- curvature -------------------------------------------------------------------------------------------------------


def rates_figure(rates: Sequence[tuple[str, str, float]], limits: Sequence[tuple[str, float]], theme: Theme) -> Figure:
    """Learning rates on a line: (label, side, lr) as dots, and limits (label, lr) as rules."""
    table = pd.DataFrame(rates, columns=["label", "side", "lr"])
    rules = pd.DataFrame([(name, lr) for name, lr in limits if np.isfinite(lr)], columns=["label", "lr"])
    rules["align"] = ["right", "left"][: len(rules)]
    said = "; ".join(f"{name} {quantity(lr)}" for name, lr in limits)
    labels = tuple(dict.fromkeys(table["label"]))
    alt_text = f"Learning rates in use, and the limits of gradient descent on this surface: {said}."
    caption = (
        "Rules: below its limit gradient descent settles on this bowl, above it overflows. The limits hold for SGD alone;"
        " the others divide by the gradient's size and have no such limit."
    )
    return Figure(_rates_spec(theme, labels), {"rates": table, "limits": rules}, alt_text, caption, "rates")


@lru_cache(maxsize=16)
def _rates_spec(theme: Theme, labels: tuple[str, ...]) -> dict[str, Any]:
    lr = alt.X("lr:Q", title="learning rate", scale=alt.Scale(type="log"), axis=alt.Axis(format="~g", grid=False))
    row = alt.Y("label:N", title=None, sort=list(labels), axis=alt.Axis(labelFontSize=12.5, ticks=False, domain=False))
    apart = alt.YOffset("side:N", sort=["Original", "Fixed"], scale=alt.Scale(paddingOuter=1))
    color = alt.Color(
        "side:N",
        scale=alt.Scale(domain=["Original", "Fixed"], range=[theme.original, theme.fixed]),
        legend=alt.Legend(orient="top", title=None, symbolType="circle", offset=4),
    )
    dots = (
        alt.Chart(alt.NamedData("rates"))
        .mark_point(filled=True, size=80, opacity=1)
        .encode(x=lr, y=row, yOffset=apart, color=color)
    )
    rules = alt.Chart(alt.NamedData("limits")).mark_rule(strokeDash=[6, 4], color=theme.ink, strokeWidth=1.2).encode(x=lr)
    text = alt.Chart(alt.NamedData("limits")).mark_text(
        align={"expr": "datum.align"},
        baseline="top",
        dx={"expr": "datum.align == 'right' ? -5 : 5"},
        color=theme.ink,
        fontSize=12,
    )
    text = text.encode(x=lr, y=alt.value(3), text="label:N")
    heading = alt.TitleParams("Learning rates in use, and the limits of gradient descent")
    chart = alt.layer(rules, dots, text).properties(title=heading, width="container", height=40 + 30 * len(labels))
    return finished(chart.to_dict(), theme)


# ---- one batch -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Batches:
    """One side's batches: its label, and the exact quadratic of each."""

    label: str
    shapes: str
    moments: Moments


def batch_minima(moments: Moments, most: int = CLOUD) -> Float[np.ndarray, "n 2"]:
    """Where the first batches' losses are least, each its own."""
    return np.stack([moments.batch(k).profile().minimum for k in range(min(len(moments), most))])


def batch_domains(minima: Sequence[Float[np.ndarray, "n 2"]]) -> list[Domain]:
    """Pictures of one size, each around the middle of its minima, that hold the bulk of them: those of tiny batches may lie
    anywhere."""
    middles = [np.median(cloud, axis=0) for cloud in minima]
    reach = max(float(np.quantile(np.abs(cloud - middle), 0.96)) for cloud, middle in zip(minima, middles, strict=True))
    half = np.array([1, ASPECT]) * (1.5 * reach or 1.0)
    return [(*(middle[0] + (-half[0], half[0])).tolist(), *(middle[1] + (-half[1], half[1])).tolist()) for middle in middles]


def batch_figure(batches: Batches, k: int, minima: Float[np.ndarray, "n 2"], domain: Domain, theme: Theme) -> Figure:
    """The surface of batch `k` alone, its minimum, and the minima of the other batches."""
    surface = batches.moments.batch(k).profile()
    mean = batches.moments.mean().profile()
    spacing, levels = levels_over([surface], domain)
    spread = np.quantile(np.abs(minima - np.median(minima, axis=0)), 0.68, axis=0)
    marks = [("minimum", *surface.minimum.tolist()), ("mean", *mean.minimum.tolist())]
    frame = pd.DataFrame(marks, columns=["kind", "w1", "w2"])
    data = {
        "rings": rings_of(surface, domain, spacing, levels),
        "cloud": _points(minima.tolist(), domain).astype("float32"),
        "marks": frame[inside(frame[["w1", "w2"]].to_numpy(float), domain)],
    }
    subtitle = f"least at {point(surface.minimum, 3)}; two batches in three within ±{point(spread, 3)}"
    spec = _batch_spec(
        theme, domain, levels, f"{batches.label}, batch {k}: {batches.shapes}", subtitle, batches.label == "Original"
    )
    alt_text = (
        f"{batches.label}: the loss of batch {k} alone is least at {point(surface.minimum)}. Two thirds of the"
        f" batches have their minimum within {point(spread, 3)} of the middle; that of their mean is {point(mean.minimum)}."
    )
    caption = (
        "Star: where this batch's loss is least. Dots: the minima of the other batches. Cross: the minimum of their mean,"
        " which is what a run settles near."
    )
    return Figure(spec, data, alt_text, caption, "cloud")


@lru_cache(maxsize=64)
def _batch_spec(theme: Theme, domain: Domain, levels: int, title: str, subtitle: str, original: bool) -> dict[str, Any]:
    w1, w2 = weight_axes(domain)

    def over(table: str) -> alt.Chart:
        return alt.Chart(alt.NamedData(table)).encode(x=w1, y=w2)

    color = theme.original if original else theme.fixed
    cloud = over("cloud").mark_point(
        filled=True, size=26, fill=color, opacity=0.55, stroke=theme.background, strokeWidth=0.4
    )
    marks = over("marks")
    star = star_layer(theme, marks.transform_filter("datum.kind == 'minimum'"), size=320)
    cross = cross_layer(theme, marks.transform_filter("datum.kind == 'mean'"))
    chart = alt.layer(ring_layer(theme, over("rings"), levels), cloud, cross, star)
    heading = alt.TitleParams(title, subtitle=subtitle)
    spec = chart.properties(title=heading, width="container").to_dict()
    return finished(spec, theme, height=f"width * {ASPECT}")
