"""The fixes of a report: new ways to write an operand, checked on the user's own expression."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from linreg.guard.callsite import CallSite, Source, variables
from linreg.guard.evaluation import ERRORS, Evaluator, UnknownShape, shape_of
from linreg.guard.operations import WARNS_OF_SHAPES, WATCHED, operands
from linreg.guard.shapes import Fix, broadcast_shape, could_be_paired, find_fixes
from linreg.settings.losses import Shape

_ANSWERS = 2  # fixes in a message
_PRIMARY = ast.Name | ast.Attribute | ast.Subscript | ast.Call


class Operand(NamedTuple):
    """An operand: how it is called in a message, its shape, and its expression if it is known.

    `code` is how to write it in a fix; None if it has no known text."""

    name: str
    shape: Shape
    node: ast.expr | None
    code: str | None
    is_array: bool = False  # of NumPy, which has no `unsqueeze`


def make_operand(
    site: CallSite, source: Source | None, value: Any, fallback: str, node: ast.expr | None
) -> Operand:
    """The operand with its source text, or else with the name of a variable that holds it."""
    shape = shape_of(value)
    text = source.text(node) if source is not None and node is not None else None
    if text is not None:
        code = text if isinstance(node, _PRIMARY) else f"({text})"
        return Operand(text, shape, node, code, not isinstance(value, Tensor))
    name = _variable_name(site, value)
    return Operand(name or fallback, shape, None, name, not isinstance(value, Tensor))


def _variable_name(site: CallSite, value: Any) -> str | None:
    held = variables(site.caller).items()
    return next((name for name, other in held if other is value and name.isidentifier()), None)


class WouldBroadcast(Exception):
    """An operation that would be reported."""


class ShapeCheck(TorchFunctionMode):
    """Raise at an operation whose operands could be paired one by one."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = WATCHED.get(func)
        if operation is not None and operation.kind in ("elementwise", "loss", "index"):
            shapes = [tuple(value.shape) for _, value in operands(operation, args, kwargs or {})]
            for position, first in enumerate(shapes):
                for second in shapes[position + 1 :]:
                    equal_rank = len(first) == len(second) and operation.kind != "loss"
                    if not equal_rank and could_be_paired(first, second):
                        raise WouldBroadcast
            if operation.key in WARNS_OF_SHAPES:
                return _loss_on_meta(shapes, kwargs or {})
        return func(*args, **(kwargs or {}))


def _loss_on_meta(shapes: Sequence[Shape], kwargs: Mapping[str, Any]) -> Tensor:
    """What a loss returns, without its warning."""
    result = broadcast_shape(*shapes)
    if result is None:
        raise ValueError(shapes)
    reduced = kwargs.get("reduction", "mean") != "none"
    return torch.empty(() if reduced else result, device="meta")


def checked_fixes(
    site: CallSite, source: Source | None, written: Sequence[Operand], known: Mapping[str, Any]
) -> list[Fix]:
    """The fixes that pair the operands one by one, or state that all pairs are meant.

    With the source, each fix is checked: the expression with every occurrence of the operand
    changed is evaluated on shapes as far as it is known, and nothing may be reported in it.
    Without, only variables that lose axes of size one are offered, as nothing else is safe."""
    candidates = [
        fix
        for fix in _candidates(written)
        if not written[fix.operand].is_array or ".squeeze(" in fix.code
    ]
    if source is None:
        return [
            fix
            for fix in candidates
            if written[fix.operand].code and ".squeeze(" in fix.code and not fix.all_pairs
        ]
    own = {ast.dump(operand.node) for operand in written if operand.node is not None}
    checked: list[Fix] = []
    for fix in candidates:
        for node, changed in _places(site, source, written[fix.operand], fix, known):
            inside = node is not written[fix.operand].node
            values = {text: value for text, value in known.items() if not inside or text not in own}
            values[ast.dump(node)] = _meta(known, node, changed.shape)
            if _passes(site, source, values, required=inside):
                checked.append(changed)
                break
    return checked


def _candidates(written: Sequence[Operand]) -> list[Fix]:
    names = [operand.code or "" for operand in written]
    found = list(find_fixes([operand.shape for operand in written], names))
    if not found and len(written) >= _ANSWERS:
        first, second = written[:_ANSWERS]
        if could_be_paired(first.shape, second.shape):  # equal ranks, in a loss
            found = [
                Fix(0, f"{first.code}.reshape({second.code}.shape)", second.shape),
                Fix(1, f"{second.code}.reshape({first.code}.shape)", first.shape),
            ]
            if None in (first.code, second.code):
                found = []
        result = broadcast_shape(first.shape, second.shape)
        if result is not None and len(first.shape) == len(second.shape):
            for index, operand in enumerate((first, second)):
                if operand.shape != result:
                    found.append(_expanded(index, operand, result))
    return found


def _expanded(index: int, operand: Operand, result: Shape) -> Fix:
    sizes = ", ".join(
        "-1" if now == before else str(now)
        for now, before in zip(result, operand.shape, strict=True)
    )
    return Fix(index, f"{operand.code}.expand({sizes})", result, all_pairs=True)


def call_fixes(
    site: CallSite, source: Source | None, operand: Operand, batch: Shape, other: Shape
) -> list[Fix]:
    """The fixes of an argument of a distribution, whose batch is to be that of the others."""
    if operand.code is None:
        return []
    event = operand.shape[len(batch) :]
    found = find_fixes((operand.shape, other + event), (operand.code, ""))
    fixes = []
    for fix in found:
        if fix.operand or fix.all_pairs:
            continue
        result = broadcast_shape(fix.shape[: len(fix.shape) - len(event)], other)
        if result is None:
            continue
        if source is not None:
            after = {ast.dump(source.node): torch.empty(result, device="meta")}
            if not _passes(site, source, after, required=False):
                continue
        elif ".squeeze(" not in fix.code:
            continue
        fixes.append(fix)
    return fixes


def _places(
    site: CallSite, source: Source, operand: Operand, fix: Fix, known: Mapping[str, Any]
) -> Iterator[tuple[ast.expr, Fix]]:
    """Where to make a change: at the operand, or at a variable in it that has its shape."""
    if operand.node is None or operand.code is None:
        return
    evaluator = Evaluator(site.caller, known)
    before = _before_new_axes(operand.node)
    if before is not None and not fix.all_pairs and _shape(evaluator, before) == fix.shape:
        text = source.text(before)
        if text is not None:
            yield operand.node, replace(fix, code=text, instead_of=operand.name)
    yield operand.node, fix
    if fix.all_pairs:
        return
    for node in ast.walk(operand.node):
        if node is operand.node or not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            continue
        text = source.text(node)
        if text is not None and _shape(evaluator, node) == operand.shape:
            change = fix.code[len(operand.code) :]
            yield node, replace(fix, code=f"{text}{change}")


def _shape(evaluator: Evaluator, node: ast.expr) -> Shape | None:
    try:
        return evaluator.shape(node)
    except (UnknownShape, *ERRORS):
        return None


def _before_new_axes(node: ast.expr) -> ast.expr | None:
    """The `y` of `y.unsqueeze(1)`, `y[:, None]` or `y.view(-1, 1)`."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="unsqueeze" | "view" | "reshape")):
            return value
        case ast.Subscript(value=value, slice=index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            if all(ast.unparse(part) in (":", "...", "None", "0") for part in parts):
                return value
    return None


def _meta(known: Mapping[str, Any], node: ast.expr, shape: Shape) -> torch.Tensor:
    before = known.get(ast.dump(node))
    dtype = before.dtype if isinstance(before, Tensor) else torch.get_default_dtype()
    return torch.empty(shape, dtype=dtype, device="meta")


def _passes(site: CallSite, source: Source, known: Mapping[str, Any], *, required: bool) -> bool:
    """Whether the expression, and those around it as far as they are known, have no report.

    `required` refuses an expression that cannot be evaluated at all."""
    evaluator = Evaluator(site.caller, known, ShapeCheck())
    for node in source.enclosing():
        try:
            evaluator.shape(node)
        except UnknownShape:
            return node is not source.node or not required
        except (WouldBroadcast, *ERRORS):
            return False
    return True


def sentence(fixes: Sequence[Fix], shapes: tuple[Shape, Shape]) -> tuple[tuple[str, ...], str]:
    """The fixes to offer, as code, and the sentence that offers them."""
    matched = [fix for fix in fixes if not fix.all_pairs][:_ANSWERS]
    pairing = tuple(fix.code for fix in matched)
    all_pairs = tuple(fix.code for fix in fixes if fix.all_pairs)[:_ANSWERS]
    if pairing:
        unless = f"; if all pairs are meant, {all_pairs[0]}" if all_pairs else ""
        written = [
            f"{fix.code} instead of {fix.instead_of}" if fix.instead_of else fix.code
            for fix in matched
        ]
        return pairing, f"To pair them one by one, write {' or '.join(written)}{unless}."
    if not all_pairs:
        return (), ""
    options = " or ".join(all_pairs)
    if could_be_paired(*shapes):
        return (), f"If all pairs are meant, write {all_pairs[0]}."
    if broadcast_shape(*shapes) in shapes:
        return all_pairs, f"If the other is to be repeated, write {options}."
    return all_pairs, (
        f"No change of axes pairs them one by one; if all pairs are meant, write {options}."
    )
