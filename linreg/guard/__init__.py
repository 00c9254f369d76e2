"""Catch the silent broadcast where it happens: two tensors of different rank in one operation, and
both expanded.

`(B, 1)` with `(B,)` gives `(B, B)`: every prediction meets every target, and PyTorch at most warns.
`no_silent_broadcast` watches a block of code for it, `looks_broadcast` asks a loss, `reaction`
shows what PyTorch does with two shapes.

Names are loaded when they are first used: what only looks at shapes does not import torch.
"""

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
_ALIASES = {"CannotTell": "Inconclusive"}  # names of earlier versions

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
