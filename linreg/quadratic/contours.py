"""Contours of a quadratic over two weights."""

from __future__ import annotations

from typing import Any

import contourpy
import numpy as np
from jaxtyping import Float

from linreg.quadratic.quadratic import Quadratic

# If the ratio of the eigenvalues is below this, contours are found on a grid, not from the axes.
SINGULAR = 1e-10

# Points per arc between two crossings of the domain's edge. With these, a full ellipse is off by at
# most 2e-4 of its semi-axis.
ARC_POINTS = 193

Domain = tuple[float, float, float, float]  # w1 from, w1 to, w2 from, w2 to


def sublevel_contours(
    quadratic: Quadratic, excess: Float[np.ndarray, " L"], domain: Domain, cells: int = 240
) -> list[Float[np.ndarray, "_ 2"]]:
    """The outline of {w in the domain: loss − minimum loss ≤ excess} for each of the L levels.

    These sets are convex, so each outline is one closed polygon, and an empty array if the level
    misses the domain. Ellipses are computed exactly; if the Hessian is close to singular, the
    outlines are interpolated on a grid of `cells` × `cells`."""
    values, vectors = np.linalg.eigh(quadratic.A)
    if values[0] > SINGULAR * values[-1]:
        axes = vectors / np.sqrt(values)
        return _clipped_ellipses(quadratic.minimum, axes, np.sqrt(excess), domain)
    return _contours_on_grid(quadratic, excess, domain, cells)


def _clipped_ellipses(
    centre: np.ndarray, axes: np.ndarray, sizes: np.ndarray, domain: Domain
) -> list[Float[np.ndarray, "_ 2"]]:
    """The outlines of the ellipses centre + size · axes @ (cos t, sin t), cut to the domain.

    `centre` is (2,), `axes` (2, 2) and `sizes` (L,). The outline of an ellipse consists of the arcs
    inside the domain and of the domain's corners inside the ellipse, ordered by their angle."""
    low, high = np.array(domain[::2]), np.array(domain[1::2])

    # the angles t at which the ellipses cross the four edges, and the arcs between them
    extreme_t = np.arctan2(axes[:, 1], axes[:, 0])  # (2,), where a weight is largest
    extent = np.hypot(axes[:, 0], axes[:, 1])  # (2,), how large for size 1
    with np.errstate(divide="ignore", invalid="ignore"):  # size 0; edges that are not reached
        offset = np.arccos((np.stack([low, high]) - centre) / (sizes[:, None, None] * extent))
    crossings = np.concatenate([extreme_t - offset, extreme_t + offset], axis=1)  # (L, 4, 2)
    begin = np.sort(crossings.reshape(-1, 8) % (2 * np.pi), axis=1)  # (L, 8), NaN last
    begin[np.isnan(begin[:, 0]), 0] = 0  # no crossing: the whole ellipse is one arc
    end = begin[:, :1] + 2 * np.pi
    lengths = np.diff(np.where(np.isnan(begin), end, begin), append=end)
    is_arc = (lengths > 0) & (sizes > 0)[:, None]  # (L, 8)

    # the points of the arcs inside the domain
    arc_level = np.nonzero(is_arc)[0]  # (arcs,)
    t = begin[is_arc][:, None] + lengths[is_arc][:, None] * np.linspace(0, 1, ARC_POINTS)
    unit = np.stack([np.cos(t), np.sin(t)], axis=-1) @ axes.T  # (arcs, points, 2)
    arcs = centre + sizes[arc_level, None, None] * unit
    midpoints = arcs[:, ARC_POINTS // 2]
    inside = ((midpoints >= low) & (midpoints <= high)).all(1)
    on_arcs = np.clip(arcs[inside].reshape(-1, 2), low, high)

    # the corners of the domain inside the ellipses
    corners = np.array([[w1, w2] for w1 in domain[:2] for w2 in domain[2:]])
    distances = np.hypot(*np.linalg.solve(axes, (corners - centre).T))  # (4,), as sizes
    contained = distances <= sizes[:, None] * (1 + 1e-12)  # (L, 4), tolerant to rounding
    corner_level, corner = np.nonzero(contained & (sizes > 0)[:, None])

    # all points of a level, ordered by their angle around their mean
    points = np.concatenate([on_arcs, corners[corner]])
    level = np.concatenate([np.repeat(arc_level[inside], ARC_POINTS), corner_level])
    counts = np.bincount(level, minlength=len(sizes))  # (L,)
    sums = np.stack([np.bincount(level, column, len(sizes)) for column in points.T], axis=1)
    means = sums / np.maximum(counts, 1)[:, None]  # (L, 2)
    direction = (points - means[level]) / (high - low)
    points = points[np.lexsort((np.arctan2(direction[:, 1], direction[:, 0]), level))]
    outlines = np.split(points, np.cumsum(counts)[:-1])
    return [
        np.concatenate([outline, outline[:1]]) if len(outline) > 2 else outline[:0]
        for outline in outlines
    ]


def _contours_on_grid(
    quadratic: Quadratic, excess: np.ndarray, domain: Domain, cells: int
) -> list[Float[np.ndarray, "_ 2"]]:
    w1, w2 = np.linspace(*domain[:2], cells + 1), np.linspace(*domain[2:], cells + 1)
    grid = np.stack(np.meshgrid(w1, w2), axis=-1)  # (cells + 1, cells + 1, 2)
    # the root is a cone, for which linear interpolation is most accurate
    height = np.sqrt(np.maximum(quadratic.value(grid) - quadratic.min_loss, 0))
    generator = contourpy.contour_generator(w1, w2, height, fill_type="OuterOffset")
    polygons: list[Any] = [generator.filled(-np.inf, level)[0] for level in np.sqrt(excess)]
    return [max(outlines, key=len) if outlines else np.empty((0, 2)) for outlines in polygons]
