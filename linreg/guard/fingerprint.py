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

    Tensors in float16 and bfloat16 are given to the loss in float32, as the loss in half precision
    is too coarse to compare; but if it refuses them, as they are.

    **False** is returned if one of eight shuffles changes the loss by more than rounding, along
    each axis longer than two along which both tensors vary: `(B, T, 1)` with `(B, T)` at B = T
    broadcasts only one of the axes. A loss over all pairs then adds the same n terms in another
    order, and pairwise summation has an error of at most log2(n) roundings. The tolerance is four
    times that: 4 · eps · log2(n), relative to the largest value seen, with the eps of the coarsest
    dtype.

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
    adds its terms one by one in float32, with errors beyond the tolerance, can look matched."""
    p, y = _in_full_precision(loss, prediction.detach(), target.detach())
    rows = _batch_size(y)
    if rows == 1 or not p.numel():
        raise Inconclusive(
            f"the target {tuple(y.shape)} is a batch of one or none, so there is nothing to shuffle"
        )
    orders = _orders(rows)
    generator = torch.Generator().manual_seed(0)
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
        along_others = [
            [
                _value(loss, p, y.index_select(axis, order.to(y.device)))
                for order in _orders(y.shape[axis])
            ]
            for axis in _other_axes(p, y)
        ]
    dtypes = [tensor.dtype for tensor in (p, y) if tensor.is_floating_point()]
    eps = max((torch.finfo(dtype).eps for dtype in dtypes), default=torch.finfo().eps)
    largest = max(map(abs, (plain, *shuffled, *chain(*moved))))
    tolerance = 4 * eps * math.log2(2 + p.numel() * y.numel()) * largest
    interaction = max(abs(both - first - second + plain) for both, first, second in moved)
    shows = interaction > MARGIN * tolerance * math.sqrt(rows)
    if max(abs(value - plain) for value in shuffled) > tolerance:
        return shows and any(
            max(abs(value - plain) for value in values) <= tolerance for values in along_others
        )
    for side, tensor in (("predictions", p), ("targets", y)):
        if bool((tensor == _rows(tensor, torch.tensor([0]))).all()):
            raise Inconclusive(
                f"the {side} are constant, so a shuffle changes nothing in any loss; give ones that"
                " differ"
            )
    if not shows:
        raise Inconclusive(
            f"predictions or targets vary too little beside the loss {plain:g} to show in it; give"
            " ones that differ more"
        )
    return True


def _in_full_precision(
    loss: Callable[[Tensor, Tensor], Any], p: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """The tensors in float32 if they are in half precision and the loss takes and returns it."""
    half = (torch.float16, torch.bfloat16)
    if p.dtype not in half and y.dtype not in half:
        return p, y
    wide = tuple(tensor.float() if tensor.dtype in half else tensor for tensor in (p, y))
    cuda = sorted({tensor.device.index or 0 for tensor in wide if tensor.is_cuda})
    with (
        captured_warnings(),
        no_silent_broadcast(lambda _: None),
        torch.no_grad(),
        torch.random.fork_rng(devices=cuda),
    ):
        try:
            value = loss(*wide)
        except RuntimeError:
            return p, y
    in_half = isinstance(value, Tensor) and value.dtype in half
    return (p, y) if in_half else (wide[0], wide[1])


def _orders(size: int) -> list[Tensor]:
    """A shift by one, and random orders."""
    generator = torch.Generator().manual_seed(0)
    return [torch.arange(size).roll(1)] + [
        torch.randperm(size, generator=generator) for _ in range(SHUFFLES - 1)
    ]


def _other_axes(p: Tensor, y: Tensor) -> list[int]:
    """The axes of the target after the batch that a matched loss depends on.

    Both tensors have to vary along their axes longer than one, so that another order shows."""
    axes = [axis for axis, size in enumerate(y.shape) if size > 1]
    ours = [axis for axis, size in enumerate(p.shape) if size > 1]
    if len(ours) != len(axes) or not all(_varies(p, axis) for axis in ours):
        return []
    return [axis for axis in axes[1:] if y.shape[axis] > 2 and _varies(y, axis)]


def _varies(tensor: Tensor, axis: int) -> bool:
    """Whether a tensor varies along an axis, at least a tenth as much as over all axes."""
    values = tensor.double()
    along = values - values.mean(axis, keepdim=True)
    return bool(along.square().mean() > 0.01 * (values - values.mean()).square().mean())


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
