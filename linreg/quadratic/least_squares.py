"""The least-squares solution, accurate also for badly scaled tables."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import MIN_MAX_ABS, Dataset, max_abs
from linreg.quadratic.quadratic import RANK_TOLERANCE, least_norm


def with_ones(X: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D1"]:
    """The features with a last column of ones, for the bias."""
    return np.column_stack([X, np.ones(len(X))])  # (N, D + 1)


# The origins of tables, with and without bias: each is needed many times.
_ORIGINS: WeakKeyDictionary[Dataset, dict[bool, np.ndarray]] = WeakKeyDictionary()


def origin_of(dataset: Dataset, bias: bool) -> np.ndarray:
    """The origin (P,) of a table's quadratics: its least-squares solution.

    Zeros if a column is so small that no weights can be computed from it."""
    known = _ORIGINS.setdefault(dataset, {})
    if bias not in known:
        X = with_ones(dataset.X) if bias else dataset.X  # (n, P)
        largest = max_abs(X)  # (P,)
        if ((largest > 0) & (largest < MIN_MAX_ABS)).any():
            known[bias] = np.zeros(X.shape[1])
        else:
            known[bias] = least_squares(X, dataset.y, rcond=RANK_TOLERANCE**0.5)
    return known[bias]


def least_squares(
    X: Float[np.ndarray, "N P"], y: Float[np.ndarray, " N"], rows: int = 0, rcond: float = 0.0
) -> Float[np.ndarray, " P"]:
    """The least-squares solution, that of least norm if it is not unique.

    Columns are scaled to unit length first, so that their units do not affect the rank. Singular
    values are taken as zero below `rcond` times the largest, and at least below NumPy's default for
    that many rows (`rows`, if X is the triangle of a larger matrix)."""
    scale = max_abs(X)  # (P,), divided out first, so that no square under- or overflows
    if not scale.all():  # a column of zeros has the weight 0
        weights = np.zeros(X.shape[1])
        if scale.any():
            weights[scale > 0] = least_squares(X[:, scale > 0], y, rows, rcond)
        return weights
    scale *= np.maximum(np.sqrt(((X / scale) ** 2).sum(0)), 1)  # the length of each column
    scaled = X / scale  # (N, P), columns of unit length
    rcond = max(rcond, np.finfo(float).eps * max(rows, *X.shape))
    weights, _, rank, _ = np.linalg.lstsq(scaled, y, rcond=rcond)
    # one step of iterative refinement: up to two digits more (Björck, 1967)
    weights += np.linalg.lstsq(scaled, y - scaled @ weights, rcond=rcond)[0]
    if rank == X.shape[1]:
        return np.asarray(weights / scale)
    directions = np.linalg.svd(np.linalg.qr(scaled, mode="r"))[2]  # (P, P), the null space last
    return least_norm(weights / scale, directions[rank:].T, 1 / scale)
