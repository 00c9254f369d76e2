"""Evaluate a run: R², convergence verdict, and summary numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from linreg.data.dataset import Dataset
from linreg.quadratic.evaluation import CONVERGED_WITHIN, r_squared
from linreg.quadratic.least_squares import least_squares, with_ones
from linreg.quadratic.quadratic import Quadratic

if TYPE_CHECKING:
    from linreg.training.run import Run


@dataclass(frozen=True)
class Outcome:
    """The evaluation of a run: R², verdict and losses.

    `r_squared` is that of the predictions for all rows; NaN if the target is constant.
    `start_loss` and `final_loss` are the exact mean of the batch losses at the initial and at the
    final weights, `last_epoch_loss` is the mean of the batch losses recorded in the last epoch. The
    last two are None for a run that diverged. `weights` are the last finite ones, `minimum` is the
    minimum of the loss surface of the run."""

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
        """Whether there is a verdict: there is none if the target is constant."""
        return self.diverged_at is not None or not np.isnan(self.r_squared)


def outcome(run: Run, dataset: Dataset, surface: Quadratic) -> Outcome:
    """Evaluate a run, given the table that it was trained on and its loss surface."""
    with np.errstate(over="ignore"):  # far from the minimum the loss may be infinite
        return _evaluate(run, dataset, surface)


def _evaluate(run: Run, dataset: Dataset, surface: Quadratic) -> Outcome:
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
