"""The loss as it is: the exact quadratic of every batch, their mean, its minimum, curvature and contours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any
from weakref import WeakKeyDictionary

import contourpy
import numpy as np
from jaxtyping import Float, Int

from linreg.data import SMALLEST_REACH, Dataset, batch_order, check_numbers, check_rows, reach_of
from linreg.settings import Settings, SettingsError
from linreg.thinning import kept_points
from linreg.wiring import WIRINGS

RANK_TOLERANCE = 1e-14  # of the largest eigenvalue, once every column has unit length
FAR_APART = 1e8  # units of columns, of which a flat direction would hold but the coarsest
FLAT = 1e-10  # of the largest eigenvalue: below it no ellipse is drawn from its axes
ARC_POINTS = 193  # of an ellipse between two crossings of the picture's edge; a whole one is exact to 2e-4 of its half axis
BLOCK_ROWS = 1 << 14  # that are rotated at once: as many as stay in the cache


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
        d = [w[..., i] - origin for i, origin in enumerate(self.origin)]  # P of (*n): matrices this narrow are slow
        total = np.asarray(self.s)
        for d_i, row, c_i in zip(d, self.A, self.c, strict=True):
            total = total + d_i * (sum(a * d_j for a, d_j in zip(row, d, strict=True)) - 2 * c_i)
        return np.asarray(total)  # an array at a single w too

    def gradient(self, w: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n P"]:
        """2(A d − c) at one or many w."""
        slope: np.ndarray = 2 * ((w - self.origin) @ self.A - self.c)
        return slope

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A⁺; with every column at unit length the directions in which A is flat (P, k); what makes them so long (P,)."""
        length = np.sqrt(np.maximum(np.diag(self.A), 0))  # (P,)
        scale = 1 / np.where(length > 0, length, 1)
        alike = self.A * scale[:, None] * scale  # (P, P), ones on the diagonal
        values, vectors = np.linalg.eigh(alike)
        steep = values > RANK_TOLERANCE * max(values[-1], 0)
        kept = vectors[:, steep]  # (P, rank)
        inverse = np.linalg.inv(alike) if steep.all() else (kept / values[steep]) @ kept.T
        return inverse * scale[:, None] * scale, vectors[:, ~steep], scale

    @property
    def unique(self) -> bool:
        """Whether there is one minimum: false for constant or duplicated columns."""
        return not self._spectrum[1].size

    @cached_property
    def minimum(self) -> Float[np.ndarray, " P"]:
        """A⁺c: where the loss is least; where that is a whole line, its point of least norm."""
        inverse, flat, scale = self._spectrum
        return _least_norm(self.origin + inverse @ self.c, flat, scale)

    @cached_property
    def floor(self) -> float:
        """The least loss, s − cᵀA⁺c; zero where it is within the rounding of the predictions themselves."""
        found = float(self.s - self.c @ self._spectrum[0] @ self.c)
        rounding = (4 * np.finfo(float).eps) ** 2 * float(self.origin @ self.A @ self.origin)
        return found if found > max(rounding, 0.0) else 0.0

    @property
    def hessian(self) -> Float[np.ndarray, "P P"]:
        """2A, the same at every w and for both losses."""
        return 2 * self.A

    @property
    def condition_number(self) -> float:
        """λ_max/λ_min of the Hessian: how much steeper the steepest direction is; infinite if the minimum is not unique."""
        values = np.linalg.eigvalsh(self.hessian)
        if not (self.unique and values[0] > 0):
            return np.inf
        with np.errstate(over="ignore"):
            return float(values[-1] / values[0])

    def stable_lr(self, momentum: float = 0.0, *, nesterov: bool = False) -> float:
        """The learning rate below which `torch.optim.SGD` with momentum β converges on this quadratic; 0 if there is none.

        2(1 + β)/λ_max for β < 1 (Polyak, 1964), with `nesterov` 2(1 + β)/((1 + 2β)λ_max) for β ≤ 1. Along an eigenvector of
        the Hessian, with a = lr·λ, a step multiplies distance and velocity by a matrix of trace t = 1 + β − a and of
        determinant d = β, Nesterov's of t = (1 + β)(1 − a) and d = β(1 − a). Its eigenvalues are inside the unit circle
        where |d| < 1 and |t| < 1 + d (Jury, 1964); for larger β, a small a has d ≥ 1.
        """
        steepest = np.linalg.eigvalsh(self.hessian)[-1]
        if steepest <= 0:
            return np.inf
        if momentum > 1 or (momentum == 1 and not nesterov):
            return 0.0
        return float(2 * (1 + momentum) / (1 + 2 * momentum * nesterov) / steepest)

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
        c = self.c[:2] - A12 @ c2
        flat = np.diag(schur) <= RANK_TOLERANCE * np.diag(A11)  # a constant column, but for rounding
        schur[flat], schur[:, flat], c[flat] = 0, 0, 0
        return Quadratic(schur, c, float(self.s - self.c[2:] @ c2), self.origin[:2])


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

    def stable_lr(self) -> float:
        """2/λ_max of the steepest batch: below it plain SGD stays bounded, whatever the order of the batches.

        A step multiplies the difference of two runs by I − lr·H, with the batch's Hessian H; its eigenvalues are then in
        (−1, 1], so that no difference grows, and one that some batch curves along shrinks in every epoch. Sufficient, not
        necessary, and at most the limit of the mean surface. Not for momentum: its steps may drive apart in turn what each
        alone would bring together.
        """
        steepest = 2 * float(np.linalg.eigvalsh(self.A)[:, -1].max())
        return 2 / steepest if steepest > 0 else np.inf


Tables = Dataset | Iterable[Dataset]  # a table, or its pieces in order, which are read once


def batch_moments(tables: Tables, settings: Settings) -> Moments:
    """The exact quadratic of every batch, in the order in which the run meets them; batches go on from piece to piece.

    With the origin o at the least squares of the table (of its first piece) and r = y − X·o, so that nothing large cancels
    near it: matched shapes have A = XᵀX/B, c = Xᵀr/B, s = mean(r²); all pairs have the same A, c = x̄·r̄ − V·o and
    s = oᵀV o + Var(y) + r̄², with V = Cov(X) of the batch. With a bias, X has a last column of ones.
    Raises `SettingsError` if a batch is larger than the table, or if a table in pieces is to be shuffled.
    """
    pairs = WIRINGS[settings.wiring].pairs
    parts: list[tuple[np.ndarray, ...]] = []
    for piece in _met(tables, settings):
        if not parts:
            origin = _origin(piece, settings.bias)  # (P,)
        X = with_ones(piece.X) if settings.bias else piece.X  # (n, P)
        parts.append(_pass_moments(X, piece.y, origin, settings.batch_size, pairs))
    A, c, s, n = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Moments(A, c, s, origin, n)


def loss_surface(tables: Tables, settings: Settings) -> Quadratic:
    """The surface that the run descends on: the mean of its batches' quadratics over (w1, w2) or (w1, w2, bias).

    A table in pieces takes the memory of one piece and one batch. Raises `SettingsError` as `batch_moments` does.
    """
    if isinstance(tables, Dataset) and not WIRINGS[settings.wiring].pairs and len(tables) % settings.batch_size == 0:
        settings = replace(settings, shuffle=False)  # the mean over equal batches of matched rows knows no order
    mean = _MeanSurface(settings.batch_size, settings.bias, WIRINGS[settings.wiring].pairs)
    for piece in _met(tables, settings):
        mean.add(piece)
    return mean.quadratic()


def matched_surface(tables: Tables, bias: bool = False) -> Quadratic:
    """The loss of all rows at once, each prediction against its own target: what any run is judged by."""
    mean = _MeanSurface(1, bias, pairs=False)
    for piece in [tables] if isinstance(tables, Dataset) else tables:
        check_numbers(piece, whole=piece is tables)
        mean.add(piece)
    return mean.quadratic()


@dataclass(frozen=True, eq=False)
class TableSums:
    """What one pass over a table tells, in the table's units; variances are of the whole population, 0 of a constant.

    `matched` and `matched_with_bias` are what a run is judged by, `surface` is what it descends on.
    """

    rows: int
    target_mean: float
    target_variance: float
    feature_means: Float[np.ndarray, " D"]
    feature_variances: Float[np.ndarray, " D"]
    feature_minima: Float[np.ndarray, " D"]
    feature_maxima: Float[np.ndarray, " D"]
    matched: Quadratic
    matched_with_bias: Quadratic
    surface: Quadratic


def table_sums(tables: Tables, settings: Settings) -> TableSums:
    """All that is judged by and shown of a table, in one pass over its rows, with `loss_surface` of the settings.

    The memory and the errors are those of `loss_surface`.
    """
    in_order = replace(settings, shuffle=False) if isinstance(tables, Dataset) else settings
    surface = _MeanSurface(settings.batch_size, settings.bias, WIRINGS[settings.wiring].pairs)
    matched, with_bias = (_MeanSurface(1, bias, pairs=False) for bias in (False, True))
    spread = None
    for piece in _met(tables, in_order):
        for mean in (surface, matched, with_bias):
            mean.add(piece)
        found = _spread(np.column_stack([piece.y, piece.X]))
        spread = found if spread is None else _merged(spread, found)
    assert spread is not None  # _met gives at least one piece, or raises
    variances = np.where(spread.low == spread.high, 0.0, spread.squares / spread.rows)  # rounding leaves a constant some
    return TableSums(
        spread.rows,
        float(spread.mean[0]),
        float(variances[0]),
        spread.mean[1:],
        variances[1:],
        spread.low[1:],
        spread.high[1:],
        matched.quadratic(),
        with_bias.quadratic(),
        loss_surface(tables, settings) if in_order != settings else surface.quadratic(),
    )


def _met(tables: Tables, settings: Settings) -> Iterator[Dataset]:
    """The rows in the order in which the run meets them, in pieces of whole batches; a smaller batch ends a pass."""
    if isinstance(tables, Dataset):
        check_rows(settings, len(tables))
        check_numbers(tables)
        for order in batch_order(settings, len(tables)) if settings.shuffle else [None]:
            if order is None:
                yield tables
            else:
                shuffled = Dataset(tables.X[order], tables.y[order])
                _ORIGINS[shuffled] = _ORIGINS.setdefault(tables, {})  # the same rows
                yield shuffled
        return
    if settings.shuffle:
        raise SettingsError("a table in pieces is read once and in order, not shuffled; use shuffle False", "shuffle")
    rows, waiting = 0, []
    for piece in tables:
        check_numbers(piece, whole=False)
        rows += len(piece)
        waiting.append(piece)
        whole = sum(map(len, waiting)) // settings.batch_size * settings.batch_size
        if whole:
            X, y = np.concatenate([one.X for one in waiting]), np.concatenate([one.y for one in waiting])
            yield Dataset(X[:whole], y[:whole])
            waiting = [Dataset(X[whole:].copy(), y[whole:].copy())]  # a copy, so that the piece is let go
    check_rows(settings, rows)
    if any(map(len, waiting)):
        yield Dataset(np.concatenate([one.X for one in waiting]), np.concatenate([one.y for one in waiting]))


class _MeanSurface:
    """The mean of batches' quadratics, as the triangle R of their rows: [X | y − X·o] = QR, updated piece by piece.

    Nothing is squared before the end, so that it is as accurate as least squares on all rows at once, however many there
    are (Golub, 1965; "TSQR" in Demmel et al., 2012). The loss of a batch of all pairs is that of other rows: (x̄, ȳ), and
    (x − x̄)/√B with the target 0, plus Var(y).
    """

    def __init__(self, batch_size: int, bias: bool, pairs: bool) -> None:
        self.batch_size, self.bias, self.pairs = batch_size, bias, pairs
        self.rows = self.batches = 0
        self.constant = 0.0
        self.origin: np.ndarray = np.empty(0)  # (P,), of the first piece
        self.triangle: np.ndarray = np.empty((0, 0))  # (P + 1, P + 1)

    def add(self, table: Dataset) -> None:
        """Count in a piece: whole batches, and at the end of a pass a smaller one."""
        if not len(table):
            return
        X = with_ones(table.X) if self.bias else table.X  # (n, P)
        if not self.rows:
            self.origin = _origin(table, self.bias)
            self.triangle = np.empty((0, len(self.origin) + 1))
        self.rows += len(X)
        full = len(X) - len(X) % self.batch_size
        step = max(BLOCK_ROWS // self.batch_size, 1) * self.batch_size
        for first in range(0, full, step):
            self._add_batches(X[first : min(first + step, full)], table.y[first : min(first + step, full)], self.batch_size)
        if full < len(X):
            self._add_batches(X[full:], table.y[full:], len(X) - full)

    def _add_batches(self, X: np.ndarray, y: np.ndarray, size: int) -> None:
        self.batches += len(X) // size
        rows = np.column_stack([X, y - X @ self.origin])  # (n, P + 1)
        if not self.pairs or size == 1:  # a pair of one row is matched
            rows /= np.sqrt(size)
        else:
            x = X.reshape(-1, size, X.shape[1])  # (K, B, P)
            centred = (x - x.mean(1, keepdims=True)).reshape(X.shape)  # (n, P)
            means = rows.reshape(len(x), size, -1).mean(1)  # (K, P + 1)
            rows = np.concatenate([means, np.column_stack([centred, -centred @ self.origin]) / np.sqrt(size)])
            self.constant += float(y.reshape(-1, size).var(1).sum())
        self.triangle = np.asarray(np.linalg.qr(np.concatenate([self.triangle, rows]), mode="r"))

    def quadratic(self) -> Quadratic:
        """The mean, with its origin where it is least."""
        if not self.rows:
            raise SettingsError("the table has no rows; use one with at least 1")
        R, t = self.triangle[:, :-1], self.triangle[:, -1]  # (P + 1, P), (P + 1,)
        d = least_squares(R, t, self.rows, RANK_TOLERANCE**0.5)  # (P,)
        rest = t - R @ d  # (P + 1,)
        s = float(rest @ rest + self.constant) / self.batches
        return Quadratic(R.T @ R / self.batches, R.T @ rest / self.batches, s, self.origin + d)


@dataclass(frozen=True)
class _Spread:
    """Rows, and of each column the mean, the sum of squares about it, the least and the largest value."""

    rows: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _spread(columns: np.ndarray) -> _Spread:
    mean = columns.mean(0)
    return _Spread(len(columns), mean, ((columns - mean) ** 2).sum(0), columns.min(0), columns.max(0))


def _merged(a: _Spread, b: _Spread) -> _Spread:
    """Of the rows of both (Chan, Golub and LeVeque, 1979)."""
    rows, apart = a.rows + b.rows, b.mean - a.mean
    return _Spread(
        rows,
        a.mean + apart * (b.rows / rows),
        a.squares + b.squares + apart**2 * (a.rows * b.rows / rows),
        np.minimum(a.low, b.low),
        np.maximum(a.high, b.high),
    )


def with_ones(X: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D1"]:
    """The features and a last column of ones, for the bias."""
    return np.column_stack([X, np.ones(len(X))])  # (N, D + 1)


_ORIGINS: WeakKeyDictionary[Dataset, dict[bool, np.ndarray]] = WeakKeyDictionary()  # a table is asked again and again


def _origin(dataset: Dataset, bias: bool) -> np.ndarray:
    """The table's least squares, (P,); of a piece whose values are next to nothing, which tell no weights, zeros."""
    known = _ORIGINS.setdefault(dataset, {})
    if bias not in known:
        X = with_ones(dataset.X) if bias else dataset.X  # (n, P)
        reach = reach_of(X)
        tells = not ((reach > 0) & (reach < SMALLEST_REACH)).any()
        known[bias] = least_squares(X, dataset.y, rcond=RANK_TOLERANCE**0.5) if tells else np.zeros(X.shape[1])
    return known[bias]


def least_squares(
    X: Float[np.ndarray, "N P"], y: Float[np.ndarray, " N"], rows: int = 0, rcond: float = 0.0
) -> Float[np.ndarray, " P"]:
    """The weights of least squares, of least norm where they are not unique.

    What is singular is judged as NumPy does for that many rows, if X stands for more than it has, or by `rcond`: the least
    of the singular values by the largest, once every column has unit length.
    """
    scale = reach_of(X)  # (P,), divided out first, so that no square under- or overflows
    if not scale.all():  # a column of zeros: its weight is 0, and the others' are theirs
        found = np.zeros(X.shape[1])
        if scale.any():
            found[scale > 0] = least_squares(X[:, scale > 0], y, rows, rcond)
        return found
    scale *= np.maximum(np.sqrt(((X / scale) ** 2).sum(0)), 1)  # the length of each column
    alike = X / scale  # (N, P), so that no column is cut for its unit
    rcond = max(rcond, np.finfo(float).eps * max(rows, *X.shape))
    found, _, rank, _ = np.linalg.lstsq(alike, y, rcond=rcond)
    found += np.linalg.lstsq(alike, y - alike @ found, rcond=rcond)[0]  # up to two digits more (Björck, 1967)
    if rank == X.shape[1]:
        return np.asarray(found / scale)
    directions = np.linalg.svd(np.linalg.qr(alike, mode="r"))[2]  # (P, P), the flat ones last
    return _least_norm(found / scale, directions[rank:].T, 1 / scale)


def _least_norm(weights: np.ndarray, directions: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of the points that differ from the weights (P,) by flat directions (P, k) alone, the one of least norm.

    The directions are of weights by `scale` (P,). Where the units that they combine are too far apart to tell, it is the
    weights, which have the least norm with every column at unit length.
    """
    part = np.abs(directions).max(1, initial=0) > RANK_TOLERANCE**0.5  # (P,)
    if not part.any() or scale[part].max() > FAR_APART * scale[part].min():
        return weights
    flat = np.where(part[:, None], directions, 0) * (scale / scale[part].max())[:, None]  # (P, k)
    Q = np.linalg.qr(flat)[0]  # (P, k)
    return np.asarray(weights - Q @ (Q.T @ weights))


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

    Of a quadratic each is convex, so one polygon; an empty array where the level misses the domain. An ellipse is followed
    along its own angle; where the surface is all but flat in one direction, the outlines are found on a grid of so many
    cells. Points closer to the outline than a quarter of a cell of a 4,000-pixel picture are left out.
    """
    values, vectors = np.linalg.eigh(quadratic.A)
    if values[0] > FLAT * values[-1]:
        rings = _ellipses_within(quadratic.minimum, vectors / np.sqrt(values), np.sqrt(excess), domain)
    else:
        rings = _rings_on_grid(quadratic, excess, domain, cells)
    span = np.array([domain[1] - domain[0], domain[3] - domain[2]])
    begins = np.cumsum([0, *map(len, rings)])
    points = np.concatenate([*rings, np.empty((0, 2))])
    kept = kept_points(points / (span / 4000), begins=begins[:-1])  # of all rings at once
    return np.split(points[kept], np.searchsorted(kept, begins[1:-1]))[: len(rings)]


def _ellipses_within(
    middle: np.ndarray, axes: np.ndarray, sizes: np.ndarray, domain: Domain
) -> list[Float[np.ndarray, "n 2"]]:
    """The outline of what each ellipse, middle + size · axes @ (cos t, sin t), and the domain have in common, from the
    angles at which it crosses the domain's edge."""
    low, high = np.array(domain[::2]), np.array(domain[1::2])
    turn = np.arctan2(axes[:, 1], axes[:, 0])  # (2,), the angle at which an ellipse gets furthest along each weight …
    reach = np.hypot(axes[:, 0], axes[:, 1])  # … and how far, for size 1
    with np.errstate(divide="ignore", invalid="ignore"):  # a point; an edge that an ellipse does not reach
        apart = np.arccos((np.stack([low, high]) - middle) / (sizes[:, None, None] * reach))  # (L, 2, 2)
    crossed = np.concatenate([turn - apart, turn + apart], axis=1).reshape(-1, 8) % (2 * np.pi)
    begin = np.sort(crossed, axis=1)  # (L, 8), what is NaN last
    begin[np.isnan(begin[:, 0]), 0] = 0  # one that does not meet the edge: a whole turn
    turned = begin[:, :1] + 2 * np.pi
    arcs = np.diff(np.where(np.isnan(begin), turned, begin), append=turned)
    real = (arcs > 0) & (sizes > 0)[:, None]  # (L, 8)
    of = np.nonzero(real)[0]  # (arcs,), the ellipse of each
    t = begin[real][:, None] + arcs[real][:, None] * np.linspace(0, 1, ARC_POINTS)  # (arcs, points)
    points = middle + sizes[of, None, None] * (np.stack([np.cos(t), np.sin(t)], axis=-1) @ axes.T)  # (arcs, points, 2)
    halfway = points[:, ARC_POINTS // 2]
    seen = ((halfway >= low) & (halfway <= high)).all(1)
    corners = np.array([[w1, w2] for w1 in domain[:2] for w2 in domain[2:]])
    held = np.hypot(*np.linalg.solve(axes, (corners - middle).T)) <= sizes[:, None] * (1 + 1e-12)  # with what rounding takes
    holder, corner = np.nonzero(held & (sizes > 0)[:, None])
    points = np.concatenate([np.clip(points[seen].reshape(-1, 2), low, high), corners[corner]])
    of = np.concatenate([np.repeat(of[seen], ARC_POINTS), holder])
    counts = np.bincount(of, minlength=len(sizes))  # (L,)
    inner = np.stack([np.bincount(of, column, len(sizes)) for column in points.T], axis=1) / np.maximum(counts, 1)[:, None]
    around = (points - inner[of]) / (high - low)  # from inside, since what they outline is convex
    points = points[np.lexsort((np.arctan2(around[:, 1], around[:, 0]), of))]
    rings = np.split(points, np.cumsum(counts)[:-1])
    return [np.concatenate([ring, ring[:1]]) if len(ring) > 2 else ring[:0] for ring in rings]


def _rings_on_grid(quadratic: Quadratic, excess: np.ndarray, domain: Domain, cells: int) -> list[Float[np.ndarray, "n 2"]]:
    w1, w2 = np.linspace(*domain[:2], cells + 1), np.linspace(*domain[2:], cells + 1)
    grid = np.stack(np.meshgrid(w1, w2), axis=-1)  # (cells + 1, cells + 1, 2)
    height = np.sqrt(np.maximum(quadratic.value(grid) - quadratic.floor, 0))  # a cone: linear interpolation fits it best
    generator = contourpy.contour_generator(w1, w2, height, fill_type="OuterOffset")
    levels: list[Any] = [generator.filled(-np.inf, level)[0] for level in np.sqrt(excess)]
    return [max(outlines, key=len) if outlines else np.empty((0, 2)) for outlines in levels]
