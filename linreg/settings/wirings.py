"""Registry of loss variants: the ways to pass prediction and target to the loss.

They differ in the shapes that reach the loss. In settings and links a variant is called `wiring`.
Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    Criterion = Callable[[Tensor, Tensor], Tensor]
    Place = Callable[[nn.Linear], None]
    Forward = Callable[[nn.Linear, Tensor], Tensor]
    Loss = Callable[[Criterion, Tensor, Tensor], Tensor]

# The line of the thread that makes the script work, and the weights that it sets.
STRANGE_LINE = "self.layer1.weight = torch.nn.Parameter(torch.Tensor([2, 3]))"
STRANGE_INIT = (2.0, 3.0)

# The variants that stand for the two losses, whichever side of a comparison they are on. The
# thread's own is called `original` in settings and links, like the side that usually has it.
ALL_PAIRS, MATCHED = "original", "squeeze"


def _keep(layer: nn.Linear) -> None:
    """Keep the weight of `nn.Linear`, of shape (1, 2)."""


def _replace_1d(layer: nn.Linear) -> None:
    """Replace the weight by one of shape (2,), as the thread's strange line does."""
    from torch import nn

    layer.weight = nn.Parameter(layer.weight.detach()[0].clone())  # (2,)


def _replace_2d(layer: nn.Linear) -> None:
    """Replace the weight by one of shape (1, 2), as the answer in the thread does."""
    from torch import nn

    layer.weight = nn.Parameter(layer.weight.detach().clone())  # (1, 2)


def _forward(layer: nn.Linear, x: Tensor) -> Tensor:
    prediction: Tensor = layer(x)
    return prediction


def _forward_dropped_squeeze(layer: nn.Linear, x: Tensor) -> Tensor:
    prediction: Tensor = layer(x)  # (B, 1)
    prediction.squeeze()  # the result is discarded, as in the forum: still (B, 1)
    return prediction


def _loss(criterion: Criterion, prediction: Tensor, target: Tensor) -> Tensor:
    loss: Tensor = criterion(prediction, target)
    return loss


def _loss_squeezed(criterion: Criterion, prediction: Tensor, target: Tensor) -> Tensor:
    loss: Tensor = criterion(prediction.squeeze(-1), target)  # (B,) with (B,)
    return loss


def _loss_unsqueezed(criterion: Criterion, prediction: Tensor, target: Tensor) -> Tensor:
    loss: Tensor = criterion(prediction, target.unsqueeze(1))  # (B, 1) with (B, 1)
    return loss


@dataclass(frozen=True)
class Wiring:
    """A loss variant: one way to pass the model's output and the targets to the loss.

    `prediction_axes` and `target_axes` are the ranks in the loss: 2 for `(B, 1)`, 1 for `(B,)`. The
    trainer calls `place` (which may replace the weight), `forward` and `loss`; the strings are the
    same steps as source code."""

    key: str
    title: str
    explanation: str
    prediction_axes: int
    target_axes: int
    place: Place = field(default=_keep, repr=False)
    forward: Forward = field(default=_forward, repr=False)
    loss: Loss = field(default=_loss, repr=False)
    weight_given: str = ""  # the new weight if it is replaced; {init} stands for the numbers
    weight_drawn: str = ""  # the same, with the weight that PyTorch has drawn
    forward_code: str = ""
    loss_code: str = "loss = criterion(pred_y, batch_y)"
    takes_bias: bool = True

    @property
    def pairs(self) -> bool:
        """Whether the loss compares all pairs: `(B, 1)` with `(B,)` is broadcast to `(B, B)`."""
        return self.prediction_axes != self.target_axes

    def shapes(self, rows: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of prediction and target in the loss, for a batch of `rows` rows."""
        prediction, target = ((rows, 1)[:axes] for axes in (self.prediction_axes, self.target_axes))
        return prediction, target


WIRINGS: dict[str, Wiring] = {
    entry.key: entry
    for entry in (
        Wiring(
            ALL_PAIRS,
            "as asked in the thread",
            "The output is `(B, 1)`, the target `(B,)`: the loss compares all pairs.",
            prediction_axes=2,
            target_axes=1,
        ),
        Wiring(
            "weight_2d",
            "weight [[…]]",
            "The answer's correction: a weight of shape `(1, 2)` again, so the output stays `(B,"
            " 1)`.",
            prediction_axes=2,
            target_axes=1,
            place=_replace_2d,
            weight_given="torch.tensor([[{init}]])",
            weight_drawn="self.layer1.weight.detach()",
        ),
        Wiring(
            "noop_squeeze",
            "x.squeeze(), dropped",
            "The forum's `x.squeeze()` returns a new tensor that nobody keeps: the output stays"
            " `(B, 1)`.",
            prediction_axes=2,
            target_axes=1,
            forward=_forward_dropped_squeeze,
            forward_code="x.squeeze()",
        ),
        Wiring(
            MATCHED,
            "pred.squeeze(-1)",
            "The output loses its last axis: `(B,)` against `(B,)`.",
            prediction_axes=1,
            target_axes=1,
            loss=_loss_squeezed,
            loss_code="loss = criterion(pred_y.squeeze(-1), batch_y)",
        ),
        Wiring(
            "unsqueeze",
            "target.unsqueeze(1)",
            "The target gains an axis: `(B, 1)` against `(B, 1)`.",
            prediction_axes=2,
            target_axes=2,
            loss=_loss_unsqueezed,
            loss_code="loss = criterion(pred_y, batch_y.unsqueeze(1))",
        ),
        Wiring(
            "weight_1d",
            "weight […], the strange line",
            "The strange line makes the weight `(2,)`, so the output is `(B,)`, like the target.",
            prediction_axes=1,
            target_axes=1,
            place=_replace_1d,
            weight_given="torch.tensor([{init}])",
            weight_drawn="self.layer1.weight.detach()[0]",
            takes_bias=False,
        ),
    )
}
