"""What the browser sends when a visitor lets go, read like a link: nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from linreg.settings.fields import FieldSpec, SettingsError, format_number, from_text, shorten


def read_step(message: Any) -> int | None:
    """The step of a replay, None where the message names none."""
    return _whole(message, "step")


def read_count(message: Any) -> int:
    """The count of what this element of the browser has told, 0 where the message does not say."""
    return _whole(message, "told") or 0


def _whole(message: Any, name: str) -> int | None:
    value = message.get(name) if isinstance(message, Mapping) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < 10**15 else None


def read_values(message: Any, specs: Mapping[str, FieldSpec]) -> dict[str, Any]:
    """The values of those fields that the message has, within the limits of a link.

    Raises `SettingsError` where a value is not one of its field."""
    if not isinstance(message, Mapping):
        raise SettingsError("what the browser has sent cannot be read")
    return {
        name: _read(message[name], name, spec) for name, spec in specs.items() if name in message
    }


def read_starts(message: Any, spec: FieldSpec) -> list[tuple[float, ...]]:
    """The starting points of the message, each of two weights within the limits of the field.

    Raises `SettingsError` where there are none, or one is no point."""
    starts = message.get("starts") if isinstance(message, Mapping) else None
    if not isinstance(starts, list | tuple) or not starts:
        raise SettingsError("what the browser has sent names no starting point")
    point = replace(spec, parts=(2,), optional=False)
    return [_read(start, "starts", point) for start in starts]


def _read(value: Any, name: str, spec: FieldSpec) -> Any:
    if value is None and spec.optional:
        return None
    parts = value if spec.parts and isinstance(value, list | tuple) else [value]
    try:
        return from_text(",".join(map(_number, parts)), spec)
    except ValueError as reason:
        raise SettingsError(f"{spec.label} {shorten(value)} {reason}", name) from None


def _number(value: Any) -> str:
    """A number as it stands in a link. Raises `ValueError` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")
    if not abs(value) < 1e15:  # nor is what is not finite
        raise ValueError("is out of range")
    return format_number(value)
