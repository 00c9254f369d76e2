"""Judge weights by R² against the least-squares solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from linreg.data.dataset import Dataset
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import matched_surface

CONVERGED_WITHIN = 0.01  # of least squares' R²


@dataclass(frozen=True, eq=False)
class Baseline:
    """What the weights of many runs are judged by: the matched loss of all rows, and the target's
    variance."""

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
        """Whether R² is within CONVERGED_WITHIN of that of least squares: the verdict of
        `outcome`."""
        return np.asarray(self.r_squared(weights) >= self.best - CONVERGED_WITHIN)


def baseline(dataset: Dataset, bias: bool = False) -> Baseline:
    """The yardstick of a table."""
    return Baseline(matched_surface(dataset, bias), variance_of(dataset.y))


def r_squared(prediction: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> float:
    """1 − Σ(y − p)² / Σ(y − ȳ)², each prediction against its own target; NaN if the target is
    constant."""
    variance = variance_of(y)
    return 1 - float(((y - prediction) ** 2).mean()) / variance if variance else float("nan")


def variance_of(y: np.ndarray) -> float:
    """Of the whole population; exactly 0 if y (N,) is constant, whose mean rounding may leave
    beside it."""
    return float(y.var()) if y.max() > y.min() else 0.0
