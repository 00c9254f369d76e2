"""The loss as it is: the exact quadratic of every batch, their mean, its minimum, curvature and contours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any
from weakref import WeakKeyDictionary

import contourpy
import numpy as np
from jaxtyping import Float, Int

from linreg.data import Dataset, batch_order, check_fits
from linreg.settings import Settings
from linreg.wiring import WIRINGS

RANK_TOLERANCE = 1e-14  # of the largest eigenvalue, once every column has unit length


@dataclass(frozen=True, eq=False)
class Quadratic:
    """L(w) = dᵀA d − 2 cᵀd + s with d = w − origin; A symmetric and positive semidefinite, c in its range.

    The origin only serves precision: near it nothing large cancels. With P parameters w is (P,), the loss a scalar in
    squared units of the target.
    """

    A: Float[np.ndarray, "P P"]
    c: Float[np.ndarray, " P"]
    s: float
    origin: Float[np.ndarray, " P"] = None  # type: ignore[assignment]  # zeros

    def __post_init__(self) -> None:
        if self.origin is None:
            object.__setattr__(self, "origin", np.zeros_like(self.c))

    def value(self, w: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n"]:
        """The loss at one or many w."""
        d = w - self.origin  # (*n, P)
        return np.asarray(self.s + np.einsum("...i,...i->...", d, d @ self.A - 2 * self.c))  # an array at a single w too

    def gradient(self, w: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n P"]:
        """2(A d − c) at one or many w."""
        slope: np.ndarray = 2 * ((w - self.origin) @ self.A - self.c)
        return slope

    @cached_property
    def _spectrum(self) -> tuple[int, np.ndarray]:
        """The rank, judged with every column at unit length, and A⁺, the pseudo-inverse of that rank."""
        length = np.sqrt(np.diag(self.A))  # (P,)
        scale = 1 / np.where(length > 0, length, 1)
        alike = self.A * scale[:, None] * scale  # (P, P), ones on the diagonal
        values = np.linalg.eigvalsh(alike)
        rank = int((values > RANK_TOLERANCE * max(values[-1], 0)).sum())
        if rank == len(self.c):
            return rank, np.linalg.inv(alike) * scale[:, None] * scale
        values, vectors = np.linalg.eigh(self.A)
        kept = vectors[:, len(values) - rank :]  # (P, rank)
        return rank, (kept / values[len(values) - rank :]) @ kept.T

    @property
    def unique(self) -> bool:
        """Whether there is one minimum: false for constant or duplicated columns."""
        return self._spectrum[0] == len(self.c)

    @cached_property
    def minimum(self) -> Float[np.ndarray, " P"]:
        """A⁺c: where the loss is least; where that is a whole line, its point of least norm."""
        rank, inverse = self._spectrum
        found: np.ndarray = self.origin + inverse @ self.c
        if rank < len(self.c):
            found = inverse @ self.A @ found  # the part of least norm
        return found

    @cached_property
    def floor(self) -> float:
        """The least loss, s − cᵀA⁺c; zero where it is within the rounding of the predictions themselves."""
        found = float(self.s - self.c @ self._spectrum[1] @ self.c)
        rounding = (4 * np.finfo(float).eps) ** 2 * float(self.origin @ self.A @ self.origin)
        return found if found > rounding else 0.0

    @property
    def hessian(self) -> Float[np.ndarray, "P P"]:
        """2A, the same at every w and for both losses."""
        return 2 * self.A

    @property
    def condition_number(self) -> float:
        """λ_max/λ_min of the Hessian: how much steeper the steepest direction is; infinite if the minimum is not unique."""
        values = np.linalg.eigvalsh(self.hessian)
        return float(values[-1] / values[0]) if self.unique and values[0] > 0 else np.inf

    def stable_lr(self, momentum: float = 0.0) -> float:
        """2(1 + β)/λ_max: below it gradient descent with momentum β converges on this quadratic (Polyak, 1964)."""
        steepest = np.linalg.eigvalsh(self.hessian)[-1]
        return float(2 * (1 + momentum) / steepest) if steepest > 0 else np.inf

    def profile(self) -> Quadratic:
        """The quadratic over the first two parameters, with the others (a bias) at their best for each.

        The Schur complement A₁₁ − A₁₂A₂₂⁺A₂₁; a quadratic of two parameters is its own profile.
        """
        if len(self.c) == 2:
            return self
        A11, A12, A22 = self.A[:2, :2], self.A[:2, 2:], self.A[2:, 2:]
        inverse = np.linalg.pinv(A22, hermitian=True)
        schur = A11 - A12 @ inverse @ A12.T
        c2 = inverse @ self.c[2:]
        return Quadratic(schur, self.c[:2] - A12 @ c2, float(self.s - self.c[2:] @ c2), self.origin[:2])


@dataclass(frozen=True, eq=False)
class Moments:
    """One quadratic a step of an epoch (in file order) or of the run (shuffled): K batches of n rows, one shared origin."""

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
        """The mean over the batches: what the run descends on. Every batch counts as one step, a smaller last one too."""
        return Quadratic(self.A.mean(0), self.c.mean(0), float(self.s.mean()), self.origin)


def batch_moments(dataset: Dataset, settings: Settings) -> Moments:
    """The exact quadratic of every batch, in the order in which the run meets them.

    With the origin o at least squares and r = y − X·o, so that nothing large cancels near it:
    matched shapes have A = XᵀX/B, c = Xᵀr/B, s = mean(r²); all pairs have the same A, c = x̄·r̄ − V·o and
    s = oᵀV o + Var(y) + r̄², with V = Cov(X) of the batch. With a bias, X has a last column of ones.
    Raises `SettingsError` if a batch is larger than the table.
    """
    check_fits(settings, dataset)
    X = with_ones(dataset.X) if settings.bias else dataset.X  # (N, P)
    origin = _origin(dataset, settings.bias)  # (P,)
    pairs = WIRINGS[settings.wiring].pairs
    parts = []
    for order in batch_order(settings, len(dataset)) if settings.shuffle else [None]:
        rows, y = (X, dataset.y) if order is None else (X[order], dataset.y[order])
        parts.append(_pass_moments(rows, y, origin, settings.batch_size, pairs))
    A, c, s, n = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Moments(A, c, s, origin, n)


def loss_surface(dataset: Dataset, settings: Settings) -> Quadratic:
    """The surface that the run descends on: the mean of its batches' quadratics over (w1, w2) or (w1, w2, bias)."""
    if not WIRINGS[settings.wiring].pairs and len(dataset) % settings.batch_size == 0:
        settings = replace(settings, shuffle=False)  # the mean over equal batches of matched rows knows no order
    return batch_moments(dataset, settings).mean()


def matched_surface(dataset: Dataset, bias: bool = False) -> Quadratic:
    """The loss of all rows at once, each prediction against its own target: what any run is judged by."""
    X = with_ones(dataset.X) if bias else dataset.X  # (N, P)
    origin = _origin(dataset, bias)
    A, c, s, _ = _pass_moments(X, dataset.y, origin, len(X), pairs=False)
    return Quadratic(A[0], c[0], float(s[0]), origin)


def with_ones(X: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D1"]:
    """The features and a last column of ones, for the bias."""
    return np.column_stack([X, np.ones(len(X))])  # (N, D + 1)


_ORIGINS: WeakKeyDictionary[Dataset, dict[bool, np.ndarray]] = WeakKeyDictionary()  # a table is asked again and again


def _origin(dataset: Dataset, bias: bool) -> np.ndarray:
    """The table's least squares, (P,)."""
    known = _ORIGINS.setdefault(dataset, {})
    if bias not in known:
        known[bias] = least_squares(with_ones(dataset.X) if bias else dataset.X, dataset.y)
    return known[bias]


def least_squares(X: Float[np.ndarray, "N P"], y: Float[np.ndarray, " N"]) -> Float[np.ndarray, " P"]:
    """The weights of least squares, of least norm where they are not unique."""
    length = np.sqrt((X**2).sum(0))  # (P,)
    scale = np.where(length > 0, length, 1)
    found, _, rank, _ = np.linalg.lstsq(X / scale, y, rcond=None)  # columns alike, so that none is cut for its unit
    weights: np.ndarray = found / scale if rank == X.shape[1] else np.linalg.lstsq(X, y, rcond=None)[0]
    return weights


def _pass_moments(
    X: np.ndarray, y: np.ndarray, origin: np.ndarray, batch_size: int, pairs: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A (K, P, P), c (K, P), s (K,) and n (K,) of one pass over the rows."""
    columns = np.ascontiguousarray(X.T)  # (P, N)
    predictions = X @ origin  # (N,)
    parts = []
    full = len(y) - len(y) % batch_size
    for rows, size in ((slice(0, full), batch_size), (slice(full, None), len(y) - full)):
        if not size or not len(y[rows]):
            continue
        x = columns[:, rows].reshape(len(origin), -1, size)  # (P, K, B)
        target, p = y[rows].reshape(-1, size), predictions[rows].reshape(-1, size)  # (K, B)
        r = target - p  # (K, B)
        A = np.empty((len(r), len(origin), len(origin)))
        for i, j in combinations_with_replacement(range(len(origin)), 2):
            A[:, i, j] = A[:, j, i] = _mean(x[i] * x[j])
        if pairs:
            mean = np.stack([_mean(column) for column in x], axis=1)  # (K, P)
            centred = x - mean.T[:, :, None]  # (P, K, B)
            V = np.empty_like(A)
            for i, j in combinations_with_replacement(range(len(origin)), 2):
                V[:, i, j] = V[:, j, i] = _mean(centred[i] * centred[j])
            spread = V @ origin  # (K, P)
            c = mean * _mean(r)[:, None] - spread
            s = spread @ origin + _mean((target - _mean(target)[:, None]) ** 2) + _mean(r) ** 2
        else:
            c = np.stack([_mean(column * r) for column in x], axis=1)  # (K, P)
            s = _mean(r**2)
        parts.append((A, c, s, np.full(len(A), size)))
    A, c, s, n = (np.concatenate(column) for column in zip(*parts, strict=True))
    return A, c, s, n


def _mean(batches: np.ndarray) -> np.ndarray:
    """The mean of each batch (K, B) -> (K,)."""
    if batches.shape[1] < 8:  # many short sums: one addition of a whole column after the other is faster
        return sum(batches[:, k] for k in range(batches.shape[1])) / batches.shape[1]  # type: ignore[no-any-return]
    found: np.ndarray = batches.mean(1)
    return found


# ---- contours --------------------------------------------------------------------------------------------------------

Domain = tuple[float, float, float, float]  # w1 from, w1 to, w2 from, w2 to


def sublevel_rings(
    quadratic: Quadratic, excess: Float[np.ndarray, " L"], domain: Domain, cells: int = 240
) -> list[Float[np.ndarray, "n 2"]]:
    """The outlines of {w in the domain: loss − floor ≤ excess}, one for each level, cut at the domain's edge.

    Of a quadratic each is convex, so one polygon; an empty array where the level misses the domain. Points closer to the
    outline than a quarter of a cell of a 4,000-pixel picture are left out.
    """
    w1, w2 = np.linspace(*domain[:2], cells + 1), np.linspace(*domain[2:], cells + 1)
    grid = np.stack(np.meshgrid(w1, w2), axis=-1)  # (cells + 1, cells + 1, 2)
    height = np.sqrt(np.maximum(quadratic.value(grid) - quadratic.floor, 0))  # a cone: linear interpolation fits it best
    generator = contourpy.contour_generator(w1, w2, height, fill_type="OuterOffset")
    span = np.array([domain[1] - domain[0], domain[3] - domain[2]])
    rings = []
    for level in np.sqrt(excess):
        outlines: Any = generator.filled(-np.inf, level)[0]
        rings.append(thinned(max(outlines, key=len), span / 4000) if outlines else np.empty((0, 2)))
    return rings


def thinned(line: Float[np.ndarray, "n 2"], tolerance: Float[np.ndarray, " 2"]) -> Float[np.ndarray, "m 2"]:
    """The line without the points that lie within the tolerance of it (Ramer, Douglas and Peucker, 1972–73)."""
    kept: np.ndarray = line[kept_points(line / tolerance)]
    return kept


def kept_points(line: Float[np.ndarray, "n 2"], tolerance: float = 1.0) -> Int[np.ndarray, " m"]:
    """The indices of the points that Ramer, Douglas and Peucker keep: no dropped one is further than `tolerance` away."""
    kept = np.array([0, len(line) - 1]) if len(line) > 1 else np.arange(len(line))
    while len(kept) > 1:  # all pieces are split at once, each at its furthest point
        piece = np.repeat(np.arange(len(kept) - 1), np.diff(kept))  # (n − 1,), the piece of each point but the last
        a, along = line[kept[:-1]], line[kept[1:]] - line[kept[:-1]]  # (pieces, 2)
        length = np.einsum("ij,ij->i", along, along)  # (pieces,)
        inner = line[:-1] - a[piece]  # (n − 1, 2)
        t = np.einsum("ij,ij->i", inner, along[piece]) / np.where(length > 0, length, 1)[piece]
        off = inner - np.minimum(np.maximum(t, 0), 1)[:, None] * along[piece]
        distance = np.einsum("ij,ij->i", off, off)  # (n − 1,)
        furthest = np.maximum.reduceat(distance, kept[:-1])  # (pieces,)
        candidates = np.flatnonzero((distance == furthest[piece]) & (distance > tolerance**2))
        if not len(candidates):
            break
        first = candidates[np.unique(piece[candidates], return_index=True)[1]]  # one a piece
        kept = np.sort(np.concatenate([kept, first]))
    return kept
