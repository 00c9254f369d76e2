"""The loss surface of each side, with the path of its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from linreg.figures.figure import Figure
from linreg.figures.layers import (
    ASPECT,
    OPEN_LINE,
    contours,
    cross_layer,
    domain_around,
    domain_slots,
    drawn_as,
    full_path,
    inside,
    kept_inside,
    levels_over,
    lines_over,
    points_of,
    ring_layer,
    star_layer,
    weight_axes,
)
from linreg.figures.theme import (
    Theme,
    apply_theme,
    frame_of,
    placeholder,
    template,
    text_halo,
    with_frame_data,
)
from linreg.quadratic.contours import Domain
from linreg.quadratic.quadratic import Quadratic
from linreg.text.numbers import point, quantity


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison as the figures need it. Before it has trained, `weights` and
    `losses` are None."""

    label: str
    shapes: str
    surface: Quadratic
    weights: Float[np.ndarray, "T1 P"] | None = None
    losses: Float[np.ndarray, " T"] | None = None
    diverged_at: int | None = None


@dataclass(frozen=True, eq=False)
class Layout:
    """What does not change while a comparison is replayed: one domain and one spacing of the levels
    for both surfaces, and for each side its rings and its whole path, shortened to what the eye
    sees."""

    domain: Domain
    spacing: float  # between levels, in √(loss − floor)
    levels: int
    least_squares: Float[np.ndarray, " P"]
    rings: tuple[pd.DataFrame, ...]
    trails: tuple[pd.DataFrame, ...]


def scene(
    sides: Sequence[Side], least_squares: Float[np.ndarray, " P"], starts: Sequence[Sequence[float]]
) -> Layout:
    """The scene that holds the minima, the least-squares solution and the starts, and the paths
    where they stay near."""
    surfaces = [side.surface.profile() for side in sides]
    paths = [side.weights[:, :2].astype(np.float64) for side in sides if side.weights is not None]
    begun = [*(start[:2] for start in starts), *(path[0] for path in paths)]
    needed = np.array([*(surface.minimum for surface in surfaces), least_squares[:2], *begun])
    domain = domain_around(needed, paths)
    spacing, levels = levels_over(surfaces, domain)
    return Layout(
        domain,
        spacing,
        levels,
        least_squares,
        tuple(contours(surface, domain, spacing, levels) for surface in surfaces),
        tuple(full_path(side.weights, domain) for side in sides),
    )


def surface_figure(
    sides: Sequence[Side], which: int, scene: Layout, step: int, theme: Theme
) -> Figure:
    """The loss over (w1, w2) as filled rings, one side's path up to `step`, its start, and the
    surface's minimum."""
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
    whole = (
        "The run has yet to be trained"
        if side.weights is None
        else f"The path {_now(side, scene.domain, len(side.weights))}"
    )
    alt_text = f"{side.label}, {side.shapes}: the loss surface has its minimum at {point(surface.minimum)}, {floor}. {whole}."
    data["frame"] = frame_of(
        title=f"{side.label}: {side.shapes}",
        subtitle=floor,
        alt=alt_text,
        levels=max(scene.levels, 2),
        **domain_slots(scene.domain),
    )
    caption, name = _surface_caption(sides, scene), f"{side.label}: path on the loss surface"
    return Figure(_surface_template(theme, which), data, alt_text, caption, "trail", name)


def _surface_caption(sides: Sequence[Side], scene: Layout) -> str:
    """What the marks and the contours mean, of both sides, since they are seen together."""
    loose = [side.label.lower() for side in sides if not side.surface.profile().unique]
    return (
        "Ring: start. Dot: where the path is. Star: where this loss is least. Cross: least squares,"
        " the best there is."
        f" From contour to contour √(loss − its least value) grows by {quantity(scene.spacing)}, on"
        " both sides alike."
        + (
            " The surface has the bias at its best for each pair of weights; a path whose bias is"
            " still on its way has a"
            " higher loss than its place shows."
            if any(len(side.surface.c) > 2 for side in sides)
            else ""
        )
        + (
            f" The minimum is not unique ({', '.join(loose)}): the star marks the one of least"
            " norm."
            if loose
            else ""
        )
    )


def _path(trail: pd.DataFrame, side: Side, domain: Domain, step: int) -> pd.DataFrame:
    """The trail up to `step`, and from its last corner on to where the path is now."""
    path = trail.loc[trail["step"] <= step, ["w1", "w2", "piece"]]
    if side.weights is not None and len(path) and step < len(side.weights) - 1:
        now = side.weights[[step], :2].astype(np.float64)
        if inside(now, domain).all():
            path = pd.concat(
                [path, pd.DataFrame(now, columns=["w1", "w2"]).assign(piece=path["piece"].iloc[-1])]
            )
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
    return (
        f"{'ends at' if k == last else 'is at'} {point(side.weights[k])} after {k:,} steps{beyond}"
    )


def _marks(
    side: Side, surface: Quadratic, scene: Layout, step: int, with_least_squares: bool
) -> pd.DataFrame:
    """The marked points: kind, place, label, and on which side of the point the label stands."""
    _, _, low2, high2 = scene.domain
    rows: list[tuple[str, float, float, str]] = []
    if side.weights is not None:
        k = min(step, len(side.weights) - 1)
        rows.append(("start", *side.weights[0, :2].tolist(), ""))
        rows.append(
            ("end" if k == len(side.weights) - 1 else "here", *side.weights[k, :2].tolist(), "")
        )
    rows.append(("minimum", *surface.minimum.tolist(), f"minimum {point(surface.minimum)}"))
    if with_least_squares:
        rows.append(
            (
                "least squares",
                *scene.least_squares[:2].tolist(),
                f"least squares {point(scene.least_squares[:2])}",
            )
        )
    frame = pd.DataFrame(rows, columns=["kind", "w1", "w2", "label"])
    frame = frame[inside(points_of(frame), scene.domain)]
    begun_above = side.weights is not None and bool(
        side.weights[0, 1] > surface.minimum[1]
    )  # and so its path
    below = (frame["kind"] == "minimum") & begun_above
    if with_least_squares:  # the two labels keep apart
        rise = (scene.least_squares[1] - surface.minimum[1]) / (high2 - low2)
        lower = frame["kind"] == ("minimum" if rise > 0 else "least squares")
        below = lower if abs(rise) < 0.25 else lower | below
    up = (frame["w2"] - low2) / (high2 - low2)
    below = (below & (up > 0.12)) | (up > 0.9)
    frame["dy"] = np.where(below, 24, -16).astype(np.int8)
    return frame.astype({"w1": drawn_as(scene.domain), "w2": drawn_as(scene.domain)})


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
        shape="circle",
        size=130,
        filled=True,
        fill=theme.background,
        stroke=color,
        strokeWidth=3,
        opacity=1,
        aria=False,
    )
    minimum = star_layer(theme, marks.transform_filter("datum.kind == 'minimum'"))
    least_squares = cross_layer(theme, marks.transform_filter("datum.kind == 'least squares'"))
    here = marks.transform_filter("datum.kind == 'here' || datum.kind == 'end'").mark_point(
        shape="circle",
        size=60,
        filled=True,
        fill=color,
        stroke=theme.background,
        strokeWidth=1.5,
        opacity=1,
        aria=False,
    )
    text = {"dy": {"expr": "datum.dy"}, **kept_inside(12.5)}
    label_halo = marks.mark_text(**text_halo(theme), opacity=0.85, **text).encode(text="label:N")
    label = marks.mark_text(color=theme.ink, **text).encode(text="label:N")
    now = (
        alt.Chart(alt.NamedData("now"))
        .mark_text(
            align="left",
            baseline="bottom",
            color=text_color,
            fontSize=13,
            fontWeight=600,
            limit={"expr": "width"},
        )
        .encode(x=alt.value(0), y=alt.value(-8), text="text:N")
    )
    chart = alt.layer(
        ring_layer(theme),
        trail,
        halo,
        path,
        least_squares,
        minimum,
        start,
        here,
        label_halo,
        label,
        now,
    )
    heading = alt.TitleParams(placeholder("title"), subtitle=placeholder("subtitle"), offset=20)
    spec = chart.properties(title=heading, width="container").to_dict()
    return apply_theme(with_frame_data(spec), theme, height=f"width * {ASPECT}")
