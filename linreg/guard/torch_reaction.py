"""Run a loss in PyTorch on two shapes, and report what happens."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from linreg.guard.report import Broadcast, Reaction
from linreg.guard.shapes import broadcast_shape, checked_shape
from linreg.guard.watch import no_silent_broadcast
from linreg.settings.limits import LIMITS
from linreg.settings.losses import loss_named
from linreg.settings.tracer import without_tracer
from linreg.settings.warnings import captured_warnings


def reaction(
    prediction_shape: Iterable[int], target_shape: Iterable[int], loss: str = "mse"
) -> Reaction:
    """Compute a loss, a key of `LOSSES`, of random numbers in [0, 1) with these shapes.

    Raises `ValueError` for an invalid shape, for an unknown loss, and for tensors with more than
    `LIMITS.broadcast_elements` elements."""
    prediction = checked_shape(prediction_shape, "prediction shape")
    target = checked_shape(target_shape, "target shape")
    entry = loss_named(loss)
    for shape in (prediction, target, broadcast_shape(prediction, target) or ()):
        if math.prod(max(size, 1) for size in shape) > LIMITS.broadcast_elements:
            raise ValueError(
                f"shape {shape} has more than the {LIMITS.broadcast_elements:,} elements that"
                " are run; give smaller sizes"
            )
    generator = torch.Generator().manual_seed(0)
    p, y = (torch.rand(shape, generator=generator) for shape in (prediction, target))
    reports: list[Broadcast] = []
    value, error = None, None
    report = no_silent_broadcast(reports.append)
    with captured_warnings() as messages, without_tracer(), report, torch.no_grad():
        try:
            value = float(entry.run(p, y))
        except (RuntimeError, ValueError) as raised:
            error = str(raised)
    broadcast = reports[0] if reports else None
    return Reaction(prediction, target, loss, tuple(messages), error, value, broadcast)
