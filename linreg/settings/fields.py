"""Fields of settings dataclasses: type, limits, validation, conversion to and from text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any


class SettingsError(ValueError):
    """Impossible settings; `fields` names the fields to change, the most likely one first."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.fields = names

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], *self.fields)


@dataclass(frozen=True)
class Interval:
    """The finite numbers from `low` to `high`, without `low` itself if `open_low`."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False

    def __contains__(self, value: Any) -> bool:
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an int too large for a float
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
    """Description of one field: label, type and limits.

    `valid_range` holds everywhere, `ui_range` for links and controls of the app."""

    label: str
    type: type  # of the value, or of each number of a tuple
    valid_range: Interval = Interval()
    ui_range: Interval = Interval()
    parts: Sequence[int] = ()  # allowed lengths of a tuple; () for a single value
    choices: tuple[str, ...] = ()
    several: bool = False  # the value is a tuple of choices, possibly empty
    optional: bool = False  # None is allowed; its text is `default`
    names: bool = False  # a part may be a name such as `B` or `batch.y`; with `str`, each is one


def setting(default: Any, spec: FieldSpec) -> Any:
    """A field of a settings dataclass, with its description."""
    return field(default=default, metadata={"spec": spec})


def format_number(value: float) -> str:
    """The shortest text that gives the same number: `100`, `0.01`, `1e-05`."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return str(int(value))
    return repr(float(value))


def shorten(value: object, most: int = 40) -> str:
    """An untrusted value as text for a message: one line of at most `most` characters."""
    try:
        text = to_text(value) if isinstance(value, bool | int | float | tuple) else str(value)
    except (ValueError, OverflowError):  # an int too long to print, an infinity or a NaN
        text = repr(value) if isinstance(value, float) else "out of range"
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"{text[:most]}…" if len(text) > most else text or "''"


def to_text(value: Any) -> str:
    """The text of a value in a URL: `100`, `5,3`, `1` for True, `default` for None."""
    if value is None:
        return "default"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(part if isinstance(part, str) else format_number(part) for part in value)
    return value if isinstance(value, str) else format_number(value)


_NAME = re.compile(r"(?=.{1,40}\Z)[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")


def from_text(text: str, spec: FieldSpec) -> Any:
    """The value of a text, within `ui_range`.

    Raises `ValueError` with the end of a sentence, such as "is out of range (at least 1)"."""
    if spec.optional and text == "default":
        return None
    if spec.choices:
        chosen = (
            (tuple(dict.fromkeys(text.split(","))) if text else ()) if spec.several else (text,)
        )
        if not set(chosen) <= set(spec.choices):
            raise ValueError(f"is unknown; the choices are {', '.join(spec.choices)}")
        return chosen if spec.several else text
    if spec.type is bool:
        if text not in ("0", "1"):
            raise ValueError("is neither 0 nor 1")
        return text == "1"
    pattern = _WHOLE if spec.type is int else _DECIMAL
    pieces = (text.split(",", max(spec.parts) + 1) if text else []) if spec.parts else [text]
    if spec.parts and len(pieces) not in spec.parts:
        raise ValueError(
            f"does not have {_counts(spec)} {'names' if spec.type is str else 'numbers'}"
        )
    numbers: list[Any] = []
    for piece in pieces:
        if spec.names and _NAME.fullmatch(piece):
            numbers.append(piece)
            continue
        if spec.type is str:
            raise ValueError("is not a name")
        if not pattern.fullmatch(piece.strip()):
            raise ValueError(f"is not {_type_name(spec.type)}")
        number = spec.type(piece)
        if number not in spec.valid_range or number not in spec.ui_range:
            raise ValueError(f"is out of range ({spec.ui_range})")
        numbers.append(number)
    return tuple(numbers) if spec.parts else numbers[0]


def check_fields(settings: Any) -> None:
    """Raise a `SettingsError` if a field of a settings dataclass has an invalid value."""
    for name, spec in specs_of(type(settings)).items():
        _check_value(name, getattr(settings, name), spec)


def _check_value(name: str, value: Any, spec: FieldSpec) -> None:
    if value is None and spec.optional:
        return
    if spec.choices:
        if not (set(value) <= set(spec.choices) if spec.several else value in spec.choices):
            raise SettingsError(
                f"{spec.label} {shorten(value)} is unknown; use one of {', '.join(spec.choices)}",
                name,
            )
        return
    if spec.parts and not (isinstance(value, tuple) and len(value) in spec.parts):
        raise SettingsError(
            f"{spec.label} {shorten(value)} is not a tuple of {_counts(spec)} numbers", name
        )
    for part in value if spec.parts else (value,):
        if spec.names and isinstance(part, str) and _NAME.fullmatch(part):
            continue
        if spec.type is str:
            raise SettingsError(f"{spec.label} {shorten(part)} is not a name", name)
        if spec.type is bool or isinstance(part, bool):
            if not (spec.type is bool and isinstance(part, bool)):
                raise SettingsError(
                    f"{spec.label} {shorten(part)} is not {_type_name(spec.type)}", name
                )
        elif not isinstance(part, Integral if spec.type is int else Real):
            raise SettingsError(
                f"{spec.label} {shorten(part)} is not {_type_name(spec.type)}", name
            )
        elif part not in spec.valid_range:
            raise SettingsError(
                f"{spec.label} {shorten(part)} is not possible;"
                f" use {_allowed(spec, spec.valid_range)}",
                name,
            )


def _counts(spec: FieldSpec) -> str:
    """The allowed lengths in words: `2 or 3`, `at most 10`, `an even count, at most 24, of`."""
    if isinstance(spec.parts, range):
        return (
            f"an even count, at most {spec.parts[-1]}, of"
            if spec.parts.step == 2
            else f"at most {spec.parts[-1]}"
        )
    return " or ".join(map(str, spec.parts))


def _type_name(wanted: type) -> str:
    return {bool: "True or False", int: "a whole number", float: "a number"}.get(
        wanted, wanted.__name__
    )


def _allowed(spec: FieldSpec, interval: Interval) -> str:
    bounds = str(interval)
    noun = "a whole number" if spec.type is int else "a finite number"
    return noun if bounds == "a finite number" else f"{noun} {bounds}"


def specs_of(owner: type) -> dict[str, FieldSpec]:
    """The descriptions of the fields of a settings dataclass, by name."""
    return {
        entry.name: entry.metadata["spec"] for entry in fields(owner) if "spec" in entry.metadata
    }


POSITIVE = Interval(0, open_low=True)
