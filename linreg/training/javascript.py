"""The updates of `linreg.training.kernels` as JavaScript, for the training in the browser.

    python -m linreg.training.javascript > linreg/ui/live/rules.js

An update is straight-line arithmetic: assignments to names, then `return` of the new w, m and v.
Only that is translated; anything else raises `UntranslatableError` with the name of what it is."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from linreg.training.kernels import RULES, Rule

PRECEDENCE: dict[type[ast.AST], int] = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2}
SYMBOLS: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
NEGATION, ATOM = 3, 4  # precedences of -x, and of names, numbers and calls
FUNCTIONS = {"math.sqrt": "Math.sqrt", "max": "Math.max", "min": "Math.min", "abs": "Math.abs"}

STATE = {"w": "weights", "m": "first", "v": "second"}  # arrays that an update reads and writes
STEP = ("lr", "a", "b", "d")  # scalars of a step, in the order of the array `step`

HEADER = """\
// Generated from linreg/training/kernels.py by linreg/training/javascript.py; do not edit.
//
// The update of every optimizer. It changes the weights (P,) and their two state variables
// `first` and `second` (P,) in place, given the gradient (P,), the constants c (5,) of the
// optimizer, and `step`: the learning rate and the three scheduled values of this step.
"""


class UntranslatableError(ValueError):
    """A construct that has no translation."""


def rules_module(rules: Mapping[str, Rule] = RULES) -> str:
    """The module `rules.js`: one function per update, and `RULES`, update by optimizer class."""
    functions = {function_name(rule.update): rule.update for rule in rules.values()}
    entries = [f"  {name}: {function_name(rule.update)}," for name, rule in rules.items()]
    table = [
        "/** The update of a class of torch.optim. */",
        "export const RULES = {",
        *entries,
        "};",
    ]
    return "\n".join([HEADER, *map(translated, functions.values()), *table]) + "\n"


def function_name(update: Any) -> str:
    """The name of an update in JavaScript."""
    return str(update.__name__).lstrip("_")


def translated(update: Any) -> str:
    """An update, a function of w, g, m, v, lr, c, a, b, d, as a JavaScript function."""
    definition = _definition(getattr(update, "py_func", update))  # what numba has compiled
    *assignments, last = definition.body
    if not (isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple)):
        raise _error(last, "the last statement; use return w, m, v")
    targets = [_target(node) for node in assignments]
    used = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
    results = dict(zip(STATE, last.value.elts, strict=True))
    inside = ["const g = gradient[i];"] if "g" in used else []
    inside += [
        f"{'let' if name in targets else 'const'} {name} = {array}[i];"
        for name, array in STATE.items()
        if name in used
    ]
    declared = set(STATE)
    for target, node in zip(targets, assignments, strict=True):
        keyword = "" if target in declared else "let " if targets.count(target) > 1 else "const "
        declared.add(target)
        inside.append(f"{keyword}{target} = {_expression(node.value)};")  # type: ignore[attr-defined]
    inside += [f"{STATE[name]}[i] = {_expression(value)};" for name, value in results.items()]
    step = [f"  const {name} = step[{k}];" for k, name in enumerate(STEP) if name in used]
    head = f"export function {function_name(update)}(weights, gradient, first, second, c, step) {{"
    return "\n".join(
        [
            head,
            *step,
            "  for (let i = 0; i < weights.length; i++) {",
            *[f"    {line}" for line in inside],
            "  }",
            "}",
            "",
        ]
    )


def _definition(function: Callable[..., Any]) -> ast.FunctionDef:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef)
    return node


def _target(node: ast.stmt) -> str:
    """The name that a statement assigns to."""
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
        raise _error(node, "a statement; use assignments to one name")
    (target,) = node.targets
    if not isinstance(target, ast.Name):
        raise _error(target, "a target; use one name")
    return target.id


def _expression(node: ast.expr, least: int = 0) -> str:
    """An expression, in parentheses if its precedence is below `least`."""
    text, precedence = _with_precedence(node)
    return f"({text})" if precedence < least else text


def _with_precedence(node: ast.expr) -> tuple[str, int]:
    match node:
        case ast.Name(id=name):
            return name, ATOM
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return repr(number), ATOM
        case ast.Subscript(value=ast.Name(id="c"), slice=ast.Constant(value=int() as index)):
            return f"c[{index}]", ATOM
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_expression(operand, ATOM)}", NEGATION
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SYMBOLS:
            own = PRECEDENCE[type(op)]
            # parentheses on the right keep the order of the operations, and so the rounding
            text = f"{_expression(left, own)} {SYMBOLS[type(op)]} {_expression(right, own + 1)}"
            return text, own
        case ast.BinOp(op=op):
            raise _error(op, "an operator")
        case ast.Call(func=function, args=arguments, keywords=[]):
            name = ast.unparse(function)
            if name not in FUNCTIONS:
                raise UntranslatableError(f"{name} is no function that the browser knows")
            return f"{FUNCTIONS[name]}({', '.join(map(_expression, arguments))})", ATOM
    raise _error(node, "an expression")


def _error(node: ast.AST, what: str) -> UntranslatableError:
    return UntranslatableError(f"{type(node).__name__} cannot be translated as {what}")


if __name__ == "__main__":
    print(rules_module(), end="")
