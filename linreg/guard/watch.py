"""Watch a block of code for silent broadcasts."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from types import FrameType
from typing import Any, Literal, ParamSpec, TypeVar, cast

import torch
from torch import Tensor
from torch._C import (
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
)
from torch.compiler import is_dynamo_compiling
from torch.distributions import LKJCholesky, MixtureSameFamily
from torch.distributions.utils import broadcast_all
from torch.overrides import TorchFunctionMode

from linreg.guard.report import Broadcast, SilentBroadcastError, SilentBroadcastWarning
from linreg.guard.shapes import broadcast_shape, find_fixes, meet_silently, shown_fixes
from linreg.settings.losses import Shape

__tracebackhide__ = True  # pytest then shows the user's line last


P = ParamSpec("P")


R = TypeVar("R")


_NAMES: dict[
    str, tuple[str, ...]
] = {  # an operation, and its other names; Python's operators by theirs
    "add": (),
    "sub": ("subtract", "rsub"),
    "mul": ("multiply",),
    "div": ("divide", "true_divide", "truediv"),
    "floor_divide": ("floordiv",),
    "remainder": ("mod",),
    "atan2": ("arctan2",),
    "clamp": ("clip", "clamp_min", "clamp_max"),
    "igamma": ("gammainc",),
    "igammac": ("gammaincc",),
    "eq": (),
    "ne": ("not_equal",),
    "lt": ("less",),
    "le": ("less_equal",),
    "gt": ("greater",),
    "ge": ("greater_equal",),
    "bitwise_and": ("and",),
    "bitwise_or": ("or",),
    "bitwise_xor": ("xor",),
    "bitwise_left_shift": ("lshift",),
    "bitwise_right_shift": ("rshift",),
    # only where torch.distributions calls it; by hand it says what it does
    "broadcast_tensors": (),
}


_PLAIN = (  # with one name only
    "addcdiv", "addcmul", "allclose", "binomial", "complex", "copysign", "cosine_similarity", "dist", "float_power", "fmax",
    "fmin", "fmod", "gcd", "heaviside", "hypot", "isclose", "lcm", "ldexp", "lerp", "logaddexp", "logaddexp2", "logical_and",
    "logical_or", "logical_xor", "masked_fill", "masked_scatter", "masked_select", "max", "maximum", "min", "minimum",
    "nextafter", "normal", "pairwise_distance", "polar", "pow", "vecdot", "where", "xlog1py", "xlogy", "zeta",
    "chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w",
    "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p",
    "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w",
)  # fmt: skip


_LOSS_NAMES = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss", "poisson_nll_loss", "kl_div",
    "hinge_embedding_loss", "margin_ranking_loss", "multilabel_soft_margin_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)  # fmt: skip


# PyTorch's own lines in which all pairs are meant: each sample with each component, each row with
# each size
_ON_PURPOSE = (
    MixtureSameFamily.log_prob,
    MixtureSameFamily.cdf,
    LKJCholesky.__init__,
    LKJCholesky.log_prob,
)


# arguments that are no operands, or that PyTorch itself holds to the shape of another
_NON_OPERANDS = {
    "gaussian_nll_loss": (2, "var"),
    "masked_scatter": (2, "source"),
    "binary_cross_entropy": (1, "target"),
    "binary_cross_entropy_with_logits": (1, "target"),
}


_PRIMARY_OPERANDS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    # The operands, by place or keyword, that the others choose from, mix, bound or weigh. If one of
    # these has the shape of
    # the result, as in where(mask, token, x), the others only fill it. It must be one of these:
    # where(mask, pred, y) with a
    # full mask is the bug.
    "where": ((1, 2), ("input", "other")),
    "torch.Tensor.where": ((0, 2), ("other",)),
    "lerp": ((0, 1), ("input", "end")),
    "clamp": ((0,), ("input",)),
    "binary_cross_entropy_with_logits": ((0,), ("input",)),
}


_Functions = dict[Callable[..., Any], tuple[str, str]]


def _watched() -> _Functions:
    """Every function that PyTorch passes to a mode for these operations: its operation, and its
    name with the module."""
    owners = {
        "torch": torch,
        "torch.Tensor": torch.Tensor,
        "torch.special": torch.special,
        "torch.linalg": torch.linalg,
        "torch.nn.functional": torch.nn.functional,
    }
    found: _Functions = {}
    for operation, others in {**_NAMES, **dict.fromkeys((*_PLAIN, *_LOSS_NAMES), ())}.items():
        for name in (operation, *others):
            for home, owner in owners.items():
                forms = [name, f"{name}_"]
                if owner is torch.Tensor:
                    forms += [f"__{name}__", f"__r{name}__", f"__i{name}__"]
                for form in forms:
                    function = getattr(owner, form, None)
                    if callable(function):
                        found.setdefault(function, (operation, f"{home}.{form}"))
    return found


_WATCHED = _watched()


Action = Literal["raise", "warn"] | Callable[[Broadcast], object]


_TORCH = str(Path(torch.__file__).parent) + os.sep
_GUARD = str(Path(__file__).parent) + os.sep


def _user_frame() -> FrameType:
    """The innermost frame that belongs neither to PyTorch nor to this file; the outermost one if
    there is none."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_inner(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _is_inner(file: str) -> bool:
    return file.startswith(
        (_TORCH, _GUARD, "<eval_with_key>")
    )  # the latter: code that torch.fx generates


def _called_by(*functions: Any) -> bool:
    """Whether PyTorch's own frames above this one include a call of one of these functions."""
    codes = {function.__code__ for function in functions}
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_inner(frame.f_code.co_filename):
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


def _find(
    func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Broadcast, FrameType] | None:
    """The silent broadcast that this call is about to make, if it makes one, and the frame that
    asks for it."""
    operation, written = _WATCHED[func]
    tensors = _operands(operation, args, kwargs)
    pairs = _silent_pairs([tensor for _, tensor in tensors])
    if not pairs:
        return None
    shapes = [tuple(tensor.shape) for _, tensor in tensors]
    result = broadcast_shape(*shapes)
    if result is None or _called_by(*_ON_PURPOSE):  # PyTorch raises, or knows what it does
        return None
    if result in _leading_shapes(operation, written, args, kwargs):
        return None
    if operation == "broadcast_tensors" and not _called_by(broadcast_all):
        return None
    frame = _user_frame()
    names = [_name_in(frame, tensor) or fallback for fallback, tensor in tensors]
    fixes = find_fixes(shapes, names)
    first, second = (f"{names[i]} {shapes[i]}" for i in pairs[0])
    offered = " or ".join(fix.code for fix in shown_fixes(fixes))
    meant = next((f"; if all pairs are meant, {fix.code}" for fix in fixes if fix.all_pairs), "")
    if fixes[0].all_pairs:
        advice = (
            f"No change of axes pairs them one by one; if all pairs are meant, write {offered}."
        )
    else:
        advice = f"Write {offered}{meant}."
    report = Broadcast(
        written,
        (shapes[pairs[0][0]], shapes[pairs[0][1]]),
        result,
        f"{frame.f_code.co_filename}:{frame.f_lineno}",
        tuple(fix.code for fix in shown_fixes(fixes)),
        f"{written} broadcasts {first} and {second} to {result}, so all pairs meet. {advice}",
    )
    return report, frame


def _silent_pairs(tensors: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Which of them meet silently, by their places. A nested tensor has no one shape, and is left
    alone."""
    if any(tensor.is_nested for tensor in tensors):
        return []
    shapes = [tuple(tensor.shape) for tensor in tensors]
    return [
        (i, j)
        for i, j in combinations(range(len(shapes)), 2)
        if meet_silently(shapes[i], shapes[j])
    ]


def _operands(
    operation: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[str, Tensor]]:
    """The tensors that meet element by element, each with a name to call it by."""
    position, keyword = _NON_OPERANDS.get(operation, (-1, ""))
    given = [one for index, one in enumerate(args) if isinstance(one, Tensor) and index != position]
    named = {
        name: one
        for name, one in kwargs.items()
        if isinstance(one, Tensor) and name not in (keyword, "out")
    }
    if operation in _LOSS_NAMES:
        fallbacks = ["prediction", "target" if position != 1 else "weight", "weight"]
    else:
        fallbacks = (
            ["left", "right"] if len(given) + len(named) == 2 else ["first", "second", "third"]
        )
    fallbacks += [f"operand{number}" for number in range(len(fallbacks), len(given))]
    return [*zip(fallbacks, given, strict=False), *named.items()]


def _leading_shapes(
    operation: str, written: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Shape]:
    """The shapes of the operands that the others only fill, if this call has such."""
    places, keywords = _PRIMARY_OPERANDS.get(written) or _PRIMARY_OPERANDS.get(operation, ((), ()))
    leading = [
        *(args[place] for place in places if place < len(args)),
        *(kwargs.get(name) for name in keywords),
    ]
    return [tuple(one.shape) for one in leading if isinstance(one, Tensor)]


def _name_in(frame: FrameType, tensor: Tensor) -> str | None:
    """What the frame calls this very tensor: one of its variables, or a global that its code
    names."""
    names = {
        name: frame.f_globals[name] for name in frame.f_code.co_names if name in frame.f_globals
    } | frame.f_locals
    return next(
        (name for name, value in names.items() if value is tensor and name.isidentifier()), None
    )


_UNCOMPILED = (
    "linreg.guard watches no compiled code; to run it as Python inside no_silent_broadcast, also"
    " enter"
    " torch.compiler.set_stance('force_eager')"
)


class _Watch(TorchFunctionMode):
    """One entry of a guard on the stack of modes of one thread."""

    def __init__(
        self,
        watched: _Functions,
        report: Callable[[Broadcast, FrameType], None],
        outer: _Watch | None,
    ) -> None:
        super().__init__()
        self.watched = self.own = watched
        self.report = report
        self.outer = outer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # PyTorch takes the mode off the stack for this call, so what is called here is not watched
        # again.
        if is_dynamo_compiling():
            # The compiler would trace this into its graph. Torch 2.13 then gives wrong values,
            # without a word, where a call
            # splits the graph, as in `x.mul(x.max().item()).mean()`. So under a guard the user's
            # function runs as Python.
            torch._dynamo.skip_frame(msg=_UNCOMPILED)
        if func in self.watched:
            first = 0
            for one in (*args, *kwargs.values()) if kwargs else args:
                if isinstance(one, Tensor) and (
                    rank := one.dim()
                ):  # a number has none: it meets nothing
                    if first and rank != first:
                        self.look(func, args, kwargs or {})
                        break
                    first = rank
        return func(*args, **kwargs) if kwargs else func(*args)

    def look(self, func: Any, args: Any, kwargs: Any) -> None:
        """Report the call if it is a silent broadcast."""
        find = torch._dynamo.disable(_find) if "torch._dynamo" in sys.modules else _find
        found = find(func, args, kwargs)
        if found is not None:
            self.report(*found)


_NOTHING: _Functions = {}


class _Entered(threading.local):
    """The innermost guard of a thread."""

    top: _Watch | None = None


_ENTERED = _Entered()


def _off_in_the_child() -> None:
    """Switch off the guards that a forked process inherits. They stay on the stack, for blocks that
    it may still leave."""
    watch = _ENTERED.top
    while watch is not None:
        watch.watched = watch.own = _NOTHING
        watch = watch.outer


if hasattr(os, "register_at_fork"):  # not on Windows, which starts processes anew
    os.register_at_fork(after_in_child=_off_in_the_child)


def _unwatched(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of an optimizer that takes the guard off while it runs, unless it calls the user's
    closure."""

    @functools.wraps(method)
    def run(optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
        watch = _ENTERED.top
        if watch is None or args or kwargs or is_dynamo_compiling():
            return method(optimizer, *args, **kwargs)
        if (
            not _len_torch_function_stack()
        ):  # in a hook of `backward`: PyTorch passes that to the mode, so it is off already
            return method(optimizer)
        mode = _pop_torch_function_stack()
        if (
            mode is not watch
        ):  # somebody else's: entered inside of the guard, or below it while the guard is off
            _push_on_torch_function_stack(mode)
            return method(optimizer)
        _ENTERED.top = None
        try:
            return method(optimizer)
        finally:
            _push_on_torch_function_stack(watch)
            _ENTERED.top = watch

    return run


def _leave_optimizers_alone() -> None:
    """Three of four calls of a small training loop are those of `step` and `zero_grad`, on tensors
    of one shape.

    They would be more than half of what the guard costs, so the optimizers of torch.optim are
    wrapped, once a process: to undo it when a guard ends would be a race with the other threads.
    Optimizers from elsewhere stay watched."""
    owners = [
        owner
        for owner in vars(torch.optim).values()
        if inspect.isclass(owner) and "step" in vars(owner)
    ]
    for owner in owners:
        if issubclass(owner, torch.optim.Optimizer) and owner is not torch.optim.Optimizer:
            setattr(owner, "step", _unwatched(owner.step))  # noqa: B010  # mypy takes no assignment to a method
    setattr(torch.optim.Optimizer, "zero_grad", _unwatched(torch.optim.Optimizer.zero_grad))  # noqa: B010


_leave_optimizers_alone()


class no_silent_broadcast:  # a context manager, named as torch.no_grad is
    """Report every elementwise operation or loss of two tensors that differ in rank and are both
    expanded.

        with no_silent_broadcast():
            loss = nn.MSELoss()(pred, y)  # (100, 1) with (100,): SilentBroadcastError

    `action` is `"raise"` (a `SilentBroadcastError` before the operation runs), `"warn"` (a
    `SilentBroadcastWarning` on the user's line, which Python's default filter shows once a line) or
    a function that is called with each `Broadcast`. `allow` names operations to leave alone, as
    `"mul"`, `torch.mul` or a sequence of such; all forms of an operation (function, method,
    operator, in place) go together. Single lines need no `allow`: written with equal ranks, as in
    `position.unsqueeze(1) * frequency.unsqueeze(0)`, all pairs are taken for meant. One-sided
    broadcasting passes.

    Also a decorator, for functions and for generators (on while the generator runs, off while it
    waits). An object can be used again, nested and from several threads. Of nested guards the
    innermost decides. A guard holds for the thread that enters it, as `torch.no_grad` does: not for
    threads or processes started inside. Values and gradients stay the same bits. It sees calls of
    PyTorch from Python: not what runs inside TorchScript, a compiled extension or NumPy, in the
    backward pass, in a step of an optimizer of torch.optim, nor `torch.ops` and `torch._foreach_…`.
    What `torch.compile` has compiled runs as Python inside a guard, so it is watched, and slow;
    outside it is compiled again, except for functions whose first call of all was inside. Under
    `fullgraph=True` the compiler raises an error of its own instead, which says how to go on.

    Raises `ValueError` for an unknown action or operation, `TypeError` when it decorates a class or
    an `async` function."""

    def __init__(self, action: Action = "raise", allow: object = ()) -> None:
        if action not in ("raise", "warn") and not callable(action):
            raise ValueError(
                f"action {action!r} is unknown; give 'raise', 'warn' or a function of the report"
            )
        self._action = action
        allowed = _operations(allow)
        self._watched = {
            function: named for function, named in _WATCHED.items() if named[0] not in allowed
        }

    def __enter__(self) -> no_silent_broadcast:
        if is_dynamo_compiling():
            torch._dynamo.skip_frame(msg=_UNCOMPILED)
        watch = _Watch(self._watched, self._report, _ENTERED.top)
        watch.__enter__()
        if watch.outer is not None:
            watch.outer.watched = _NOTHING
        _ENTERED.top = watch
        return self

    def __exit__(self, *exception: object) -> None:
        watch = _ENTERED.top
        assert watch is not None
        watch.__exit__(*exception)
        if watch.outer is not None:
            watch.outer.watched = watch.outer.own
        _ENTERED.top = watch.outer

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if not callable(function) or inspect.isclass(function):
            raise TypeError(
                "no_silent_broadcast decorates functions; write @no_silent_broadcast() above a"
                " function or method"
            )
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__name__} is async, and a guard cannot follow an await; use `with`"
                " between two awaits"
            )
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def resumed(*args: P.args, **kwargs: P.kwargs) -> Any:
                return _resumed(self, cast(Any, function)(*args, **kwargs))

            return resumed

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
                registry=frame.f_globals.setdefault(
                    "__warningregistry__", {}
                ),  # what "once a line" is counted in
            )
        else:
            self._action(broadcast)


def _resumed(guard: no_silent_broadcast, generator: Any) -> Generator[Any, Any, Any]:
    """The generator, with the guard on each time that it runs."""
    resume: Any = generator.send
    given: Any = None
    while True:
        try:
            with guard:
                value = resume(given)
        except StopIteration as end:
            return end.value
        try:
            resume, given = generator.send, (yield value)
        except GeneratorExit:
            with guard:
                generator.close()
            raise
        except BaseException as error:
            resume, given = generator.throw, error


def _operations(allow: Any) -> set[str]:
    """The operations that these names and functions stand for."""
    named = {written.rpartition(".")[2]: operation for operation, written in _WATCHED.values()}
    allowed: set[str] = set()
    for one in [allow] if isinstance(allow, str) or not isinstance(allow, Iterable) else allow:
        operation = (
            named.get(one.rpartition(".")[2])
            if isinstance(one, str)
            else _WATCHED.get(one, ("", ""))[0]
        )
        if not operation:
            raise ValueError(
                f"allow: {one!r} is not watched; give names or functions such as 'mul' or torch.mul"
            )
        allowed.add(operation)
    return allowed
