"""Tell whether a call of PyTorch is a silent broadcast, and report it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor
from torch.jit import is_tracing  # type: ignore[attr-defined]

from linreg.guard import distributions, intent
from linreg.guard.advice import Operand, call_fixes, checked_fixes, make_operand, sentence
from linreg.guard.callsite import (
    CallSite,
    Source,
    call_site,
    is_called_from,
    line_of,
    operand_nodes,
    source_of,
    variables,
)
from linreg.guard.evaluation import ERRORS, Evaluator, UnknownShape, raises_in_pytorch, shape_of
from linreg.guard.operations import (
    WARNS_OF_SHAPES,
    WATCHED,
    Operation,
    is_operand,
    operands,
    primary_shapes,
)
from linreg.guard.report import Broadcast
from linreg.guard.scope import Scope
from linreg.guard.shapes import Fix, broadcast_shape, could_be_paired, is_silent_broadcast
from linreg.settings.losses import Shape

Found = tuple[Broadcast, FrameType]
Line = tuple[CodeType, int]


@dataclass(frozen=True)
class Rule:
    """What a guard reports, and in which code.

    `of_all_pairs` holds the lines that have been seen to broadcast what cannot be paired: they
    mean all pairs, also when two sizes are equal by chance."""

    scope: Scope
    strict: bool = False
    of_all_pairs: set[Line] = field(default_factory=set)

    def pair(self, kind: str, shapes: Sequence[Shape]) -> tuple[int, int] | None:
        """The indices of the first two shapes that may be a silent broadcast; None if none are."""
        for i, j in combinations(range(len(shapes)), 2):
            if self._counts(kind, shapes[i], shapes[j], operands=(i, j)):
                return i, j
        return None

    def _counts(self, kind: str, first: Shape, second: Shape, operands: tuple[int, int]) -> bool:
        if kind == "loss" and could_be_paired(first, second):
            return True
        if self.strict:
            if kind == "loss" and operands == (0, 1) and first != second:
                return broadcast_shape(first, second) is not None
            return is_silent_broadcast(first, second)
        return len(first) != len(second) and could_be_paired(first, second)


def find_broadcast(
    func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], rule: Rule
) -> Found | None:
    """The report of the silent broadcast that this call would make, and the user's frame; or None.

    `func` is one of `WATCHED`."""
    operation = WATCHED[func]
    if torch.compiler.is_compiling():  # sizes may be symbols of a graph
        return None
    if operation.kind != "loss" and is_called_from(distributions.FOLDER):
        return _find_in_distribution(rule)
    if operation.kind == "distribution":
        return None
    if operation.kind == "array":
        return _find_in_numpy(args, kwargs, rule)
    named = operands(operation, args, kwargs)
    values = [value for _, value in named]
    if any(isinstance(value, Tensor) and value.is_nested for value in values):
        return None  # a nested tensor has no single shape
    shapes = [shape_of(value) for value in values]
    pair = rule.pair(operation.kind, shapes)
    result = broadcast_shape(*shapes) if shapes else None
    if pair is None or result is None:
        if not rule.strict and any(is_silent_broadcast(*two) for two in combinations(shapes, 2)):
            rule.of_all_pairs.add(_line(call_site().caller))
        return None
    if result in primary_shapes(operation, args, kwargs):
        return None
    warns = operation.key in WARNS_OF_SHAPES
    if not warns and not is_tracing() and raises_in_pytorch(func, args, kwargs):
        return None
    site = call_site()
    two = [values[index] for index in pair]
    if not _is_watched(rule, site, operation.kind, two):
        return None
    judged = not rule.strict and operation.kind != "loss"
    if judged and _values_mean_all_pairs(operation, two):
        return None
    source = source_of(site.caller)
    nodes = [] if source is None else operand_nodes(site, source, func, args, kwargs)
    written = [
        make_operand(site, source, value, name, _node_of(value, nodes)) for name, value in named
    ]
    known = intent.known_shapes(nodes)
    first, second = (written[index] for index in pair)
    if judged and operation.kind != "index":
        if any(intent.has_axis_before_features(source, o.node, o.shape) for o in (first, second)):
            return None
        if intent.joins_a_table(site, source, known, result):
            return None
    one_sided = result in (first.shape, second.shape)
    effect = "one of them repeated" if one_sided else "all pairs of their elements"
    return _report(
        operation.name,
        (first.shape, second.shape),
        result,
        site,
        source,
        checked_fixes(site, source, written, known),
        f"{operation.name} broadcasts {first.name} {first.shape} and {second.name} {second.shape}"
        f" to {result}, {effect}.",
    )


def _line(frame: FrameType) -> Line:
    return frame.f_code, frame.f_lasti


def _is_watched(rule: Rule, site: CallSite, kind: str, two: Sequence[Any]) -> bool:
    """Whether the rule covers the line that makes the call."""
    if not rule.scope.watches(site.caller):
        return False
    if rule.strict or kind == "loss":
        return True
    if _line(site.caller) in rule.of_all_pairs:
        return False
    if rule.scope.only or not site.in_library or site.user is site.caller:
        return True
    # In an installed package, only what the user gives it can be the user's mistake.
    handed = intent.is_handed_over(site, list(two))
    required = [intent.requires_grad(value) for value in two]
    return all(handed) or (handed[0] and required[1]) or (handed[1] and required[0])


def _values_mean_all_pairs(operation: Operation, two: Sequence[Any]) -> bool:
    """Whether the operands themselves show that all pairs are meant (see `intent`)."""
    first, second = two
    if intent.is_set_with_itself(operation.key, first, second):
        return True
    if intent.requires_grad(first) or intent.requires_grad(second):
        return False
    # rows[:, None] before columns selects a block, and arange before an index one of each row
    if operation.kind == "index" and first.ndim < second.ndim:
        return False
    return intent.is_regular(first) or intent.is_regular(second)


def _node_of(value: Any, nodes: Sequence[tuple[Any, ast.expr]]) -> ast.expr | None:
    return next((node for other, node in nodes if other is value), None)


def _report(
    name: str,
    shapes: tuple[Shape, Shape],
    result: Shape,
    site: CallSite,
    source: Source | None,
    fixes: Sequence[Fix],
    told: str,
) -> Found:
    shown, advice = sentence(fixes, shapes)
    message = f"{told} {advice}".strip()
    inside = None
    if site.user is not site.caller:
        inside = line_of(site.caller)
        text = source.text(source.node) if source is not None else None
        message += f"\n  The call is in {inside}" + (f": {text}" if text else "")
    report = Broadcast(
        operation=name,
        shapes=shapes,
        result=result,
        where=line_of(site.user),
        fixes=shown,
        message=message,
        inside=inside,
    )
    return report, site.user


# ---- torch.distributions -------------------------------------------------------------------------


def _find_in_distribution(rule: Rule) -> Found | None:
    """The report of a call of `torch.distributions` that is under way."""
    site = call_site()
    if site.entry is None:
        return None
    for call in distributions.calls_of(site.entry):
        other = call.batch if call.other is None else call.other.batch
        counts = is_silent_broadcast if rule.strict else could_be_paired
        if len(call.given.batch) == len(other) or not counts(call.given.batch, other):
            continue
        two = [call.given.value] + ([call.other.value] if call.other else [])
        if not _is_watched(rule, site, "distribution", two if len(two) == 2 else two * 2):
            continue
        data_free = any(intent.is_regular(value) for value in two)
        if data_free and not rule.strict and not any(map(intent.requires_grad, two)):
            continue
        return _report_call(call, other, site)
    return None


def _report_call(call: distributions.Call, other: Shape, site: CallSite) -> Found:
    source = source_of(site.caller)
    nodes = [] if source is None else operand_nodes(site, source, torch.add, (), {})
    given = call.given
    operand = _given(site, source, given, nodes)
    result = broadcast_shape(given.batch, other)
    assert result is not None
    told = f"{call.name} was given {_called(given, operand)}"
    fixes = []
    if call.other is None:
        told += f" for a batch of {other}, and broadcasts it to {result}."
    else:
        second = _given(site, source, call.other, nodes)
        told += f" and {_called(call.other, second)}, and broadcasts the batches to {result}."
        fixes += call_fixes(site, source, second, other, given.batch)
    if given.name == distributions.VALUE or call.other is not None:
        fixes += call_fixes(site, source, operand, given.batch, other)
    if call.other is not None:  # a larger batch only moves the mismatch to the next call
        fixes = [fix for fix in fixes if ".squeeze(" in fix.code]
    return _report(call.name, (given.batch, other), result, site, source, fixes, told)


def _given(
    site: CallSite,
    source: Source | None,
    argument: distributions.Argument,
    nodes: Sequence[tuple[Any, ast.expr]],
) -> Operand:
    node = _node_of(argument.value, nodes)
    if argument.name == distributions.VALUE and source is not None:
        match source.node:
            case ast.Call(args=[only]) if not isinstance(only, ast.Starred):
                node = only
    if isinstance(argument.value, Tensor):
        return make_operand(site, source, argument.value, argument.name, node)
    text = source.text(node) if source is not None and node is not None else None
    return Operand(text or argument.name, argument.batch, node, None)


def _called(argument: distributions.Argument, operand: Operand) -> str:
    """What is given, as `act (8, 1)` or `loc mean (8, 1, 3)`."""
    if isinstance(argument.value, Tensor):
        names = dict.fromkeys((argument.name, operand.name))  # each once
        return " ".join((*filter(None, names), str(operand.shape)))
    return f"{operand.name} with a batch of {argument.batch}"


# ---- NumPy ---------------------------------------------------------------------------------------


def _find_in_numpy(args: Sequence[Any], kwargs: Mapping[str, Any], rule: Rule) -> Found | None:
    """The report of an operation of a tensor and an array that NumPy performs.

    PyTorch leaves the operation to NumPy and only takes its result."""
    tensor, array = args[0], args[1] if len(args) > 1 else kwargs.get("array")
    result = tuple(getattr(array, "shape", ()))
    shape = shape_of(tensor)
    if result == shape:
        return None
    site = call_site()
    source = source_of(site.caller)
    other = _other_operand(site, source, tensor, result)
    if other is None or rule.pair("elementwise", (shape, other.shape)) is None:
        return None
    if not _is_watched(rule, site, "elementwise", (tensor, tensor)):
        return None
    if not rule.strict and not tensor.requires_grad and intent.is_regular(tensor):
        return None
    nodes = [] if source is None else _numpy_operands(source)
    operand = make_operand(site, source, tensor, "tensor", nodes[0] if nodes else None)
    known = {
        ast.dump(o.node): torch.empty(o.shape, device="meta") for o in (operand, other) if o.node
    }
    return _report(
        "numpy",
        (shape, other.shape),
        result,
        site,
        source,
        checked_fixes(site, source, (operand, other), known),
        f"NumPy broadcasts the tensor {operand.name} {shape} and the array {other.name}"
        f" {other.shape} to {result}, all pairs of their elements.",
    )


def _numpy_operands(source: Source) -> list[ast.expr]:
    match source.node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.Call(args=[first, second]):
            return [first, second]
    return []


def _other_operand(
    site: CallSite, source: Source | None, tensor: Tensor, result: Shape
) -> Operand | None:
    """The array that a tensor is combined with, if it can be told from the code."""
    shape = shape_of(tensor)
    if source is not None:
        for node in _numpy_operands(source)[1:]:
            try:
                found = Evaluator(site.caller, {}).shape(node)
            except (UnknownShape, *ERRORS):
                return None
            if broadcast_shape(shape, found) == result:
                text = source.text(node)
                return Operand(text or "array", found, node, text, is_array=True)
        return None
    held = {
        name: tuple(value.shape)
        for name, value in variables(site.caller).items()
        if is_operand(value) and not isinstance(value, Tensor)
    }
    fitting = [
        (name, found) for name, found in held.items() if broadcast_shape(shape, found) == result
    ]
    if len(fitting) != 1:
        return None
    (name, found) = fitting[0]
    return Operand(name, found, None, name, is_array=True)
