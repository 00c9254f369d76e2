"""The record of one training run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from linreg.settings.model import Settings


@dataclass(frozen=True, eq=False)
class Run:
    """The record of T steps: `losses[k]` is the batch loss at `weights[k]`, step 0 is the init.

    The P weights end with the bias, if any. All recorded numbers are finite: a run that diverges is
    cut, and `diverged_at` is the first step at which its loss or a weight is not finite. The shapes
    are those of the first batch; `loss_shape` is the shape of the elementwise loss before the mean.
    `warnings` are those of PyTorch. `seconds` is the training time; runs that are trained together
    share it equally."""

    settings: Settings
    weights: Float[np.ndarray, "T1 P"]  # T1 = T + 1
    losses: Float[np.ndarray, " T1-1"]
    prediction_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    loss_shape: tuple[int, ...]
    warnings: tuple[str, ...]
    seconds: float
    diverged_at: int | None = None
