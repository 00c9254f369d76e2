"""What the bug does to a table, what makes training on it hard, and what standardising changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import initial_weights
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import Tables, TableSums, table_sums
from linreg.settings.model import Settings
from linreg.settings.wirings import ALL_PAIRS

NEARLY_COLLINEAR = 0.999  # a correlation beyond it makes single weights meaningless


@dataclass(frozen=True, eq=False)
class Fit:
    """The minimum of a loss, R² there, and the standard deviation of the predictions."""

    weights: Float[np.ndarray, " P"]
    r_squared: float
    spread: float


@dataclass(frozen=True)
class Training:
    """How hard a surface is for gradient descent.

    `stable_lr` is the limit for SGD. `distance` is the largest distance of a single weight from its
    initial value to the minimum, `furthest` the index of that weight."""

    condition_number: float
    stable_lr: float
    distance: float
    furthest: int


@dataclass(frozen=True, eq=False)
class TableDiagnosis:
    """The diagnosis of a table, in its own units.

    `broadcast_fit` is the fit with the bug, `least_squares_fit` the correct one. `training`
    describes the table as it is, `standardised` with standardised features. `max_displacement` is
    about how far RMSprop can move a weight with the settings; infinite for a momentum of 1 or
    more."""

    settings: Settings
    sums: TableSums
    broadcast_fit: Fit
    least_squares_fit: Fit
    training: Training
    standardised: Training
    max_displacement: float
    constant: tuple[int, ...]  # features that do not vary
    correlation: float  # of the features; NaN where one does not vary

    @property
    def collinear(self) -> bool:
        """Whether the features are nearly collinear, so that single weights mean little."""
        return not abs(self.correlation) <= NEARLY_COLLINEAR and not self.constant

    @property
    def kept_spread(self) -> float:
        """The share of the predictions' standard deviation that the bug leaves."""
        spread = self.least_squares_fit.spread
        return self.broadcast_fit.spread / spread if spread else 1.0

    @property
    def similar_neighbours(self) -> bool:
        """Whether the bug leaves more of the spread than it would of rows in random order: then
        neighbouring rows are similar, and the means of the batches keep part of the fit."""
        batch_size = self.settings.batch_size
        batches = -(-self.sums.rows // batch_size)
        r_squared = max(self.least_squares_fit.r_squared, 1e-9)
        deviation = math.sqrt(2 / (batches * r_squared))
        by_chance = max(3.0, 1 + 3 * deviation) / batch_size  # upper bound, in random order
        in_order = self.settings.bias and not self.settings.shuffle
        return in_order and self.kept_spread > max(by_chance, 0.1)


def diagnose_table(tables: Tables, settings: Settings) -> TableDiagnosis:
    """The diagnosis of a table, or of a table in pieces, in one pass over its rows.

    With standardised features, the second moments of two features and a bias are
    [[1, ρ, 0], [ρ, 1, 0], [0, 0, 1]], with the eigenvalues 1 ± ρ and 1. A weight is then multiplied
    by the standard deviation of its feature, and the bias is the mean of the target. Raises
    `SettingsError` as `loss_surface` does."""
    sums = table_sums(tables, replace(settings, wiring=ALL_PAIRS))
    matched = sums.matched_with_bias if settings.bias else sums.matched
    covariance = sums.matched_with_bias.profile().A  # (2, 2), as the bias absorbs the means
    deviations = np.sqrt(sums.feature_variances)  # (2,)
    constant = tuple(np.flatnonzero(deviations == 0).tolist())
    rho = (
        float(np.clip(covariance[0, 1] / deviations[0] / deviations[1], -1, 1))
        if not constant
        else math.nan
    )
    start = initial_weights(settings)
    standard = np.append(sums.matched_with_bias.minimum[:2] * deviations, sums.target_mean)[
        : len(start)
    ]
    spread = abs(rho) if not constant else 0.0
    steps = settings.epochs * -(-sums.rows // settings.batch_size)
    return TableDiagnosis(
        settings,
        sums,
        _fit(sums.surface.minimum, matched, covariance, sums),
        _fit(matched.minimum, matched, covariance, sums),
        _training(matched.condition_number, matched.stable_lr(), matched.minimum - start),
        _training(
            math.inf if constant or spread == 1 else (1 + spread) / (1 - spread),
            1 / (1 + spread),
            standard - start,
        ),
        _max_displacement(settings, steps),
        constant,
        rho,
    )


def _max_displacement(settings: Settings, steps: int) -> float:
    """About how far RMSprop can move a weight.

    A step is about lr, the first one ten times that; momentum β makes each 1 + β + β² + … times as
    long."""
    return (
        settings.lr * (steps + 9) / (1 - settings.momentum) if settings.momentum < 1 else math.inf
    )


def _fit(weights: np.ndarray, matched: Quadratic, covariance: np.ndarray, sums: TableSums) -> Fit:
    r_squared = (
        1 - float(matched.value(weights)) / sums.target_variance
        if sums.target_variance
        else math.nan
    )
    variance = max(float(weights[:2] @ covariance @ weights[:2]), 0.0)
    return Fit(weights, r_squared, math.sqrt(variance))


def _training(condition_number: float, stable_lr: float, displacement: np.ndarray) -> Training:
    furthest = int(np.abs(displacement).argmax())
    return Training(condition_number, stable_lr, float(np.abs(displacement[furthest])), furthest)
