"""What shows that a broadcast of two operands to all pairs is meant.

Each function states its reason. None of them counts in a loss function, which compares a
prediction with a target; and two that look at values count only without gradients."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from linreg.guard.advice import ShapeCheck, WouldBroadcast
from linreg.guard.callsite import CallSite, Source, arguments_of
from linreg.guard.evaluation import ERRORS, Evaluator, UnknownShape, on_meta
from linreg.settings.losses import Shape

MIN_ROWS = 4  # three numbers are evenly spaced too often by chance
ROUNDINGS = 16  # by how many the computed values of a scale may be off
_INDEXING = ("getitem", "setitem", "index_put")
_EQUALITY = ("eq", "ne", "isclose", "allclose")


def requires_grad(value: Any) -> bool:
    """Whether a value is a tensor that requires a gradient."""
    return isinstance(value, Tensor) and value.requires_grad


def is_set_with_itself(key: str, first: Tensor, second: Tensor) -> bool:
    """Whether both operands are the same numbers, as in `k.unsqueeze(1) * k`.

    Nobody pairs a tensor with itself one by one: what comes out is its square, or zeros. Equal
    values count too, as two results of one formula have them; but not where only one of the two
    requires a gradient, as a prediction does, and not if a comparison could be of right answers."""
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return False
    if first.requires_grad != second.requires_grad or first.dtype != second.dtype:
        return False
    if not first.numel():
        return False
    try:
        one, other = first.detach().squeeze(), second.detach().squeeze()
        if one.data_ptr() == other.data_ptr() and one.stride() == other.stride():
            return True
        if key in _EQUALITY or not (one.is_floating_point() or key in _INDEXING):
            return False
        return bool((one == other).all()) and bool((one != one.flatten()[0]).any())
    except (RuntimeError, NotImplementedError):  # values that are not there, as under vmap
        return False


def is_regular(tensor: Any) -> bool:
    """Whether a tensor is evenly spaced, or has a constant ratio: `arange`, `base ** arange`.

    Such a tensor is a scale and no data, so there is nothing to pair it with: positions,
    frequencies, the support of a distribution."""
    if not isinstance(tensor, Tensor) or tensor.requires_grad or tensor.dtype == torch.bool:
        return False
    try:
        row = tensor.detach().squeeze()
        if row.dim() != 1 or len(row) < MIN_ROWS or row.is_complex():
            return False
        rounding = torch.finfo(row.dtype).eps if row.is_floating_point() else 0.0
        row = row.double()
        steps = row.diff()
        ratios = (row[1:] / row[:-1]).log()
        off = min(ROUNDINGS * rounding, 0.02)
        return _is_constant(steps, off * float(row.abs().max())) or _is_constant(ratios, off)
    except (RuntimeError, NotImplementedError):
        return False


def _is_constant(steps: Tensor, allowed: float) -> bool:
    """Whether all steps are the same, up to rounding, and not zero."""
    mean = float(steps.mean())
    return abs(mean) > allowed and float((steps - mean).abs().max()) <= allowed


def has_axis_before_features(source: Source | None, node: ast.expr | None, shape: Shape) -> bool:
    """Whether an operand is written as `x[:, None]` with rows of features, to `(N, 1, D)`.

    This is how the differences of all rows of two tables are written; an axis of size one before
    the features pairs nothing. An axis at the end, as in `y[:, None]`, is how a target is made a
    column, and shows nothing."""
    if source is None or not isinstance(node, ast.Subscript) or len(shape) != 3:
        return False
    index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    new = [isinstance(part, ast.Constant) and part.value is None for part in index]
    return new[:2] == [False, True] and shape[1] == 1 and shape[2] > 1


def joins_a_table(
    site: CallSite, source: Source | None, known: Mapping[str, Any], result: Shape
) -> bool:
    """Whether the expression goes on with another tensor of the result's shape.

    As `area[:, None] + other_area - intersection`, or the squared distances
    `(x ** 2).sum(1, keepdim=True) + (y ** 2).sum(1) - 2 * x @ y.T`: who has a table of all pairs
    means all pairs. A table that a silent broadcast makes shows nothing."""
    if source is None:
        return False
    expressions = list(source.enclosing())
    evaluator = Evaluator(site.caller, known, ShapeCheck())
    for inner, outer in pairwise(expressions):
        if not isinstance(outer, ast.BinOp):
            return False
        other = outer.right if outer.left is inner else outer.left
        try:
            shape = evaluator.shape(other)
        except (UnknownShape, WouldBroadcast, *ERRORS):
            continue
        if shape == result:
            return True
        if shape:
            return False
    return False


def is_handed_over(site: CallSite, tensors: list[Any]) -> list[bool]:
    """For each tensor, whether the user gives it to the library that makes the call.

    A view of a given tensor counts. Inside of a library other operands are the library's own."""
    frame = site.caller
    while frame.f_back is not None and frame.f_back is not site.user:
        frame = frame.f_back
    given = {_storage(value) for value in _tensors(list(arguments_of(frame).values()))}
    return [_storage(tensor) in given - {None} for tensor in tensors]


def _storage(tensor: Any) -> int | None:
    try:
        if isinstance(tensor, Tensor):
            return tensor.untyped_storage().data_ptr() or None
        return int(tensor.__array_interface__["data"][0])
    except (RuntimeError, NotImplementedError, AttributeError):
        return None


def _tensors(value: Any, depth: int = 4) -> Iterator[Any]:
    """The tensors in a nest of containers."""
    if isinstance(value, Tensor) or type(value).__module__ == "numpy":
        yield value
    elif depth and isinstance(value, Mapping):
        for inner in list(value.values()):
            yield from _tensors(inner, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for inner in value:
            yield from _tensors(inner, depth - 1)


def known_shapes(operands: list[tuple[Any, ast.expr]]) -> dict[str, Any]:
    """The operands on the meta device, by the dump of their expressions."""
    return {ast.dump(node): on_meta(value) for value, node in operands}
