"""The page of your own data: what the bug does to a table, which of its rows are used, and what
would help where training cannot reach the solution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg.data.bundled import BUNDLED
from linreg.data.dataset import UNSCALED, Scaling
from linreg.data.errors import TableError
from linreg.data.tables import table_named, table_settings
from linreg.experiments.resources import Resources
from linreg.experiments.table_diagnosis import TableDiagnosis, diagnose_table
from linreg.settings.changes import update_both, with_table
from linreg.settings.fields import shorten
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison, Settings, TableSettings

if TYPE_CHECKING:  # Arrow is loaded when a file is read
    from linreg.data.files import Dropped, Table

OPENS_ON = "auto-mpg"  # the bundled table that the page shows before a table is chosen
NO_SCALINGS = (UNSCALED, UNSCALED)


@dataclass(frozen=True, eq=False)
class YourDataResult:
    """A table's diagnosis, and the rows that are used and dropped.

    The scalings lead from standardised columns back to the units of the table. The comparison on
    the table has a result of its own, that of `experiments.comparison`.
    """

    data: TableSettings
    diagnosis: TableDiagnosis
    kept: int
    dropped: tuple[Dropped, ...]
    feature_scalings: tuple[Scaling, ...] = NO_SCALINGS
    target_scaling: Scaling = UNSCALED

    @property
    def table_weights(self) -> np.ndarray:
        """The least-squares weights (P,) in the units of the table. A bias is among them if the
        model has one, or if standardising implies one."""
        weights = self.diagnosis.least_squares_fit.weights
        deviations = np.array([scaling.deviation for scaling in self.feature_scalings])  # (2,)
        means = np.array([scaling.mean for scaling in self.feature_scalings])  # (2,)
        varies = deviations != 0
        slopes = np.where(varies, weights[:2], 0) / np.where(varies, deviations, 1)
        slopes = self.target_scaling.deviation * slopes  # (2,)
        has_bias = self.diagnosis.settings.bias
        bias = self.target_scaling.in_table(float(weights[2]) if has_bias else 0.0)
        bias -= float(slopes @ means)
        return np.append(slopes, bias) if has_bias or bias else slopes


@dataclass(frozen=True)
class Remedy:
    """A change that would help: `standardise` with True, or the setting `lr`, `epochs` or `shuffle`
    with its new value."""

    name: str
    value: Any


def with_default_table(comparison: Comparison) -> Comparison:
    """The comparison if it is on a table, else the same on the bundled one."""
    if isinstance(comparison.original.data, TableSettings):
        return comparison
    bundled = BUNDLED[OPENS_ON]
    return with_table(
        comparison, default_table_settings(OPENS_ON, bundled.target, bundled.features)
    )


def default_table_settings(key: str, target: str, features: Sequence[str]) -> TableSettings:
    """Columns of a table as they are compared by default: features and target standardised, so that
    the weights are within reach whatever the units. Raises as `table_settings` does."""
    return table_settings(key, target, features, standardise=True, standardise_target=True)


def default_columns(table: Table) -> tuple[str, str, str]:
    """The target and the features that are chosen first: the last column of numbers, and the first
    two others; columns of a single value only where there are no others.

    Raises `TableError` for a table with fewer than three columns of numbers."""
    names = [column.name for column in table.columns if column.numeric]
    if len(names) < 3:
        found = ", ".join(map(shorten, names)) or "none"
        raise TableError(
            f"{table.name} has {len(names)} columns of numbers ({found}), but a target and two"
            " features need 3; add a column"
        )
    varying = [column.name for column in table.columns if column.numeric and column.varies]
    constant = [name for name in names if name not in varying]
    target = (varying or names)[-1]
    first, second, *_ = (name for name in [*varying, *constant] if name != target)
    return target, first, second


def run(comparison: Comparison, resources: Resources) -> YourDataResult:
    """The diagnosis of a comparison's table.

    Raises `ValueError` for a comparison on synthetic data: `with_default_table` gives one on a
    table.
    """
    data = comparison.original.data
    if not isinstance(data, TableSettings):
        raise ValueError("the comparison is on synthetic data; use with_default_table")
    kept, dropped = resources.cached(_rows, data.table, data.target, data.features)
    table = resources.table(data)
    return YourDataResult(
        data,
        resources.cached(_diagnosis, comparison.original),
        kept,
        dropped,
        table.feature_scalings or NO_SCALINGS,
        table.target_scaling,
    )


def remedies(result: YourDataResult) -> list[Remedy]:
    """What would bring every weight within reach, and keep similar rows from hiding the bug, best
    first."""
    data, diagnosis, settings = result.data, result.diagnosis, result.diagnosis.settings
    found = []
    if diagnosis.max_displacement < diagnosis.training.distance:
        if not (data.standardise and data.standardise_target):
            found.append(Remedy("standardise", True))
        found.append(Remedy("lr", needed_lr(diagnosis)))
        if (epochs := needed_epochs(diagnosis)) * steps_per_epoch(diagnosis) <= LIMITS.steps:
            found.append(Remedy("epochs", epochs))
    if diagnosis.similar_neighbours and not settings.shuffle:
        found.append(Remedy("shuffle", True))
    return found


def with_remedy(comparison: Comparison, remedy: Remedy) -> Comparison:
    """The comparison, which is on a table, with a remedy."""
    if remedy.name != "standardise":
        return update_both(comparison, {remedy.name: remedy.value})
    data = comparison.original.data
    assert isinstance(data, TableSettings)
    table = default_table_settings(data.table, data.target, data.features)
    return with_table(comparison, table, comparison.original.bias)


def steps_per_epoch(diagnosis: TableDiagnosis) -> int:
    """Batches per pass over the table."""
    return -(-diagnosis.sums.rows // diagnosis.settings.batch_size)


def needed_lr(diagnosis: TableDiagnosis) -> float:
    """The learning rate with which RMSprop reaches the farthest weight, to two digits."""
    steps = diagnosis.settings.epochs * steps_per_epoch(diagnosis)
    return _round_up(_needed_path(diagnosis) / steps)


def needed_epochs(diagnosis: TableDiagnosis) -> int:
    """The epochs in which RMSprop reaches the farthest weight at the present learning rate."""
    steps = _needed_path(diagnosis) / diagnosis.settings.lr
    return math.ceil(steps / steps_per_epoch(diagnosis))


def _needed_path(diagnosis: TableDiagnosis) -> float:
    """The sum of all steps without momentum, with a tenth to spare."""
    return 1.1 * diagnosis.training.distance * (1 - diagnosis.settings.momentum)


def _round_up(value: float) -> float:
    power = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / power) * power:.2g}")


def _diagnosis(settings: Settings, resources: Resources) -> TableDiagnosis:
    return diagnose_table(resources.table(settings.data), settings)


def _rows(
    key: str, target: str, features: tuple[str, str], _resources: Resources
) -> tuple[int, tuple[Dropped, ...]]:
    """How many rows are used, and which are not; the rows themselves are not kept."""
    found = table_named(key).select(target, features)
    return found.kept, tuple(found.dropped)
