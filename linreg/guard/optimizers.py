"""Pause the guard inside the optimizers of `torch.optim`, where it would only cost time.

In a small training loop three of four calls are made by the optimizer, on tensors of one shape:
watching them doubles the cost of the guard. PyTorch's step hooks cannot pause it, because no hook
runs after a step that raises. So a hook finds the optimizers that step while a guard is active, and
wraps the methods of these objects until the last guard of the process is left. The classes of
PyTorch stay as they are."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

__tracebackhide__ = True  # so that pytest shows the user's line last

Method = Callable[..., Any]
METHODS = ("step", "zero_grad")

_TORCH = str(Path(torch.__file__).parent) + os.sep


class OptimizerPatch:
    """Wrap methods of optimizers from the first `acquire` to the last `release`.

    An optimizer is wrapped from the second step on that it takes in between, and at each later
    `acquire`. A wrapped method runs as `call(method, args, kwargs)`. Thread-safe."""

    def __init__(self, call: Callable[[Method, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        self._call = call
        self._lock = threading.RLock()  # garbage collection may close a guarded generator inside
        self._users = 0
        self._hook: RemovableHandle | None = None
        self._optimizers: WeakSet[Optimizer] = WeakSet()
        # wrapper -> the attribute of the optimizer that it replaces, None if there was none
        self._replaced: WeakKeyDictionary[FunctionType, Method | None] = WeakKeyDictionary()

    def acquire(self) -> None:
        """Add a user; the first one wraps the optimizers that are known."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._hook = register_optimizer_step_pre_hook(self._find)
                for optimizer in list(self._optimizers):
                    self._wrap(optimizer)

    def release(self) -> None:
        """Remove a user; the last one restores the methods."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._restore()

    def reset(self, users: int) -> None:
        """Set the number of users: a forked process has those of the forking thread only."""
        self._lock = threading.RLock()  # another thread may have held the old one
        self._users = users
        if not users:
            self._restore()

    def _find(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        """Step hook: wrap an optimizer whose `step` is that of PyTorch."""
        if is_dynamo_compiling() or optimizer in self._optimizers:
            return
        if _is_of_torch(optimizer.step):
            with self._lock:
                if self._users and optimizer not in self._optimizers:
                    self._optimizers.add(optimizer)
                    self._wrap(optimizer)

    def _wrap(self, optimizer: Optimizer) -> None:
        for name in METHODS:
            method = getattr(optimizer, name)
            if _is_of_torch(method):
                wrapper = self._wrapper(method)
                self._replaced[wrapper] = vars(optimizer).get(name)  # of a scheduler, for example
                setattr(optimizer, name, MethodType(wrapper, optimizer))

    def _wrapper(self, method: Method) -> Any:
        call = self._call

        @functools.wraps(getattr(method, "__func__", method))
        def wrapper(_optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            return call(method, args, kwargs)

        return wrapper

    def _restore(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        for optimizer in list(self._optimizers):
            for name in METHODS:
                wrapper: Any = getattr(vars(optimizer).get(name), "__func__", None)
                if wrapper not in self._replaced:  # somebody else has replaced it since
                    continue
                before = self._replaced.pop(wrapper)
                if before is None:
                    delattr(optimizer, name)
                else:
                    setattr(optimizer, name, before)


def _is_of_torch(method: Method) -> bool:
    """Whether a method is defined in `torch.optim`, and not wrapped by anybody else.

    PyTorch itself wraps `step`, that of users too, so both the name and the code count."""
    function = getattr(method, "__func__", method)
    module, code = getattr(function, "__module__", None), getattr(function, "__code__", None)
    if not module or code is None:
        return False
    return bool(module.startswith("torch.optim.") and code.co_filename.startswith(_TORCH))
