"""Why a two-weight PyTorch regression does not converge, shown exactly.

The public names are loaded when they are first used, so that `import linreg` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from linreg.data import Dataset, TableStream, make_data, read_table, standardised, stream_table
    from linreg.ensemble import Ensemble, train_ensemble
    from linreg.figure import Figure
    from linreg.guard import (
        Broadcast,
        CannotTell,
        SilentBroadcastError,
        SilentBroadcastWarning,
        looks_broadcast,
        no_silent_broadcast,
    )
    from linreg.outcome import Outcome
    from linreg.records import Run
    from linreg.settings import Comparison, DataSettings, Settings, SettingsError, from_query, to_query
    from linreg.shapes import ShapeDiagnosis, diagnose_shapes, parse_shape
    from linreg.surface import Moments, Quadratic, TableSums, batch_moments, loss_surface, matched_surface, table_sums
    from linreg.tables import BUNDLED, Table, TableError, open_bundled, open_table
    from linreg.trainer import train
    from linreg.wiring import WIRINGS, Wiring

_HOMES = {
    "data": ("Dataset", "TableStream", "make_data", "read_table", "standardised", "stream_table"),
    "ensemble": ("Ensemble", "train_ensemble"),
    "figure": ("Figure",),
    "guard": (
        "Broadcast",
        "CannotTell",
        "SilentBroadcastError",
        "SilentBroadcastWarning",
        "looks_broadcast",
        "no_silent_broadcast",
    ),
    "outcome": ("Outcome",),
    "settings": ("Comparison", "DataSettings", "Settings", "SettingsError", "from_query", "to_query"),
    "shapes": ("ShapeDiagnosis", "diagnose_shapes", "parse_shape"),
    "surface": (
        "Moments",
        "Quadratic",
        "TableSums",
        "batch_moments",
        "loss_surface",
        "matched_surface",
        "table_sums",
    ),
    "tables": ("BUNDLED", "Table", "TableError", "open_bundled", "open_table"),
    "records": ("Run",),
    "trainer": ("train",),
    "wiring": ("WIRINGS", "Wiring"),
}

__all__ = [
    "BUNDLED",
    "WIRINGS",
    "Broadcast",
    "CannotTell",
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
    "ShapeDiagnosis",
    "SilentBroadcastError",
    "SilentBroadcastWarning",
    "Table",
    "TableError",
    "TableStream",
    "TableSums",
    "Wiring",
    "batch_moments",
    "diagnose_shapes",
    "from_query",
    "looks_broadcast",
    "loss_surface",
    "make_data",
    "matched_surface",
    "no_silent_broadcast",
    "open_bundled",
    "open_table",
    "parse_shape",
    "read_table",
    "standardised",
    "stream_table",
    "table_sums",
    "to_query",
    "train",
    "train_ensemble",
]


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"linreg.{module}"), name)
    raise AttributeError(f"module 'linreg' has no attribute {name!r}")
