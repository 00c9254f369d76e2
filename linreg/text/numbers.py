"""Numbers as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def quantity(value: float, digits: int = 3) -> str:
    """A loss or another size: `332,468`, `1.05`, `0.00312`, `3.2 × 10³⁰`."""
    if not math.isfinite(value):
        return "not finite"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e9 or size < 1e-4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace(
            "-", "−", 1 if value < 0 else 0
        )
    if size >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    decimals = max(digits - 1 - math.floor(math.log10(size)), 0)
    return f"{value:,.{decimals}f}".replace("-", "−")


def point(weights: Sequence[float] | np.ndarray, decimals: int = 2) -> str:
    """Weights as a point: `(5.00, 3.00)`."""
    return f"({', '.join(coordinate(weight, decimals) for weight in weights)})"


def coordinate(value: float, decimals: int = 2) -> str:
    """One weight, `−0.27`; large ones as a `quantity`, and nothing is ever minus zero."""
    if abs(value) >= 10_000:
        return quantity(value)
    text = f"{value:.{decimals}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def r2_text(value: float) -> str:
    """R²: four decimals, more where rounding would claim a perfect 1."""
    if math.isnan(value):
        return "undefined"
    if value < -100:
        return quantity(value)
    for decimals in range(4, 16):
        text = f"{value:.{decimals}f}"
        if value == 1 or float(text) != 1:
            return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"
    return "1"


def shape(size: Sequence[int | str]) -> str:
    """A shape as PyTorch prints it, in backticks: `(100, 1)`, `(100,)`, `(B,)`."""
    return f"`({', '.join(map(str, size))}{',' if len(size) == 1 else ''})`"


def duration(seconds: float) -> str:
    """`0.8 s`, `40 s`, `2 min 10 s`."""
    if seconds < 10:
        return f"{max(seconds, 0.1):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def spreads(columns: np.ndarray, written: Sequence[Callable[[float], str]]) -> list[str]:
    """For each column of (S, K) the median, and in brackets what the middle 90 % lie between: `1.27
    (1.11 … 1.64)`."""
    asked = [0.05, 0.5, 0.95]
    if np.isfinite(
        columns
    ).all():  # at once: what surrounds the search for a quantile takes longer than the search
        found = list(np.quantile(columns, asked, axis=0).T)
    else:
        finite = [column[np.isfinite(column)] for column in columns.T]
        found = [np.quantile(column, asked) if len(column) else column for column in finite]
    return [
        "{1} ({0} … {2})".format(*map(in_words, of.tolist())) if len(of) else "–"
        for of, in_words in zip(found, written, strict=True)
    ]
