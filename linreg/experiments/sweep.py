"""The sweep page: two settings varied over a grid, for both sides, and the law of batch size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from linreg.experiments.resources import Resources
from linreg.experiments.sweep_grid import (
    BatchSizeLaw,
    CellStats,
    Sweep,
    Task,
    assemble_grid,
    color_limits,
    law_of_batch_size,
    law_settings,
    shown_inits,
    stability_limits,
    sweep_around,
)
from linreg.experiments.work import Work, missing_keys
from linreg.settings.fields import SettingsError
from linreg.settings.limits import LIMITS
from linreg.settings.model import Comparison, Settings
from linreg.settings.pages import SweepView
from linreg.settings.sweep_axes import METRICS, Metric
from linreg.settings.wirings import WIRINGS


@dataclass(frozen=True, eq=False)
class SweepResult:
    """The cells of both sides, as far as they are done.

    `numbers` has the fields of `CellStats` by name, each (2, rows, columns) with NaN where a cell
    is not done; `stability` for each side the points of SGD's stability limit.
    """

    sweep: Sweep
    view: SweepView
    tasks: tuple[Task, ...]
    numbers: dict[str, Float[np.ndarray, "2 rows columns"]]
    stability: Sequence[Sequence[tuple[float, float]]]
    complete: bool

    @property
    def metric(self) -> Metric:
        """What a cell's colour shows."""
        return METRICS[self.view.metric]

    @property
    def values(self) -> Float[np.ndarray, "2 rows columns"]:
        """The metric of every cell, of the original and of the fixed side."""
        return self.numbers[self.metric.of]

    @property
    def converging(self) -> Bool[np.ndarray, "2 rows columns"]:
        """Whether more than half of the runs of a cell converge, for both sides."""
        return np.asarray(self.numbers["share"] > 0.5)

    @property
    def done(self) -> Bool[np.ndarray, "2 rows columns"]:
        """Which cells are trained, for both sides."""
        return np.asarray(np.isfinite(self.numbers["share"]))

    @property
    def possible(self) -> int:
        """How many cells both sides have together, without those that cannot be trained."""
        return sum(len(task.cells) for task in self.tasks)

    @property
    def color_limits(self) -> tuple[float, float]:
        """What the ends of the colour scale stand for, on both sides."""
        return color_limits(self.metric, self.values)

    @property
    def inits(self) -> int:
        """How many initial weights each cell is trained from."""
        return shown_inits(self.sweep, self.tasks)

    @property
    def runs(self) -> int:
        """How many runs the whole sweep has."""
        return sum(task.runs for task in self.tasks)


@dataclass(frozen=True, eq=False)
class CellResult:
    """One cell of a sweep."""

    result: SweepResult
    column: int
    row: int


@dataclass(frozen=True, eq=False)
class LawResult:
    """The law of the batch size, and the batch size that the comparison has."""

    law: BatchSizeLaw
    batch_size: int


@lru_cache(maxsize=8)
def tasks_of(sweep: Sweep) -> tuple[Task, ...]:
    """The tasks of a sweep. Raises `SettingsError` above the limit of steps."""
    tasks = tuple(sweep.tasks())
    steps = _steps(tasks)
    if steps > LIMITS.sweep_steps:
        raise SettingsError(
            f"{steps:,} steps of all runs are above the {LIMITS.sweep_steps:,} that a sweep may"
            " have here; use fewer cells, inits or steps",
            "steps",
        )
    return tasks


def outstanding(
    comparison: Comparison, view: SweepView, resources: Resources
) -> Work[Task, CellStats]:
    """The tasks that have yet to be run. Raises `SettingsError` above the limit of steps."""
    missing = missing_keys(resources.cells, tasks_of(sweep_around(comparison, view)))
    return Work(resources.cells, missing, _steps(missing))


def run(comparison: Comparison, view: SweepView, resources: Resources) -> SweepResult:
    """Both sides' cells, as far as they are done. Raises `SettingsError` as `outstanding` does."""
    sweep = sweep_around(comparison, view)
    tasks = tasks_of(sweep)
    cells = {task: resources.cells.get(task) for task in tasks}
    return SweepResult(
        sweep,
        view,
        tasks,
        assemble_grid(sweep, cells),
        stability_limits(sweep, resources.surface),
        all(found is not None for found in cells.values()),
    )


def batch_size_law(
    comparison: Comparison, view: SweepView, resources: Resources
) -> BatchSizeLaw | None:
    """Where the original's runs end at each batch size; None where its shapes match, so that the
    batch size does not move the minimum."""
    if not WIRINGS[comparison.original.wiring].pairs:
        return None
    found: BatchSizeLaw = resources.cached(
        _law, *law_settings(comparison.original, view.inits, view.steps)
    )
    return found


def _law(
    settings: Settings, sizes: tuple[int, ...], inits: int, steps: int, _resources: Resources
) -> BatchSizeLaw:
    return law_of_batch_size(settings, sizes, inits, steps)


def _steps(tasks: Sequence[Task]) -> int:
    return sum(task.runs * task.steps for task in tasks)
