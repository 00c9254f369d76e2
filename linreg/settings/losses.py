"""Registry of losses whose shapes can be checked. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]

MAX_AXES = 8  # of a shape that is checked


def _module(name: str, prediction: Tensor, target: Tensor) -> Tensor:
    from torch import nn

    loss: Tensor = getattr(nn, name)()(prediction, target)
    return loss


def _gaussian_nll(prediction: Tensor, target: Tensor) -> Tensor:
    import torch

    loss: Tensor = torch.nn.GaussianNLLLoss()(prediction, target, torch.ones_like(prediction))
    return loss


def _raw(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).mean()


@dataclass(frozen=True)
class Loss:
    """A loss of PyTorch: `run` calls it, `code` is the call as source code.

    `squared` says that it has the same minimum as the squared error, `warns` that PyTorch warns if
    the shapes are unequal, `refuses` that PyTorch raises then."""

    key: str
    title: str
    code: str
    run: Callable[[Tensor, Tensor], Tensor] = field(repr=False)
    squared: bool = False
    warns: bool = False
    refuses: bool = False


def _of_module(
    key: str, name: str, squared: bool = False, warns: bool = False, refuses: bool = False
) -> Loss:
    return Loss(
        key,
        f"nn.{name}",
        f"nn.{name}()({{prediction}}, {{target}})",
        partial(_module, name),
        squared,
        warns,
        refuses,
    )


LOSSES: dict[str, Loss] = {
    loss.key: loss
    for loss in (
        _of_module("mse", "MSELoss", squared=True, warns=True),
        _of_module("l1", "L1Loss", warns=True),
        _of_module("smooth_l1", "SmoothL1Loss", warns=True),
        _of_module("huber", "HuberLoss", warns=True),
        Loss(
            "gaussian_nll",
            "nn.GaussianNLLLoss",
            "nn.GaussianNLLLoss()({prediction}, {target}, torch.ones_like({prediction}))",
            _gaussian_nll,
            squared=True,  # with a constant variance of one
        ),
        _of_module("poisson_nll", "PoissonNLLLoss"),
        _of_module("bce_with_logits", "BCEWithLogitsLoss", refuses=True),
        Loss(
            "raw",
            "((pred - y) ** 2).mean()",
            "(({prediction} - {target}) ** 2).mean()",
            _raw,
            squared=True,
        ),
    )
}


def loss_named(key: str) -> Loss:
    """The entry of `LOSSES`; raises `ValueError` for any other key."""
    if key not in LOSSES:
        raise ValueError(f"loss {key!r} is unknown; the choices are {', '.join(LOSSES)}")
    return LOSSES[key]
