"""The operations that the guard watches, and which of their arguments are broadcast together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from linreg.settings.losses import Shape

Kind = Literal["elementwise", "loss", "index", "array", "distribution"]


class Operation(NamedTuple):
    """A watched function: the operation that it performs, its qualified name, and its kind.

    The kinds: elementwise; a loss of `torch.nn.functional`; an index; NumPy's result for a tensor
    and an array; and one that counts only where `torch.distributions` calls it."""

    key: str  # such as "div", the same for all forms of an operation
    name: str  # such as "torch.Tensor.__truediv__"
    kind: Kind = "elementwise"


WatchedFunctions = dict[Callable[..., Any], Operation]

# Operations with several names. Python's operators go by the names of their special methods.
_ALIASES: dict[str, tuple[str, ...]] = {
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
}

# Operations with one name only
_UNALIASED = (
    "addcdiv", "addcmul", "allclose", "binomial", "complex", "copysign", "cosine_similarity",
    "dist", "float_power", "fmax", "fmin", "fmod", "gcd", "heaviside", "hypot", "isclose", "lcm",
    "ldexp", "lerp", "logaddexp", "logaddexp2", "logical_and", "logical_or", "logical_xor",
    "masked_fill", "masked_scatter", "masked_select", "max", "maximum", "min", "minimum",
    "nextafter", "normal", "pairwise_distance", "polar", "pow", "vecdot", "where", "xlog1py",
    "xlogy", "zeta",
    "chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v",
    "chebyshev_polynomial_w", "hermite_polynomial_h", "hermite_polynomial_he",
    "laguerre_polynomial_l", "legendre_polynomial_p",
    "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w",
)  # fmt: skip

# Watched only where torch.distributions calls them: a direct call states what it does.
_EXPANSIONS = ("broadcast_tensors", "expand", "unsqueeze")

_INDEXING = ("getitem", "setitem", "index_put")

_LOSSES = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss", "poisson_nll_loss",
    "kl_div", "hinge_embedding_loss", "margin_ranking_loss", "multilabel_soft_margin_loss",
    "binary_cross_entropy", "binary_cross_entropy_with_logits",
)  # fmt: skip

# PyTorch takes any shapes that broadcast, and warns.
WARNS_OF_SHAPES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(_LOSSES, "loss"),
    **dict.fromkeys(_INDEXING, "index"),
    **dict.fromkeys(_EXPANSIONS, "distribution"),
    "array_wrap": "array",
}

# Tensor arguments that are not operands, or whose shape PyTorch itself checks: position, keyword.
_NON_OPERANDS = {
    "gaussian_nll_loss": (2, "var"),
    "masked_scatter": (2, "source"),
    "binary_cross_entropy": (1, "target"),
    "binary_cross_entropy_with_logits": (1, "target"),
}

# The operands, by position or keyword, that the others only select, mix, bound or weight. If one of
# them already has the shape of the result, as in where(mask, token, x), nothing is reported. Other
# operands do not count: where(mask, pred, y) with a full mask is the bug.
_PRIMARY_OPERANDS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "where": ((1, 2), ("input", "other")),
    "torch.Tensor.where": ((0, 2), ("other",)),
    "lerp": ((0, 1), ("input", "end")),
    "clamp": ((0,), ("input",)),
    "binary_cross_entropy_with_logits": ((0,), ("input",)),
}


def _all_forms() -> WatchedFunctions:
    """All forms of the operations: functions, methods, operators, reversed and in place."""
    owners = {
        "torch": torch,
        "torch.Tensor": torch.Tensor,
        "torch.special": torch.special,
        "torch.linalg": torch.linalg,
        "torch.nn.functional": torch.nn.functional,
    }
    aliases = {**_ALIASES, **dict.fromkeys((*_UNALIASED, *_KINDS), ())}
    found: WatchedFunctions = {}
    for key, others in aliases.items():
        kind = _KINDS.get(key, "elementwise")
        for name in (key, *others):
            for module, owner in owners.items():
                forms = [name, f"{name}_"]
                if owner is torch.Tensor:
                    forms += [f"__{name}__", f"__r{name}__", f"__i{name}__"]
                for form in forms:
                    function = getattr(owner, form, None)
                    if callable(function):
                        found.setdefault(function, Operation(key, f"{module}.{form}", kind))
    return found


WATCHED = _all_forms()


def operation_keys(allow: object) -> set[str]:
    """The operations that `allow` stands for: a name, a function, or an iterable of these.

    Raises `ValueError` for what is not watched."""
    by_name = {operation.name.rpartition(".")[2]: operation.key for operation in WATCHED.values()}
    entries: Iterable[Any]
    entries = [allow] if isinstance(allow, str) or not isinstance(allow, Iterable) else allow
    keys: set[str] = set()
    for entry in entries:
        if isinstance(entry, str):
            key = by_name.get(entry.rpartition(".")[2])
        else:
            key = WATCHED[entry].key if entry in WATCHED else None
        if not key:
            raise ValueError(
                f"allow: {entry!r} is not watched;"
                " give names or functions such as 'mul' or torch.mul"
            )
        keys.add(key)
    return keys


def operands(
    operation: Operation, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    """The tensors that the call broadcasts together, each with a name for it, such as "left".

    NumPy arrays count as tensors."""
    if operation.kind == "index":
        return _indices(args[1] if len(args) > 1 else kwargs.get("indices"))
    position, keyword = _NON_OPERANDS.get(operation.key, (-1, ""))
    positional = [
        value for index, value in enumerate(args) if is_operand(value) and index != position
    ]
    named = {
        name: value
        for name, value in kwargs.items()
        if is_operand(value) and name not in (keyword, "out")
    }
    if operation.kind == "loss":
        names = ["prediction", "target" if position != 1 else "weight", "weight"]
    elif len(positional) + len(named) == 2:
        names = ["left", "right"]
    else:
        names = ["first", "second", "third"]
    names += [f"operand{number}" for number in range(len(names), len(positional))]
    return [*zip(names, positional, strict=False), *named.items()]


def is_operand(value: Any) -> bool:
    """Whether a value is a tensor or a NumPy array."""
    if isinstance(value, Tensor):
        return True
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _indices(index: Any) -> list[tuple[str, Any]]:
    """The arrays of integers in an index; none if there is a mask, which has a size of its own."""
    if not isinstance(index, tuple | list):
        return []
    arrays = [(f"index {number}", value) for number, value in enumerate(index) if is_operand(value)]
    if any(str(value.dtype).endswith(("bool", "uint8")) for _, value in arrays):
        return []
    return arrays


def primary_shapes(
    operation: Operation, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Shape]:
    """The shapes of the call's primary operands (see `_PRIMARY_OPERANDS`), if it has any."""
    primary = _PRIMARY_OPERANDS.get(operation.name) or _PRIMARY_OPERANDS.get(operation.key)
    if primary is None:
        return []
    positions, keywords = primary
    values = [args[position] for position in positions if position < len(args)]
    values += [kwargs.get(name) for name in keywords]
    return [tuple(value.shape) for value in values if is_operand(value)]
