"""Both losses of a table for many batch sizes, and the losses between the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset
from linreg.experiments.broadcast_terms import MAX_BATCH_SIZE, BatchStatistics, batch_statistics
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import Settings
from linreg.settings.wirings import ALL_PAIRS, MATCHED

MANY_ROWS = 50_000  # above, there are fewer batch sizes: each takes a pass over the table


@dataclass(frozen=True, eq=False)
class BatchLosses:
    """The loss over all pairs and the matched one, for batches of `size` rows, and the statistics
    of these batches."""

    size: int
    broadcast: Quadratic
    matched: Quadratic
    statistics: BatchStatistics

    @property
    def surfaces(self) -> list[Quadratic]:
        """The loss over all pairs, and the matched one."""
        return [self.broadcast, self.matched]

    def between(self, alpha: float) -> Quadratic:
        """(1 − alpha) · matched loss + alpha · loss over all pairs, which is a quadratic too.

        Both have the same A, so its minimum lies on the line between theirs; it is expanded there.
        """
        one, other, rest = self.matched, self.broadcast, 1 - alpha
        origin = rest * one.minimum + alpha * other.minimum  # (P,)
        return Quadratic(
            rest * one.A + alpha * other.A,
            rest * _c_at(origin, one) + alpha * _c_at(origin, other),
            rest * float(one.value(origin)) + alpha * float(other.value(origin)),
            origin,
        )


def _c_at(origin: Float[np.ndarray, " P"], loss: Quadratic) -> Float[np.ndarray, " P"]:
    """The c of a loss that is expanded at another origin."""
    c: np.ndarray = loss.c - loss.A @ (origin - loss.origin)
    return c


@dataclass(frozen=True, eq=False)
class Fade:
    """The way from the matched loss (`alpha` 0) to the loss over all pairs (`alpha` 1).

    `current` are the losses of the batch size that is looked at, one of `by_size`, in which the
    sizes ascend.
    """

    alpha: float
    current: BatchLosses
    by_size: Sequence[BatchLosses]

    @property
    def loss(self) -> Quadratic:
        """The loss at `alpha`, over (w1, w2) or (w1, w2, bias)."""
        return self.current.between(self.alpha)


def batch_losses(table: Dataset, settings: Settings) -> BatchLosses:
    """Both losses, each the mean over the batches of the settings."""
    broadcast, matched = (
        loss_surface(table, replace(settings, wiring=variant)) for variant in (ALL_PAIRS, MATCHED)
    )
    statistics = batch_statistics(table, settings.batch_size)
    return BatchLosses(settings.batch_size, broadcast, matched, statistics)


def batch_sizes(rows: int) -> list[int]:
    """The powers of two up to MAX_BATCH_SIZE and the number of rows; for a table without too many
    rows also the sizes halfway between them."""
    most = min(rows, MAX_BATCH_SIZE)
    powers = [2**k for k in range(most.bit_length())]
    halfway = [3 * power // 2 for power in powers[1:]] if rows <= MANY_ROWS else []
    return sorted(size for size in {*powers, *halfway} if size <= most)
