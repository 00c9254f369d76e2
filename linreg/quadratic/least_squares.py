"""The least-squares solution, computed without loss of precision."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import MIN_MAX_ABS, Dataset, max_abs
from linreg.quadratic.quadratic import RANK_TOLERANCE, least_norm


def with_ones(X: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D1"]:
    """The features and a last column of ones, for the bias."""
    return np.column_stack([X, np.ones(len(X))])  # (N, D + 1)


_ORIGINS: WeakKeyDictionary[Dataset, dict[bool, np.ndarray]] = (
    WeakKeyDictionary()
)  # a table is asked again and again


def origin_of(dataset: Dataset, bias: bool) -> np.ndarray:
    """The table's least squares, (P,); of a piece whose values are next to nothing, which tell no
    weights, zeros."""
    known = _ORIGINS.setdefault(dataset, {})
    if bias not in known:
        X = with_ones(dataset.X) if bias else dataset.X  # (n, P)
        reach = max_abs(X)
        tells = not ((reach > 0) & (reach < MIN_MAX_ABS)).any()
        known[bias] = (
            least_squares(X, dataset.y, rcond=RANK_TOLERANCE**0.5)
            if tells
            else np.zeros(X.shape[1])
        )
    return known[bias]


def least_squares(
    X: Float[np.ndarray, "N P"], y: Float[np.ndarray, " N"], rows: int = 0, rcond: float = 0.0
) -> Float[np.ndarray, " P"]:
    """The weights of least squares, of least norm where they are not unique.

    What is singular is judged as NumPy does for that many rows, if X stands for more than it has,
    or by `rcond`: the least of the singular values by the largest, once every column has unit
    length."""
    scale = max_abs(X)  # (P,), divided out first, so that no square under- or overflows
    if not scale.all():  # a column of zeros: its weight is 0, and the others' are theirs
        found = np.zeros(X.shape[1])
        if scale.any():
            found[scale > 0] = least_squares(X[:, scale > 0], y, rows, rcond)
        return found
    scale *= np.maximum(np.sqrt(((X / scale) ** 2).sum(0)), 1)  # the length of each column
    alike = X / scale  # (N, P), so that no column is cut for its unit
    rcond = max(rcond, np.finfo(float).eps * max(rows, *X.shape))
    found, _, rank, _ = np.linalg.lstsq(alike, y, rcond=rcond)
    found += np.linalg.lstsq(alike, y - alike @ found, rcond=rcond)[
        0
    ]  # up to two digits more (Björck, 1967)
    if rank == X.shape[1]:
        return np.asarray(found / scale)
    directions = np.linalg.svd(np.linalg.qr(alike, mode="r"))[2]  # (P, P), the flat ones last
    return least_norm(found / scale, directions[rank:].T, 1 / scale)
