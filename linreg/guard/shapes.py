"""What a loss computes from two shapes, and how to fix it. Importing this does not import torch.

The rule: a broadcast is silent if the two shapes differ in rank and both are expanded, as `(B, 1)`
and `(B,)` are to `(B, B)`. Equal ranks show that the axes were written out on purpose; expanding
one side only is common for a bias, a scale or a mask. The guard reports those that could have been
paired one by one, and with `strict` all."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

from linreg.settings.losses import MAX_AXES, Loss, Shape, loss_named

MAX_SIZE = 2**63 - 1  # sizes are 64-bit integers in PyTorch
MAX_TEXT = 200  # characters of a shape


# ---- the rule ------------------------------------------------------------------------------------


def broadcast_shape(*shapes: Shape) -> Shape | None:
    """The shape that the shapes broadcast to, or None if PyTorch raises."""
    rank = max(map(len, shapes))
    sizes = []
    for column in zip(*(_padded(shape, rank) for shape in shapes), strict=True):
        common = 1
        for size in column:
            if size != 1:
                if common not in (1, size):
                    return None
                common = size
        sizes.append(common)
    return tuple(sizes)


def is_silent_broadcast(first: Shape, second: Shape) -> bool:
    """Whether the two shapes are a silent broadcast: different ranks, and both expanded."""
    return len(first) != len(second) and _both_expanded(first, second)


def could_be_paired(first: Shape, second: Shape) -> bool:
    """Whether both shapes are expanded though their elements correspond one by one.

    They do if the shapes are equal once axes of size one are left out."""
    return _without_ones(first) == _without_ones(second) and _both_expanded(first, second)


def _padded(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def _both_expanded(first: Shape, second: Shape) -> bool:
    result = broadcast_shape(first, second)
    return result is not None and result not in (
        _padded(first, len(result)),
        _padded(second, len(result)),
    )


# ---- fixes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fix:
    """A new way to write one operand, such as `target.unsqueeze(1)`, and its shape then.

    `operand` is its index. `all_pairs` marks fixes that keep the result, and state that all pairs
    are meant. `instead_of` is what the code replaces, if it does not go on from it."""

    operand: int
    code: str
    shape: Shape
    all_pairs: bool = False
    instead_of: str = ""


def find_fixes(shapes: Sequence[Shape], names: Sequence[str]) -> tuple[Fix, ...]:
    """Changes of one operand that remove the silent broadcast; none if there is none.

    Fixes that pair elements one by one come first. For two shapes there are at least two fixes, one
    of which states that all pairs are meant. If there are more shapes and no single change is
    enough, the fixes are those of the pairs."""
    found: dict[str, Fix] = {}
    for i, j in combinations(range(len(shapes)), 2):
        if is_silent_broadcast(shapes[i], shapes[j]):
            high, low = (i, j) if len(shapes[i]) > len(shapes[j]) else (j, i)
            found |= {fix.code: fix for fix in _fixes_of_two(shapes, names, high, low)}
    complete = [fix for fix in found.values() if not _any_silent(_with(shapes, fix))]
    return tuple(sorted(complete or found.values(), key=lambda fix: fix.all_pairs))


def shown_fixes(fixes: Sequence[Fix]) -> tuple[Fix, ...]:
    """The one or two fixes to show: those that pair elements one by one, if there are any."""
    pairing = [fix for fix in fixes if not fix.all_pairs]
    return tuple(pairing or fixes)[:2]


def _any_silent(shapes: Sequence[Shape]) -> bool:
    return any(is_silent_broadcast(*two) for two in combinations(shapes, 2))


def _with(shapes: Sequence[Shape], fix: Fix) -> list[Shape]:
    return [fix.shape if index == fix.operand else shape for index, shape in enumerate(shapes)]


def _fixes_of_two(
    shapes: Sequence[Shape], names: Sequence[str], high: int, low: int
) -> Iterator[Fix]:
    """Fixes for an operand of higher and one of lower rank, given by their indices.

    The first loses axes of size one, or the second gains some."""
    higher, lower = shapes[high], shapes[low]
    squeezed = _best(_squeezes(higher), lower)
    if squeezed is not None:
        axes, shape = squeezed
        dim: int | Shape = axes
        if len(axes) == 1:
            dim = -1 if axes[0] == len(higher) - 1 else axes[0]
        yield Fix(high, f"{names[high]}.squeeze({dim})", shape)
    unsqueezed = _best(_unsqueezes(lower, len(higher)), higher)
    if unsqueezed is not None:
        axes, shape = unsqueezed
        yield Fix(low, names[low] + "".join(f".unsqueeze({axis})" for axis in axes), shape)
    missing = len(higher) - len(lower)
    yield Fix(
        low, names[low] + ".unsqueeze(0)" * missing, _padded(lower, len(higher)), all_pairs=True
    )
    result = broadcast_shape(higher, lower)
    if result is not None:
        sizes = ", ".join(
            "-1" if now == before else str(now) for now, before in zip(result, higher, strict=True)
        )
        yield Fix(high, f"{names[high]}.expand({sizes})", result, all_pairs=True)


def _squeezes(shape: Shape) -> Iterator[tuple[Shape, Shape]]:
    """Sets of axes of size one, the last axes first, and the shape without them."""
    ones = [axis for axis, size in reversed(tuple(enumerate(shape))) if size == 1]
    for count in range(1, len(ones) + 1):
        for axes in combinations(ones, count):
            yield (
                tuple(sorted(axes)),
                tuple(size for axis, size in enumerate(shape) if axis not in axes),
            )


def _unsqueezes(shape: Shape, rank: int) -> Iterator[tuple[Shape, Shape]]:
    """Positions of new axes of size one, up to this rank, and the shape with them."""
    for count in range(len(shape) + 1, rank + 1):
        for axes in combinations(range(count), count - len(shape)):
            sizes = iter(shape)
            yield axes, tuple(1 if axis in axes else next(sizes) for axis in range(count))


def _best(candidates: Iterable[tuple[Shape, Shape]], other: Shape) -> tuple[Shape, Shape] | None:
    """The axes and shape that fit `other` best: equal if possible, otherwise the smallest result.

    None if both sides would be expanded with all of them."""
    usable = []
    for axes, shape in candidates:
        result = broadcast_shape(shape, other)
        if result is not None and not _both_expanded(shape, other):
            usable.append((shape != other, prod(result), len(axes), axes, shape))
    return min(usable, key=lambda candidate: candidate[:3])[3:] if usable else None


# ---- the diagnosis -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShapeDiagnosis:
    """What a loss computes from two shapes.

    `kind` is one of
      matched    each prediction is compared with its own target
      silent     the ranks differ and both sides are expanded
      outer      the ranks are equal and both sides are expanded, as for all pairs on purpose
      one-sided  only one side is expanded
      raises     PyTorch raises; `broadcast_shape` and `terms` are None

    `terms` is the number of terms that the loss averages. `shrinks_by` is k if the minimum moves
    from w* to w*/k: one in k terms compares a prediction with its own target. This holds for
    squared errors of independent rows with means near zero; otherwise it is None. `warns` says
    whether PyTorch warns. `fixes` are one or two changed operands, `corrected` the lines with them,
    and `finding` is a description."""

    prediction_shape: Shape
    target_shape: Shape
    loss: str
    kind: str
    broadcast_shape: Shape | None
    terms: int | None
    shrinks_by: int | None
    warns: bool
    fixes: tuple[str, ...]
    corrected: tuple[str, ...]
    finding: str


def diagnose_shapes(
    prediction_shape: Iterable[int], target_shape: Iterable[int], loss: str = "mse"
) -> ShapeDiagnosis:
    """What a loss, a key of `LOSSES`, computes from a prediction and a target of these shapes.

    Raises `ValueError` for an invalid shape, or one of more than eight axes, and for an unknown
    loss."""
    prediction = checked_shape(prediction_shape, "prediction shape")
    target = checked_shape(target_shape, "target shape")
    entry = loss_named(loss)
    result = broadcast_shape(prediction, target)
    kind = _kind(prediction, target, result, entry)
    if kind == "raises":
        result = None
    terms = None if result is None else prod(result)
    shrinks_by = None
    if kind in ("silent", "outer") and entry.squared and terms:
        shrinks_by = _terms_per_matched_term(prediction, target)
    finding = _finding(kind, prediction, target, result, entry, shrinks_by)
    fixes = _fixes_for(kind, prediction, target)
    if kind == "silent" and fixes[0].all_pairs:
        finding += " No change of axes pairs them one by one; write it so if all pairs are meant."
    operands = [("prediction", fix.code) if fix.operand else (fix.code, "target") for fix in fixes]
    return ShapeDiagnosis(
        prediction,
        target,
        loss,
        kind,
        result,
        terms,
        shrinks_by,
        warns=entry.warns and prediction != target,
        fixes=tuple(fix.code for fix in fixes),
        corrected=tuple(f"loss = {entry.code.format(prediction=p, target=t)}" for p, t in operands),
        finding=finding,
    )


def _kind(prediction: Shape, target: Shape, result: Shape | None, loss: Loss) -> str:
    if result is None or (loss.refuses and prediction != target):
        return "raises"
    if _both_expanded(prediction, target):
        return "silent" if len(prediction) != len(target) else "outer"
    equal = _padded(prediction, len(result)) == _padded(target, len(result))
    return "matched" if equal else "one-sided"


def _fixes_for(kind: str, prediction: Shape, target: Shape) -> tuple[Fix, ...]:
    """One or two fixes of a silent broadcast; otherwise those that match the shapes, if any."""
    names = ("prediction", "target")
    if kind == "silent":
        return shown_fixes(find_fixes((prediction, target), names))
    if kind not in ("outer", "raises") or prediction == target:
        return ()
    if _without_ones(prediction) != _without_ones(target):
        return ()
    if len(prediction) != len(target):
        high, low = (0, 1) if len(prediction) > len(target) else (1, 0)
        two = _fixes_of_two((prediction, target), names, high, low)
        return tuple(fix for fix in two if fix.shape in (prediction, target))
    return (
        Fix(0, "prediction.reshape(target.shape)", target),
        Fix(1, "target.reshape(prediction.shape)", prediction),
    )


def _without_ones(shape: Shape) -> Shape:
    """The sizes other than one: if they are equal, the elements correspond one by one."""
    return tuple(size for size in shape if size != 1)


def _terms_per_matched_term(prediction: Shape, target: Shape) -> int | None:
    """The number of terms for each one that compares a prediction with its own target.

    None if predictions and targets do not correspond one by one.

    A term has one index for each axis of the result. It compares a prediction with its own target
    if corresponding axes of the two sides have the same index. So axes of the result fall into
    groups with equal indices, and each group contributes one free index."""
    if _without_ones(prediction) != _without_ones(target):
        return None
    result = broadcast_shape(prediction, target)
    assert result is not None
    group = list(range(len(result)))
    axes = (
        [axis for axis, size in enumerate(_padded(side, len(result))) if size != 1]
        for side in (prediction, target)
    )
    for first, second in zip(*axes, strict=True):
        group = [group[first] if g == group[second] else g for g in group]
    return prod(result) // prod(result[axis] for axis in set(group))


def _finding(
    kind: str,
    prediction: Shape,
    target: Shape,
    result: Shape | None,
    loss: Loss,
    shrinks_by: int | None,
) -> str:
    both = f"`{prediction}` and `{target}`"
    if result is None:
        if broadcast_shape(prediction, target) is None:
            return f"PyTorch raises: {both} do not broadcast."
        return (
            f"PyTorch raises: `{loss.title}` takes a target of the prediction's shape only,"
            f" not {both}."
        )
    terms = prod(result)
    if not terms:
        return f"{both} give `{result}`, no terms at all, and the mean over nothing is NaN."
    count = _count(terms, "term")
    if kind == "matched":
        return f"{both} give `{result}`: each prediction meets its own target, {count}."
    if kind == "one-sided":
        if prod(target) < prod(prediction):
            repeated = f"target `{target}`"
        else:
            repeated = f"prediction `{prediction}`"
        return f"{both} give `{result}`, {count}: the {repeated} is repeated, the other is not."
    targets = _count(terms // prod(prediction), "target")
    text = f"{both} broadcast to `{result}`, {count}: each prediction meets {targets}."
    if shrinks_by:
        text += (
            " For independent rows with means near zero, the weights at its minimum are"
            f" 1/{shrinks_by:,} of least squares'."
        )
    return text


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# ---- validation and parsing ----------------------------------------------------------------------


def checked_shape(shape: Iterable[int], name: str = "shape") -> Shape:
    """The shape as a tuple of ints. Raises `ValueError` for too many axes or impossible sizes."""
    if isinstance(shape, str | bytes):
        raise ValueError(
            f"{name} {_shown(shape)} is text; give a tuple such as (100, 1), or read the text with"
            " parse_shape"
        )
    try:
        sizes: list[Any] = []
        for size in shape:
            sizes.append(size)
            if len(sizes) > MAX_AXES:
                raise ValueError(
                    f"{name} has more axes than the {MAX_AXES} that are handled; leave some out"
                )
    except TypeError:
        raise ValueError(
            f"{name} {_shown(shape)} is no sequence of sizes; give a tuple such as (100, 1)"
        ) from None
    return tuple(_checked_size(size, name) for size in sizes)


def _checked_size(size: Any, name: str) -> int:
    try:
        if isinstance(size, bool):
            raise TypeError
        number = operator.index(size)
    except TypeError:
        raise ValueError(
            f"size {_shown(size)} in {name} is not a whole number; give one from 0 up"
        ) from None
    if number < 0:
        raise ValueError(
            f"size {_shown(number)} in {name} is below 0; give a whole number from 0 up"
        )
    if number > MAX_SIZE:
        raise ValueError(
            f"a size in {name} is above {MAX_SIZE}, the most that PyTorch can count; give a"
            " smaller one"
        )
    return number


_SIZE = r"[0-9]{1,30}"
_LIST = rf"(?:{_SIZE}(?:\s*[,x×]\s*{_SIZE})*\s*,?)?"
_SHAPE = re.compile(
    rf"(?:torch\.)?Size\(\s*(?:\[\s*(?P<a>{_LIST})\s*\]|\(\s*(?P<b>{_LIST})\s*\))?\s*\)"
    rf"|\(\s*(?P<c>{_LIST})\s*\)|\[\s*(?P<d>{_LIST})\s*\]|(?P<e>{_SIZE}(?:\s*[,x×]\s*{_SIZE})*\s*,?)"
)


def parse_shape(text: str) -> Shape:
    """The shape of a text such as `(100, 1)`, `100,1`, `100 x 1`, `[100]` or `()`.

    `torch.Size([100, 1])` works too. The text is never evaluated. Raises `ValueError` for any other
    text."""
    if not isinstance(text, str):
        raise ValueError(f"{_shown(text)} is not text; give a shape such as (100, 1)")
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"a shape of {len(text)} characters is above the limit of {MAX_TEXT}; give one such as"
            " (100, 1)"
        )
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        if not text.strip():
            raise ValueError(
                "no shape is given; write one such as (100, 1), or () for a single number"
            )
        raise ValueError(
            f"{_shown(text)} is not a shape; write whole numbers as in (100, 1), or () for a single"
            " number"
        )
    inside = next((group for group in match.groups() if group is not None), "")
    return checked_shape(int(size) for size in re.findall(_SIZE, inside))


def _shown(value: object) -> str:
    """An untrusted value, short enough for a message."""
    try:
        text = repr(value)
    except Exception:  # from any object, or an int too long to print
        return f"of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"
