"""Where a call of PyTorch is made: the line that calls it, the user's line, and their source."""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

_TORCH = str(Path(torch.__file__).parent) + os.sep
_GUARD = str(Path(__file__).parent) + os.sep
_LINREG = str(Path(__file__).parents[1]) + os.sep
_GENERATED_BY_FX = "<eval_with_key>"
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD_LIBRARY = sysconfig.get_path("stdlib") + os.sep

MAX_TEXT = 60  # characters of an operand's source text in a message

Node = ast.expr | ast.AugAssign


@dataclass(frozen=True)
class CallSite:
    """The frames of a call of PyTorch.

    `caller` is the innermost frame outside PyTorch: the line that calls it. `user` is the innermost
    one outside installed packages too, and the caller if there is none. `entry` is the function of
    PyTorch that the caller calls, such as the method of a module or of a distribution; None if it
    calls the operation itself."""

    caller: FrameType
    user: FrameType
    entry: FrameType | None

    @property
    def in_library(self) -> bool:
        """Whether an installed package makes the call for the user."""
        return is_installed(self.caller.f_code.co_filename)


def call_site() -> CallSite:
    """The call site of the operation that the guard is looking at."""
    frame: FrameType = sys._getframe(1)
    entry = None
    while frame.f_back is not None and _is_internal(frame.f_code.co_filename):
        entry = None if frame.f_code.co_filename.startswith(_GUARD) else frame
        frame = frame.f_back
    caller = user = frame
    while is_installed(caller.f_code.co_filename) and _is_not_of_user(user.f_code.co_filename):
        if user.f_back is None:
            user = caller
            break
        user = user.f_back
    return CallSite(caller, user, entry)


def is_installed(file: str) -> bool:
    """Whether a file is part of an installed package or of the standard library."""
    if file.startswith(_LINREG):
        return False
    return any(part in file for part in _PACKAGES) or file.startswith(
        (_STANDARD_LIBRARY, "<frozen")
    )


def is_called_from(folder: str) -> bool:
    """Whether the operation is called by a file of this folder, or by PyTorch for one of it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_internal(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith(folder):
            return True
        frame = frame.f_back
    return False


def _is_internal(file: str) -> bool:
    return file.startswith((_TORCH, _GUARD, _GENERATED_BY_FX))


def _is_not_of_user(file: str) -> bool:
    return is_installed(file) or file.startswith((_LINREG, _GENERATED_BY_FX))


def line_of(frame: FrameType) -> str:
    """The line that a frame is on, as `file:line`."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def arguments_of(frame: FrameType) -> dict[str, Any]:
    """The arguments that the function in a frame was called with, by name.

    Those that the function has assigned anew since are left out."""
    code, values = frame.f_code, frame.f_locals
    assigned = _first_assignments(code)
    return {
        name: values[name]
        for name in _parameters(code)
        if name in values and assigned.get(name, frame.f_lasti) >= frame.f_lasti
    }


def _parameters(code: CodeType) -> tuple[str, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[:count]


@functools.lru_cache(maxsize=256)
def _first_assignments(code: CodeType) -> dict[str, int]:
    """Where in the code each parameter is assigned anew for the first time."""
    parameters = _parameters(code)
    found: dict[str, int] = {}
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith("STORE_FAST"):
            names = instruction.argval
            for name in names if isinstance(names, tuple) else (names,):
                if name in parameters:
                    found.setdefault(name, instruction.offset)
    return found


# ---- source --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """The expression that a frame is evaluating, and the source that it is written in."""

    node: Node
    parents: Mapping[ast.AST, ast.AST]
    lines: Sequence[str]

    def text(self, node: ast.AST) -> str | None:
        """The source text of an expression; None if it is too long for a message."""
        if not isinstance(node, ast.expr):
            return None
        if node.lineno == node.end_lineno:
            line = self.lines[node.lineno - 1].encode()
            text = line[node.col_offset : node.end_col_offset].decode()
        else:
            text = ast.unparse(node)
        return text if len(text) <= MAX_TEXT else None

    def enclosing(self) -> Iterator[Node]:
        """The expression, then the ones around it, up to the statement."""
        node: ast.AST = self.node
        while isinstance(node, ast.expr | ast.AugAssign | ast.keyword):
            if not isinstance(node, ast.keyword):
                yield node
            node = self.parents[node]


def source_of(frame: FrameType) -> Source | None:
    """The expression that a frame is evaluating; None if its source is not known."""
    position = _position(frame.f_code, frame.f_lasti)
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    if position is None or not lines:
        return None
    parsed = _parse("".join(lines))
    if parsed is None:
        return None
    nodes, parents = parsed
    node = nodes.get(position)
    return None if node is None else Source(node, parents, lines)


def _position(code: CodeType, instruction: int) -> tuple[int, int, int, int] | None:
    found = next(islice(code.co_positions(), instruction // 2, None), None)
    if found is None or None in found:
        return None
    line, end_line, column, end_column = found
    return line, end_line, column, end_column  # type: ignore[return-value]


_Nodes = dict[tuple[int, int, int, int], Node]


@functools.lru_cache(maxsize=16)
def _parse(source: str) -> tuple[_Nodes, dict[ast.AST, ast.AST]] | None:
    """The expressions of a file by position, outermost first, and the parent of each node."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    nodes: _Nodes = {}
    parents: dict[ast.AST, ast.AST] = {}
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            parents[child] = parent
        if isinstance(parent, ast.expr | ast.AugAssign):
            end_line, end_column = parent.end_lineno, parent.end_col_offset
            assert end_line is not None
            assert end_column is not None
            position = parent.lineno, end_line, parent.col_offset, end_column
            nodes.setdefault(position, parent)
    return nodes, parents


# ---- the expressions that the operands are written as --------------------------------------------


def operand_nodes(
    site: CallSite,
    source: Source,
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> list[tuple[Any, ast.expr]]:
    """The arguments of a call, each with the expression that it is written as."""
    node = source.node
    if site.entry is None:
        found = _of_direct_call(node, func, args, kwargs)
        if isinstance(node, ast.Compare) and not all(_agrees(site, *one) for one in found):
            values, expressions = zip(*found, strict=True)  # Python has tried the other way round
            found = list(zip(values, expressions[::-1], strict=True))
    elif isinstance(node, ast.Call):
        found = _of_entry(node, arguments_of(site.entry))
    else:
        found = []
    return [one for pair in found for one in _inside(*pair) if _agrees(site, *one)]


def _of_direct_call(
    node: Node, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[Any, ast.expr]]:
    values = list(args)
    match node:
        case ast.BinOp(left=left, right=right):
            name = getattr(func, "__name__", "")
            reverse = name == "rsub" or (name.startswith("__r") and name != "__rshift__")
            return list(zip(values[::-1] if reverse else values, (left, right), strict=False))
        case ast.AugAssign(target=target, value=value):
            return list(zip(values, (target, value), strict=False))
        case ast.Compare(left=left, comparators=[right]):
            return list(zip(values, (left, right), strict=False))
        case ast.Subscript(value=value, slice=index):
            return [(values[0], value), (values[1], index)]
        case ast.Call():
            return _of_call(node, values, kwargs)
    return []


def _of_call(
    node: ast.Call, values: Sequence[Any], keywords: Mapping[str, Any]
) -> list[tuple[Any, ast.expr]]:
    expressions = list(node.args)
    if len(values) == len(expressions) + 1 and isinstance(node.func, ast.Attribute):
        expressions.insert(0, node.func.value)
    found: list[tuple[Any, ast.expr]] = []
    if not any(isinstance(expression, ast.Starred) for expression in expressions):
        found += zip(values, expressions, strict=False)
    named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    return found + [(keywords[name], named[name]) for name in named if name in keywords]


def _of_entry(node: ast.Call, arguments: dict[str, Any]) -> list[tuple[Any, ast.expr]]:
    """Of a call of a method or function of PyTorch that performs the operation."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, value in arguments.items():
        if name == "args" and isinstance(value, tuple):
            positional += value
        elif name == "kwargs" and isinstance(value, dict):
            keywords |= value
        elif name not in ("self", "cls"):
            positional.append(value)
            keywords[name] = value
    if any(isinstance(expression, ast.Starred) for expression in node.args):
        positional = []
    named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    return [
        *zip(positional, node.args, strict=False),
        *((keywords[name], named[name]) for name in named if name in keywords),
    ]


def _inside(value: Any, expression: ast.expr) -> Iterator[tuple[Any, ast.expr]]:
    """An argument, or the elements of a tuple or list that is written out."""
    if isinstance(value, tuple | list) and isinstance(expression, ast.Tuple | ast.List):
        yield from zip(value, expression.elts, strict=False)
    else:
        yield value, expression


def _agrees(site: CallSite, value: Any, expression: ast.expr) -> bool:
    """Whether a variable still has the value of the operand; other expressions always agree."""
    if not isinstance(expression, ast.Name):
        return not isinstance(expression, ast.Starred)
    return variables(site.caller).get(expression.id) is value


def variables(frame: FrameType) -> dict[str, Any]:
    """The variables of a frame: its locals, and the globals that its code uses."""
    names = frame.f_code.co_names
    used = {name: frame.f_globals[name] for name in names if name in frame.f_globals}
    return used | frame.f_locals
