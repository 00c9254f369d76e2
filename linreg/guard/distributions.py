"""Broadcasting in `torch.distributions`, judged by what the user gives to it.

A distribution broadcasts on purpose inside: every sample with every component, every row with every
size. So what counts is the call: a value, a parameter or another distribution whose batch
broadcasts against that of the distribution."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution, TransformedDistribution

from linreg.guard.callsite import arguments_of
from linreg.guard.shapes import broadcast_shape
from linreg.settings.losses import Shape

FOLDER = str(Path(torch.distributions.__file__).parent)
VALUE = ""  # the name of the only argument of a method
_OF_VALUES = ("log_prob", "cdf", "icdf")


class Argument(NamedTuple):
    """A tensor or distribution that is given, and its batch: without the axes of one event."""

    name: str
    value: Tensor | Distribution
    batch: Shape


class Call(NamedTuple):
    """A call of a distribution: its name, and two batches that are broadcast together."""

    name: str
    given: Argument
    other: Argument | None  # None for the batch of the distribution
    batch: Shape


def calls_of(entry: FrameType) -> Iterator[Call]:
    """The pairs of batches that a call of `torch.distributions` broadcasts together.

    `entry` is the frame of the method or function that is called."""
    name, values = entry.f_code.co_name, arguments_of(entry)
    distribution = values.get("self")
    if name == "kl_divergence":
        yield from _of_divergence(values.get("p"), values.get("q"))
    elif not isinstance(distribution, Distribution):
        return
    elif name == "__init__":
        parameters = list(_parameters(distribution, values))
        for first, second in combinations(parameters, 2):
            batch = broadcast_shape(first.batch, second.batch)
            if batch is not None:
                yield Call(type(distribution).__name__, first, second, batch)
    elif name in _OF_VALUES:
        kind = type(distribution).__name__
        argument = entry.f_code.co_varnames[1]
        value = values.get(argument)
        if value is None and isinstance(distribution, TransformedDistribution):
            value = entry.f_locals.get(argument)  # transformed, of the same batch
        if isinstance(value, Tensor):
            shape = tuple(value.shape)
            batch = shape[: max(len(shape) - len(distribution.event_shape), 0)]
            given = Argument(VALUE, value, batch)
            yield Call(f"{kind}.{name}", given, None, tuple(distribution.batch_shape))
        for part in _parts(distribution):
            for parameter in _parameters(part, vars(part)):
                if parameter.name not in _constraints(part):
                    yield Call(f"{kind}.{name}", parameter, None, tuple(part.batch_shape))


def _of_divergence(p: Any, q: Any) -> Iterator[Call]:
    if isinstance(p, Distribution) and isinstance(q, Distribution):
        first, second = (
            Argument(name, given, tuple(given.batch_shape)) for name, given in (("p", p), ("q", q))
        )
        yield Call("kl_divergence", first, second, ())


def _parts(distribution: Any) -> Iterator[Distribution]:
    """A distribution and those that it is built on."""
    while isinstance(distribution, Distribution):
        yield distribution
        distribution = vars(distribution).get("base_dist")


def _constraints(distribution: Distribution) -> dict[str, Any]:
    constraints = getattr(type(distribution), "arg_constraints", None)
    return constraints if isinstance(constraints, dict) else {}


def _parameters(distribution: Distribution, values: dict[str, Any]) -> Iterator[Argument]:
    """The tensors among the parameters of a distribution, with the batches that they are for."""
    constraints = _constraints(distribution)
    for name in inspect.signature(type(distribution).__init__).parameters:
        value = values.get(name)
        if name != "self" and isinstance(value, Tensor):
            events = getattr(constraints.get(name), "event_dim", 0)
            shape = tuple(value.shape)
            yield Argument(name, value, shape[: max(len(shape) - events, 0)])
