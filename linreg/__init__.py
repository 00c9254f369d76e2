"""Why a two-weight PyTorch regression does not converge, shown exactly.

The public names are loaded when they are first used, so that `import linreg` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from linreg.data.dataset import Dataset, standardised
    from linreg.data.files import BUNDLED, Table, TableError, open_bundled, open_table, read_table
    from linreg.data.stream import TableStream, stream_table
    from linreg.data.tables import make_data
    from linreg.figures.figure import Figure
    from linreg.guard.fingerprint import Inconclusive, looks_broadcast

    CannotTell = Inconclusive
    from linreg.guard.report import Broadcast, SilentBroadcastError, SilentBroadcastWarning
    from linreg.guard.shapes import ShapeDiagnosis, diagnose_shapes, parse_shape
    from linreg.guard.watch import no_silent_broadcast
    from linreg.quadratic.moments import Moments, batch_moments
    from linreg.quadratic.quadratic import Quadratic
    from linreg.quadratic.streaming import TableSums, loss_surface, matched_surface, table_sums
    from linreg.settings.fields import SettingsError
    from linreg.settings.model import Comparison, DataSettings, Settings
    from linreg.settings.query import from_query, to_query
    from linreg.settings.wirings import WIRINGS, Wiring
    from linreg.training.ensemble import Ensemble, train_ensemble
    from linreg.training.outcome import Outcome
    from linreg.training.pytorch import train
    from linreg.training.run import Run

_HOMES = {
    "data.dataset": ("Dataset", "standardised"),
    "data.files": ("BUNDLED", "Table", "TableError", "open_bundled", "open_table", "read_table"),
    "data.stream": ("TableStream", "stream_table"),
    "data.tables": ("make_data",),
    "figures.figure": ("Figure",),
    "guard.fingerprint": ("Inconclusive", "looks_broadcast"),
    "guard.report": ("Broadcast", "SilentBroadcastError", "SilentBroadcastWarning"),
    "guard.shapes": ("ShapeDiagnosis", "diagnose_shapes", "parse_shape"),
    "guard.watch": ("no_silent_broadcast",),
    "quadratic.moments": ("Moments", "batch_moments"),
    "quadratic.quadratic": ("Quadratic",),
    "quadratic.streaming": ("TableSums", "loss_surface", "matched_surface", "table_sums"),
    "settings.fields": ("SettingsError",),
    "settings.model": ("Comparison", "DataSettings", "Settings"),
    "settings.query": ("from_query", "to_query"),
    "settings.wirings": ("WIRINGS", "Wiring"),
    "training.ensemble": ("Ensemble", "train_ensemble"),
    "training.outcome": ("Outcome",),
    "training.pytorch": ("train",),
    "training.run": ("Run",),
}
_ALIASES = {"CannotTell": "Inconclusive"}  # names of earlier versions

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
    "Inconclusive",
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
    wanted = _ALIASES.get(name, name)
    for module, names in _HOMES.items():
        if wanted in names:
            return getattr(import_module(f"linreg.{module}"), wanted)
    raise AttributeError(f"module 'linreg' has no attribute {name!r}")
