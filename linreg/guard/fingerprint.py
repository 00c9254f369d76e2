"""Tell from the outside whether a loss pairs every prediction with every target."""

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


MARGIN = 8  # between what a matched loss would change and what could be rounding


class Inconclusive(ValueError):
    """The values given do not show whether the loss broadcasts; the message says why."""


def looks_broadcast(
    loss: Callable[[Tensor, Tensor], Any], prediction: Tensor, target: Tensor
) -> bool:
    """Whether this loss compares every prediction with every target: it does not change when the
    targets are shuffled.

    The targets are shuffled along their first axis longer than one, eight times. A loss over all
    pairs then adds the same terms in another order, and pairwise summation of n terms is off by at
    most log2(n) roundings: the tolerance is four times that, 4 · eps · log2(n), relative to the
    largest value seen, with the eps of the coarsest dtype involved and n the number of all pairs. A
    change above it means that targets belong to predictions: False.

    No change means True only if a matched loss would have shown one. The interaction of predictions
    and targets, from moving each halfway to its maximum (L(p', y') − L(p', y) − L(p, y') + L(p, y),
    the same for both kinds of a squared error), is about what a shuffle changes times the square
    root of the batch. If that is less than eight times the tolerance, or if the batch is one row,
    either side is constant, a value is not finite, or the loss is random, `CannotTell` is raised.
    Constant means the same in each row, along the first axis longer than one. For integers there is
    nothing halfway: p' and y' then are eight times rows drawn anew, half of them alike. That
    nothing interacts means there that all predictions, or all targets, count alike, as in the
    accuracy of a model that always predicts one class.

    The loss is called without gradients on detached tensors; a tensor that it returns is averaged.
    The global random state is kept; warnings are not shown. Limits: a loss that is meant to ignore
    order (sets, sorted values, means) looks broadcast too, as does now and then a matched one whose
    values lie far apart, where the largest hide what a shuffle changes; one that broadcasts another
    axis than the batch does not; a sum that adds its terms one by one in float32 can drift beyond
    the tolerance and look matched. Raises `TypeError` for a loss whose value is neither a tensor
    nor a number."""
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
        moves = [(_half_alike(p, generator), _half_alike(y, generator)) for _ in range(SHUFFLES)]
    cuda = sorted({tensor.device.index or 0 for tensor in (p, y) if tensor.is_cuda})
    with (
        captured_warnings(),
        no_silent_broadcast(lambda _: None),
        torch.no_grad(),
        torch.random.fork_rng(devices=cuda),
    ):
        plain, again = _value(loss, p, y), _value(loss, p, y)
        if plain != again:
            raise Inconclusive(
                f"the loss gives {plain:g}, then {again:g} for the same input; switch off what is"
                " random in it"
            )
        shuffled = [_value(loss, p, _rows(y, order)) for order in orders]
        moved = [
            (_value(loss, p2, y2), _value(loss, p2, y), _value(loss, p, y2)) for p2, y2 in moves
        ]
    eps = (
        max(torch.finfo(one.dtype).eps if one.is_floating_point() else 0.0 for one in (p, y))
        or torch.finfo().eps
    )
    roundings = (
        4
        * eps
        * math.log2(2 + p.numel() * y.numel())
        * max(map(abs, (plain, *shuffled, *chain(*moved))))
    )
    if max(abs(value - plain) for value in shuffled) > roundings:
        return False
    for side, tensor in (("predictions", p), ("targets", y)):
        if bool((tensor == _rows(tensor, torch.tensor([0]))).all()):
            raise Inconclusive(
                f"the {side} are constant, so a shuffle changes nothing in any loss; give ones that"
                " differ"
            )
    if max(
        abs(both - first - second + plain) for both, first, second in moved
    ) <= MARGIN * roundings * math.sqrt(rows):
        raise Inconclusive(
            f"predictions or targets vary too little beside the loss {plain:g} to show in it; give"
            " ones that differ more"
        )
    return True


def _batch_size(tensor: Tensor) -> int:
    return next((size for size in tensor.shape if size > 1), 1)


def _rows(tensor: Tensor, numbers: Tensor) -> Tensor:
    """The rows of these numbers, along the first axis longer than one."""
    axis = next((axis for axis, size in enumerate(tensor.shape) if size > 1), 0)
    return tensor.index_select(axis, numbers.to(tensor.device))


def _half_alike(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """The rows in a drawn order, the last of them in the place of every second."""
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
