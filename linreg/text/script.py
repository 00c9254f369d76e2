"""Settings as the PyTorch code that a reader would write: the lines of one side, or a file that
trains both.

The code itself is in two templates, `training_code.py.jinja` and `script.py.jinja`; this module
gives them their values."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from linreg.settings.fields import format_number
from linreg.settings.model import Comparison, DataSettings, Settings, TableSettings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.query import to_query
from linreg.settings.wirings import WIRINGS
from linreg.text import comparison as comparison_text
from linreg.text.outcomes import explanation, headline
from linreg.text.script_reading import table_lines
from linreg.training.outcome import Outcome

if TYPE_CHECKING:  # Arrow is loaded when a file is read, Jinja when a script is written
    import jinja2


MAX_LINES, WIDTH = 59, 100  # of a file that trains both sides
MARK = "  # <--"


class BySide(NamedTuple):
    """What stands in the code of each side; None for a side without it."""

    original: str | None
    fixed: str | None

    @classmethod
    def of(cls, comparison: Comparison, code: Callable[[Settings], str | None]) -> BySide:
        return cls(code(comparison.original), code(comparison.fixed))


def training_code(settings: Settings) -> str:
    """The model and the loop of these settings.

    It expects `torch`, for a shuffled run `numpy`, and the float32 tensors `train_x` (N, 2) and
    `train_y` (N,)."""
    variant, init = WIRINGS[settings.wiring], _initial_weight(settings)
    return _template("training_code.py.jinja").render(
        settings=settings,
        variant=variant,
        init=init,
        replaced=variant.weight_given.format(init=init) if init else variant.weight_drawn,
        initial_bias=_initial_bias(settings),
        optimizer=OPTIMIZERS[settings.optimizer].code(settings.lr, settings.momentum),
    )


def differing_lines(original: Settings, fixed: Settings) -> tuple[list[str], list[str]]:
    """The lines of each side's code that the other does not have."""
    before, after = (training_code(side).splitlines() for side in (original, fixed))
    changes = list(difflib.ndiff(before, after))
    removed, added = (
        [line[2:].strip() for line in changes if line.startswith(sign)] for sign in ("- ", "+ ")
    )
    return removed, added


def script(comparison: Comparison, outcomes: Sequence[Outcome] | None = None) -> str:
    """A PyTorch file of its own, under 60 lines, that trains both sides and prints what the app
    shows, digit for digit.

    What only one side has is marked `# <--`. With the outcomes of both sides the file says what to
    expect."""
    code = _code(comparison)
    query, marked = _query(comparison), _marked(comparison)
    link = f"In linreg: ?{query}" if query else "It is what linreg opens with."  # in one line
    finding = textwrap.wrap(f"{_finding(outcomes)} {marked}", WIDTH - 2)
    setup = textwrap.wrap(_setup(comparison), WIDTH - 2)
    room = MAX_LINES - len(code.splitlines())  # at least one line
    headings = [*finding, link, *setup], [*finding, link], [f"{marked} {link}"]
    heading = next(lines for lines in headings if len(lines) <= room)
    blank = [""] if len(heading) < room else []
    return "\n".join([*(f"# {line}" for line in heading), *blank, code, ""])


def notebook(comparison: Comparison, outcomes: Sequence[Outcome] | None = None) -> str:
    """The same code as a Jupyter notebook (format 4.5), after what happens on each side; without
    outputs."""
    data, loss, digits, training = _code(comparison).split("\n\n\n")
    labels, settings = ("Original", "Fixed"), (comparison.original, comparison.fixed)
    sides = zip(labels, settings, outcomes or (None, None), strict=True)
    happens = [f"**{label}**: {explanation(side, result)}" for label, side, result in sides]
    query = _query(comparison)
    link = f"In linreg: `?{query}`" if query else "It is what linreg opens with."
    cells = [
        _cell(f"# {_finding(outcomes)}", *happens, f"{_setup(comparison)} {link}"),
        _cell("## The data"),
        _cell(data, code=True),
        _cell("## The loss of a batch", _marked(comparison).replace("<--", "`# <--`")),
        _cell(loss, code=True),
        _cell(
            "## Both sides, trained", "The same losses and weights as in linreg, to the last digit."
        ),
        _cell(digits, code=True),
        _cell(training, code=True),
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


# ---- what is said above the code -----------------------------------------------------------------


def _finding(outcomes: Sequence[Outcome] | None) -> str:
    if outcomes:
        return headline(*outcomes)
    return "One regression, trained twice: as asked, and fixed."


def _marked(comparison: Comparison) -> str:
    alike = comparison.original == comparison.fixed
    return "Both sides are alike." if alike else "What differs is marked <--."


def _query(comparison: Comparison) -> str:
    return urlencode(to_query(comparison), safe=",")


def _setup(comparison: Comparison) -> str:
    original = comparison.original
    data = original.data
    what = "A table" if isinstance(data, TableSettings) else comparison_text.regression(data)
    return (
        f"{what}, {data.samples:,} rows; {original.optimizer} at lr {format_number(original.lr)},"
        f" batches of {original.batch_size:,}, {_epochs(original)}, seed {original.seed}."
    )


def _epochs(settings: Settings) -> str:
    return f"{settings.epochs:,} epoch{'s' * (settings.epochs != 1)}"


# ---- the code of both sides ----------------------------------------------------------------------


@cache
def _template(name: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # what it makes is Python, not HTML
    )
    return environment.get_template(name)


def _code(comparison: Comparison) -> str:
    """The code of both sides, in four parts that are two blank lines apart: the data, the loss of
    a batch, how numbers are printed, and the training."""
    original, fixed = comparison.original, comparison.fixed
    both = partial(BySide.of, comparison)
    return _template("script.py.jinja").render(
        **_data(original.data),
        **_loss(comparison),
        by_side=by_side,
        seed=both(lambda side: str(side.seed)),
        bias=both(lambda side: str(side.bias)),
        weight=both(_weight),
        initial_bias=both(_initial_bias),
        optimizer=_optimizer(original, fixed),
        epochs=both(lambda side: f"{side.epochs:_}"),
        sizes=both(lambda side: f"{side.batch_size:_}"),
        epochs_and_sizes=both(lambda side: f"({side.epochs:_}, {side.batch_size:_})"),
        epochs_differ=original.epochs != fixed.epochs,
        sizes_differ=original.batch_size != fixed.batch_size,
        epochs_in_words=_epochs(original),
        shuffled=original.shuffle or fixed.shuffle,
        order=_order(original, fixed),
    )


def _data(data: DataSettings | TableSettings) -> dict[str, Any]:
    """Values for the features X (N, 2) and the target y (N,) in double precision, by the arithmetic
    of `make_data`."""
    if isinstance(data, TableSettings):
        return {"table": "\n".join(table_lines(data))}
    return {
        "table": None,
        "data": data,
        "rows": f"{data.samples:_}",
        "weights": [float(weight) for weight in data.weights],
        "mean": float(data.mean),
        "scale": float(data.scale),
        "noise": float(data.noise),
        "correlation": float(data.correlation),
    }


def _loss(comparison: Comparison) -> dict[str, Any]:
    """Values for the function that gives the loss of a batch: what it returns, the shapes that meet
    there, what it drops, and the argument that tells the side where that matters."""
    both = partial(BySide.of, comparison)
    dropped = both(lambda side: "".join(_dropped(side)) or None)
    returned = both(lambda side: WIRINGS[side.wiring].loss_code.replace("loss =", "return"))
    shapes = both(comparison_text.shapes_met)
    met = "; fixed: ".join(dict.fromkeys(map(str, shapes)))
    commented = f"{returned.original}  # {met}"
    differ = dropped.original != dropped.fixed or returned.original != returned.fixed
    return {
        "dropped": dropped,
        "returned": returned,
        "shapes": shapes,
        "returned_with_shapes": commented if len(commented) <= WIDTH - 4 else returned.original,
        "side_argument": ", fixed" if differ else "",
    }


def _dropped(side: Settings) -> list[str]:
    """What the loss variant does to the output and throws away."""
    code = WIRINGS[side.wiring].forward_code
    return [code.replace("x.", "pred_y.")] if code else []


def _initial_weight(side: Settings) -> str | None:
    """The two initial weights that are set, as they stand between brackets."""
    return ", ".join(repr(float(number)) for number in side.init[:2]) if side.init else None


def _weight(side: Settings) -> str | None:
    """The weight that replaces what `nn.Linear` drew, if one does."""
    variant, init = WIRINGS[side.wiring], _initial_weight(side)
    if init is None:
        return variant.weight_drawn.replace("self.layer1", "net") or None
    return (variant.weight_given or "torch.tensor([[{init}]])").format(init=init)


def _initial_bias(side: Settings) -> str | None:
    return repr(float(side.init[2])) if side.init and len(side.init) == 3 else None


def _optimizer(original: Settings, fixed: Settings) -> tuple[str, BySide]:
    """The statement that builds the optimizer, and what differs in it: only the learning rate, or
    all."""
    ours, theirs = (
        OPTIMIZERS[side.optimizer].code(side.lr, side.momentum) for side in (original, fixed)
    )
    if (original.optimizer, original.momentum) != (fixed.optimizer, fixed.momentum):
        return "optimizer = {}", BySide(ours, theirs)
    statement = f"optimizer = {ours.replace(f'lr={original.lr!r}', 'lr={}')}"
    return statement, BySide(repr(original.lr), repr(fixed.lr))


def _order(original: Settings, fixed: Settings) -> tuple[str, BySide]:
    """The statement that names the function which orders the rows of an epoch."""
    drawn = "np.random.default_rng({}).permutation"
    if original.shuffle and fixed.shuffle:
        return f"order = {drawn}", BySide(str(original.seed), str(fixed.seed))
    ours, theirs = (
        drawn.format(side.seed) if side.shuffle else "np.arange" for side in (original, fixed)
    )
    return "order = {}", BySide(ours, theirs)


def by_side(*statements: tuple[str, BySide]) -> str:
    """The lines of some statements, each with the value that it has on either side.

    Where both sides agree a statement stands once. Where they differ it is marked: with both values
    in one line if that has room, else under an `if`."""
    before: list[str] = []
    after: list[str] = []
    branches: tuple[list[str], list[str]] = [], []
    for statement, values in statements:
        lines = after if any(branches) else before
        choice = statement.format(_choice(values)) + MARK
        if values.original == values.fixed:
            lines += [statement.format(values.original)] if values.original else []
        elif all(values) and len(choice) <= WIDTH - 4:
            lines.append(choice)
        else:
            for branch, value in zip(branches, values, strict=True):
                branch.extend([f"    {statement.format(value)}{MARK}"] if value else [])
    original, fixed = branches
    condition = ["if fixed:" if fixed else "if not fixed:"] if original or fixed else []
    otherwise = ["else:"] if original and fixed else []
    return "\n".join([*before, *condition, *fixed, *otherwise, *original, *after])


def _choice(values: BySide) -> str:
    """The expression that gives the value of the side that is trained."""
    if values == ("False", "True"):
        return "fixed"
    if values == ("True", "False"):
        return "not fixed"
    return f"{values.fixed} if fixed else {values.original}"
