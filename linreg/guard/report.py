"""The reports of the guard, and the error and the warning that it raises."""

from __future__ import annotations

from dataclasses import dataclass

from linreg.settings.losses import Shape


@dataclass(frozen=True)
class Broadcast:
    """A silent broadcast: the operation, its two shapes, and the result's shape before reduction.

    `where` is `file:line` of the user's own code, and `inside` that of the installed package in
    which the operation is called, if there is one. `fixes` are at most two ways to write an operand
    so that elements are paired one by one or, if no change of axes does that, so that it states
    that all pairs are meant. There are none for operands whose source text is not known, and none
    that would be reported again further on in the expression. `message` is a description, without
    `where`."""

    operation: str
    shapes: tuple[Shape, Shape]
    result: Shape
    where: str
    fixes: tuple[str, ...]
    message: str
    inside: str | None = None


@dataclass(frozen=True)
class Reaction:
    """What PyTorch does when it computes a loss of two tensors with these shapes.

    `warnings` are the texts of its warnings. If it raises, `error` is the message and `value` is
    None; otherwise `error` is None and `value` is the loss (NaN for a mean over no terms).
    `broadcast` is the report of `no_silent_broadcast`, or None."""

    prediction_shape: Shape
    target_shape: Shape
    loss: str
    warnings: tuple[str, ...]
    error: str | None
    value: float | None
    broadcast: Broadcast | None


class SilentBroadcastError(RuntimeError):
    """Raised instead of running an operation that would broadcast silently.

    `broadcast` is the report. It is None if PyTorch has re-created the error from its text, as it
    does with errors from the workers of a `DataLoader`."""

    def __init__(self, broadcast: Broadcast | str) -> None:
        if isinstance(broadcast, str):
            text, self.broadcast = broadcast, None
        else:
            text, self.broadcast = f"{broadcast.where}: {broadcast.message}", broadcast
        super().__init__(text)  # one argument, so that the error can be pickled


class SilentBroadcastWarning(UserWarning):
    """Issued by `no_silent_broadcast("warn")`."""
