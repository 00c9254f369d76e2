"""The page for your own code in words.

Its second result is PyTorch's own: a `Reaction`, which the cause page shows too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from linreg.guard.shape_text import Notation
from linreg.settings.losses import loss_named

if TYPE_CHECKING:
    from linreg.experiments.your_code import CodeResult
    from linreg.guard.report import Reaction

VERDICTS = {
    "matched": "✓ Matched",
    "silent": "✕ A silent broadcast",
    "outer": "All pairs, written out",
    "one-sided": "One side is repeated",
    "misaligned": "✕ Compared along the wrong axis",
    "raises": "✕ PyTorch raises",
}


def shapes_verdict(result: CodeResult) -> str:
    """The verdict on two shapes in a few words, and what the loss computes, in a sentence."""
    return f"**{VERDICTS[result.diagnosis.kind]}.** {result.diagnosis.finding}"


def fixes_title(result: CodeResult) -> str:
    """What stands above the code blocks of `fixes`."""
    found = result.diagnosis
    if not found.fixes:
        return "**Stop it in front of the loss**"
    either = ", either of" if len(found.fixes) > 1 else ""
    shared = any(prod(first) != prod(second) for first, second in found.fixed_shapes)
    return f"**The fix**{either}{', if a row shares one target' if shared else ''}"


def fixes(result: CodeResult) -> tuple[str, ...]:
    """Code to copy: a block for each fix, or the assertion alone where no fix is right."""
    found = result.diagnosis
    if not found.fixes:
        runs_wrong = found.kind in ("silent", "outer", "misaligned")
        return (_assertion(result.names),) if runs_wrong else ()
    return tuple(_fix(result, index) for index in range(len(found.fixes)))


def _fix(result: CodeResult, index: int) -> str:
    """Three lines: the changed tensor, an assertion where the shapes are equal then, the loss."""
    found, names = result.diagnosis, list(result.names)
    shapes = found.fixed_shapes[index]
    side = 0 if shapes[0] != found.prediction_shape else 1
    changed = names[side].split(".")[-1]
    names[side] = changed if changed != names[1 - side] else ("prediction", "target")[side]
    notation = Notation({size: name for name, size in result.stand_ins})
    lines = [f"{names[side]} = {found.fixes[index]}  # {notation.shape(shapes[side]).strip('`')}"]
    if shapes[0] == shapes[1]:
        lines.append(_assertion(names))
    code = loss_named(found.loss).code.format(prediction=names[0], target=names[1])
    return "\n".join([*lines, f"loss = {code}"])


def _assertion(names: Sequence[str]) -> str:
    return f"assert {names[0]}.shape == {names[1]}.shape"


def stand_ins(result: CodeResult) -> str:
    """Which sizes the named ones have in figure and run; nothing where all sizes are numbers."""
    if not result.stand_ins:
        return ""
    sizes = " and ".join(f"`{name}` = {size}" for name, size in result.stand_ins)
    text = f"Drawn and run with {sizes}."
    if len(result.stand_ins) > 1:
        text += " Different names are taken for different sizes."
    return text


# ---- PyTorch's own answer ------------------------------------------------------------------------


def reaction(answer: Reaction) -> str:
    """What PyTorch did: raised, warned, or nothing."""
    if answer.error is not None:
        return "It raises:"
    return "It runs, and warns:" if answer.warnings else "It runs, and says nothing."


def guarded(answer: Reaction) -> str:
    """Whether the guard reports it."""
    return "`no_silent_broadcast` " + ("**reports it**." if answer.broadcast else "lets it pass.")
