"""Evaluate weights: R², compared with that of the least-squares solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from linreg.data.dataset import Dataset
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import matched_surface

CONVERGED_WITHIN = 0.01  # largest difference in R² from least squares


@dataclass(frozen=True, eq=False)
class Baseline:
    """What the weights of runs are compared with: the correct loss surface, the target's variance.

    `surface` is the loss of all rows, each prediction compared with its own target."""

    surface: Quadratic
    variance: float

    def r_squared(self, weights: Float[np.ndarray, "*n P"]) -> Float[np.ndarray, "*n"]:
        """1 − loss/variance; NaN where a weight is NaN, or if the target is constant."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            r_squared: np.ndarray = np.asarray(1 - self.surface.value(weights) / self.variance)
        return np.full_like(r_squared, np.nan) if self.variance == 0 else r_squared

    @property
    def best(self) -> float:
        """R² of the least-squares solution; NaN if the target is constant."""
        return 1 - self.surface.min_loss / self.variance if self.variance else float("nan")

    def converged(self, weights: Float[np.ndarray, "*n P"]) -> Bool[np.ndarray, "*n"]:
        """Whether R² is within `CONVERGED_WITHIN` of least squares, as in the verdict of a run."""
        return np.asarray(self.r_squared(weights) >= self.best - CONVERGED_WITHIN)


def baseline(dataset: Dataset, bias: bool = False) -> Baseline:
    """The baseline of a table, with or without a bias in the model."""
    return Baseline(matched_surface(dataset, bias), variance_of(dataset.y))


def r_squared(prediction: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> float:
    """1 − Σ(y − p)² / Σ(y − ȳ)²; NaN if the target is constant."""
    variance = variance_of(y)
    return 1 - float(((y - prediction) ** 2).mean()) / variance if variance else float("nan")


def variance_of(y: np.ndarray) -> float:
    """The population variance of y (N,); exactly 0 if y is constant, despite rounding."""
    return float(y.var()) if y.max() > y.min() else 0.0
