"""What PyTorch has done, as records that are read where PyTorch itself is not loaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from linreg.settings import Settings
from linreg.shapes import Shape


@dataclass(frozen=True, eq=False)
class Run:
    """What one training gave. `weights[0]` is the init, `losses[k]` the batch loss at `weights[k]`; bias last, if any.

    Every number kept is finite: a run that left the finite numbers ends before, and `diverged_at` is the first step at
    which its loss or a weight was not finite. The shapes are those of the first batch; `loss_shape` is the shape of the
    element-wise loss before its mean. `seconds` is this run's even share of the pass that it was trained in.
    """

    settings: Settings
    weights: Float[np.ndarray, "T1 P"]  # T1 = T + 1
    losses: Float[np.ndarray, " T1-1"]
    prediction_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    loss_shape: tuple[int, ...]
    warnings: tuple[str, ...]
    seconds: float
    diverged_at: int | None = None


@dataclass(frozen=True)
class Broadcast:
    """A silent broadcast: the operation, the two shapes that met, and the result's shape before any reduction.

    `where` is `file:line` of the innermost frame outside of PyTorch. `fixes` are one or two ways to write an operand so that
    elements pair one by one, or, if no change of axes does that, so that it states that all pairs are meant. Operands go by
    the names that they have on that line, if they have one. `message` says it in words, without `where`.
    """

    operation: str
    shapes: tuple[Shape, Shape]
    result: Shape
    where: str
    fixes: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Reaction:
    """What PyTorch did when it ran this loss on numbers of these shapes.

    `warnings` are its words, `error` is the text of what it raised and None otherwise, `value` is the loss (NaN for a mean
    over nothing) and None if it raised. `broadcast` is what `no_silent_broadcast` reports, None if it lets it pass.
    """

    prediction_shape: Shape
    target_shape: Shape
    loss: str
    warnings: tuple[str, ...]
    error: str | None
    value: float | None
    broadcast: Broadcast | None


@dataclass(frozen=True)
class Attribute:
    """One row of `vars(layer)` before and after a line; parameters stand in it by their own names."""

    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after
