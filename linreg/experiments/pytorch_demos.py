"""Demonstrations in PyTorch itself: a layer before and after a line, and the loss with each fix."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from linreg.experiments.layer_attribute import Attribute
from linreg.settings.model import Settings
from linreg.settings.tracer import without_tracer
from linreg.settings.wirings import WIRINGS
from linreg.training.pytorch import layer_of, uninitialised_layer


def layer_attributes(settings: Settings) -> list[Attribute]:
    """`vars(layer)` as PyTorch creates it, and after the line that sets the initial weights."""
    before, after = layer_of(replace(settings, init=None)), layer_of(settings)
    WIRINGS[settings.wiring].place(after)
    shown = _attributes(before), _attributes(after)
    return [Attribute(name, shown[0][name], shown[1][name]) for name in shown[0]]


def _attributes(layer: nn.Linear) -> dict[str, str]:
    """`vars(layer)` as a debugger shows it, the parameters with type, shape and values."""
    plain = {name: repr(value) for name, value in vars(layer).items() if name != "_parameters"}
    return plain | {name: _parameter(one) for name, one in layer._parameters.items()}


def _parameter(one: nn.Parameter | None) -> str:
    return (
        "None"
        if one is None
        else f"{type(one).__name__} {tuple(one.shape)}, {_values(one.tolist())}"
    )


def _values(numbers: list[Any] | float) -> str:
    """Nested numbers in brackets, with four digits."""
    return (
        f"[{', '.join(map(_values, numbers))}]" if isinstance(numbers, list) else f"{numbers:.4g}"
    )


@dataclass(frozen=True)
class CodeFix:
    """A line that fixes the bug; `loss` computes the loss with it, of rows (B, 2), targets (B,)."""

    code: str
    where: str
    loss: Callable[[nn.Linear, Tensor, Tensor], Any]


def _with_1d_weight(layer: nn.Linear, x: Tensor, y: Tensor) -> Any:
    return nn.MSELoss()(nn.functional.linear(x, layer.weight[0]), y)  # (B,) with (B,)


AS_WRITTEN = CodeFix(
    "criterion(pred_y, batch_y)",
    "as written",
    # broadcast to (B, B), as the loss does itself, after a warning
    lambda layer, x, y: nn.MSELoss()(*torch.broadcast_tensors(layer(x), y)),
)
FIXES = (
    CodeFix(
        "criterion(pred_y.squeeze(-1), batch_y)",
        "in the loss",
        lambda layer, x, y: nn.MSELoss()(layer(x).squeeze(-1), y),  # (B,) with (B,)
    ),
    CodeFix(
        "criterion(pred_y, batch_y.unsqueeze(1))",
        "in the loss",
        lambda layer, x, y: nn.MSELoss()(layer(x), y.unsqueeze(1)),  # (B, 1) with (B, 1)
    ),
    CodeFix(
        "train_y = train_y.reshape(-1, 1)",
        "in the data",
        lambda layer, x, y: nn.MSELoss()(layer(x), y.reshape(-1, 1)),  # (B, 1) with (B, 1)
    ),
    CodeFix(
        "self.layer1.weight = nn.Parameter(self.layer1.weight[0])", "in the layer", _with_1d_weight
    ),
)


def losses_of_fixes(
    X: Float[np.ndarray, "B 2"], y: Float[np.ndarray, " B"], weights: Float[np.ndarray, " P"]
) -> list[tuple[str, str, float]]:
    """The loss of a batch as written and with each fix: code, where it belongs, and loss.

    `weights` are (w1, w2) or (w1, w2, bias); the computation is in float32 as in the thread. With a
    bias, the fix with a one-dimensional weight is left out, since PyTorch does not allow it."""
    bias = len(weights) > X.shape[1]
    layer = uninitialised_layer(X.shape[1], bias, torch.float32)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights[None, : X.shape[1]]))  # (1, 2)
        if bias:
            layer.bias.fill_(float(weights[-1]))
        x, target = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        fixes = FIXES[:-1] if bias else FIXES
        return [
            (fix.code, fix.where, float(fix.loss(layer, x, target))) for fix in (AS_WRITTEN, *fixes)
        ]


def run_guard_example() -> str:
    """Run the example of the guard; returns the error that ends it."""
    from linreg.experiments import guard_example
    from linreg.guard.report import SilentBroadcastError

    try:
        with without_tracer():
            guard_example.main()
    except SilentBroadcastError as error:
        return f"{type(error).__name__}: {error}".replace(
            f"{Path(guard_example.__file__).parent}{os.sep}", ""
        )
    return "It runs to its end."
