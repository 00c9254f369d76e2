"""Shapes as text: check them, parse them, write them. Importing this does not import torch."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from linreg.settings.losses import MAX_AXES, Shape

MAX_SIZE = 2**63 - 1  # sizes are 64-bit integers in PyTorch
MAX_TEXT = 200  # characters of a shape


@dataclass(frozen=True)
class Notation:
    """How shapes and counts are written in a sentence. `symbols` are the names of sizes."""

    symbols: Mapping[int, str]

    def shape(self, shape: Shape) -> str:
        """A shape such as `(100, 1)` in backticks."""
        sizes = [self.symbols.get(size, str(size)) for size in shape]
        return f"`({', '.join(sizes)}{',' if len(sizes) == 1 else ''})`"

    def number(self, sizes: Shape) -> str:
        """The product of the sizes, such as 10,000 or 3·B."""
        named = [self.symbols[size] for size in sizes if size in self.symbols]
        number = prod(size for size in sizes if size not in self.symbols)
        return "·".join([f"{number:,}"] * (number != 1 or not named) + named)

    def count(self, sizes: Shape, noun: str) -> str:
        """The product of the sizes, and what is counted."""
        return f"{self.number(sizes)} {noun}{'s' * (prod(sizes) != 1)}"


def checked_shape(shape: Iterable[int], name: str = "shape") -> Shape:
    """The shape as a tuple of ints. Raises `ValueError` for too many axes or impossible sizes."""
    if isinstance(shape, str | bytes):
        raise ValueError(
            f"{name} {_shown(shape)} is text; give a tuple such as (100, 1), or read the text with"
            " parse_shape"
        )
    try:
        sizes: list[Any] = []
        for size in shape:
            sizes.append(size)
            if len(sizes) > MAX_AXES:
                raise ValueError(
                    f"{name} has more axes than the {MAX_AXES} that are handled; leave some out"
                )
    except TypeError:
        raise ValueError(
            f"{name} {_shown(shape)} is no sequence of sizes; give a tuple such as (100, 1)"
        ) from None
    return tuple(_checked_size(size, name) for size in sizes)


def _checked_size(size: Any, name: str) -> int:
    try:
        if isinstance(size, bool):
            raise TypeError
        number = operator.index(size)
    except TypeError:
        raise ValueError(
            f"size {_shown(size)} in {name} is not a whole number; give one from 0 up"
        ) from None
    if number < 0:
        raise ValueError(
            f"size {_shown(number)} in {name} is below 0; give a whole number from 0 up"
        )
    if number > MAX_SIZE:
        raise ValueError(
            f"a size in {name} is above {MAX_SIZE}, the most that PyTorch can count; give a"
            " smaller one"
        )
    return number


_SIZE = r"[0-9]{1,30}"
_LIST = rf"(?:{_SIZE}(?:\s*[,x×]\s*{_SIZE})*\s*,?)?"
_SHAPE = re.compile(
    rf"(?:torch\.)?Size\(\s*(?:\[\s*(?P<a>{_LIST})\s*\]|\(\s*(?P<b>{_LIST})\s*\))?\s*\)"
    rf"|\(\s*(?P<c>{_LIST})\s*\)|\[\s*(?P<d>{_LIST})\s*\]|(?P<e>{_SIZE}(?:\s*[,x×]\s*{_SIZE})*\s*,?)"
)


def parse_shape(text: str) -> Shape:
    """The shape of a text such as `(100, 1)`, `100,1`, `100 x 1`, `[100]` or `()`.

    `torch.Size([100, 1])` works too. The text is never evaluated. Raises `ValueError` for any other
    text."""
    if not isinstance(text, str):
        raise ValueError(f"{_shown(text)} is not text; give a shape such as (100, 1)")
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"a shape of {len(text)} characters is above the limit of {MAX_TEXT}; give one such as"
            " (100, 1)"
        )
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        if not text.strip():
            raise ValueError(
                "no shape is given; write one such as (100, 1), or () for a single number"
            )
        raise ValueError(
            f"{_shown(text)} is not a shape; write whole numbers as in (100, 1), or () for a single"
            " number"
        )
    inside = next((group for group in match.groups() if group is not None), "")
    return checked_shape(int(size) for size in re.findall(_SIZE, inside))


def _shown(value: object) -> str:
    """An untrusted value, short enough for a message."""
    try:
        text = repr(value)
    except Exception:  # from any object, or an int too long to print
        return f"of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"
