"""Line simplification as by Ramer, Douglas and Peucker (1972–73), for every tolerance at once.

Each point gets the tolerance up to which it is kept, so a line can be simplified repeatedly at the
cost of once. The work is done with NumPy, all pieces of a line at once, or, once Numba is loaded
anyway, by a compiled function with bit-identical results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

_compiled: list[Callable[..., None]] = []  # the compiled function, once it is loaded


def significance(
    line: Float[np.ndarray, "n 2"],
    min_tolerance: float,
    begins: Sequence[int] | Int[np.ndarray, " _"] = (0,),
) -> Float[np.ndarray, " n"]:
    """The squared tolerance of each point.

    Without the points of at most t², no point is farther than t from the simplified line. The ends
    of a line have infinity, points within `min_tolerance` have 0. `begins` are the indices of the
    first points, where `line` is several lines one after the other.
    """
    bounds = np.array([*begins, len(line)], dtype=np.int64)
    bounds = bounds[np.append(np.diff(bounds) > 0, True)]  # without empty lines
    squared = np.zeros(len(line))  # (n,)
    squared[bounds[:-1]] = squared[bounds[1:] - 1] = np.inf
    if _compiled:
        points = np.ascontiguousarray(line, dtype=np.float64)
        _compiled[0](points, bounds, min_tolerance**2, squared)
    else:
        # the points of a diverging run may overflow; they are not kept
        with np.errstate(over="ignore", invalid="ignore"):
            _by_levels(line, min_tolerance**2, squared)
    return squared


def kept_points(
    line: Float[np.ndarray, "n 2"],
    tolerance: float = 1.0,
    begins: Sequence[int] | Int[np.ndarray, " _"] = (0,),
) -> Int[np.ndarray, " m"]:
    """The indices of the points to keep: no other is farther than `tolerance` from their line."""
    return np.flatnonzero(significance(line, tolerance, begins) > tolerance**2)


def _by_levels(line: np.ndarray, least: float, squared: np.ndarray) -> None:
    """Fill in `squared`: all pieces of all lines are split at once, each at its farthest point."""
    kept, waiting = np.flatnonzero(squared), np.flatnonzero(squared == 0)
    while len(waiting):
        after = np.searchsorted(kept, waiting)  # (m,), index in kept of the end of each one's piece
        a = line[kept[after - 1]]  # (m, 2)
        x, y = (line[kept[after]] - a).T
        u, v = (line[waiting] - a).T
        length = x * x + y * y  # (m,)
        t = np.minimum(np.maximum((u * x + v * y) / np.where(length > 0, length, 1), 0), 1)
        u, v = u - t * x, v - t * y
        distance = u * u + v * v  # (m,), squared
        first = np.flatnonzero(np.diff(after, prepend=-1))  # (pieces,)
        sizes = np.diff(np.append(first, len(waiting)))  # (pieces,)
        piece = np.repeat(np.arange(len(first)), sizes)  # (m,)
        farthest = np.fmax.reduceat(distance, first)[piece]
        unsettled = farthest > least
        split = np.flatnonzero(unsettled & (distance == farthest))
        split = split[np.diff(piece[split], prepend=-1) > 0]  # one per piece
        ends = np.minimum(squared[kept[after[split] - 1]], squared[kept[after[split]]])
        squared[waiting[split]] = np.minimum(distance[split], ends)
        kept = np.sort(np.concatenate([kept, waiting[split]]))
        unsettled[split] = False
        waiting = waiting[unsettled]


def compile_simplify() -> None:
    """Compile the function, or load it from disk: it is 100 times as fast and frees the GIL."""
    from linreg.training.kernels import jitted

    if not _compiled:
        _compiled.append(jitted(_by_pieces, "(f8[:,::1], i8[::1], f8, f8[::1])"))


def _by_pieces(line, bounds, least, squared):  # type: ignore[no-untyped-def]
    """Like `_by_levels`, one piece after the other; `bounds` (lines + 1,)."""
    pieces = np.empty((len(line) + 1, 2), dtype=np.int64)  # still to be split
    for k in range(len(bounds) - 1):
        pieces[0, 0], pieces[0, 1] = bounds[k], bounds[k + 1] - 1
        waiting = 1
        while waiting:
            waiting -= 1
            first, last = pieces[waiting, 0], pieces[waiting, 1]
            x, y = line[last, 0] - line[first, 0], line[last, 1] - line[first, 1]
            length = x * x + y * y
            if not length > 0:
                length = 1.0
            farthest, split = least, -1
            for i in range(first + 1, last):
                u, v = line[i, 0] - line[first, 0], line[i, 1] - line[first, 1]
                t = (u * x + v * y) / length
                if t < 0:
                    t = 0.0
                elif t > 1:
                    t = 1.0
                u, v = u - t * x, v - t * y
                distance = u * u + v * v
                if distance > farthest:
                    farthest, split = distance, i
            if split >= 0:
                squared[split] = min(farthest, squared[first], squared[last])
                pieces[waiting, 0], pieces[waiting, 1] = first, split
                pieces[waiting + 1, 0], pieces[waiting + 1, 1] = split, last
                waiting += 2
