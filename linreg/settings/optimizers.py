"""Registry of optimizers of `torch.optim`. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from linreg.settings.tracer import without_tracer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Optimizer:
    """An optimizer; hyperparameters that are not given here keep the defaults of PyTorch."""

    name: str
    torch_name: str  # a class of torch.optim
    explanation: str
    takes_momentum: bool = False
    needs_momentum: bool = False
    options: Mapping[str, object] = field(default_factory=dict, hash=False)

    def _arguments(self, lr: float, momentum: float) -> dict[str, object]:
        given = {"momentum": momentum} if self.takes_momentum and momentum else {}
        return {"lr": lr, **given, **self.options}

    def build(
        self, parameters: Iterable[torch.Tensor], lr: float, momentum: float
    ) -> torch.optim.Optimizer:
        """The optimizer of `torch.optim`, with `foreach=False`, the default on the CPU."""
        import torch

        with without_tracer():
            optimizer = getattr(torch.optim, self.torch_name)(
                parameters, foreach=False, **self._arguments(lr, momentum)
            )
        assert isinstance(optimizer, torch.optim.Optimizer)
        return optimizer

    def code(self, lr: float, momentum: float) -> str:
        """The call that builds it, as source code."""
        arguments = ", ".join(
            f"{name}={value!r}" for name, value in self._arguments(lr, momentum).items()
        )
        return f"torch.optim.{self.torch_name}(net.parameters(), {arguments})"


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
