"""Settings as the PyTorch code that a reader would write: the lines of one side, or a file that
trains both."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from linreg.settings.fields import format_number
from linreg.settings.model import Comparison, DataSettings, Settings, TableSettings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.query import to_query
from linreg.settings.wirings import WIRINGS
from linreg.text import comparison as comparison_text
from linreg.text.script_reading import table_lines
from linreg.training.outcome import Outcome

MOST_LINES, WIDTH = 59, 100  # of a file that trains both sides


def training_code(settings: Settings) -> str:
    """The model and the loop of these settings.

    It expects `torch`, for a shuffled run `numpy`, and the float32 tensors `train_x` (N, 2) and
    `train_y` (N,)."""
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
        rows = (
            "train_x[order[first : first + batch_size]], train_y[order[first : first + batch_size]]"
        )
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
    removed, added = (
        [line[2:].strip() for line in changes if line.startswith(sign)] for sign in ("- ", "+ ")
    )
    return removed, added


# ---- both sides in one file ----------------------------------------------------------------------

MARK = "  # <--"
DIGITS = """\
def digits(x):  # three significant ones, or all before the point
    if not 1e-4 <= abs(x) < 1e9:
        return f"{x:.1e}"
    return f"{x:,.{max(2 - int(np.log10(abs(x)) // 1), 0)}f}\""""
STEPS = """\
    losses = []
    for rows in <visited>
        loss = batch_loss(net, X[rows].float(), y[rows].float()<flag>)
        if not loss.isfinite():
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    weights = torch.cat([p.flatten() for p in net.parameters()]).tolist()
    point = ", ".join(f"{w:.3f}" if abs(w) < 1e4 else digits(w) for w in weights)
    final, last = f"diverged at step {len(losses):,}", "-"
    if loss.isfinite():
        net.double()  # for the exact loss
        exact = [batch_loss(net, X[rows], y[rows]<flag>).item() for rows in batches]
        final, last = digits(np.mean(exact)), digits(np.mean(losses[<epoch> :]))
    print(f"{'Fixed' if fixed else 'Original':8}{final:>28}{last:>30}   ({point})")"""
COLUMNS = (
    'print("           Loss at the final weights   Mean loss of the last epoch   Final weights")'
)


@dataclass(frozen=True)
class _Parts:
    """Both sides as code, taken apart, and what is said above it."""

    said: str  # what it shows, or what to expect of it
    marked: str
    query: str
    setup: str
    data: str
    loss: str
    digits: str
    training: str


def script(comparison: Comparison, outcomes: Sequence[Outcome] | None = None) -> str:
    """A PyTorch file of its own, under 60 lines, that trains both sides and prints what the app
    shows, digit for digit.

    What only one side has is marked `# <--`. With the outcomes of both sides the file says what to
    expect."""
    parts = _parts(comparison, outcomes)
    code = "\n\n\n".join((parts.data, parts.loss, parts.digits, parts.training))
    where = (
        f"In linreg: ?{parts.query}" if parts.query else "It is what linreg opens with."
    )  # whole, to be copied
    said, setup = (
        textwrap.wrap(text, WIDTH - 2) for text in (f"{parts.said} {parts.marked}", parts.setup)
    )
    room = MOST_LINES - len(code.splitlines())
    headings = [*said, where, *setup], [*said, where], [f"{parts.marked} {where}"]
    heading = next(
        lines for lines in headings if len(lines) <= room
    )  # the code itself has at most 58 lines
    apart = [""] if len(heading) < room else []
    return "\n".join([*(f"# {line}" for line in heading), *apart, code, ""])


def notebook(comparison: Comparison, outcomes: Sequence[Outcome] | None = None) -> str:
    """The same code as a Jupyter notebook (format 4.5), after what happens on each side; without
    outputs."""
    parts = _parts(comparison, outcomes)
    sides = zip(
        ("Original", "Fixed"),
        (comparison.original, comparison.fixed),
        outcomes or (None, None),
        strict=True,
    )
    happens = [
        f"**{label}**: {comparison_text.explanation(side, result)}" for label, side, result in sides
    ]
    where = f"In linreg: `?{parts.query}`" if parts.query else "It is what linreg opens with."
    cells = [
        _cell(f"# {parts.said}", *happens, f"{parts.setup} {where}"),
        _cell("## The data"),
        _cell(parts.data, code=True),
        _cell("## The loss of a batch", parts.marked.replace("<--", "`# <--`")),
        _cell(parts.loss, code=True),
        _cell(
            "## Both sides, trained", "The same losses and weights as in linreg, to the last digit."
        ),
        _cell(parts.digits, code=True),
        _cell(parts.training, code=True),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = {
        "cells": [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _cell(*paragraphs: str, code: bool = False) -> dict[str, Any]:
    source = "\n\n".join(paragraphs).splitlines(keepends=True)
    if code:
        return {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def file_name(comparison: Comparison) -> str:
    """What to call a file of the comparison, but for its ending:
    `linreg_rmsprop_lr0.01_batch100`."""
    side = comparison.original
    return f"linreg_{side.optimizer.lower()}_lr{format_number(side.lr)}_batch{side.batch_size}"


def _parts(comparison: Comparison, outcomes: Sequence[Outcome] | None) -> _Parts:
    original, fixed, data = comparison.original, comparison.fixed, comparison.original.data
    loss, flag = _loss(original, fixed)
    cut, visited, epoch = _batches(original, fixed)
    steps = STEPS.replace("<visited>", visited).replace("<flag>", flag).replace("<epoch>", epoch)
    sides = [f"    {line}" for line in (*_model(original, fixed), *cut)]
    what = "A table" if isinstance(data, TableSettings) else comparison_text.regression(data)
    return _Parts(
        comparison_text.headline(*outcomes)
        if outcomes
        else "One regression, trained twice: as asked, and fixed.",
        "Both sides are alike." if original == fixed else "What differs is marked <--.",
        urlencode(to_query(comparison), safe=","),
        f"{what}, {data.samples:,} rows; {original.optimizer} at lr {format_number(original.lr)},"
        f" batches of {original.batch_size:,}, {_count(original.epochs, 'epoch')}, seed"
        f" {original.seed}.",
        "\n".join(_data(data)),
        "\n".join(loss),
        DIGITS,
        "\n".join([COLUMNS, "for fixed in (False, True):", *sides, steps]),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _data(data: DataSettings | TableSettings) -> list[str]:
    """The features X (N, 2) and the target y (N,) in double precision, by the arithmetic of
    `make_data`."""
    table = isinstance(data, TableSettings)
    return [
        "import numpy as np",
        *(["import pandas as pd"] if table else []),
        "import torch",
        "",
        *(table_lines(data) if isinstance(data, TableSettings) else _synthetic(data)),
        "criterion = torch.nn.MSELoss()",
    ]


def _synthetic(data: DataSettings) -> list[str]:
    z, lines = (
        f"rng.standard_normal(({data.samples:_}, 2))",
        [f"rng = np.random.default_rng({data.seed})"],
    )
    if rho := float(data.correlation):
        power = f"({rho}) ** 2" if rho < 0 else f"{rho}**2"
        lines.append(f"mixing = np.array([[1.0, {rho}], [0.0, np.sqrt(1.0 - {power})]])")
        z = f"({z} @ mixing)"
    mean, scale, noise = (float(number) for number in (data.mean, data.scale, data.noise))
    first, second = (float(weight) for weight in data.weights)
    drawn = f"rng.standard_normal({data.samples:_})"
    X = (f"{mean} + " if mean else "") + (f"{scale} * {z}" if scale != 1 else z)
    y = f"X @ [{first}, {second}]" + (
        f" + {noise} * {drawn}" if noise not in (0, 1) else f" + {drawn}" if noise else ""
    )
    shapes = f"  # {(data.samples, 2)}, {(data.samples,)}"
    return [*lines, f"X = {X}", f"y = {y}", f"X, y = torch.tensor(X), torch.tensor(y){shapes}"]


def _loss(original: Settings, fixed: Settings) -> tuple[list[str], str]:
    """The function that gives the loss of a batch, and how a call of it tells the side where that
    matters."""
    ours, theirs = (
        [*_dropped(side), WIRINGS[side.wiring].loss_code.replace("loss =", "return")]
        for side in (original, fixed)
    )
    met = [comparison_text.shapes_met(side) for side in (original, fixed)]
    if ours[-1] != theirs[-1]:
        marked = [
            [*(line + MARK for line in body[:-1]), f"{body[-1]}{MARK} {shapes}"]
            for body, shapes in zip((ours, theirs), met, strict=True)
        ]
        body = ["if fixed:", *(f"    {line}" for line in marked[1]), *marked[0]]
    else:
        shapes = met[0] if met[0] == met[1] else f"{met[0]}; fixed: {met[1]}"
        dropped = [body[0] if len(body) > 1 else None for body in (ours, theirs)]
        last = f"{ours[-1]}  # {shapes}"
        body = [
            *_either(("{}", dropped[0], dropped[1])),
            last if len(last) <= WIDTH - 4 else ours[-1],
        ]
    flag = "" if ours == theirs else ", fixed"
    head = [f"def batch_loss(net, batch_x, batch_y{flag}):", "    pred_y = net(batch_x)"]
    return [*head, *(f"    {line}" for line in body)], flag


def _dropped(side: Settings) -> list[str]:
    """What the wiring does to the output and throws away."""
    code = WIRINGS[side.wiring].forward_code
    return [code.replace("x.", "pred_y.")] if code else []


def _model(original: Settings, fixed: Settings) -> list[str]:
    """The model at its initial weights, and the optimizer."""
    ours, theirs = (
        OPTIMIZERS[side.optimizer].code(side.lr, side.momentum) for side in (original, fixed)
    )
    optimizer = ("optimizer = {}", ours, theirs)
    if (original.optimizer, original.momentum) == (
        fixed.optimizer,
        fixed.momentum,
    ):  # only the lr may differ
        statement = f"optimizer = {ours.replace(f'lr={original.lr!r}', 'lr={}')}"
        optimizer = (statement, repr(original.lr), repr(fixed.lr))
    return [
        *_either(("torch.manual_seed({})", str(original.seed), str(fixed.seed))),
        *_either(("net = torch.nn.Linear(2, 1, bias={})", str(original.bias), str(fixed.bias))),
        *_either(
            ("net.weight = torch.nn.Parameter({})", _weight(original), _weight(fixed)),
            ("net.bias.data.fill_({})", _bias(original), _bias(fixed)),
            optimizer,
        ),
    ]


def _weight(side: Settings) -> str | None:
    """The weight that replaces what `nn.Linear` drew, if one does."""
    wiring = WIRINGS[side.wiring]
    if side.init is None:
        return wiring.weight_drawn.replace("self.layer1", "net") or None
    init = ", ".join(repr(float(number)) for number in side.init[:2])
    return (wiring.weight_given or "torch.tensor([[{init}]])").format(init=init)


def _bias(side: Settings) -> str | None:
    return repr(float(side.init[2])) if side.init and len(side.init) == 3 else None


def _batches(original: Settings, fixed: Settings) -> tuple[list[str], str, str]:
    """Lines that cut the batches; what the loop goes through, with its colon; where the last epoch
    begins."""
    epochs, size = (f"{number:_}" for number in (original.epochs, original.batch_size))
    lines, visited = [], f"{epochs} * batches:  # {_count(original.epochs, 'epoch')}"
    if original.epochs != fixed.epochs:
        lines, visited = _either(("epochs = {}", epochs, f"{fixed.epochs:_}")), "epochs * batches:"
        epochs = "epochs"
    if not (original.shuffle or fixed.shuffle):
        cut = _either(("batches = torch.arange(len(X)).split({})", size, f"{fixed.batch_size:_}"))
        return [*lines, *cut], visited, "-len(batches)"
    if original.batch_size != fixed.batch_size:
        lines += _either(("batch_size = {}", size, f"{fixed.batch_size:_}"))
        size = "batch_size"
    if len(lines) == 2:
        ours, theirs = (f"({side.epochs:_}, {side.batch_size:_})" for side in (original, fixed))
        lines = _either(("epochs, batch_size = {}", ours, theirs))
    drawn = "np.random.default_rng({}).permutation"
    if original.shuffle and fixed.shuffle:
        lines += _either((f"order = {drawn}", str(original.seed), str(fixed.seed)))
    else:
        ours, theirs = (
            drawn.format(side.seed) if side.shuffle else "np.arange" for side in (original, fixed)
        )
        lines += _either(("order = {}", ours, theirs))
    cut = [
        f"batches = [b for _ in range({epochs}) for b in torch.tensor(order(len(X))).split({size})]"
    ]
    return [*lines, *cut], "batches:", f"-len(batches) // {epochs}"


def _either(*statements: tuple[str, str | None, str | None]) -> list[str]:
    """Statements, each with the value that it has on the original and on the fixed side, None for
    none.

    Where both agree it stands once. Where they differ it is marked: in one line if that has room,
    else under the `if`."""
    before: list[str] = []
    after: list[str] = []
    branches: tuple[list[str], list[str]] = [], []
    for statement, *values in statements:
        ours, theirs = values
        inline = {"False, True": "fixed", "True, False": "not fixed"}.get(
            f"{ours}, {theirs}", f"{theirs} if fixed else {ours}"
        )
        lines = after if branches[0] or branches[1] else before
        if ours == theirs:
            lines += [statement.format(ours)] if ours else []
        elif ours and theirs and len(statement.format(inline) + MARK) <= WIDTH - 4:
            lines.append(statement.format(inline) + MARK)
        else:
            for branch, value in zip(branches, values, strict=True):
                branch.extend([f"    {statement.format(value)}{MARK}"] if value else [])
    if branches[0] and branches[1]:
        return [*before, "if fixed:", *branches[1], "else:", *branches[0], *after]
    condition = ["if fixed:"] if branches[1] else ["if not fixed:"] if branches[0] else []
    return [*before, *condition, *branches[0], *branches[1], *after]
