"""The home page: both sides of a comparison, their loss surfaces, and their runs by PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from linreg.experiments.resources import Resources
from linreg.experiments.work import Work, missing_keys
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import LABELS, Comparison, DataSettings, Settings
from linreg.training.outcome import Outcome, outcome
from linreg.training.run import Run


@dataclass(frozen=True, eq=False)
class SideResult:
    """One side of a comparison. Its run and the run's outcome are None before it is trained."""

    label: str
    settings: Settings
    surface: Quadratic
    run: Run | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, eq=False)
class ComparisonResult:
    """Both sides of a comparison, and the least-squares weights (P,) of their table."""

    comparison: Comparison
    sides: tuple[SideResult, SideResult]
    least_squares: Float[np.ndarray, " P"]

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
        original, fixed = (
            SideResult(side.label, side.settings, side.surface) for side in (original, fixed)
        )
    best = resources.least_squares(comparison.original.data, comparison.original.bias)
    return ComparisonResult(comparison, (original, fixed), best)


def _side(label: str, settings: Settings, resources: Resources) -> SideResult:
    surface, found = resources.surface(settings), resources.runs.get(settings)
    result = resources.cached(_outcome, settings) if found else None
    return SideResult(label, settings, surface, found, result)


def _outcome(settings: Settings, resources: Resources) -> Outcome | None:
    """The outcome of a run; it takes a look at the whole table, so each run has it once."""
    found = resources.runs.get(settings)
    if found is None:
        return None
    return outcome(found, resources.table(settings.data), resources.surface(settings))
