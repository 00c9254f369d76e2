"""Contour lines of a quadratic over two weights."""

from __future__ import annotations

from typing import Any

import contourpy
import numpy as np
from jaxtyping import Float

from linreg.quadratic.quadratic import Quadratic

FLAT = 1e-10  # of the largest eigenvalue: below it no ellipse is drawn from its axes


# of an ellipse between two crossings of the picture's edge; a whole one is exact to 2e-4 of its
# half axis
ARC_POINTS = 193


Domain = tuple[float, float, float, float]  # w1 from, w1 to, w2 from, w2 to


def sublevel_rings(
    quadratic: Quadratic, excess: Float[np.ndarray, " L"], domain: Domain, cells: int = 240
) -> list[Float[np.ndarray, "n 2"]]:
    """The outlines of {w in the domain: loss − floor ≤ excess}, one for each level, cut at the
    domain's edge.

    Of a quadratic each is convex, so one polygon; an empty array where the level misses the domain.
    An ellipse is followed along its own angle; where the surface is all but flat in one direction,
    the outlines are found on a grid of so many cells."""
    values, vectors = np.linalg.eigh(quadratic.A)
    if values[0] > FLAT * values[-1]:
        rings = _ellipses_within(
            quadratic.minimum, vectors / np.sqrt(values), np.sqrt(excess), domain
        )
    else:
        rings = _rings_on_grid(quadratic, excess, domain, cells)
    return rings


def _ellipses_within(
    middle: np.ndarray, axes: np.ndarray, sizes: np.ndarray, domain: Domain
) -> list[Float[np.ndarray, "n 2"]]:
    """The outline of what each ellipse, middle + size · axes @ (cos t, sin t), and the domain have
    in common, from the angles at which it crosses the domain's edge."""
    low, high = np.array(domain[::2]), np.array(domain[1::2])
    turn = np.arctan2(
        axes[:, 1], axes[:, 0]
    )  # (2,), the angle at which an ellipse gets furthest along each weight …
    reach = np.hypot(axes[:, 0], axes[:, 1])  # … and how far, for size 1
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # a point; an edge that an ellipse does not reach
        apart = np.arccos(
            (np.stack([low, high]) - middle) / (sizes[:, None, None] * reach)
        )  # (L, 2, 2)
    crossed = np.concatenate([turn - apart, turn + apart], axis=1).reshape(-1, 8) % (2 * np.pi)
    begin = np.sort(crossed, axis=1)  # (L, 8), what is NaN last
    begin[np.isnan(begin[:, 0]), 0] = 0  # one that does not meet the edge: a whole turn
    turned = begin[:, :1] + 2 * np.pi
    arcs = np.diff(np.where(np.isnan(begin), turned, begin), append=turned)
    real = (arcs > 0) & (sizes > 0)[:, None]  # (L, 8)
    of = np.nonzero(real)[0]  # (arcs,), the ellipse of each
    t = begin[real][:, None] + arcs[real][:, None] * np.linspace(0, 1, ARC_POINTS)  # (arcs, points)
    points = middle + sizes[of, None, None] * (
        np.stack([np.cos(t), np.sin(t)], axis=-1) @ axes.T
    )  # (arcs, points, 2)
    halfway = points[:, ARC_POINTS // 2]
    seen = ((halfway >= low) & (halfway <= high)).all(1)
    corners = np.array([[w1, w2] for w1 in domain[:2] for w2 in domain[2:]])
    held = np.hypot(*np.linalg.solve(axes, (corners - middle).T)) <= sizes[:, None] * (
        1 + 1e-12
    )  # with what rounding takes
    holder, corner = np.nonzero(held & (sizes > 0)[:, None])
    points = np.concatenate([np.clip(points[seen].reshape(-1, 2), low, high), corners[corner]])
    of = np.concatenate([np.repeat(of[seen], ARC_POINTS), holder])
    counts = np.bincount(of, minlength=len(sizes))  # (L,)
    inner = (
        np.stack([np.bincount(of, column, len(sizes)) for column in points.T], axis=1)
        / np.maximum(counts, 1)[:, None]
    )
    around = (points - inner[of]) / (high - low)  # from inside, since what they outline is convex
    points = points[np.lexsort((np.arctan2(around[:, 1], around[:, 0]), of))]
    rings = np.split(points, np.cumsum(counts)[:-1])
    return [np.concatenate([ring, ring[:1]]) if len(ring) > 2 else ring[:0] for ring in rings]


def _rings_on_grid(
    quadratic: Quadratic, excess: np.ndarray, domain: Domain, cells: int
) -> list[Float[np.ndarray, "n 2"]]:
    w1, w2 = np.linspace(*domain[:2], cells + 1), np.linspace(*domain[2:], cells + 1)
    grid = np.stack(np.meshgrid(w1, w2), axis=-1)  # (cells + 1, cells + 1, 2)
    height = np.sqrt(
        np.maximum(quadratic.value(grid) - quadratic.floor, 0)
    )  # a cone: linear interpolation fits it best
    generator = contourpy.contour_generator(w1, w2, height, fill_type="OuterOffset")
    levels: list[Any] = [generator.filled(-np.inf, level)[0] for level in np.sqrt(excess)]
    return [max(outlines, key=len) if outlines else np.empty((0, 2)) for outlines in levels]
