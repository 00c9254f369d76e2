"""Registry of optimizers: a name and the `torch.optim` class behind it. Importing this does not import torch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
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

    def build(self, parameters: Iterable[torch.Tensor], lr: float, momentum: float) -> torch.optim.Optimizer:
        """The `torch.optim` object for these parameters. On the CPU `foreach=False` is what PyTorch chooses itself."""
        import torch

        try:
            tempfile.gettempdir()
        except (
            FileNotFoundError
        ):  # all is read-only: PyTorch's compiler, which comes with the first optimizer, wants a folder
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(__file__).parent))  # and writes nothing into it
        made = getattr(torch.optim, self.torch_name)(parameters, foreach=False, **self._chosen(lr, momentum))
        assert isinstance(made, torch.optim.Optimizer)
        return made

    def code(self, lr: float, momentum: float) -> str:
        """The line of a script that builds it."""
        given = ", ".join(f"{name}={value!r}" for name, value in self._chosen(lr, momentum).items())
        return f"torch.optim.{self.torch_name}(net.parameters(), {given})"


OPTIMIZERS: dict[str, Optimizer] = {
    entry.name: entry
    for entry in (
        Optimizer("RMSprop", "RMSprop", "divides by a running root mean square of the gradient", takes_momentum=True),
        Optimizer("SGD", "SGD", "follows the gradient, with momentum if you give it some", takes_momentum=True),
        Optimizer(
            "Nesterov",
            "SGD",
            "momentum that looks one step ahead",
            takes_momentum=True,
            needs_momentum=True,
            options={"nesterov": True},
        ),
        Optimizer("Adagrad", "Adagrad", "divides by the root of all squared gradients so far"),
        Optimizer("Adadelta", "Adadelta", "scales by the ratio of past updates to past gradients; its usual lr is 1"),
        Optimizer("Adam", "Adam", "momentum and a running mean square, both corrected for their start"),
        Optimizer("AdamW", "AdamW", "Adam with its weight decay apart; PyTorch's default decay is 0.01"),
        Optimizer("NAdam", "NAdam", "Adam that looks one step ahead"),
        Optimizer("RAdam", "RAdam", "Adam that waits until its mean square can be trusted"),
        Optimizer("Adamax", "Adamax", "Adam with a running maximum in place of the mean square"),
    )
}
