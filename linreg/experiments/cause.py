"""The cause page: the bug taken apart step by step, on the comparison's data.

Whatever code the comparison's original side has, the original here pairs all rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.experiments.broadcast_terms import (
    MinimumByBatchSize,
    Pairs,
    RunResult,
    Terms,
    batch_statistics,
    minimum_by_batch_size,
    pairs_of,
    shape_or_value,
)
from linreg.experiments.resources import Resources
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Comparison, Settings
from linreg.settings.pages import CauseView


@dataclass(frozen=True, eq=False)
class CauseResult:
    """Both losses of a table, and what they are made of at some weights.

    `weights` (P,) are those of the view, with the best bias where there is one. `least_squares`
    is the loss of all rows at once: where the last batch is smaller, the mean over the batches has
    its minimum elsewhere.
    """

    original: Settings
    broadcast: Quadratic
    matched: Quadratic
    least_squares: Quadratic
    weights: Float[np.ndarray, " P"]
    pairs: Pairs
    terms: Terms
    minimum_by_batch_size: MinimumByBatchSize

    @property
    def surfaces(self) -> list[Quadratic]:
        """The loss over all pairs, and the one of matched pairs."""
        return [self.broadcast, self.matched]


def run(comparison: Comparison, view: CauseView, of: Resources) -> CauseResult:
    """The bug taken apart, at the view's weights or else at the least-squares ones."""
    original = replace(comparison.original, wiring="original")
    table, best = of.table(original.data), of.baseline(original.data, original.bias).surface
    weights = np.array(list(view.weights(best.minimum.tolist())))
    statistics = batch_statistics(table, original.batch_size)
    if original.bias:
        weights = np.append(weights, statistics.best_bias(weights))
    batches = Settings(original.data, batch_size=original.batch_size, bias=original.bias)
    return CauseResult(
        original,
        of.surface(original),
        of.surface(replace(original, wiring="squeeze")),
        best,
        weights,
        pairs_of(table, weights, view.rows),
        statistics.terms(weights),
        minimum_by_batch_size(table, batches),
    )


def shape_or_value_runs(comparison: Comparison, of: Resources) -> Sequence[Sequence[RunResult]]:
    """The four runs that tell the shape of the weight from its values: a row for each shape."""
    original = comparison.original
    return shape_or_value(of.table(original.data), original, of.baseline(original.data, False))
