"""Tell whether a call of PyTorch is a silent broadcast, and where it is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.distributions import LKJCholesky, MixtureSameFamily
from torch.distributions.utils import broadcast_all

from linreg.guard.operations import WATCHED, operands, primary_shapes
from linreg.guard.report import Broadcast
from linreg.guard.scope import Scope
from linreg.guard.shapes import broadcast_shape, find_fixes, is_silent_broadcast, shown_fixes
from linreg.settings.losses import Shape

# Functions of PyTorch that broadcast on purpose: every sample with every component, every row with
# every size.
_ON_PURPOSE = (
    MixtureSameFamily.log_prob,
    MixtureSameFamily.cdf,
    LKJCholesky.__init__,
    LKJCholesky.log_prob,
)

_TORCH = str(Path(torch.__file__).parent) + os.sep
_GUARD = str(Path(__file__).parent) + os.sep
_GENERATED_BY_FX = "<eval_with_key>"


def find_broadcast(
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    scope: Scope,
    *,
    strict: bool,  # noqa: ARG001
) -> tuple[Broadcast, FrameType] | None:
    """The report of the silent broadcast that this call would make, and the user's frame; or None.

    `func` is one of `WATCHED`."""
    operation = WATCHED[func]
    named_tensors = operands(operation, args, kwargs)
    tensors = [tensor for _, tensor in named_tensors]
    if any(tensor.is_nested for tensor in tensors):  # a nested tensor has no single shape
        return None
    shapes = [tuple(tensor.shape) for tensor in tensors]
    pair = _silent_pair(shapes)
    if pair is None:
        return None
    result = broadcast_shape(*shapes)
    if result is None:  # PyTorch raises
        return None
    if result in primary_shapes(operation, args, kwargs) or _called_by(*_ON_PURPOSE):
        return None
    if operation.key == "broadcast_tensors" and not _called_by(broadcast_all):
        return None
    frame = _user_frame()
    if not scope.watches(frame):
        return None
    names = [_name_in(frame, tensor) or fallback for fallback, tensor in named_tensors]
    first, second = (f"{names[i]} {shapes[i]}" for i in pair)
    fixes, advice = _advice(shapes, names)
    report = Broadcast(
        operation=operation.name,
        shapes=(shapes[pair[0]], shapes[pair[1]]),
        result=result,
        where=f"{frame.f_code.co_filename}:{frame.f_lineno}",
        fixes=fixes,
        message=f"{operation.name} broadcasts {first} and {second} to {result},"
        f" so all pairs meet. {advice}",
    )
    return report, frame


def _silent_pair(shapes: Sequence[Shape]) -> tuple[int, int] | None:
    """The indices of the first two shapes that are a silent broadcast; None if there are none."""
    return next(
        (
            (i, j)
            for i, j in combinations(range(len(shapes)), 2)
            if is_silent_broadcast(shapes[i], shapes[j])
        ),
        None,
    )


def _advice(shapes: Sequence[Shape], names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The fixes to offer, as code, and the sentence that offers them."""
    fixes = find_fixes(shapes, names)
    shown = tuple(fix.code for fix in shown_fixes(fixes))
    options = " or ".join(shown)
    if fixes[0].all_pairs:
        sentence = (
            f"No change of axes pairs them one by one; if all pairs are meant, write {options}."
        )
    else:
        all_pairs = [fix.code for fix in fixes if fix.all_pairs]
        unless = f"; if all pairs are meant, {all_pairs[0]}" if all_pairs else ""
        sentence = f"Write {options}{unless}."
    return shown, sentence


def _user_frame() -> FrameType:
    """The innermost frame outside PyTorch and the guard; the outermost frame if there is none."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_internal(frame):
        frame = frame.f_back
    return frame


def _is_internal(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((_TORCH, _GUARD, _GENERATED_BY_FX))


def _called_by(*functions: Any) -> bool:
    """Whether one of these functions is among PyTorch's own frames at the top of the stack."""
    codes = {function.__code__ for function in functions}
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_internal(frame):
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


def _name_in(frame: FrameType, tensor: Tensor) -> str | None:
    """The variable of the frame that holds this tensor: a local, or a global that its code uses."""
    used = {
        name: frame.f_globals[name] for name in frame.f_code.co_names if name in frame.f_globals
    }
    variables = used | frame.f_locals
    return next(
        (name for name, value in variables.items() if value is tensor and name.isidentifier()),
        None,
    )
