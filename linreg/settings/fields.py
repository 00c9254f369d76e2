"""One field of a settings dataclass: its name, type, limits, and its way into text and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any


class SettingsError(ValueError):
    """Impossible settings. `fields` names the fields that can mend it, the most likely first."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.fields = names

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], *self.fields)


@dataclass(frozen=True)
class Interval:
    """Numbers between `low` and `high`, both included unless `open_low`."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False

    def __contains__(self, value: Any) -> bool:
        try:
            finite = math.isfinite(value)
        except OverflowError:  # a whole number beyond every float
            return False
        return (
            finite and self.low <= value <= self.high and not (self.open_low and value == self.low)
        )

    def __str__(self) -> str:
        lower = (
            ""
            if self.low == -math.inf
            else f"{'above' if self.open_low else 'at least'} {format_number(self.low)}"
        )
        upper = "" if self.high == math.inf else f"at most {format_number(self.high)}"
        return " and ".join(part for part in (lower, upper) if part) or "a finite number"


@dataclass(frozen=True)
class FieldSpec:
    """How one field is named, written, read and limited."""

    label: str
    type: type  # of the value, or of each part of it
    valid_range: Interval = Interval()
    ui_range: Interval = Interval()
    parts: Sequence[int] = ()  # how many numbers a tuple may have; () for a single value
    choices: tuple[str, ...] = ()
    several: bool = False  # of the choices, as a tuple; none is allowed
    optional: bool = False  # None is allowed, written `default`


def setting(default: Any, kind: FieldSpec) -> Any:
    """A field of a settings dataclass, with its kind."""
    return field(default=default, metadata={"kind": kind})


def format_number(value: float) -> str:
    """A number as short as it can be written without loss: `100`, `0.01`, `1e-05`."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return str(int(value))
    return repr(float(value))


def shorten(value: object, most: int = 40) -> str:
    """A foreign value as text for a message: never longer than `most`, never with a line break."""
    try:
        text = to_text(value) if isinstance(value, bool | int | float | tuple) else str(value)
    except (
        ValueError,
        OverflowError,
    ):  # a number too long to print, infinities and what is not a number
        text = repr(value) if isinstance(value, float) else "out of range"
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"{text[:most]}…" if len(text) > most else text or "''"


def to_text(value: Any) -> str:
    """A setting as it stands in a URL: `100`, `5,3`, `1` for yes, `default` for None."""
    if value is None:
        return "default"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(part if isinstance(part, str) else format_number(part) for part in value)
    return value if isinstance(value, str) else format_number(value)


_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


_DECIMAL = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")


def from_text(text: str, kind: FieldSpec) -> Any:
    """A setting read from text, within what the app offers.

    Raises `ValueError` with a clause that says what is wrong with it.
    """
    if kind.optional and text == "default":
        return None
    if kind.choices:
        chosen = (
            (tuple(dict.fromkeys(text.split(","))) if text else ()) if kind.several else (text,)
        )
        if not set(chosen) <= set(kind.choices):
            raise ValueError(f"is unknown; the choices are {', '.join(kind.choices)}")
        return chosen if kind.several else text
    if kind.type is bool:
        if text not in ("0", "1"):
            raise ValueError("is neither 0 nor 1")
        return text == "1"
    pattern = _WHOLE if kind.type is int else _DECIMAL
    pieces = (text.split(",", max(kind.parts) + 1) if text else []) if kind.parts else [text]
    if kind.parts and len(pieces) not in kind.parts:
        raise ValueError(f"does not have {_counts(kind)} numbers")
    numbers = []
    for piece in pieces:
        if not pattern.fullmatch(piece.strip()):
            raise ValueError(f"is not {_article(kind.type)}")
        number = kind.type(piece)
        if number not in kind.valid_range or number not in kind.ui_range:
            raise ValueError(f"is out of range ({kind.ui_range})")
        numbers.append(number)
    return tuple(numbers) if kind.parts else numbers[0]


def check_fields(settings: Any) -> None:
    """Raise a `SettingsError` if a field of a settings dataclass is beyond its limit."""
    for name, kind in specs_of(type(settings)).items():
        _check_value(name, getattr(settings, name), kind)


def _check_value(name: str, value: Any, kind: FieldSpec) -> None:
    if value is None and kind.optional:
        return
    if kind.choices:
        if not (set(value) <= set(kind.choices) if kind.several else value in kind.choices):
            raise SettingsError(
                f"{kind.label} {shorten(value)} is unknown; use one of {', '.join(kind.choices)}",
                name,
            )
        return
    if kind.parts and not (isinstance(value, tuple) and len(value) in kind.parts):
        raise SettingsError(
            f"{kind.label} {shorten(value)} is not a tuple of {_counts(kind)} numbers", name
        )
    for part in value if kind.parts else (value,):
        if kind.type is bool or isinstance(part, bool):
            if not (kind.type is bool and isinstance(part, bool)):
                raise SettingsError(
                    f"{kind.label} {shorten(part)} is not {_article(kind.type)}", name
                )
        elif not isinstance(part, Integral if kind.type is int else Real):
            raise SettingsError(f"{kind.label} {shorten(part)} is not {_article(kind.type)}", name)
        elif part not in kind.valid_range:
            raise SettingsError(
                f"{kind.label} {shorten(part)} is not possible; use"
                f" {_asked(kind, kind.valid_range)}",
                name,
            )


def _counts(kind: FieldSpec) -> str:
    """How many numbers, in words: `2 or 3`, `an even number, at most 80, of`."""
    if isinstance(kind.parts, range):
        return (
            f"an even count, at most {kind.parts[-1]}, of"
            if kind.parts.step == 2
            else f"at most {kind.parts[-1]}"
        )
    return " or ".join(map(str, kind.parts))


def _article(wanted: type) -> str:
    return {bool: "True or False", int: "a whole number", float: "a number"}.get(
        wanted, wanted.__name__
    )


def _asked(kind: FieldSpec, interval: Interval) -> str:
    bounds = str(interval)
    noun = "a whole number" if kind.type is int else "a finite number"
    return noun if bounds == "a finite number" else f"{noun} {bounds}"


def specs_of(owner: type) -> dict[str, FieldSpec]:
    """The kind of each field of a settings dataclass."""
    return {
        entry.name: entry.metadata["kind"] for entry in fields(owner) if "kind" in entry.metadata
    }


POSITIVE = Interval(0, open_low=True)
