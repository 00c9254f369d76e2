"""The page of your own data: what the bug does to a table, and which of its rows are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from linreg.data.bundled import BUNDLED
from linreg.data.tables import table_named, table_settings
from linreg.experiments.resources import Resources
from linreg.experiments.table_diagnosis import TableDiagnosis, diagnose_table
from linreg.settings.changes import with_table
from linreg.settings.model import Comparison, Settings, TableSettings

if TYPE_CHECKING:  # Arrow is loaded when a file is read
    from linreg.data.files import Dropped

OPENS_ON = "auto-mpg"  # the bundled table that the page shows before a table is chosen


@dataclass(frozen=True, eq=False)
class YourDataResult:
    """A table's diagnosis, and the rows that are used and dropped.

    The comparison on the table has a result of its own, that of `experiments.comparison`.
    """

    data: TableSettings
    diagnosis: TableDiagnosis
    kept: int
    dropped: tuple[Dropped, ...]


def with_default_table(comparison: Comparison) -> Comparison:
    """The comparison if it is on a table, else the same on the bundled one."""
    if isinstance(comparison.original.data, TableSettings):
        return comparison
    bundled = BUNDLED[OPENS_ON]
    table = table_settings(OPENS_ON, bundled.target, bundled.features, standardise=True)
    return with_table(comparison, table)


def run(comparison: Comparison, resources: Resources) -> YourDataResult:
    """The diagnosis of a comparison's table.

    Raises `ValueError` for a comparison on synthetic data: `with_default_table` gives one on a
    table.
    """
    data = comparison.original.data
    if not isinstance(data, TableSettings):
        raise ValueError("the comparison is on synthetic data; use with_default_table")
    kept, dropped = resources.cached(_rows, data.table, data.target, data.features)
    return YourDataResult(
        data,
        resources.cached(_diagnosis, comparison.original),
        kept,
        dropped,
    )


def _diagnosis(settings: Settings, resources: Resources) -> TableDiagnosis:
    return diagnose_table(resources.table(settings.data), settings)


def _rows(
    key: str, target: str, features: tuple[str, str], _resources: Resources
) -> tuple[int, tuple[Dropped, ...]]:
    """How many rows are used, and which are not; the rows themselves are not kept."""
    found = table_named(key).select(target, features)
    return found.kept, tuple(found.dropped)
