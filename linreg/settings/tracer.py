"""Use PyTorch without its tracer. Importing this does not import torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import CellType, FunctionType
from typing import Any

DISABLED = "__dynamo_disable"  # where the decorator keeps what it calls
MODULES = ("torch.optim", "torch._refs", "torch._decomp", "torch._meta_registrations")
EMPTY = CellType()


@contextmanager
def without_tracer() -> Iterator[None]:
    """Build optimizers and compute on the meta device without importing `torch._dynamo`, the
    tracer of `torch.compile`.

    Both call functions that are wrapped in a decorator which imports it at the first call. That
    takes seconds, 90 MB and a folder to write to, and matters in compiled code only. There is no
    public way around it: the decorator looks for the wrapped function's `__dynamo_disable`, which
    is set to the function itself meanwhile. A test says so when PyTorch changes this."""
    import torch  # noqa: F401  # which loads the modules

    wrapped = [] if "torch._dynamo" in sys.modules else _wrapped_functions()
    changed = [function for function in wrapped if DISABLED not in vars(function)]
    for function in changed:
        vars(function)[DISABLED] = function
    try:
        yield
    finally:
        for function in changed:
            vars(function).pop(DISABLED, None)


@cache
def _wrapped_functions() -> list[Callable[..., Any]]:
    """The functions that the decorator wraps in `MODULES`, in classes there, and inside of other
    decorators."""
    from torch._compile import _disable_dynamo

    code = _disable_dynamo(lambda: None).__code__
    modules = [module for name, module in sys.modules.items() if name.startswith(MODULES)]
    left = [value for module in modules for value in vars(module).values()]
    left += [value for owner in left if isinstance(owner, type) for value in vars(owner).values()]
    found: list[Callable[..., Any]] = []
    seen: set[FunctionType] = set()
    while left:
        function = left.pop()
        if isinstance(function, FunctionType) and function not in seen:
            seen.add(function)
            cells = (cell for cell in function.__closure__ or () if cell != EMPTY)
            inside = [cell.cell_contents for cell in cells]
            if function.__code__ is code:
                found += [value for value in inside if isinstance(value, FunctionType)]
            left += inside
    return found
