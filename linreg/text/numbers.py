"""Numbers as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from linreg.settings.sweep_axes import Axis

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def quantity(value: float, digits: int = 3) -> str:
    """A loss or another magnitude: `332,468`, `1.05`, `0.00312`, `3.2 × 10³⁰`."""
    if not math.isfinite(value):
        return "not finite"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e9 or size < 1e-4:
        mantissa, exponent = f"{value:.1e}".split("e")
        power = str(int(exponent)).translate(_SUPERSCRIPTS)
        return f"{mantissa.replace('-', '−')} × 10{power}"
    if size >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    decimals = max(digits - 1 - math.floor(math.log10(size)), 0)
    return f"{value:,.{decimals}f}".replace("-", "−")


def point(weights: Sequence[float] | np.ndarray, decimals: int = 2) -> str:
    """Weights as a point: `(5.00, 3.00)`, or with a bias `(5.00, 3.00; bias 0.01)`."""
    w1, w2, *bias = (coordinate(weight, decimals) for weight in weights)
    return f"({w1}, {w2}{'; bias ' + bias[0] if bias else ''})"


def coordinate(value: float, decimals: int = 2) -> str:
    """A weight: `−0.27`. Large ones are a `quantity`, and zero has no sign."""
    if abs(value) >= 10_000:
        return quantity(value)
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def r2_text(value: float) -> str:
    """R² with four decimals, or more where it would be rounded to 1."""
    if math.isnan(value):
        return "undefined"
    if value < -100:
        return quantity(value)
    for decimals in range(4, 16):
        text = f"{value:.{decimals}f}"
        if value == 1 or float(text) != 1:
            return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"
    return "1"


def share_text(share: float) -> str:
    """A share as a percentage: `30 %`, `12.5 %`."""
    return f"{100 * share:.4g}\N{NO-BREAK SPACE}%"


def shape(size: Sequence[int | str]) -> str:
    """A shape as PyTorch prints it, between backticks: `(100, 1)`, `(100,)`, `(B,)`."""
    return f"`({', '.join(map(str, size))}{',' if len(size) == 1 else ''})`"


def duration(seconds: float) -> str:
    """`0.8 s`, `40 s`, `2 min 10 s`."""
    if seconds < 10:
        return f"{max(seconds, 0.1):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def spreads(columns: np.ndarray, formats: Sequence[Callable[[float], str]]) -> list[str]:
    """The median and the 5th and 95th percentiles of each column (S, K): `1.27 (1.11 … 1.64)`."""
    levels = [0.05, 0.5, 0.95]
    if np.isfinite(columns).all():  # one call for all columns: most of its time is overhead
        quantiles = list(np.quantile(columns, levels, axis=0).T)
    else:
        finite = [column[np.isfinite(column)] for column in columns.T]
        quantiles = [np.quantile(column, levels) if len(column) else column for column in finite]
    texts = []
    for values, to_text in zip(quantiles, formats, strict=True):
        low, median, high = map(to_text, values.tolist()) if len(values) else ("", "", "")
        texts.append(f"{median} ({low} … {high})" if len(values) else "–")
    return texts


def axis_number(axis: Axis, value: float) -> str:
    """A value of an axis, with two digits where it is no whole number: `0.0017`, `1,234`."""
    if axis.whole or value == int(value):
        return f"{int(value):,}".replace("-", "−")
    digits = quantity(value, 2)
    mantissa, times, power = digits.partition(" × ")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa + times + power
