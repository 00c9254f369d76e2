"""Loss surfaces and statistics of tables, also of tables read in pieces, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset, batch_order, check_numbers, check_rows
from linreg.quadratic.least_squares import least_squares, origin_of, with_ones
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
    for X, y, origin in passes_in_run_order(tables, settings):
        mean.add(X, y, origin)
    return mean.quadratic()


def matched_surface(tables: Tables, bias: bool = False) -> Quadratic:
    """The loss of all rows, each prediction compared with its own target; see `Baseline`."""
    mean = _MeanSurface(1, bias, pairs=False)
    for piece in [tables] if isinstance(tables, Dataset) else tables:
        check_numbers(piece, whole=piece is tables)
        mean.add_piece(piece)
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
    for piece in whole_batches(tables, in_order):
        for mean in (surface, matched, with_bias):
            mean.add_piece(piece)
        piece_columns = _column_stats(np.column_stack([piece.y, piece.X]))
        columns = piece_columns if columns is None else _merged(columns, piece_columns)
    assert columns is not None  # whole_batches yields at least one piece, or raises
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


def passes_in_run_order(
    tables: Tables, settings: Settings
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The rows in the order of the run: features X (E, n, P), with ones for the bias, targets
    y (E, n), and the origin (P,) of the quadratics.

    Of a shuffled table these are E epochs at once, as many as fit in the CPU cache; otherwise E is
    1, and X and y are what `whole_batches` yields. Raises the same errors."""
    if not (settings.shuffle and isinstance(tables, Dataset)):
        origin: np.ndarray | None = None
        for piece in whole_batches(tables, settings):
            origin = origin_of(piece, settings.bias) if origin is None else origin
            yield _features(piece, settings.bias)[None], piece.y[None], origin
        return
    check_rows(settings, len(tables))
    check_numbers(tables)
    # the origin is that of the rows in order, so that it depends on the table alone
    origin, X = origin_of(tables, settings.bias), _features(tables, settings.bias)
    orders = batch_order(settings, len(tables))
    while drawn := list(islice(orders, max(BLOCK_ROWS // len(tables), 1))):
        order = np.array(drawn)  # (E, N)
        yield X.take(order, axis=0), tables.y.take(order), origin


def whole_batches(tables: Tables, settings: Settings) -> Iterator[Dataset]:
    """The rows in the order of the table, in pieces of whole batches; the last may be smaller.

    Raises `SettingsError` if the settings do not fit the table, or if a table in pieces is to be
    shuffled."""
    if isinstance(tables, Dataset):
        check_rows(settings, len(tables))
        check_numbers(tables)
        yield tables
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


def _features(table: Dataset, bias: bool) -> np.ndarray:
    """The features (N, P), with ones for the bias."""
    return with_ones(table.X) if bias else table.X


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

    def add_piece(self, table: Dataset) -> None:
        """Add a piece of whole batches; the last batch may be smaller."""
        if len(table):
            origin = self.origin if self.rows else origin_of(table, self.bias)
            self.add(_features(table, self.bias)[None], table.y[None], origin)

    def add(self, X: np.ndarray, y: np.ndarray, origin: np.ndarray) -> None:
        """Add E passes, X (E, n, P) and y (E, n), of whole batches; the last may be smaller."""
        passes, n, parameters = X.shape
        if not self.rows:
            self.origin, self.triangle = origin, np.empty((0, parameters + 1))
        self.rows += passes * n
        self.batches += passes * -(-n // self.batch_size)
        full = n - n % self.batch_size
        step = max(BLOCK_ROWS // self.batch_size, 1) * self.batch_size
        blocks = [
            (slice(first, min(first + step, full)), self.batch_size)
            for first in range(0, full, step)
        ]
        if full < n:
            blocks.append((slice(full, n), n - full))
        weighted = (self._weighted_rows(X[:, rows], y[:, rows], size) for rows, size in blocks)
        # a single pass may be large, so only one of its blocks is in memory at a time
        parts = weighted if passes == 1 else list(weighted)
        for k in range(passes):
            for matrices, constants in parts:
                known = len(self.triangle)
                matrix = matrices[k, parameters + 1 - known :]
                matrix[:known] = self.triangle
                self.triangle = np.asarray(np.linalg.qr(matrix, mode="r"))
                self.constant += float(constants[k])

    def _weighted_rows(
        self, X: np.ndarray, y: np.ndarray, size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows whose squares add up to the batch losses of each pass, and what these losses have
        besides: (E, P + 1 + m, P + 1) and (E,). The first P + 1 rows are left for the triangle."""
        passes, n, parameters = X.shape
        below, scale = parameters + 1, np.sqrt(size)
        # column by column, since NumPy is slow on arrays this narrow
        columns = [*np.moveaxis(X, 2, 0), y - X @ self.origin]  # P + 1 of (E, n)
        if not self.pairs or size == 1:  # in a batch of one row, all pairs are matched
            weighted = np.empty((passes, below + n, parameters + 1))
            for k, column in enumerate(columns):
                np.divide(column, scale, out=weighted[:, below:, k])
            return weighted, np.zeros(passes)
        batches = np.stack([column.reshape(passes, -1, size) for column in columns])
        means = np.ascontiguousarray(np.moveaxis(batches, 3, 0)).mean(0)  # (P + 1, E, K)
        deviations = batches[:-1] - means[:-1, ..., None]  # (P, E, K, B)
        negated = np.empty((passes, n, parameters))
        for k, column in enumerate(deviations):
            np.negative(column.reshape(passes, n), out=negated[..., k])
        first = below + means.shape[2]  # row of the deviations
        weighted = np.empty((passes, first + n, parameters + 1))
        for k, column in enumerate([*deviations, negated @ self.origin]):
            weighted[:, below:first, k] = means[k]
            np.divide(column.reshape(passes, n), scale, out=weighted[:, first:, k])
        return weighted, y.reshape(passes, -1, size).var(2).sum(1)

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
