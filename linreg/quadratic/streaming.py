"""Loss surfaces and summary statistics of tables that are read in pieces, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset, batch_order, check_numbers, check_rows
from linreg.quadratic.least_squares import _ORIGINS, least_squares, origin_of, with_ones
from linreg.quadratic.quadratic import RANK_TOLERANCE, Quadratic
from linreg.settings.fields import SettingsError
from linreg.settings.model import Settings
from linreg.settings.wirings import WIRINGS

BLOCK_ROWS = 1 << 14  # that are rotated at once: as many as stay in the cache


Tables = Dataset | Iterable[Dataset]  # a table, or its pieces in order, which are read once


def loss_surface(tables: Tables, settings: Settings) -> Quadratic:
    """The surface that the run descends on: the mean of its batches' quadratics over (w1, w2) or
    (w1, w2, bias).

    A table in pieces takes the memory of one piece and one batch. Raises `SettingsError` as
    `batch_moments` does."""
    if (
        isinstance(tables, Dataset)
        and not WIRINGS[settings.wiring].pairs
        and len(tables) % settings.batch_size == 0
    ):
        settings = replace(
            settings, shuffle=False
        )  # the mean over equal batches of matched rows knows no order
    mean = _MeanSurface(settings.batch_size, settings.bias, WIRINGS[settings.wiring].pairs)
    for piece in checked_tables(tables, settings):
        mean.add(piece)
    return mean.quadratic()


def matched_surface(tables: Tables, bias: bool = False) -> Quadratic:
    """The loss of all rows at once, each prediction against its own target: what any run is judged
    by."""
    mean = _MeanSurface(1, bias, pairs=False)
    for piece in [tables] if isinstance(tables, Dataset) else tables:
        check_numbers(piece, whole=piece is tables)
        mean.add(piece)
    return mean.quadratic()


@dataclass(frozen=True, eq=False)
class TableSums:
    """What one pass over a table tells, in the table's units; variances are of the whole
    population, 0 of a constant.

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
    """All that is judged by and shown of a table, in one pass over its rows, with `loss_surface` of
    the settings.

    The memory and the errors are those of `loss_surface`.
    """
    in_order = replace(settings, shuffle=False) if isinstance(tables, Dataset) else settings
    surface = _MeanSurface(settings.batch_size, settings.bias, WIRINGS[settings.wiring].pairs)
    matched, with_bias = (_MeanSurface(1, bias, pairs=False) for bias in (False, True))
    spread = None
    for piece in checked_tables(tables, in_order):
        for mean in (surface, matched, with_bias):
            mean.add(piece)
        found = _spread(np.column_stack([piece.y, piece.X]))
        spread = found if spread is None else _merged(spread, found)
    assert spread is not None  # _met gives at least one piece, or raises
    variances = np.where(
        spread.low == spread.high, 0.0, spread.squares / spread.rows
    )  # rounding leaves a constant some
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


def checked_tables(tables: Tables, settings: Settings) -> Iterator[Dataset]:
    """The rows in the order in which the run meets them, in pieces of whole batches; a smaller
    batch ends a pass."""
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
        raise SettingsError(
            "a table in pieces is read once and in order, not shuffled; use shuffle False",
            "shuffle",
        )
    rows, waiting = 0, []
    for piece in tables:
        check_numbers(piece, whole=False)
        rows += len(piece)
        waiting.append(piece)
        whole = sum(map(len, waiting)) // settings.batch_size * settings.batch_size
        if whole:
            X, y = (
                np.concatenate([one.X for one in waiting]),
                np.concatenate([one.y for one in waiting]),
            )
            yield Dataset(X[:whole], y[:whole])
            waiting = [
                Dataset(X[whole:].copy(), y[whole:].copy())
            ]  # a copy, so that the piece is let go
    check_rows(settings, rows)
    if any(map(len, waiting)):
        yield Dataset(
            np.concatenate([one.X for one in waiting]), np.concatenate([one.y for one in waiting])
        )


class _MeanSurface:
    """The mean of batches' quadratics, as the triangle R of their rows: [X | y − X·o] = QR, updated
    piece by piece.

    Nothing is squared before the end, so that it is as accurate as least squares on all rows at
    once, however many there are (Golub, 1965; "TSQR" in Demmel et al., 2012). The loss of a batch
    of all pairs is that of other rows: (x̄, ȳ), and (x − x̄)/√B with the target 0, plus Var(y)."""

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
            self.origin = origin_of(table, self.bias)
            self.triangle = np.empty((0, len(self.origin) + 1))
        self.rows += len(X)
        full = len(X) - len(X) % self.batch_size
        step = max(BLOCK_ROWS // self.batch_size, 1) * self.batch_size
        for first in range(0, full, step):
            self._add_batches(
                X[first : min(first + step, full)],
                table.y[first : min(first + step, full)],
                self.batch_size,
            )
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
            rows = np.concatenate(
                [means, np.column_stack([centred, -centred @ self.origin]) / np.sqrt(size)]
            )
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
    """Rows, and of each column the mean, the sum of squares about it, the least and the largest
    value."""

    rows: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _spread(columns: np.ndarray) -> _Spread:
    mean = columns.mean(0)
    return _Spread(
        len(columns), mean, ((columns - mean) ** 2).sum(0), columns.min(0), columns.max(0)
    )


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
