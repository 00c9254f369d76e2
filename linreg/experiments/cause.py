"""The cause page: the bug taken apart step by step, on the comparison's data.

Whatever loss variant the comparison's original side has, the broadcast here pairs all rows of a
batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from linreg.experiments import pytorch_calls
from linreg.experiments.broadcast_terms import (
    MinimumByBatchSize,
    Pairs,
    RunResult,
    Terms,
    minimum_by_batch_size,
    pairs_of,
    shape_or_value,
)
from linreg.experiments.comparison import Sample, sample_of
from linreg.experiments.fade import BatchLosses, Fade, batch_losses, batch_sizes
from linreg.experiments.resources import Resources
from linreg.experiments.your_code import reaction
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison, Data, Settings
from linreg.settings.pages import CauseView, CodeView
from linreg.settings.wirings import ALL_PAIRS, MATCHED, STRANGE_INIT

if TYPE_CHECKING:
    from linreg.experiments.layer_attribute import Attribute
    from linreg.guard.report import Reaction

SAMPLE_ROWS = 200  # whose predictions are shown, in every frame while something is dragged
REACTED_LOSSES = ("mse", "raw", "bce_with_logits")  # PyTorch warns, says nothing, and raises


@dataclass(frozen=True, eq=False)
class CauseResult:
    """Both losses of a table, and what they are made of at some weights.

    `settings` are those of the comparison's original side, but for a loss over all pairs.
    `fade` holds the losses of the view's batch size, and `own` those of the comparison's.
    `weights` (P,) are those of the view, with the best bias where there is one. `baseline` has the
    loss of all rows at once: where the last batch is smaller, the mean over the batches has its
    minimum elsewhere. The rows of `sample` are those whose predictions are shown.
    """

    settings: Settings
    fade: Fade
    own: BatchLosses
    baseline: Baseline
    weights: Float[np.ndarray, " P"]
    pairs: Pairs
    terms: Terms
    minimum_by_batch_size: MinimumByBatchSize
    sample: Sample

    @property
    def broadcast(self) -> Quadratic:
        """The loss over all pairs, at the view's batch size."""
        return self.fade.current.broadcast

    @property
    def matched(self) -> Quadratic:
        """The loss of matched pairs, at the view's batch size."""
        return self.fade.current.matched

    @property
    def least_squares(self) -> Quadratic:
        """The loss of all rows at once, each prediction compared with its own target."""
        return self.baseline.surface

    @property
    def batch_rows(self) -> int:
        """The rows of a batch, as the view has them."""
        return self.fade.current.size

    @property
    def broadcast_rows(self) -> int:
        """The rows of a batch, as many as PyTorch can hold all pairs of."""
        return min(self.settings.batch_size, LIMITS.broadcast_rows)

    @property
    def surfaces(self) -> list[Quadratic]:
        """The loss over all pairs, and the one of matched pairs."""
        return [self.broadcast, self.matched]


@dataclass(frozen=True)
class AttributesResult:
    """`vars(layer)` before and after the question's line that sets the weight by hand."""

    attributes: tuple[Attribute, ...]

    @property
    def changed(self) -> list[Attribute]:
        """The attributes that the line changes."""
        return [attribute for attribute in self.attributes if attribute.changed]


@dataclass(frozen=True)
class ShapeOrValueResult:
    """Four runs that tell the shape of the weight from its values: a row for each shape."""

    runs: tuple[tuple[RunResult, RunResult], tuple[RunResult, RunResult]]


@dataclass(frozen=True)
class PyTorchResult:
    """What PyTorch does with the comparison's shapes, and its loss with each fix.

    `reactions` are by the key of the loss. `losses` are of the first `rows` rows, as written and
    with each fix: the line, where it stands, and the loss.
    """

    reactions: Mapping[str, Reaction]
    rows: int
    losses: tuple[tuple[str, str, float], ...]


def run(comparison: Comparison, view: CauseView, resources: Resources) -> CauseResult:
    """The bug taken apart, at the view's weights or else at the least-squares ones."""
    settings = replace(comparison.original, wiring=ALL_PAIRS)
    data, bias = settings.data, settings.bias
    table, least_squares = resources.table(data), resources.baseline(data, bias)
    own = _own_losses(settings, resources)
    fade = _fade(view, own, settings, resources)
    weights = np.array(list(view.weights(least_squares.surface.minimum.tolist())))
    if bias:
        weights = np.append(weights, fade.current.statistics.best_bias(weights))
    return CauseResult(
        settings,
        fade,
        own,
        least_squares,
        weights,
        pairs_of(table, weights, view.rows),
        fade.current.statistics.terms(weights),
        resources.cached(_minima, data, settings.batch_size, bias),
        resources.cached(_sample, data),
    )


def _own_losses(settings: Settings, resources: Resources) -> BatchLosses:
    """The losses of the comparison's batches, which may be shuffled."""
    found: BatchLosses = resources.cached(
        _losses, settings.data, settings.batch_size, settings.bias
    )
    if not settings.shuffle:
        return found
    broadcast, matched = (
        resources.surface(replace(settings, wiring=wiring)) for wiring in (ALL_PAIRS, MATCHED)
    )
    return replace(found, broadcast=broadcast, matched=matched)


def _fade(view: CauseView, own: BatchLosses, settings: Settings, resources: Resources) -> Fade:
    """The losses of other batch sizes have the rows in the order of the table."""
    rows = len(resources.table(settings.data))
    size = min(view.batch_rows or own.size, rows)
    sizes = sorted({*batch_sizes(rows), own.size, size})
    by_size = [
        own if each == own.size else resources.cached(_losses, settings.data, each, settings.bias)
        for each in sizes
    ]
    return Fade(view.alpha, by_size[sizes.index(size)], by_size)


def _losses(data: Data, batch_size: int, bias: bool, resources: Resources) -> BatchLosses:
    settings = Settings(data, batch_size=batch_size, bias=bias, epochs=1)
    return batch_losses(resources.table(data), settings)


def _minima(data: Data, batch_size: int, bias: bool, resources: Resources) -> MinimumByBatchSize:
    def surface(size: int) -> Quadratic:
        found: BatchLosses = resources.cached(_losses, data, size, bias)
        return found.broadcast

    settings = Settings(data, batch_size=batch_size, bias=bias)
    return minimum_by_batch_size(resources.table(data), settings, surface)


def _sample(data: Data, resources: Resources) -> Sample:
    return sample_of(resources.table(data), SAMPLE_ROWS)


def shape_or_value_runs(comparison: Comparison, resources: Resources) -> ShapeOrValueResult:
    """The weight's shape and its values, each changed alone, on the comparison's data."""
    original = comparison.original
    return ShapeOrValueResult(
        shape_or_value(
            resources.table(original.data), original, resources.baseline(original.data, False)
        )
    )


def layer_attributes(seed: int, resources: Resources) -> AttributesResult:
    """The attributes of a layer that PyTorch initialises after this seed."""
    settings = Settings(wiring="weight_1d", init=STRANGE_INIT, seed=seed)
    return AttributesResult(tuple(resources.demo(pytorch_calls.layer_attributes, settings)))


def ask_pytorch(result: CauseResult, resources: Resources) -> PyTorchResult:
    """What PyTorch does with a batch, and its loss at the result's weights with each fix."""
    table, rows = resources.table(result.settings.data), result.broadcast_rows
    reactions = {
        key: reaction(CodeView((rows, 1), (rows,), key), resources) for key in REACTED_LOSSES
    }
    losses = resources.demo(
        pytorch_calls.losses_of_fixes, table.X[:rows], table.y[:rows], result.weights
    )
    return PyTorchResult(reactions, rows, tuple(losses))
