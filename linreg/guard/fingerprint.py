"""Test whether a loss function compares every prediction with every target."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from linreg.guard.watch import no_silent_broadcast
from linreg.settings.warnings import captured_warnings

SHUFFLES = 8
MARGIN = 8  # how far the change expected of a matched loss must be above rounding


class Inconclusive(ValueError):
    """The given values do not show whether the loss broadcasts; the message says why."""


def looks_broadcast(
    loss: Callable[[Tensor, Tensor], Any], prediction: Tensor, target: Tensor
) -> bool:
    """Whether a loss compares every prediction with every target.

    If it does, shuffling the targets does not change it. `prediction` and `target` are a batch on
    which to call `loss`; they are shuffled along their first axis longer than one. Raises
    `Inconclusive` if these values cannot tell, and `TypeError` if the value of the loss is neither
    a tensor nor a number.

    The loss is called without gradients on detached tensors; a tensor that it returns is averaged.
    The global random state is restored, and warnings are not shown.

    **False** is returned if one of eight shuffles changes the loss by more than rounding. A loss
    over all pairs then adds the same n terms in another order, and pairwise summation has an error
    of at most log2(n) roundings. The tolerance is four times that: 4 · eps · log2(n), relative to
    the largest value seen, with the eps of the coarsest dtype.

    **True** is returned only if a matched loss would have shown a change. What a shuffle changes is
    estimated from the interaction L(p', y') − L(p', y) − L(p, y') + L(p, y), where p' and y' are
    moved halfway to their maximum; this is about the change times the square root of the batch
    size. Integers cannot be moved halfway: there p' and y' are rows drawn anew, half of them equal,
    eight times. The result is inconclusive if this is less than eight times the tolerance, as for
    the accuracy of a model that always predicts one class.

    It is also inconclusive if the batch has one row, if all rows of a side are equal, if a value is
    not finite, or if the loss is random.

    Limitations: a loss that ignores order on purpose (of sets, sorted values or means) looks
    broadcast, and so can a matched loss in which a few large values hide the others. A loss that
    broadcasts another axis than the batch looks matched, and so can one that adds its terms one by
    one in float32, with errors beyond the tolerance."""
    p, y = prediction.detach(), target.detach()
    rows = _batch_size(y)
    if rows == 1 or not p.numel():
        raise Inconclusive(
            f"the target {tuple(y.shape)} is a batch of one or none, so there is nothing to shuffle"
        )
    generator = torch.Generator().manual_seed(0)
    orders = [torch.arange(rows).roll(1)] + [
        torch.randperm(rows, generator=generator) for _ in range(SHUFFLES - 1)
    ]
    if p.is_floating_point() and y.is_floating_point():
        moves = [((p + p.max()) / 2, (y + y.max()) / 2)]
    else:
        moves = [(_half_equal(p, generator), _half_equal(y, generator)) for _ in range(SHUFFLES)]
    cuda = sorted({tensor.device.index or 0 for tensor in (p, y) if tensor.is_cuda})
    with (
        captured_warnings(),
        no_silent_broadcast(lambda _: None),
        torch.no_grad(),
        torch.random.fork_rng(devices=cuda),
    ):
        plain, repeated = _value(loss, p, y), _value(loss, p, y)
        if plain != repeated:
            raise Inconclusive(
                f"the loss gives {plain:g}, then {repeated:g} for the same input;"
                " switch off what is random in it"
            )
        shuffled = [_value(loss, p, _rows(y, order)) for order in orders]
        moved = [
            (_value(loss, p2, y2), _value(loss, p2, y), _value(loss, p, y2)) for p2, y2 in moves
        ]
    dtypes = [tensor.dtype for tensor in (p, y) if tensor.is_floating_point()]
    eps = max((torch.finfo(dtype).eps for dtype in dtypes), default=torch.finfo().eps)
    largest = max(map(abs, (plain, *shuffled, *chain(*moved))))
    tolerance = 4 * eps * math.log2(2 + p.numel() * y.numel()) * largest
    if max(abs(value - plain) for value in shuffled) > tolerance:
        return False
    for side, tensor in (("predictions", p), ("targets", y)):
        if bool((tensor == _rows(tensor, torch.tensor([0]))).all()):
            raise Inconclusive(
                f"the {side} are constant, so a shuffle changes nothing in any loss; give ones that"
                " differ"
            )
    interaction = max(abs(both - first - second + plain) for both, first, second in moved)
    if interaction <= MARGIN * tolerance * math.sqrt(rows):
        raise Inconclusive(
            f"predictions or targets vary too little beside the loss {plain:g} to show in it; give"
            " ones that differ more"
        )
    return True


def _batch_size(tensor: Tensor) -> int:
    return next((size for size in tensor.shape if size > 1), 1)


def _rows(tensor: Tensor, indices: Tensor) -> Tensor:
    """The rows at these indices, along the first axis longer than one."""
    axis = next((axis for axis, size in enumerate(tensor.shape) if size > 1), 0)
    return tensor.index_select(axis, indices.to(tensor.device))


def _half_equal(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """The rows in random order, with every second one replaced by the last."""
    order = torch.randperm(_batch_size(tensor), generator=generator)
    order[::2] = order[-1].item()
    return _rows(tensor, order)


def _value(loss: Callable[[Tensor, Tensor], Any], prediction: Tensor, target: Tensor) -> float:
    value = loss(prediction, target)
    if not isinstance(value, Tensor | int | float):
        raise TypeError(
            f"the loss returns a {type(value).__name__}; it must return a tensor or a number"
        )
    number = float(value.double().mean()) if isinstance(value, Tensor) else float(value)
    if not math.isfinite(number):
        raise Inconclusive(f"the loss is {number}; give predictions and targets with a finite loss")
    return number
