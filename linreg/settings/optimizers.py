"""Registry of optimizers: a name and the `torch.optim` class behind it. Importing this does not
import torch."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Optimizer:
    """One optimizer: every hyperparameter not named here keeps the default of its PyTorch class."""

    name: str
    torch_name: str  # a class of torch.optim
    explanation: str
    takes_momentum: bool = False
    needs_momentum: bool = False
    options: Mapping[str, object] = field(default_factory=dict, hash=False)

    def _chosen(self, lr: float, momentum: float) -> dict[str, object]:
        chosen = {"momentum": momentum} if self.takes_momentum and momentum else {}
        return {"lr": lr, **chosen, **self.options}

    def build(
        self, parameters: Iterable[torch.Tensor], lr: float, momentum: float
    ) -> torch.optim.Optimizer:
        """The `torch.optim` object for these parameters. On the CPU `foreach=False` is what PyTorch
        chooses itself."""
        import torch

        with without_tracer():
            made = getattr(torch.optim, self.torch_name)(
                parameters, foreach=False, **self._chosen(lr, momentum)
            )
        assert isinstance(made, torch.optim.Optimizer)
        return made

    def code(self, lr: float, momentum: float) -> str:
        """The line of a script that builds it."""
        given = ", ".join(f"{name}={value!r}" for name, value in self._chosen(lr, momentum).items())
        return f"torch.optim.{self.torch_name}(net.parameters(), {given})"


@contextmanager
def without_tracer() -> Iterator[None]:
    """Build optimizers inside without importing `torch._dynamo`, the tracer of `torch.compile`.

    `Optimizer.add_param_group` is wrapped in a decorator that imports it at the first call, which
    takes seconds, 90 MB and a folder to write to, and matters in compiled code only. There is no
    public way around it: the decorator looks for the wrapped function's `__dynamo_disable`, which
    is set to the function itself meanwhile. A test says so when PyTorch changes this."""
    import torch

    decorated = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    if "torch._dynamo" in sys.modules:
        yield
        return
    vars(decorated)["__dynamo_disable"] = decorated
    try:
        yield
    finally:
        vars(decorated).pop("__dynamo_disable", None)


OPTIMIZERS: dict[str, Optimizer] = {
    entry.name: entry
    for entry in (
        Optimizer(
            "RMSprop",
            "RMSprop",
            "divides by a running root mean square of the gradient",
            takes_momentum=True,
        ),
        Optimizer(
            "SGD",
            "SGD",
            "follows the gradient, with momentum if you give it some",
            takes_momentum=True,
        ),
        Optimizer(
            "Nesterov",
            "SGD",
            "momentum that looks one step ahead",
            takes_momentum=True,
            needs_momentum=True,
            options={"nesterov": True},
        ),
        Optimizer("Adagrad", "Adagrad", "divides by the root of all squared gradients so far"),
        Optimizer(
            "Adadelta",
            "Adadelta",
            "scales by the ratio of past updates to past gradients; its usual lr is 1",
        ),
        Optimizer(
            "Adam", "Adam", "momentum and a running mean square, both corrected for their start"
        ),
        Optimizer(
            "AdamW", "AdamW", "Adam with its weight decay apart; PyTorch's default decay is 0.01"
        ),
        Optimizer("NAdam", "NAdam", "Adam that looks one step ahead"),
        Optimizer("RAdam", "RAdam", "Adam that waits until its mean square can be trusted"),
        Optimizer("Adamax", "Adamax", "Adam with a running maximum in place of the mean square"),
    )
}
