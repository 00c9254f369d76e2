"""Catch silent broadcasts: operations on two tensors of different rank that are both expanded.

`(B, 1)` with `(B,)` gives `(B, B)`: every prediction is compared with every target, and PyTorch at
most warns. `no_silent_broadcast` watches a block of code, `looks_broadcast` tests a loss function,
`diagnose_shapes` tells what a loss computes from two shapes, and `reaction` runs it in PyTorch.

Names are imported when first used, so that checking shapes does not import torch."""

from __future__ import annotations

from importlib import import_module

from linreg.settings.losses import LOSSES, Loss

_MODULES = {
    "fingerprint": ("Inconclusive", "looks_broadcast"),
    "report": ("Broadcast", "Reaction", "SilentBroadcastError", "SilentBroadcastWarning"),
    "shapes": ("ShapeDiagnosis", "diagnose_shapes", "parse_shape"),
    "torch_reaction": ("reaction",),
    "watch": ("no_silent_broadcast",),
}
_ALIASES = {"CannotTell": "Inconclusive"}  # old names

__all__ = [
    "LOSSES",
    "Broadcast",
    "CannotTell",
    "Inconclusive",
    "Loss",
    "Reaction",
    "ShapeDiagnosis",
    "SilentBroadcastError",
    "SilentBroadcastWarning",
    "diagnose_shapes",
    "looks_broadcast",
    "no_silent_broadcast",
    "parse_shape",
    "reaction",
]


def __getattr__(name: str) -> object:
    wanted = _ALIASES.get(name, name)
    for module, names in _MODULES.items():
        if wanted in names:
            return getattr(import_module(f"linreg.guard.{module}"), wanted)
    raise AttributeError(f"module 'linreg.guard' has no attribute {name!r}")
