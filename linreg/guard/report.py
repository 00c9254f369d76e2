"""What the guard reports: the broadcast, and the error or warning that carries it."""

from __future__ import annotations

from dataclasses import dataclass

from linreg.settings.losses import Shape


@dataclass(frozen=True)
class Broadcast:
    """A silent broadcast: the operation, the two shapes that met, and the result's shape before any
    reduction.

    `where` is `file:line` of the innermost frame outside of PyTorch. `fixes` are one or two ways to
    write an operand so that elements pair one by one, or, if no change of axes does that, so that
    it states that all pairs are meant. Operands go by the names that they have on that line, if
    they have one. `message` says it in words, without `where`."""

    operation: str
    shapes: tuple[Shape, Shape]
    result: Shape
    where: str
    fixes: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Reaction:
    """What PyTorch did when it ran this loss on numbers of these shapes.

    `warnings` are its words, `error` is the text of what it raised and None otherwise, `value` is
    the loss (NaN for a mean over nothing) and None if it raised. `broadcast` is what
    `no_silent_broadcast` reports, None if it lets it pass."""

    prediction_shape: Shape
    target_shape: Shape
    loss: str
    warnings: tuple[str, ...]
    error: str | None
    value: float | None
    broadcast: Broadcast | None


class SilentBroadcastError(RuntimeError):
    """Raised in the place of an operation that would broadcast silently; `broadcast` is the report.

    It is None in an error made from a text, as PyTorch makes one anew of what a worker of a
    DataLoader raised."""

    def __init__(self, broadcast: Broadcast | str) -> None:
        text = (
            broadcast if isinstance(broadcast, str) else f"{broadcast.where}: {broadcast.message}"
        )
        super().__init__(text)  # the only argument, so that a pickle can make the error from it
        self.broadcast = None if isinstance(broadcast, str) else broadcast


class SilentBroadcastWarning(UserWarning):
    """What `no_silent_broadcast("warn")` issues."""
