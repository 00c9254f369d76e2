"""The loss of every batch as an exact quadratic, computed from the moments of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float, Int

from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import Tables, passes_in_run_order
from linreg.settings.model import Settings
from linreg.settings.wirings import WIRINGS


@dataclass(frozen=True, eq=False)
class Moments:
    """The quadratics of K batches, with a shared origin: L(w) = dᵀA d − 2 cᵀd + s, d = w − origin.

    The batches are those of one epoch if the rows keep their order, and those of the whole run if
    they are shuffled. `n` is the number of rows of each batch."""

    A: Float[np.ndarray, "K P P"]
    c: Float[np.ndarray, "K P"]
    s: Float[np.ndarray, " K"]
    origin: Float[np.ndarray, " P"]
    n: Int[np.ndarray, " K"]

    def __len__(self) -> int:
        return len(self.s)

    def batch(self, k: int) -> Quadratic:
        """The quadratic of batch k."""
        return Quadratic(self.A[k], self.c[k], float(self.s[k]), self.origin)

    def mean(self) -> Quadratic:
        """The mean of the batch losses, which a run minimises; all batches have the same weight."""
        return Quadratic(self.A.mean(0), self.c.mean(0), float(self.s.mean()), self.origin)

    def stable_lr(self) -> float:
        """2/λ_max of the steepest batch: below it SGD is stable for any order of the batches.

        A step multiplies the difference of two runs by I − lr·H, where H is the Hessian of the
        batch. Below the limit the eigenvalues of this matrix are in (−1, 1], so no difference
        grows. The condition is sufficient, not necessary, and at most the limit of the mean
        surface. It does not hold with momentum: steps that are stable each by itself can diverge
        when they alternate."""
        steepest = 2 * float(np.linalg.eigvalsh(self.A)[:, -1].max())
        return 2 / steepest if steepest > 0 else np.inf


def batch_moments(tables: Tables, settings: Settings) -> Moments:
    """The exact quadratic of every batch, in the order of the run.

    The origin o is the least-squares solution of the table (of its first piece, if it comes in
    pieces), so that no large terms cancel near the minimum. With the residuals r = y − X·o:
      matched shapes   A = XᵀX/B, c = Xᵀr/B, s = mean(r²)
      all pairs        A = XᵀX/B, c = x̄·r̄ − V·o, s = oᵀV o + Var(y) + r̄², with V = Cov(X)
    With a bias, X has a last column of ones. Batches may extend over several pieces. Raises
    `SettingsError` if a batch is larger than the table, or if a table in pieces is to be shuffled.
    """
    pairs = WIRINGS[settings.wiring].pairs
    parts: list[tuple[np.ndarray, ...]] = []
    for X, y, origin in passes_in_run_order(tables, settings):
        parts.append(_pass_moments(X, y, origin, settings.batch_size, pairs))
    A, c, s, n = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Moments(A, c, s, origin, n)


def _pass_moments(
    X: np.ndarray, y: np.ndarray, origin: np.ndarray, batch_size: int, pairs: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A (K, P, P), c (K, P), s (K,) and n (K,) of the batches of E passes over N rows.

    X is (E, N, P), y is (E, N)."""
    columns = np.ascontiguousarray(X.transpose(2, 0, 1))  # (P, E, N)
    predictions = X @ origin  # (E, N)
    parts = []
    passes, n_rows = y.shape
    full = n_rows - n_rows % batch_size
    for rows, size in ((slice(0, full), batch_size), (slice(full, n_rows), n_rows - full)):
        if rows.start == rows.stop:
            continue
        x = columns[:, :, rows].reshape(len(origin), passes, -1, size)  # (P, E, K, B)
        target, p = (one[:, rows].reshape(passes, -1, size) for one in (y, predictions))
        r = target - p  # (E, K, B)
        A = np.empty((*r.shape[:2], len(origin), len(origin)))
        for i, j in combinations_with_replacement(range(len(origin)), 2):
            A[..., i, j] = A[..., j, i] = _mean(x[i] * x[j])
        if pairs:
            means = [_mean(column) for column in x]  # P of (E, K)
            centred = [column - mean[..., None] for column, mean in zip(x, means, strict=True)]
            V = np.empty_like(A)
            for i, j in combinations_with_replacement(range(len(origin)), 2):
                V[..., i, j] = V[..., j, i] = _mean(centred[i] * centred[j])
            Vo = V @ origin  # (E, K, P)
            c = np.stack(means, axis=-1) * _mean(r)[..., None] - Vo
            s = Vo @ origin + _mean((target - _mean(target)[..., None]) ** 2) + _mean(r) ** 2
        else:
            c = np.stack([_mean(column * r) for column in x], axis=-1)  # (E, K, P)
            s = _mean(r**2)
        parts.append((A, c, s, np.full(s.shape, size)))
    A, c, s, n = (np.concatenate(column, axis=1) for column in zip(*parts, strict=True))
    return A.reshape(-1, *A.shape[2:]), c.reshape(-1, c.shape[2]), s.ravel(), n.ravel()


def _mean(batches: np.ndarray) -> np.ndarray:
    """The mean of each batch: (E, K, B) -> (E, K)."""
    size = batches.shape[-1]
    if size < 8:  # for many short rows, adding up the columns is faster
        return np.asarray(sum(batches[..., k] for k in range(size)) / size)
    return np.asarray(batches.mean(-1))
