"""What the bug does to a table, what stands in the way of training on it, and what standardising
would change."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import initial_weights
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import Tables, TableSums, table_sums
from linreg.settings.model import Settings

NEARLY_COLLINEAR = 0.999  # a correlation beyond it makes single weights meaningless


@dataclass(frozen=True, eq=False)
class Fit:
    """The weights at which a loss is least, R² there, and the standard deviation of their
    predictions."""

    weights: Float[np.ndarray, " P"]
    r_squared: float
    spread: float


@dataclass(frozen=True)
class Training:
    """What gradient descent meets on a surface: its condition number, SGD's stable learning rate,
    and the way to go.

    `distance` is the longest way of a single weight from its start to the minimum, `furthest` the
    index of that weight."""

    condition_number: float
    stable_lr: float
    distance: float
    furthest: int


@dataclass(frozen=True, eq=False)
class TableDiagnosis:
    """The findings of a table, in its own units.

    `reach` is about how far RMSprop comes with the settings' steps, learning rate and momentum;
    infinite where the momentum is 1 or more, and its steps grow without end."""

    settings: Settings
    sums: TableSums
    written: Fit
    fixed: Fit
    training: Training
    standardised: Training
    reach: float
    constant: tuple[int, ...]  # features that do not vary
    correlation: float  # of the features; NaN where one does not vary

    @property
    def collinear(self) -> bool:
        """Whether the features say nearly the same, so that single weights mean little."""
        return not abs(self.correlation) <= NEARLY_COLLINEAR and not self.constant


def diagnose_table(tables: Tables, settings: Settings) -> TableDiagnosis:
    """The findings of a table, or of one in pieces, in one pass. As written means that all pairs of
    a batch meet.

    With features at mean 0 and standard deviation 1 the second moments of two features and a bias
    are [[1, ρ, 0], [ρ, 1, 0], [0, 0, 1]], with the eigenvalues 1 ± ρ and 1; a weight is then its
    old value times the feature's deviation, and the bias the target's mean. Raises `SettingsError`
    as `loss_surface` does."""
    sums = table_sums(tables, replace(settings, wiring="original"))
    matched = sums.matched_with_bias if settings.bias else sums.matched
    covariance = sums.matched_with_bias.profile().A  # (2, 2): the best bias takes the means out
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
        _reach(settings, steps),
        constant,
        rho,
    )


def _reach(settings: Settings, steps: int) -> float:
    """About lr a step, and ten times that in the first; momentum β goes on with each, to 1 + β + β²
    + … times its length."""
    return (
        settings.lr * (steps + 9) / (1 - settings.momentum) if settings.momentum < 1 else math.inf
    )


def _fit(weights: np.ndarray, matched: Quadratic, covariance: np.ndarray, sums: TableSums) -> Fit:
    worth = (
        1 - float(matched.value(weights)) / sums.target_variance
        if sums.target_variance
        else math.nan
    )
    return Fit(weights, worth, math.sqrt(max(float(weights[:2] @ covariance @ weights[:2]), 0.0)))


def _training(condition_number: float, stable_lr: float, way: np.ndarray) -> Training:
    furthest = int(np.abs(way).argmax())
    return Training(condition_number, stable_lr, float(np.abs(way[furthest])), furthest)
