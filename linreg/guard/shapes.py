"""What a loss computes from two shapes, and how to fix it. Importing this does not import torch.

The rule: a broadcast is silent if the two shapes differ in rank and both are expanded, as `(B, 1)`
and `(B,)` are to `(B, B)`. Equal ranks show that the axes were written out on purpose; expanding
one side only is common for a bias, a scale or a mask. The guard reports those that could have been
paired one by one, and with `strict` all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

from linreg.guard.shape_text import MAX_SIZE, Notation, checked_shape, parse_shape
from linreg.settings.losses import Loss, Shape, loss_named

__all__ = [
    "MAX_SIZE",
    "Fix",
    "ShapeDiagnosis",
    "broadcast_shape",
    "checked_shape",
    "diagnose_shapes",
    "find_fixes",
    "is_paired_in_order",
    "is_silent_broadcast",
    "parse_shape",
    "shown_fixes",
]


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
    """The axes and shape that fit `other` best: equal if possible, otherwise paired in order,
    otherwise the smallest result.

    None if both sides would be expanded with all of them."""
    usable = []
    for axes, shape in candidates:
        result = broadcast_shape(shape, other)
        if result is not None and not _both_expanded(shape, other):
            unpaired = not is_paired_in_order(shape, other)
            usable.append((shape != other, unpaired, prod(result), len(axes), axes, shape))
    return min(usable, key=lambda candidate: candidate[:4])[4:] if usable else None


def is_paired_in_order(first: Shape, second: Shape) -> bool:
    """Whether the broadcast pairs element i of one side with element i of the other, or with all
    of row i.

    Axes of size one left out, the first axis of one shape is then that of the other, and so on for
    all axes of the shorter shape."""
    result = broadcast_shape(first, second)
    if result is None:
        return False
    axes = [
        [axis for axis, size in enumerate(_padded(side, len(result))) if size != 1]
        for side in (first, second)
    ]
    return all(one == other for one, other in zip(*axes, strict=False))


# ---- the diagnosis -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShapeDiagnosis:
    """What a loss computes from two shapes.

    `kind` is one of
      matched    each prediction is compared with its own target
      silent     the ranks differ and both sides are expanded
      outer      the ranks are equal and both sides are expanded, as for all pairs on purpose
      one-sided  only one side is expanded
      misaligned only one side is expanded, and along its rows: `(8, 8)` with `(8,)`
      raises     PyTorch raises; `broadcast_shape` and `terms` are None

    `terms` is the number of terms that the loss averages. `shrinks_by` is k if the minimum moves
    from w* to w*/k: one in k terms compares a prediction with its own target. This holds for
    squared errors of independent rows with means near zero; otherwise it is None. `warns` says
    whether PyTorch warns. `fixes` are at most two changed operands, `corrected` the lines with
    them, `fixed_shapes` both shapes then, and `finding` is a description. With each fix, element i
    of the prediction is compared with element i of the target, or row i with target i."""

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
    fixed_shapes: tuple[tuple[Shape, Shape], ...]
    finding: str


def diagnose_shapes(
    prediction_shape: Iterable[int],
    target_shape: Iterable[int],
    loss: str = "mse",
    *,
    names: tuple[str, str] = ("prediction", "target"),
    symbols: Mapping[int, str] | None = None,
) -> ShapeDiagnosis:
    """What a loss, a key of `LOSSES`, computes from a prediction and a target of these shapes.

    `names` are the names of the two tensors in the fixes. `symbols` are the names of sizes in the
    finding: with `{4: "B"}` it says `(B, 1)` for the shape `(4, 1)`.

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
    mixed = None
    if kind in ("silent", "outer") and entry.squared and terms:
        mixed = _mixed_sizes(prediction, target)
    fixes = _fixes_for(kind, prediction, target, entry, names)
    operands = [(names[0], fix.code) if fix.operand else (fix.code, names[1]) for fix in fixes]
    found = ShapeDiagnosis(
        prediction,
        target,
        loss,
        kind,
        result,
        terms,
        shrinks_by=None if mixed is None else prod(mixed),
        warns=entry.warns and prediction != target,
        fixes=tuple(fix.code for fix in fixes),
        corrected=tuple(f"loss = {entry.code.format(prediction=p, target=t)}" for p, t in operands),
        fixed_shapes=tuple(
            (prediction, fix.shape) if fix.operand else (fix.shape, target) for fix in fixes
        ),
        finding="",
    )
    return replace(found, finding=_finding(found, entry, Notation(symbols or {})))


def _kind(prediction: Shape, target: Shape, result: Shape | None, loss: Loss) -> str:
    if result is None or (loss.refuses and prediction != target):
        return "raises"
    if _both_expanded(prediction, target):
        return "silent" if len(prediction) != len(target) else "outer"
    if _padded(prediction, len(result)) == _padded(target, len(result)):
        return "matched"
    rows_fit = _have_common_rows(prediction, target)
    if rows_fit and 0 not in result and not is_paired_in_order(prediction, target):
        return "misaligned"
    return "one-sided"


def _fixes_for(
    kind: str, prediction: Shape, target: Shape, loss: Loss, names: tuple[str, str]
) -> tuple[Fix, ...]:
    """At most two fixes after which the sides are paired in order; none if that needs none."""
    if kind in ("matched", "one-sided") or prediction == target:
        return ()
    fixes: Iterable[Fix]
    if len(prediction) != len(target):
        high, low = (0, 1) if len(prediction) > len(target) else (1, 0)
        fixes = _fixes_of_two((prediction, target), names, high, low)
    elif _without_ones(prediction) == _without_ones(target):
        fixes = (
            Fix(0, f"{names[0]}.reshape({names[1]}.shape)", target),
            Fix(1, f"{names[1]}.reshape({names[0]}.shape)", prediction),
        )
    else:
        return ()

    def is_right(fix: Fix) -> bool:
        first, second = _with((prediction, target), fix)
        return is_paired_in_order(first, second) and (first == second or not loss.refuses)

    return tuple(fix for fix in fixes if not fix.all_pairs and is_right(fix))


def _without_ones(shape: Shape) -> Shape:
    """The sizes other than one: if they are equal, the elements correspond one by one."""
    return tuple(size for size in shape if size != 1)


def _have_common_rows(first: Shape, second: Shape) -> bool:
    """Whether one shape is the start of the other once axes of size one are left out: there is a
    row for each element, or an element for each element. Single numbers have no rows."""
    sizes = _without_ones(first), _without_ones(second)
    count = min(map(len, sizes))
    return count > 0 and sizes[0][:count] == sizes[1][:count]


def _mixed_sizes(prediction: Shape, target: Shape) -> Shape | None:
    """The sizes whose product is the number of terms for each one that compares a prediction with
    its own target.

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
    return tuple(size for axis, size in enumerate(result) if axis not in set(group))


def _finding(found: ShapeDiagnosis, loss: Loss, notation: Notation) -> str:
    prediction, target = found.prediction_shape, found.target_shape
    result, show = found.broadcast_shape, notation.shape
    both = f"{show(prediction)} and {show(target)}"
    if result is None:
        raises = f"{both} do not broadcast, so PyTorch raises."
        if broadcast_shape(prediction, target) is not None:
            raises = (
                f"PyTorch raises: `{loss.title}` takes a target of the prediction's shape only,"
                f" not {both}."
            )
        return " ".join(filter(None, [_mismatch(prediction, target, notation), raises]))
    if not found.terms:
        return f"{both} give {show(result)}, no terms at all, and the mean over nothing is NaN."
    count = notation.count(result, "term")
    if found.kind == "matched":
        return f"{both}: each prediction is compared with its own target, {count}."
    against = f"{show(prediction)} is broadcast against {show(target)}: {show(result)}, {count}."
    if found.kind == "one-sided":
        side, shape = min(
            (("target", target), ("prediction", prediction)), key=lambda named: prod(named[1])
        )
        all_rows = ""
        if _without_ones(shape) and not _have_common_rows(prediction, target):
            all_rows = " It has no axis for the batch, so all rows are compared with the same."
        return f"{against} The {side} {show(shape)} is repeated, the other is not.{all_rows}"
    mismatch = _mismatch(prediction, target, notation)
    if found.kind == "misaligned":
        wide, narrow = ("prediction", "target")[:: 1 if len(prediction) > len(target) else -1]
        return (
            f"{against} Each row of {wide}s is compared with the whole {narrow} vector, not row i"
            f" with {narrow} i. {mismatch}"
        )
    targets = tuple(
        size
        for size, own in zip(result, _padded(prediction, len(result)), strict=True)
        if own != size
    )
    sentences = [f"{against} Each prediction is compared with {notation.count(targets, 'target')}."]
    if mismatch and not found.fixes:
        sentences = [mismatch, *sentences, "No change of shape fixes this."]
    elif mismatch:
        sentences.append(mismatch)
    mixed = None if found.shrinks_by is None else _mixed_sizes(prediction, target)
    if mixed:
        sentences.append(
            "For independent rows with means near zero, the loss has its minimum at"
            f" 1/{notation.number(mixed)} of the least-squares weights."
        )
    return " ".join(sentences)


def _mismatch(prediction: Shape, target: Shape, notation: Notation) -> str:
    """Why the elements of two shapes do not correspond one by one; nothing if they do."""
    sides = [_without_ones(prediction), _without_ones(target)]
    if sides[0] == sides[1] or not all(sides):
        return ""
    common = 0
    while common < min(map(len, sides)) and sides[0][common] == sides[1][common]:
        common += 1
    if common == 0:
        first = _batch(sides[0], "prediction", notation)
        second = _batch(sides[1], "target", notation)
        return f"{first} but {second}: the batches do not line up."
    rests = [side[common:] for side in sides]
    if all(rests):
        first, second = (notation.shape(rest) for rest in rests)
        return (
            f"The batches line up, but a row of predictions is {first} and one of targets {second}."
        )
    if rests[0]:
        return (
            f"There are {notation.count(rests[0], 'prediction')} for each target: pair them by row"
            " only if they share it, and for class labels use `nn.CrossEntropyLoss`."
        )
    return f"There are {notation.count(rests[1], 'target')} for each prediction."


def _batch(side: Shape, noun: str, notation: Notation) -> str:
    """The size of the first axis, in predictions or rows of them."""
    if not side[1:]:
        return notation.count(side, noun)
    return f"{notation.count(side[:1], 'row')} of {noun}s"
