"""Watch a block of code for silent broadcasts."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Literal, ParamSpec, TypeVar, cast

import torch
from numpy import ndarray
from torch import Tensor
from torch._C import (
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
)
from torch.compiler import is_dynamo_compiling
from torch.jit import is_tracing  # type: ignore[attr-defined]
from torch.overrides import TorchFunctionMode

from linreg.guard.detection import Rule, find_broadcast
from linreg.guard.operations import WATCHED, Kind, WatchedFunctions, operation_keys
from linreg.guard.optimizers import Method, OptimizerPatch
from linreg.guard.report import Broadcast, SilentBroadcastError, SilentBroadcastWarning
from linreg.guard.scope import Scope

__tracebackhide__ = True  # so that pytest shows the user's line last

P = ParamSpec("P")
R = TypeVar("R")

Action = Literal["raise", "warn"] | Callable[[Broadcast], object]

_NOTHING: WatchedFunctions = {}

_OPERANDS = (Tensor, ndarray)
_DISTRIBUTIONS = str(Path(torch.distributions.__file__).parent)

_NOT_COMPILED = (
    "linreg.guard watches no compiled code; to run it as Python inside no_silent_broadcast,"
    " also enter torch.compiler.set_stance('force_eager')"
)


# ---- the mode on PyTorch's stack -----------------------------------------------------------------


class _Watch(TorchFunctionMode):
    """One active guard of one thread."""

    def __init__(
        self,
        watched: WatchedFunctions,
        report: Callable[[Broadcast, FrameType], None],
        outer: _Watch | None,
        rule: Rule,
    ) -> None:
        super().__init__()
        self.rule = rule
        self.watched = self.own_watched = watched
        self.report = report
        self.outer = outer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # PyTorch takes the mode off its stack for this call, so nothing called here is watched.
        if is_dynamo_compiling():
            # torch.compile would trace this method into its graph, and Torch 2.13 then silently
            # computes wrong values where a call splits the graph, as `x.mul(x.max().item()).mean()`
            # does. So under a guard the user's function runs as Python.
            if not _is_fullgraph():
                torch._dynamo.skip_frame(msg=_NOT_COMPILED)
            return func(*args, **kwargs) if kwargs else func(*args)
        operation = self.watched.get(func)
        if operation is not None and _may_broadcast(func, operation[2], args, kwargs):
            self.check(func, args, kwargs or {})
        return func(*args, **kwargs) if kwargs else func(*args)

    def check(self, func: Any, args: Any, kwargs: Any) -> None:
        """Report the call if it is a silent broadcast."""
        find = find_broadcast
        if "torch._dynamo" in sys.modules:
            find = torch._dynamo.disable(find_broadcast)
        found = find(func, args, kwargs, self.rule)
        if found is not None:
            self.report(*found)


def _may_broadcast(func: Any, kind: Kind, args: Any, kwargs: Any) -> bool:
    """Whether a call needs a closer look, decided fast: most calls pass here."""
    if kind == "elementwise":  # operands of different rank; scalars always pass
        first_rank = 0
        for value in (*args, *kwargs.values()) if kwargs else args:
            if isinstance(value, _OPERANDS) and (rank := value.ndim):
                if first_rank and rank != first_rank:
                    return len(args) != 2 or not _is_suffix(*args)
                first_rank = rank
        return False
    if kind == "loss":  # different shapes
        if len(args) != 2 or (kwargs and any(isinstance(v, _OPERANDS) for v in kwargs.values())):
            return True
        first, second = args[0].shape, args[1].shape
        return len(first) != len(second) or is_tracing() or bool(first != second)
    if kind == "index":
        index = args[1] if len(args) > 1 else None
        return isinstance(index, tuple) and sum(isinstance(i, _OPERANDS) for i in index) > 1
    if func is torch.Tensor.expand or func is torch.Tensor.unsqueeze:
        # the frames: this function, the mode, and what calls PyTorch
        return sys._getframe(2).f_code.co_filename.startswith(_DISTRIBUTIONS)
    return True


def _is_suffix(first: Any, second: Any) -> bool:
    """Whether one shape ends in the other, as for a bias: only one of them is expanded then."""
    if not isinstance(first, Tensor) or not isinstance(second, Tensor) or is_tracing():
        return False
    long, short = first.shape, second.shape
    if len(long) < len(short):
        long, short = short, long
    return bool(long[len(long) - len(short) :] == short)


def _is_fullgraph() -> bool:
    """Whether the compiler is to compile the whole function, or to raise; called while it does."""
    return bool(torch._dynamo.symbolic_convert.InstructionTranslator.current_tx().one_graph)


# What `torch.compiler.assume_constant_result` does, without importing the compiler.
vars(_is_fullgraph)["_dynamo_marked_constant"] = True


class _Innermost(threading.local):
    """The innermost guard of each thread."""

    watch: _Watch | None = None


_INNERMOST = _Innermost()


def _call_unwatched(method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of an optimizer with the guard off, or on if it has arguments (a closure)."""
    watch = _INNERMOST.watch
    if watch is None or args or kwargs or is_dynamo_compiling():
        return method(*args, **kwargs)
    if not _len_torch_function_stack():  # in a hook of `backward`: PyTorch has taken the mode off
        return method()
    mode = _pop_torch_function_stack()
    if mode is not watch:  # another mode: entered inside the guard, or below it while it is off
        _push_on_torch_function_stack(mode)
        return method()
    _INNERMOST.watch = None
    try:
        return method()
    finally:
        _push_on_torch_function_stack(watch)
        _INNERMOST.watch = watch


_OPTIMIZERS = OptimizerPatch(_call_unwatched)


def _after_fork() -> None:
    """Switch off the guards that a forked process inherits.

    They stay on the stack, because the process may still leave their blocks."""
    guards = 0
    watch = _INNERMOST.watch
    while watch is not None:
        watch.watched = watch.own_watched = _NOTHING
        watch = watch.outer
        guards += 1
    _OPTIMIZERS.reset(guards)


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)


# ---- the guard -----------------------------------------------------------------------------------


class no_silent_broadcast:  # a context manager, in lower case like torch.no_grad
    """Report elementwise operations and losses that silently broadcast two tensors to all pairs.

        with no_silent_broadcast():
            loss = nn.MSELoss()(pred, y)  # (100, 1) with (100,): SilentBroadcastError

    By default a broadcast is reported if its operands could have been paired one by one: both are
    expanded, they differ in rank, and their shapes are equal once axes of size one are left out.
    It passes where something shows that all pairs are meant. In a loss of `torch.nn.functional`
    nothing does, and equal ranks count too, as `(N, 1)` with `(1, N)`.

    All pairs are meant, and nothing is reported, if
      - both operands are the same numbers, as in `k.unsqueeze(1) * k`
      - one is evenly spaced or has a constant ratio, as positions and frequencies have, and neither
        requires a gradient
      - the expression adds a table of all pairs to it, as `area[:, None] + other - intersection`,
        or an operand is written with a new axis before its features, as `x[:, None] - y`
      - the guard has seen the same line with sizes that could not be paired
      - an installed package makes the call on tensors of its own. What the user gives to a package
        is watched: two given tensors, or a given one with one that requires a gradient.

    In `torch.distributions` the calls are watched, and not what they do inside: a value, or
    parameters, whose batches broadcast against each other. So are index tensors, and operations of
    a tensor with a NumPy array.

    `strict` reports every broadcast in which the ranks differ and both operands are expanded, in
    packages too, and in losses every two unequal shapes.

    `action` is one of
      "raise"      raise a `SilentBroadcastError` before the operation runs
      "warn"       issue a `SilentBroadcastWarning` on the user's line, by default once per line
      a function   call it with each `Broadcast`

    `allow` names operations that may broadcast: `"mul"`, `torch.mul`, or a sequence of these. It
    covers all forms of an operation: function, method, operator, in place.

    `skip` names code to leave alone, `only` the only code to watch, by the line that calls PyTorch:
    packages or modules such as `"transformers"`, and files or folders such as `"models/rope.py"`
    (with a slash or an ending in `.py`). Packages named by `only` are watched like the user's code.

    The guard is also a decorator, for functions and for generators (on while the generator runs,
    off while it waits). It can be reused, nested and shared by threads. Of nested guards the
    innermost decides. Like `torch.no_grad`, it applies to the thread that enters it, and not to
    threads or processes started inside. Values and gradients stay the same to the last bit.

    It sees calls of PyTorch from Python. It does not see TorchScript, compiled extensions, the
    backward pass, optimizers of `torch.optim` (but for their first step and for closures),
    `torch.ops` and `torch._foreach_…`.

    Functions compiled by `torch.compile` run as Python inside a guard: watched, and slow. Outside
    they are compiled again, unless their very first call was inside. What is compiled with
    `fullgraph=True`, as PyTorch itself does for `torch.cond` and `flex_attention`, stays compiled
    and is not watched; `torch.compiler.set_stance("force_eager")` runs it as Python.

    Raises `ValueError` for an unknown action, operation or empty name, and `TypeError` if it
    decorates a class or an `async` function."""

    def __init__(
        self,
        action: Action = "raise",
        allow: object = (),
        *,
        strict: bool = False,
        skip: str | Sequence[str] = (),
        only: str | Sequence[str] = (),
    ) -> None:
        if action not in ("raise", "warn") and not callable(action):
            raise ValueError(
                f"action {action!r} is unknown; give 'raise', 'warn' or a function of the report"
            )
        self._action = action
        self._rule = Rule(Scope(skip, only), strict)
        allowed = operation_keys(allow)
        self._watched = {
            function: operation
            for function, operation in WATCHED.items()
            if operation.key not in allowed
        }

    def __enter__(self) -> no_silent_broadcast:
        if is_dynamo_compiling():
            torch._dynamo.skip_frame(msg=_NOT_COMPILED)
        outer = _INNERMOST.watch
        watch = _Watch(self._watched, self._report, outer, self._rule)
        _OPTIMIZERS.acquire()
        watch.__enter__()
        if outer is not None:
            outer.watched = _NOTHING
        _INNERMOST.watch = watch
        return self

    def __exit__(self, *exception: object) -> None:
        watch = _INNERMOST.watch
        assert watch is not None
        watch.__exit__(*exception)
        if watch.outer is not None:
            watch.outer.watched = watch.outer.own_watched
        _INNERMOST.watch = watch.outer
        _OPTIMIZERS.release()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if not callable(function) or inspect.isclass(function):
            raise TypeError(
                "no_silent_broadcast decorates functions;"
                " write @no_silent_broadcast() above a function or method"
            )
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__name__} is async, and a guard cannot follow an await;"
                " use `with` between two awaits"
            )
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def guarded_generator(*args: P.args, **kwargs: P.kwargs) -> Any:
                return _guarded_generator(self, cast(Any, function)(*args, **kwargs))

            return guarded_generator

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return guarded

    def _report(self, broadcast: Broadcast, frame: FrameType) -> None:
        if self._action == "raise":
            raise SilentBroadcastError(broadcast)
        if self._action == "warn":
            warnings.warn_explicit(
                broadcast.message,
                SilentBroadcastWarning,
                frame.f_code.co_filename,
                frame.f_lineno,
                module=frame.f_globals.get("__name__"),
                # the registry that makes it "once per line"
                registry=frame.f_globals.setdefault("__warningregistry__", {}),
            )
        else:
            self._action(broadcast)


def _guarded_generator(guard: no_silent_broadcast, generator: Any) -> Generator[Any, Any, Any]:
    """The generator, with the guard on whenever it runs."""
    resume: Any = generator.send
    sent: Any = None
    while True:
        try:
            with guard:
                value = resume(sent)
        except StopIteration as end:
            return end.value
        try:
            resume, sent = generator.send, (yield value)
        except GeneratorExit:
            with guard:
                generator.close()
            raise
        except BaseException as error:
            resume, sent = generator.throw, error
