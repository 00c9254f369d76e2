"""What a run came to: R², verdict, and the numbers that a page puts into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from linreg.data import Dataset
from linreg.surface import Quadratic, least_squares, matched_surface, with_ones

if TYPE_CHECKING:
    from linreg.records import Run

CONVERGED_WITHIN = 0.01  # of least squares' R²


@dataclass(frozen=True)
class Outcome:
    """A run in numbers. R² is of the predictions on all rows, each against its own target; NaN if the target is constant.

    `final_loss` is the exact mean of all batches' losses at the final weights; `last_epoch_loss` the mean of the last
    epoch's batch losses as the run saw them on its way. Both are None for a run that diverged. `start_loss` is the exact
    mean at the initial weights. `weights` are the last
    finite ones, `minimum` is where the surface that the run descends on is least.
    """

    weights: tuple[float, ...]
    minimum: tuple[float, ...]
    unique_minimum: bool
    final_loss: float | None
    last_epoch_loss: float | None
    r_squared: float
    least_squares_r_squared: float
    verdict: str
    steps: int
    diverged_at: int | None
    start_loss: float = float("nan")

    @property
    def converged(self) -> bool:
        return self.verdict == "converged"

    @property
    def judged(self) -> bool:
        """Whether there is a verdict at all: not where the target is constant."""
        return self.diverged_at is not None or not np.isnan(self.r_squared)


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What the weights of many runs are judged by: the matched loss of all rows, and the target's variance."""

    surface: Quadratic
    variance: float

    def r_squared(self, weights: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n"]:
        """1 − loss/variance; NaN where a weight is, or where the target is constant."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found: np.ndarray = np.asarray(1 - self.surface.value(weights) / self.variance)
        return np.full_like(found, np.nan) if self.variance == 0 else found

    @property
    def best(self) -> float:
        """R² of least squares."""
        return 1 - self.surface.floor / self.variance if self.variance else float("nan")

    def converged(self, weights: Float[np.ndarray, "*n P"]) -> Bool[np.ndarray, "*n"]:
        """Whether R² is within CONVERGED_WITHIN of that of least squares: the verdict of `outcome`."""
        return np.asarray(self.r_squared(weights) >= self.best - CONVERGED_WITHIN)


def yardstick(dataset: Dataset, bias: bool = False) -> Yardstick:
    """The yardstick of a table."""
    return Yardstick(matched_surface(dataset, bias), _variance(dataset.y))


def outcome(run: Run, dataset: Dataset, surface: Quadratic) -> Outcome:
    """The outcome of a run on the table that it was trained on, with the surface that it descended on."""
    with np.errstate(over="ignore"):  # far out a loss may be infinite
        return _outcome(run, dataset, surface)


def _outcome(run: Run, dataset: Dataset, surface: Quadratic) -> Outcome:
    X = with_ones(dataset.X) if run.settings.bias else dataset.X  # (N, P)
    weights = run.weights[-1].astype(np.float64)  # (P,)
    reached, best = (r_squared(X @ w, dataset.y) for w in (weights, least_squares(X, dataset.y)))
    per_epoch = -(-len(dataset) // run.settings.batch_size)
    if run.diverged_at is not None:
        verdict = f"diverged at step {run.diverged_at:,}"
    elif np.isnan(reached):
        verdict = "cannot tell: the target is constant"
    else:
        verdict = "converged" if reached >= best - CONVERGED_WITHIN else "did not converge"
    finished = run.diverged_at is None
    return Outcome(
        tuple(weights.tolist()),
        tuple(surface.minimum.tolist()),
        surface.unique,
        float(surface.value(weights)) if finished else None,
        float(run.losses[-per_epoch:].mean(dtype=np.float64)) if finished else None,
        reached,
        best,
        verdict,
        len(run.losses),
        run.diverged_at,
        float(surface.value(run.weights[0].astype(np.float64))),
    )


def r_squared(prediction: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> float:
    """1 − Σ(y − p)² / Σ(y − ȳ)², each prediction against its own target; NaN if the target is constant."""
    variance = _variance(y)
    return 1 - float(((y - prediction) ** 2).mean()) / variance if variance else float("nan")


def _variance(y: np.ndarray) -> float:
    """Of the whole population; exactly 0 if y (N,) is constant, whose mean rounding may leave beside it."""
    return float(y.var()) if y.max() > y.min() else 0.0
