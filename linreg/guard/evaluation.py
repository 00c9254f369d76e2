"""Find out the shapes that an expression of the user has, without running it.

The expression is evaluated on tensors of the meta device, which have a shape and no values. Only
operations of PyTorch and plain access to variables are evaluated; no code of the user runs."""

from __future__ import annotations

import ast
import builtins
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, MethodType, ModuleType
from typing import Any

import torch
from numpy import ndarray
from torch import Tensor
from torch.jit import is_tracing  # type: ignore[attr-defined]
from torch.nn.modules import loss as losses
from torch.overrides import TorchFunctionMode, get_overridable_functions

from linreg.guard.callsite import variables
from linreg.settings.losses import Shape
from linreg.settings.warnings import captured_warnings


class UnknownShape(Exception):
    """The expression holds something that is not evaluated."""


# What an expression with wrong shapes raises
ERRORS = (RuntimeError, TypeError, ValueError, IndexError, Warning)


_BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow, ast.MatMult: operator.matmul, ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.USub: operator.neg, ast.Invert: operator.invert,
}  # fmt: skip
_ATTRIBUTES = ("T", "mT", "H", "mH", "shape", "ndim", "data", "real", "imag")
_FACTORIES = (torch.arange, torch.eye, torch.full, torch.linspace, torch.ones, torch.zeros)
_PLAIN = (Tensor, slice, int, float, bool, complex, str, type(None), type(...), torch.dtype)


@functools.cache
def _evaluated_functions() -> frozenset[Any]:
    functions = {f for several in get_overridable_functions().values() for f in several}
    return frozenset({f for f in functions if callable(f)} | set(_FACTORIES))


def shape_of(value: Any) -> Shape:
    """The shape of a tensor or array in plain integers, under `torch.jit.trace` too."""
    if is_tracing():
        with captured_warnings():
            return tuple(int(size) for size in value.shape)
    return tuple(value.shape)


def on_meta(value: Any) -> Any:
    """A tensor or array without its values, and anything else as it is."""
    if isinstance(value, Tensor):
        return torch.empty(shape_of(value), dtype=value.dtype, device="meta")
    if isinstance(value, ndarray):
        return torch.empty(value.shape, dtype=_dtype_of(value), device="meta")
    return value


def _dtype_of(array: ndarray) -> torch.dtype:
    try:
        return torch.from_numpy(array.reshape(-1)[:0].copy()).dtype
    except TypeError:  # one that PyTorch does not have
        return torch.float64


def raises_in_pytorch(
    func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> bool:
    """Whether PyTorch refuses a call of these shapes and types, whatever the values are."""
    try:
        with torch.no_grad():
            func(*map(on_meta, args), **{name: on_meta(value) for name, value in kwargs.items()})
    except NotImplementedError:  # no kernel for the meta device
        return False
    except (TypeError, ValueError, IndexError):
        return True
    except RuntimeError as error:  # but for one that needs values, as bool() does
        return "meta" not in str(error)
    except Exception:  # of another mode, or a warning that is turned into an error
        return False
    return False


class Evaluator:
    """Evaluate expressions in a frame. `known` has values by the dump of the expression.

    `mode` sees the operations of PyTorch, and may raise."""

    def __init__(
        self, frame: FrameType, known: Mapping[str, Any], mode: TorchFunctionMode | None = None
    ) -> None:
        self._variables = variables(frame)
        self._known = known
        self._mode = mode

    def shape(self, node: ast.AST) -> Shape:
        """The shape of an expression. Raises `UnknownShape`, and what PyTorch raises."""
        if is_tracing():  # the graph would take up the operations
            raise UnknownShape
        with torch.no_grad(), torch.device("meta"):
            if self._mode is None:
                value = self._value(node)
            else:
                with self._mode:
                    value = self._value(node)
        if not isinstance(value, Tensor):
            raise UnknownShape
        return tuple(value.shape)

    def _value(self, node: ast.AST) -> Any:
        known = self._known.get(ast.dump(node)) if isinstance(node, ast.expr) else None
        if known is not None:
            return known
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if name in self._variables:
                    return on_meta(self._variables[name])
                if name in ("slice", "float", "int", "len"):
                    return getattr(builtins, name)
            case ast.Attribute():
                return self._attribute(node)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._apply(_BINARY[type(op)], self._value(left), self._value(right))
            case ast.AugAssign(target=target, op=op, value=right) if type(op) in _BINARY:
                return self._apply(_BINARY[type(op)], self._value(target), self._value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _BINARY:
                return self._apply(_BINARY[type(op)], self._value(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _BINARY:
                return self._apply(_BINARY[type(op)], self._value(left), self._value(right))
            case ast.Tuple(elts=elements):
                return tuple(self._value(element) for element in elements)
            case ast.List(elts=elements):
                return [self._value(element) for element in elements]
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(part and self._value(part) for part in (lower, upper, step)))
            case ast.Subscript(value=value, slice=index):
                return self._item(self._value(value), self._value(index))
            case ast.Call():
                return self._call(node)
        raise UnknownShape

    def _attribute(self, node: ast.Attribute) -> Any:
        owner, name = self._value(node.value), node.attr
        if isinstance(owner, Tensor):
            if name in _ATTRIBUTES:
                return getattr(owner, name)
            method: Any = getattr(Tensor, name, None)
            if method in _evaluated_functions():
                return MethodType(method, owner)
        elif isinstance(owner, ModuleType):
            return on_meta(vars(owner).get(name))
        elif isinstance(owner, torch.nn.Module):
            for stored in (owner._parameters, owner._buffers, owner._modules, vars(owner)):
                if name in stored:
                    return on_meta(stored[name])
        elif hasattr(owner, "__dict__") and name in vars(owner):
            return on_meta(vars(owner)[name])
        raise UnknownShape

    def _item(self, owner: Any, index: Any) -> Any:
        if isinstance(owner, Tensor):
            return owner[index]
        if type(owner) in (dict, list, tuple, torch.Size) and isinstance(index, str | int | slice):
            try:
                return on_meta(owner[index])
            except (KeyError, IndexError):
                raise UnknownShape from None
        raise UnknownShape

    def _call(self, node: ast.Call) -> Any:
        function = self._value(node.func)
        args = [self._value(argument) for argument in node.args]
        if any(keyword.arg is None for keyword in node.keywords):
            raise UnknownShape
        kwargs = {keyword.arg or "": self._value(keyword.value) for keyword in node.keywords}
        known = getattr(function, "__func__", function) in _evaluated_functions()
        is_loss = (
            isinstance(function, losses._Loss) and type(function).__module__ == losses.__name__
        )
        builds_loss = isinstance(function, type) and function.__module__ == losses.__name__
        if known or is_loss or builds_loss:
            return self._apply(function, *args, **kwargs)
        raise UnknownShape

    def _apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            parts = value if isinstance(value, tuple | list) else (value,)
            if not all(isinstance(part, _PLAIN) for part in parts):
                raise UnknownShape
        try:
            return function(*args, **kwargs)
        except NotImplementedError:  # no kernel for the meta device, or a value is needed
            raise UnknownShape from None
