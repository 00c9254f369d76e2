"""PyTorch functions for `training.worker.PYTORCH`, and what they return.

A caller imports them, and reads their results, without importing PyTorch: each function does that
when it runs, and the classes of the results live in modules that do not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg.data.dataset import Dataset
from linreg.settings.model import Settings

if TYPE_CHECKING:
    from linreg.experiments.layer_attribute import Attribute
    from linreg.guard.report import Reaction
    from linreg.training.run import Run


def train(
    settings: Sequence[Settings], dataset: Dataset | None
) -> Generator[tuple[int, int], None, list[Run]]:
    """Train every setting; see `linreg.training.pytorch.train_in_slices`."""
    from linreg.training.pytorch import train_in_slices

    return train_in_slices(settings, dataset)


def layer_attributes(settings: Settings) -> list[Attribute]:
    """See `linreg.experiments.pytorch_demos.layer_attributes`."""
    from linreg.experiments import pytorch_demos

    return pytorch_demos.layer_attributes(settings)


def losses_of_fixes(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> list[tuple[str, str, float]]:
    """See `linreg.experiments.pytorch_demos.losses_of_fixes`."""
    from linreg.experiments import pytorch_demos

    return pytorch_demos.losses_of_fixes(X, y, weights)


def run_guard_example() -> str:
    """See `linreg.experiments.pytorch_demos.run_guard_example`."""
    from linreg.experiments import pytorch_demos

    return pytorch_demos.run_guard_example()


def reaction(prediction: Sequence[int], target: Sequence[int], loss: str) -> Reaction:
    """See `linreg.guard.torch_reaction.reaction`."""
    from linreg.guard import torch_reaction

    return torch_reaction.reaction(prediction, target, loss)
