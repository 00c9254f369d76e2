"""The record of one training run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from linreg.settings.model import Settings


@dataclass(frozen=True, eq=False)
class Run:
    """What one training gave. `weights[0]` is the init, `losses[k]` the batch loss at `weights[k]`;
    bias last, if any.

    Every number kept is finite: a run that left the finite numbers ends before, and `diverged_at`
    is the first step at which its loss or a weight was not finite. The shapes are those of the
    first batch; `loss_shape` is the shape of the element-wise loss before its mean. `seconds` is
    this run's even share of the pass that it was trained in."""

    settings: Settings
    weights: Float[np.ndarray, "T1 P"]  # T1 = T + 1
    losses: Float[np.ndarray, " T1-1"]
    prediction_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    loss_shape: tuple[int, ...]
    warnings: tuple[str, ...]
    seconds: float
    diverged_at: int | None = None
