"""Settings as the PyTorch code that a reader would write."""

from __future__ import annotations

import difflib

from linreg.optimizers import OPTIMIZERS
from linreg.settings import Settings
from linreg.wiring import WIRINGS


def training_code(settings: Settings) -> str:
    """The model and the loop of these settings.

    It expects `torch`, for a shuffled run `numpy`, and the float32 tensors `train_x` (N, 2) and `train_y` (N,).
    """
    wiring = WIRINGS[settings.wiring]
    init = settings.init and ", ".join(repr(float(number)) for number in settings.init[:2])
    replaced = wiring.weight_given.format(init=init) if init else wiring.weight_drawn
    layer = [f"self.layer1 = torch.nn.Linear(2, 1, bias={settings.bias})"]
    if replaced:
        layer.append(f"self.layer1.weight = torch.nn.Parameter({replaced})")
    elif init:
        layer.append(f"self.layer1.weight.data = torch.tensor([[{init}]])")
    if settings.init and len(settings.init) == 3:
        layer.append(f"self.layer1.bias.data = torch.tensor([{float(settings.init[2])!r}])")
    rows = "train_x[first : first + batch_size], train_y[first : first + batch_size]"
    loop = [f"batch_size = {settings.batch_size}"]
    if settings.shuffle:
        loop.append(f"generator = numpy.random.default_rng({settings.seed})")
        rows = "train_x[order[first : first + batch_size]], train_y[order[first : first + batch_size]]"
    loop.append(f"for epoch in range({settings.epochs}):")
    if settings.shuffle:
        loop.append("    order = torch.from_numpy(generator.permutation(len(train_x)))")
    return "\n".join(
        [
            "class Net(torch.nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            *(f"        {line}" for line in layer),
            "",
            "    def forward(self, x):",
            "        x = self.layer1(x)",
            *(f"        {line}" for line in (wiring.forward_code,) if line),
            "        return x",
            "",
            f"torch.manual_seed({settings.seed})",
            "net = Net()",
            "criterion = torch.nn.MSELoss()",
            f"optimizer = {OPTIMIZERS[settings.optimizer].code(settings.lr, settings.momentum)}",
            *loop,
            "    for first in range(0, len(train_x), batch_size):",
            f"        batch_x, batch_y = {rows}",
            "        pred_y = net(batch_x)",
            f"        {wiring.loss_code}",
            "        optimizer.zero_grad()",
            "        loss.backward()",
            "        optimizer.step()",
        ]
    )


def differing_lines(original: Settings, fixed: Settings) -> tuple[list[str], list[str]]:
    """The lines of each side's code that the other does not have."""
    before, after = (training_code(side).splitlines() for side in (original, fixed))
    changes = list(difflib.ndiff(before, after))
    removed, added = ([line[2:].strip() for line in changes if line.startswith(sign)] for sign in ("- ", "+ "))
    return removed, added
