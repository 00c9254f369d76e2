"""Which points of a line can be left out, as Ramer, Douglas and Peucker decide it (1972–73), for
every tolerance at once.

Each point gets the tolerance up to which it is kept, so that a line is looked at once however often
it is thinned. The work is done level by level with NumPy and, once Numba is there anyway, by a
compiled function that gives the same bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

_compiled: list[Callable[..., None]] = []  # the compiled function, once there is one


def significance(
    line: Float[np.ndarray, "n 2"],
    least: float,
    begins: Sequence[int] | Int[np.ndarray, " _"] = (0,),
) -> Float[np.ndarray, " n"]:
    """The tolerance of each point, squared: without those of at most t² no point is further than t
    from what is left.

    Infinite at the ends of a line; 0 for what is within `least` already. `begins` says where each
    line begins if there are several one after the other."""
    at = np.array([*begins, len(line)], dtype=np.int64)
    at = at[np.append(np.diff(at) > 0, True)]  # of the lines that have points
    found = np.zeros(len(line))  # (n,)
    found[at[:-1]] = found[at[1:] - 1] = np.inf
    if _compiled:
        _compiled[0](np.ascontiguousarray(line, dtype=np.float64), at, least**2, found)
    else:
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # of a run that diverges: there no point counts
            _by_levels(line, least**2, found)
    return found


def kept_points(
    line: Float[np.ndarray, "n 2"],
    tolerance: float = 1.0,
    begins: Sequence[int] | Int[np.ndarray, " _"] = (0,),
) -> Int[np.ndarray, " m"]:
    """The indices of the points that are kept: no dropped one is further than `tolerance` from the
    line through them."""
    return np.flatnonzero(significance(line, tolerance, begins) > tolerance**2)


def _by_levels(line: np.ndarray, least: float, found: np.ndarray) -> None:
    """All pieces are split at once, each at its furthest point."""
    kept, asked = np.flatnonzero(found), np.flatnonzero(found == 0)
    while len(asked):
        after = np.searchsorted(kept, asked)  # (m,), which of those kept ends the piece
        a = line[kept[after - 1]]  # (m, 2)
        x, y = (line[kept[after]] - a).T
        u, v = (line[asked] - a).T
        length = x * x + y * y  # (m,)
        t = np.minimum(np.maximum((u * x + v * y) / np.where(length > 0, length, 1), 0), 1)
        u, v = u - t * x, v - t * y
        distance = u * u + v * v  # (m,), squared
        first = np.flatnonzero(np.diff(after, prepend=-1))  # (pieces,)
        piece = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(asked))))  # (m,)
        furthest = np.fmax.reduceat(distance, first)[piece]
        far = furthest > least
        split = np.flatnonzero(far & (distance == furthest))
        split = split[np.diff(piece[split], prepend=-1) > 0]  # one a piece
        ends = np.minimum(found[kept[after[split] - 1]], found[kept[after[split]]])
        found[asked[split]] = np.minimum(distance[split], ends)
        kept = np.sort(np.concatenate([kept, asked[split]]))
        far[split] = False
        asked = asked[far]


def compile_simplify() -> None:
    """Compile the work on a line, or load it from the disk: outside the interpreter's lock, and a
    hundredth of the time."""
    from linreg.training.kernels import jitted

    if not _compiled:
        _compiled.append(jitted(_by_pieces, "(f8[:,::1], i8[::1], f8, f8[::1])"))


def _by_pieces(line, begins, least, found):  # type: ignore[no-untyped-def]
    """The same one piece after the other; `begins` (lines + 1,)."""
    pieces = np.empty((len(line) + 1, 2), dtype=np.int64)  # those that wait to be split
    for k in range(len(begins) - 1):
        pieces[0, 0], pieces[0, 1] = begins[k], begins[k + 1] - 1
        waiting = 1
        while waiting:
            waiting -= 1
            first, last = pieces[waiting, 0], pieces[waiting, 1]
            x, y = line[last, 0] - line[first, 0], line[last, 1] - line[first, 1]
            length = x * x + y * y
            if not length > 0:
                length = 1.0
            furthest, split = least, -1
            for i in range(first + 1, last):
                u, v = line[i, 0] - line[first, 0], line[i, 1] - line[first, 1]
                t = (u * x + v * y) / length
                if t < 0:
                    t = 0.0
                elif t > 1:
                    t = 1.0
                u, v = u - t * x, v - t * y
                distance = u * u + v * v
                if distance > furthest:
                    furthest, split = distance, i
            if split >= 0:
                found[split] = min(furthest, found[first], found[last])
                pieces[waiting, 0], pieces[waiting, 1] = first, split
                pieces[waiting + 1, 0], pieces[waiting + 1, 1] = split, last
                waiting += 2
