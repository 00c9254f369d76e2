"""The home page: both sides of a comparison, their loss surfaces, and their runs by PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import UNSCALED, Dataset, Scaling
from linreg.experiments.resources import Resources
from linreg.experiments.work import Work, missing_keys
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import LABELS, Comparison, Data, DataSettings, Settings
from linreg.training.browser import Problems, browser_problems
from linreg.training.outcome import Outcome, outcome
from linreg.training.run import Run

SAMPLE_ROWS = 500  # of a table, whose predictions are shown


@dataclass(frozen=True, eq=False)
class Sample:
    """At most SAMPLE_ROWS evenly spaced rows of a table, its first and its last among them.

    `rows` is the number of rows in the table, `mean` the mean of all its targets, and `target` and
    `features` are the names of its columns. `y`, `mean` and the predictions are in the units of the
    table, also where the runs are trained on a standardised target; `scaling` leads back to them.
    """

    X: Float[np.ndarray, "n D"]
    y: Float[np.ndarray, " n"]
    rows: int
    mean: float
    target: str
    features: tuple[str, ...]
    scaling: Scaling = UNSCALED

    def predictions(self, weights: Float[np.ndarray, " P"]) -> Float[np.ndarray, " n"]:
        """The predictions X·w, plus the bias where `weights` have one as their last, in the units
        of the table."""
        columns, w = self.X.shape[1], weights.astype(np.float64)  # (P,)
        with np.errstate(over="ignore", invalid="ignore"):  # on the way to a divergence
            predictions = self.scaling.in_table(self.X @ w[:columns] + w[columns:].sum())
        return np.asarray(predictions)


@dataclass(frozen=True, eq=False)
class SideResult:
    """One side of a comparison. Its run and the run's outcome are None before it is trained.

    `surface` is the loss that it trains on, `baseline` the correct loss of all rows.
    """

    label: str
    settings: Settings
    surface: Quadratic
    baseline: Baseline
    run: Run | None = None
    outcome: Outcome | None = None

    def r_squared(self, step: int) -> float:
        """R² at the weights of a step of the run, of all rows of the table."""
        if self.run is None or self.outcome is None:
            return float("nan")
        if step >= len(self.run.weights) - 1:
            return self.outcome.r_squared
        return float(self.baseline.r_squared(self.run.weights[step].astype(np.float64)))

    def correct_losses(self) -> Float[np.ndarray, " T1"]:
        """The correct loss at the weights of each step: of all rows, each prediction compared with
        its own target. It may be infinite on the way to a divergence."""
        if self.run is None:
            return np.empty(0)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.baseline.surface.value(self.run.weights.astype(np.float64))


@dataclass(frozen=True, eq=False)
class ComparisonResult:
    """Both sides of a comparison, the least-squares weights (P,) of their table, and the rows of it
    whose predictions are shown."""

    comparison: Comparison
    sides: tuple[SideResult, SideResult]
    least_squares: Float[np.ndarray, " P"]
    sample: Sample

    @property
    def complete(self) -> bool:
        """Whether both sides are trained."""
        return all(side.run for side in self.sides)

    @property
    def runs(self) -> list[Run]:
        """Both runs, once they are trained."""
        return [side.run for side in self.sides if side.run]

    @property
    def outcomes(self) -> list[Outcome | None]:
        """Both outcomes, the original's first."""
        return [side.outcome for side in self.sides]

    @property
    def last_step(self) -> int:
        """The last step of the longer run."""
        return max((len(run.losses) for run in self.runs), default=0)

    @property
    def correct_weights(self) -> Sequence[float]:
        """The weights to aim at: the true ones of synthetic data, else the least-squares ones."""
        data = self.comparison.original.data
        return data.weights if isinstance(data, DataSettings) else self.least_squares.tolist()


def outstanding(comparison: Comparison, resources: Resources) -> Work[Settings, Run]:
    """The sides that have yet to be trained."""
    missing = missing_keys(resources.runs, (comparison.original, comparison.fixed))
    return Work(resources.runs, missing, sum(settings.steps for settings in missing))


def run(comparison: Comparison, resources: Resources) -> ComparisonResult:
    """Both sides, with their runs where these have been trained."""
    original, fixed = (
        _side(label, settings, resources)
        for label, settings in zip(LABELS, (comparison.original, comparison.fixed), strict=True)
    )
    if not (original.run and fixed.run):
        original, fixed = (replace(side, run=None, outcome=None) for side in (original, fixed))
    data, bias = comparison.original.data, comparison.original.bias
    return ComparisonResult(
        comparison,
        (original, fixed),
        resources.least_squares(data, bias),
        resources.cached(_sample, data),
    )


def browser_training(comparison: Comparison, resources: Resources) -> Problems:
    """The trainings of both sides, for the browser."""
    found: Problems = resources.cached(_problems, comparison)
    return found


def _problems(comparison: Comparison, resources: Resources) -> Problems:
    sides = (comparison.original, comparison.fixed)
    table = resources.table(comparison.original.data)
    return browser_problems(table, sides, resources.moments)


def _side(label: str, settings: Settings, resources: Resources) -> SideResult:
    surface, baseline = (
        resources.surface(settings),
        resources.baseline(settings.data, settings.bias),
    )
    found = resources.runs.get(settings)
    result = resources.cached(_outcome, settings) if found else None
    return SideResult(label, settings, surface, baseline, found, result)


def _outcome(settings: Settings, resources: Resources) -> Outcome | None:
    """The outcome of a run; it takes a look at the whole table, so each run has it once."""
    found = resources.runs.get(settings)
    if found is None:
        return None
    return outcome(found, resources.table(settings.data), resources.surface(settings))


def _sample(data: Data, resources: Resources) -> Sample:
    return sample_of(resources.table(data))


def sample_of(table: Dataset, most: int = SAMPLE_ROWS) -> Sample:
    """At most this many rows of a table, evenly spaced."""
    count = min(len(table), most)
    rows = np.linspace(0, len(table) - 1, count).round().astype(int)  # (n,)
    scaling = table.target_scaling
    y, mean = scaling.in_table(table.y[rows]), scaling.in_table(float(table.y.mean()))
    return Sample(table.X[rows], y, len(table), mean, table.target, table.features, scaling)
