"""The updates of `linreg.training.kernels` as JavaScript, for the training in the browser.

    make rules

An update is straight-line arithmetic: assignments to names, then `return` of the new w, m and v.
Only that is translated; anything else raises `UntranslatableError` with the name of what it is."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from linreg.training.kernels import RULES, Rule

TEMPLATE = Path(__file__).with_name("rules.js.jinja")
SCHEDULED = ("a", "b", "d")  # the values of a step, in the order of a schedule's columns
STATE = ("w", "m", "v")
SHARED = ("lr", *SCHEDULED)  # the arguments that are the same for all weights, beside c
TAKEN = (*SHARED, "c", "o", "H", "column")  # names that the template uses, with an index or without

PRECEDENCE: dict[type[ast.AST], int] = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2}
SYMBOLS: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
NEGATION, ATOM = 3, 4  # precedences of -x, and of names, numbers and calls
FUNCTIONS = {"math.sqrt": "Math.sqrt", "max": "Math.max", "min": "Math.min", "abs": "Math.abs"}


class UntranslatableError(ValueError):
    """A construct that has no translation."""


def rules_module(rules: Mapping[str, Rule] = RULES) -> str:
    """The module `rules.js`: a function per update, and `RULES`, the function of each optimizer."""
    updates: dict[Any, list[str]] = {rule.update: [] for rule in rules.values()}
    for name, rule in rules.items():
        updates[rule.update].append(name)
    environment = Environment(trim_blocks=True, undefined=StrictUndefined)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        updates=[update_of(update, names) for update, names in updates.items()],
        rules={name: _name(rule.update) for name, rule in rules.items()},
    )


@dataclass(frozen=True)
class Update:
    """An update, as the template needs it: its assignments, then new values of w, m and v.

    Names that differ between the weights get the index of the weight: w0, w1, w2."""

    name: str
    optimizers: tuple[str, ...]
    assignments: tuple[tuple[str, ast.expr], ...]
    results: tuple[tuple[str, ast.expr], ...]  # those that change by `return`

    @property
    def names(self) -> set[str]:
        """The names that are read."""
        expressions = [value for _, value in (*self.assignments, *self.results)]
        return {name for value in expressions for name in _names(value)}

    @property
    def state(self) -> list[str]:
        """Which of m and v are used."""
        return [name for name in ("m", "v") if name in self.names]

    @property
    def scheduled(self) -> list[tuple[str, int]]:
        """The values per step that are used, with their columns in the schedule."""
        return [(name, k) for k, name in enumerate(SCHEDULED) if name in self.names]

    @property
    def constants(self) -> list[int]:
        """The constants that are used."""
        nodes = [
            node for _, value in (*self.assignments, *self.results) for node in ast.walk(value)
        ]
        return sorted({_constant(node) for node in nodes if isinstance(node, ast.Subscript)})

    def lines(self, i: int) -> list[str]:
        """The update of weight i."""
        found, known = [], {"g", *STATE}
        targets = [target for target, _ in self.assignments]
        for target, value in self.assignments:
            keyword = "" if target in known else "let " if targets.count(target) > 1 else "const "
            found.append(f"{keyword}{target}{i} = {_expression(value, i, known)};")
            known.add(target)
        if len(self.results) == 1:
            ((target, value),) = self.results
            return [*found, f"{target}{i} = {_expression(value, i, known)};"]
        for target, value in self.results:  # all of them from the old values
            found.append(f"const {target}Next{i} = {_expression(value, i, known)};")
        return [*found, *(f"{target}{i} = {target}Next{i};" for target, _ in self.results)]


def update_of(update: Any, optimizers: list[str]) -> Update:
    """Parse an update, a function of w, g, m, v, lr, c, a, b and d."""
    function = getattr(update, "py_func", update)  # what numba has compiled
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(definition, ast.FunctionDef)
    *body, last = definition.body
    if not (isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple)):
        raise UntranslatableError(f"{_kind(last)} ends the update; use return w, m, v")
    results = zip(STATE, last.value.elts, strict=True)
    return Update(
        _name(update),
        tuple(optimizers),
        tuple(map(_assignment, body)),
        tuple((name, value) for name, value in results if ast.unparse(value) != name),
    )


def _name(update: Any) -> str:
    """The name of an update in JavaScript."""
    return str(update.__name__).lstrip("_")


def _assignment(node: ast.stmt) -> tuple[str, ast.expr]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) if name in TAKEN:
            raise UntranslatableError(f"{name} is assigned to; use another name")
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.Assign(targets=[target]):
            raise UntranslatableError(f"{_kind(target)} is assigned to; use a name")
    raise UntranslatableError(f"{_kind(node)} has no translation; use assignments to names")


def _expression(node: ast.expr, i: int, known: set[str], least: int = 0) -> str:
    """An expression for weight i, in parentheses if its precedence is below `least`."""
    text, precedence = _with_precedence(node, i, known)
    return f"({text})" if precedence < least else text


def _with_precedence(node: ast.expr, i: int, known: set[str]) -> tuple[str, int]:
    match node:
        case ast.Name(id=name) if name in known:
            return f"{name}{i}", ATOM
        case ast.Name(id=name) if name in SHARED:
            return name, ATOM
        case ast.Name(id=name):
            raise UntranslatableError(f"{name} is no argument and no variable of the update")
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return repr(number), ATOM
        case ast.Subscript():
            return f"c{_constant(node)}", ATOM
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_expression(operand, i, known, ATOM)}", NEGATION
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SYMBOLS:
            own = PRECEDENCE[type(op)]
            # parentheses on the right keep the order of the operations, and so the rounding
            both = _expression(left, i, known, own), _expression(right, i, known, own + 1)
            return f" {SYMBOLS[type(op)]} ".join(both), own
        case ast.BinOp(op=op):
            raise UntranslatableError(f"{_kind(op)} has no translation")
        case ast.Call(func=function, args=arguments, keywords=[]):
            if (name := ast.unparse(function)) not in FUNCTIONS:
                raise UntranslatableError(f"{name}(…) has no translation")
            return (
                f"{FUNCTIONS[name]}({', '.join(_expression(a, i, known) for a in arguments)})",
                ATOM,
            )
    raise UntranslatableError(f"{_kind(node)} has no translation")


def _constant(node: ast.Subscript) -> int:
    """The k of c[k]."""
    match node:
        case ast.Subscript(value=ast.Name(id="c"), slice=ast.Constant(value=int() as k)):
            return k
    raise UntranslatableError(f"{ast.unparse(node)} has no translation; use c[0], c[1], …")


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _kind(node: ast.AST) -> str:
    return type(node).__name__


if __name__ == "__main__":
    print(rules_module(), end="")
