"""Why a two-weight PyTorch regression does not converge, shown exactly.

The public names are loaded when they are first used, so that `import linreg` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linreg.data import Dataset, make_data
    from linreg.ensemble import Ensemble, train_ensemble
    from linreg.figure import Figure
    from linreg.outcome import Outcome
    from linreg.settings import Comparison, DataSettings, Settings, SettingsError, from_query, to_query
    from linreg.surface import Moments, Quadratic, batch_moments, loss_surface
    from linreg.trainer import Run, train
    from linreg.wiring import WIRINGS, Wiring

_HOMES = {
    "data": ("Dataset", "make_data"),
    "ensemble": ("Ensemble", "train_ensemble"),
    "figure": ("Figure",),
    "outcome": ("Outcome",),
    "settings": ("Comparison", "DataSettings", "Settings", "SettingsError", "from_query", "to_query"),
    "surface": ("Moments", "Quadratic", "batch_moments", "loss_surface"),
    "trainer": ("Run", "train"),
    "wiring": ("WIRINGS", "Wiring"),
}

__all__ = [
    "WIRINGS",
    "Comparison",
    "DataSettings",
    "Dataset",
    "Ensemble",
    "Figure",
    "Moments",
    "Outcome",
    "Quadratic",
    "Run",
    "Settings",
    "SettingsError",
    "Wiring",
    "batch_moments",
    "from_query",
    "loss_surface",
    "make_data",
    "to_query",
    "train",
    "train_ensemble",
]


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"linreg.{module}"), name)
    raise AttributeError(f"module 'linreg' has no attribute {name!r}")
