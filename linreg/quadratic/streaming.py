"""Loss surfaces and statistics of tables, also of tables read in pieces, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset, batch_order, check_numbers, check_rows
from linreg.quadratic.least_squares import ORIGINS, least_squares, origin_of, with_ones
from linreg.quadratic.quadratic import RANK_TOLERANCE, Quadratic
from linreg.settings.fields import SettingsError
from linreg.settings.model import Settings
from linreg.settings.wirings import WIRINGS

BLOCK_ROWS = 1 << 14  # rows per QR decomposition: as many as fit in the CPU cache

Tables = Dataset | Iterable[Dataset]  # a table, or its pieces in order, read once


def loss_surface(tables: Tables, settings: Settings) -> Quadratic:
    """The loss surface of a run: the mean of its batch losses over (w1, w2) or (w1, w2, bias).

    A table in pieces takes the memory of one piece and one batch. Raises `SettingsError` as
    `batch_moments` does."""
    pairs = WIRINGS[settings.wiring].pairs
    if isinstance(tables, Dataset) and not pairs and len(tables) % settings.batch_size == 0:
        # with matched shapes and equal batches the mean does not depend on the order of the rows
        settings = replace(settings, shuffle=False)
    mean = _MeanSurface(settings.batch_size, settings.bias, pairs)
    for piece in rows_in_run_order(tables, settings):
        mean.add(piece)
    return mean.quadratic()


def matched_surface(tables: Tables, bias: bool = False) -> Quadratic:
    """The loss of all rows, each prediction compared with its own target; see `Baseline`."""
    mean = _MeanSurface(1, bias, pairs=False)
    for piece in [tables] if isinstance(tables, Dataset) else tables:
        check_numbers(piece, whole=piece is tables)
        mean.add(piece)
    return mean.quadratic()


@dataclass(frozen=True, eq=False)
class TableSums:
    """Statistics and loss surfaces from one pass over a table, in the units of the table.

    Variances are population variances, exactly 0 for a constant. `matched` and `matched_with_bias`
    are the surfaces of `matched_surface`, `surface` is that of `loss_surface`."""

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
    """The statistics and loss surfaces of a table, in one pass over its rows.

    Memory and errors are those of `loss_surface`."""
    in_order = replace(settings, shuffle=False) if isinstance(tables, Dataset) else settings
    surface = _MeanSurface(settings.batch_size, settings.bias, WIRINGS[settings.wiring].pairs)
    matched, with_bias = (_MeanSurface(1, bias, pairs=False) for bias in (False, True))
    columns = None
    for piece in rows_in_run_order(tables, in_order):
        for mean in (surface, matched, with_bias):
            mean.add(piece)
        piece_columns = _column_stats(np.column_stack([piece.y, piece.X]))
        columns = piece_columns if columns is None else _merged(columns, piece_columns)
    assert columns is not None  # rows_in_run_order yields at least one piece, or raises
    constant = columns.low == columns.high  # where rounding may give a variance above 0
    variances = np.where(constant, 0.0, columns.squares / columns.rows)
    return TableSums(
        columns.rows,
        float(columns.mean[0]),
        float(variances[0]),
        columns.mean[1:],
        variances[1:],
        columns.low[1:],
        columns.high[1:],
        matched.quadratic(),
        with_bias.quadratic(),
        loss_surface(tables, settings) if in_order != settings else surface.quadratic(),
    )


def rows_in_run_order(tables: Tables, settings: Settings) -> Iterator[Dataset]:
    """The rows in the order of the run, in pieces of whole batches.

    Only the last batch of a pass over the data may be smaller. A shuffled table is yielded once per
    epoch. Raises `SettingsError` if the settings do not fit the table."""
    if isinstance(tables, Dataset):
        check_rows(settings, len(tables))
        check_numbers(tables)
        for order in batch_order(settings, len(tables)) if settings.shuffle else [None]:
            if order is None:
                yield tables
            else:
                shuffled = Dataset(tables.X[order], tables.y[order])
                # that of the rows in order: it must not depend on what was asked for first
                ORIGINS[shuffled] = {settings.bias: origin_of(tables, settings.bias)}
                yield shuffled
        return
    if settings.shuffle:
        raise SettingsError(
            "a table in pieces is read once and in order, not shuffled; use shuffle False",
            "shuffle",
        )
    rows = 0
    pending: list[Dataset] = []  # rows that do not fill a batch yet
    for piece in tables:
        check_numbers(piece, whole=False)
        rows += len(piece)
        pending.append(piece)
        whole = sum(map(len, pending)) // settings.batch_size * settings.batch_size
        if whole:
            joined = _concatenate(pending)
            yield Dataset(joined.X[:whole], joined.y[:whole])
            # copies, so that the memory of the piece is freed
            pending = [Dataset(joined.X[whole:].copy(), joined.y[whole:].copy())]
    check_rows(settings, rows)
    if any(map(len, pending)):
        yield _concatenate(pending)


def _concatenate(pieces: list[Dataset]) -> Dataset:
    return Dataset(
        np.concatenate([piece.X for piece in pieces]), np.concatenate([piece.y for piece in pieces])
    )


class _MeanSurface:
    """The mean of the batch losses, from a QR decomposition that is updated piece by piece.

    The factor R of [X | y − X·o] holds all that is needed. Nothing is squared before the end, so
    the result is as accurate as least squares on all rows at once (Golub, 1965; "TSQR" in Demmel et
    al., 2012). The loss of a batch over all pairs is Var(y) plus the loss of other rows: (x̄, ȳ),
    and (x − x̄)/√B with target 0."""

    def __init__(self, batch_size: int, bias: bool, pairs: bool) -> None:
        self.batch_size, self.bias, self.pairs = batch_size, bias, pairs
        self.rows = self.batches = 0
        self.constant = 0.0
        self.origin: np.ndarray = np.empty(0)  # (P,), of the first piece
        self.triangle: np.ndarray = np.empty((0, 0))  # (P + 1, P + 1)

    def add(self, table: Dataset) -> None:
        """Add a piece of whole batches; the last batch may be smaller."""
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
            block = slice(first, min(first + step, full))
            self._add_batches(X[block], table.y[block], self.batch_size)
        if full < len(X):
            self._add_batches(X[full:], table.y[full:], len(X) - full)

    def _add_batches(self, X: np.ndarray, y: np.ndarray, size: int) -> None:
        self.batches += len(X) // size
        rows = np.column_stack([X, y - X @ self.origin])  # (n, P + 1)
        if not self.pairs or size == 1:  # in a batch of one row, all pairs are matched
            rows /= np.sqrt(size)
        else:
            x = X.reshape(-1, size, X.shape[1])  # (K, B, P)
            centred = (x - x.mean(1, keepdims=True)).reshape(X.shape)  # (n, P)
            means = rows.reshape(len(x), size, -1).mean(1)  # (K, P + 1)
            deviations = np.column_stack([centred, -centred @ self.origin])  # (n, P + 1)
            rows = np.concatenate([means, deviations / np.sqrt(size)])
            self.constant += float(y.reshape(-1, size).var(1).sum())
        self.triangle = np.asarray(np.linalg.qr(np.concatenate([self.triangle, rows]), mode="r"))

    def quadratic(self) -> Quadratic:
        """The mean, with its origin at the minimum."""
        if not self.rows:
            raise SettingsError("the table has no rows; use one with at least 1")
        R, t = self.triangle[:, :-1], self.triangle[:, -1]  # (P + 1, P), (P + 1,)
        d = least_squares(R, t, self.rows, RANK_TOLERANCE**0.5)  # (P,)
        residual = t - R @ d  # (P + 1,)
        s = float(residual @ residual + self.constant) / self.batches
        return Quadratic(R.T @ R / self.batches, R.T @ residual / self.batches, s, self.origin + d)


@dataclass(frozen=True)
class _ColumnStats:
    """The number of rows, and of each column the mean, the squared deviations and the range."""

    rows: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _column_stats(columns: np.ndarray) -> _ColumnStats:
    mean = columns.mean(0)
    squares = ((columns - mean) ** 2).sum(0)
    return _ColumnStats(len(columns), mean, squares, columns.min(0), columns.max(0))


def _merged(a: _ColumnStats, b: _ColumnStats) -> _ColumnStats:
    """The statistics of the rows of both (Chan, Golub and LeVeque, 1979)."""
    rows, difference = a.rows + b.rows, b.mean - a.mean
    return _ColumnStats(
        rows,
        a.mean + difference * (b.rows / rows),
        a.squares + b.squares + difference**2 * (a.rows * b.rows / rows),
        np.minimum(a.low, b.low),
        np.maximum(a.high, b.high),
    )
